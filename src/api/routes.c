#include "api/routes.h"

#include "api/agents/agents.h"
#include "api/agents/validate.h"
#include "api/runs/runs.h"
#include "api/runs/upload.h"
#include "api/sandbox/sandbox.h"
#include "api/sandbox/templates.h"
#include "api/system/health.h"
#include "api/system/metrics.h"
#include "api/tools/tools.h"
#include "auth/rate_limit.h"
#include "base/cleanup.h"
#include "base/confine.h"
#include "base/fs.h"
#include "bounds.h"
#include "http/accept.h"
#include "http/access.h"
#include "job/executor.h"
#include "server/auth.h"
#include "server/note.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum route_needs {
	NEEDS_ENGINE = 1, /* it runs a job, or speaks with a container */
	BY_STATIC = 2,    /* a file or a page: mayfly-static's */
	BY_PREFIX = 4,    /* the path and what is beneath it; of "x/" only what is beneath */
	TAKES_FORM = 8,   /* an upload: multipart/form-data; its handler reads the body itself */
	COSTS_TOKEN = 16, /* of the caller's bucket */
};

static const struct route {
	const char *methods; /* as the Allow field has them */
	const char *path;
	enum access access;
	unsigned needs;
	size_t body_max_bytes; /* 0: the body is not read */
	void (*handler)(struct call *call);
} routes[] = {
	{"POST", "/run", ACCESS_LOCAL_OR_KEY, NEEDS_ENGINE, HTTP_BODY_MAX_BYTES, api_run},
	{"POST", "/tools/execute", ACCESS_LOCAL_OR_KEY, NEEDS_ENGINE, HTTP_BODY_FILES_MAX_BYTES,
	 api_tools_execute},
	{"GET, HEAD", "/tools", ACCESS_PUBLIC, 0, 0, api_tools},
	{"GET, HEAD", "/artifacts", ACCESS_PUBLIC, BY_STATIC | BY_PREFIX, 0, NULL},
	{"GET, HEAD", "/", ACCESS_PUBLIC, BY_STATIC, 0, NULL},
	{"GET, HEAD", "/assets/", ACCESS_PUBLIC, BY_STATIC | BY_PREFIX, 0, NULL},
	{"GET, HEAD", "/openapi.json", ACCESS_PUBLIC, BY_STATIC, 0, NULL},
	{"GET, HEAD", "/debug", ACCESS_PUBLIC, BY_STATIC | BY_PREFIX, 0, NULL},
	{"GET, HEAD", "/health", ACCESS_SANDBOX, 0, 0, api_health},
	{"GET, HEAD", "/capabilities", ACCESS_SANDBOX, 0, 0, api_capabilities},
	{"GET, HEAD", "/templates", ACCESS_SANDBOX, 0, 0, api_templates},
	{"POST", "/templates", ACCESS_SANDBOX_ADMIN, 0, HTTP_BODY_MAX_BYTES, api_template_add},
	{"DELETE", "/templates/", ACCESS_SANDBOX_ADMIN, BY_PREFIX, 0, api_template_remove},
	{"GET, HEAD", "/sessions", ACCESS_SANDBOX_RUN, 0, 0, api_sessions},
	{"GET, HEAD", "/sessions/", ACCESS_SANDBOX_RUN, NEEDS_ENGINE | BY_PREFIX, 0,
	 api_session_files_read},
	{"POST, PUT", "/sessions/", ACCESS_SANDBOX_RUN, NEEDS_ENGINE | BY_PREFIX,
	 HTTP_BODY_SANDBOX_MAX_BYTES, api_session_files_write},
	{"POST", "/session/create", ACCESS_SANDBOX_RUN, NEEDS_ENGINE, HTTP_BODY_SANDBOX_MAX_BYTES,
	 api_session_create},
	{"POST", "/session/execute", ACCESS_SANDBOX_RUN, NEEDS_ENGINE, HTTP_BODY_SANDBOX_MAX_BYTES,
	 api_session_execute},
	{"POST", "/session/destroy", ACCESS_SANDBOX_RUN, NEEDS_ENGINE, HTTP_BODY_SANDBOX_MAX_BYTES,
	 api_session_destroy},
	{"POST", "/execute", ACCESS_SANDBOX_RUN, NEEDS_ENGINE, HTTP_BODY_SANDBOX_MAX_BYTES,
	 api_sandbox_execute},
	{"GET, HEAD", "/metrics", ACCESS_SANDBOX_RUN, 0, 0, api_metrics},
	{"GET, HEAD", "/metrics/prometheus", ACCESS_SANDBOX_RUN, 0, 0, api_metrics_prometheus},
	{"GET, HEAD", "/v1/health", ACCESS_PUBLIC, 0, 0, api_v1_health},
	{"POST", "/v1/files", ACCESS_RUN, TAKES_FORM, 0, api_upload},
	{"GET, HEAD", "/v1/files/", ACCESS_PUBLIC, BY_STATIC | BY_PREFIX, 0, NULL},
	{"POST", "/v1/runs", ACCESS_RUN, NEEDS_ENGINE | COSTS_TOKEN, HTTP_BODY_MAX_BYTES,
	 api_runs_create},
	{"GET, HEAD", "/v1/runs", ACCESS_READ, 0, 0, api_runs_list},
	{"GET, HEAD", "/v1/runs/", ACCESS_READ, BY_PREFIX, 0, api_runs_read},
	{"POST", "/validate", ACCESS_LOCAL_OR_KEY, NEEDS_ENGINE, AGENT_BODY_MAX_BYTES,
	 api_validate},
	{"GET, HEAD", "/api/v1/health", ACCESS_PUBLIC, 0, 0, api_agents_health},
	{"POST", AGENTS_PATH, ACCESS_AGENT, NEEDS_ENGINE | BY_PREFIX, AGENT_BODY_MAX_BYTES,
	 api_agents_post},
	{"GET, HEAD", AGENTS_PATH, ACCESS_AGENT, BY_PREFIX, 0, api_agents_get},
};

bool api_route(size_t index, struct route_name *out)
{
	if (index >= sizeof(routes) / sizeof(routes[0]))
		return false;
	*out = (struct route_name){
		.methods = routes[index].methods,
		.path = routes[index].path,
		.is_prefix = routes[index].needs & BY_PREFIX,
	};
	return true;
}

static bool has_path(const struct route *route, struct slice path)
{
	size_t len = strlen(route->path);

	if (!slice_starts(path, route->path))
		return false;
	if ((route->needs & BY_PREFIX) && route->path[len - 1] == '/')
		return path.len > len;
	return path.len == len || ((route->needs & BY_PREFIX) && path.data[len] == '/');
}

/* True when a comma-separated list of methods names this one. */
static bool has_method(const char *methods, struct slice method)
{
	for (const char *at = methods; *at; at += strspn(at, ", ")) {
		size_t len = strcspn(at, ",");

		if (method.len == len && memcmp(method.data, at, len) == 0)
			return true;
		at += len;
	}
	return false;
}

/* Notes methods that the path takes, for 405. */
static void add_allowed(struct call *call, const struct route *route)
{
	static char allowed[128]; /* one process, one request */
	size_t len = strlen(allowed);

	(void)snprintf(allowed + len, sizeof(allowed) - len, "%s%s", len ? ", " : "",
		       route->methods);
	call->allow = allowed;
}

/* The row of the request's path, whose methods include the request's. 0, or -1 with *err: 404, 405. */
static int find_route(struct call *call, const struct route **out, struct error *err)
{
	const struct http_request *request = &call->connection->request;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!has_path(&routes[i], request->path))
			continue;
		if (has_method(routes[i].methods, request->method_text)) {
			*out = &routes[i];
			return 0;
		}
		add_allowed(call, &routes[i]);
	}
	if (call->allow)
		return error_set(err, 405, "method_not_allowed", "%.*s takes %s",
				 (int)request->path.len, request->path.data, call->allow);
	return error_set(err, 404, "no_route", "Route %.*s:%.*s not found",
			 (int)request->method_text.len, request->method_text.data,
			 (int)request->path.len, request->path.data);
}

/* Is that path a file's or a page's? */
static bool is_static(struct slice path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if ((routes[i].needs & BY_STATIC) && has_path(&routes[i], path))
			return true;
	return false;
}

static int check_caller(struct call *call, const struct route *route, struct error *err)
{
	char address[HTTP_ADDRESS_BYTES];
	struct http_access access = {
		.bind = call->config->bind,
		.public_base_url = call->config->public_base_url,
		.allowed_hosts = call->config->allowed_hosts,
		.takes_forms = route && (route->needs & TAKES_FORM),
	};

	http_local_address(call->connection->fd, address);
	if (*address && !http_is_loopback(slice_of(address)))
		access.bind = address;
	if (http_check_host(&access, &call->connection->request, err) < 0 ||
	    http_check_origin(&access, &call->connection->request, err) < 0)
		return -1;

	const struct slice *origin = http_field(&call->connection->request, "Origin");

	if (origin)
		call->origin = *origin;
	if (!route)
		return 0;
	if (auth_check(call, route->access, err) < 0)
		return -1;
	return (route->needs & COSTS_TOKEN) && call->caller.has_key
		       ? bucket_take(call->config, &call->caller.key, &call->retry_after_s, err)
		       : 0;
}

/* Becomes mayfly-static, with the bytes read so far in a memfd. Returns only on failure. */
static int hand_over(const struct call *call, struct error *err)
{
	const struct buf *head = &call->connection->head;
	char path[PATH_MAX + 32], option[32];
	int memory = memfd_create("head", 0);

	(void)snprintf(path, sizeof(path), "%s/mayfly-static", call->config->libexec);
	(void)snprintf(option, sizeof(option), "--head-fd=%d", memory);
	if (memory >= 0 && write(memory, head->data, head->len) == (ssize_t)head->len &&
	    dup2(call->connection->fd, STDIN_FILENO) == STDIN_FILENO)
		execl(path, "mayfly-static", option, (char *)NULL);
	return error_set_errno(err, 500, "static_missing",
			       "%s cannot be started; install it beside mayfly", path);
}

/* From here on this process can reach its own state and nothing else; the engine's end is a process of its own already. */
static int confine_to_state(const struct config *config, struct error *err)
{
	const struct confine_path paths[] = {
		{config->storage, CONFINE_READ_WRITE},
		{config->storage_dir, CONFINE_READ_WRITE},
		{config->run, CONFINE_READ_WRITE},
		{config->custom, CONFINE_READ_WRITE},
		{config->registry[0][0] ? config->registry[0] : config->registry[1], CONFINE_READ},
		{config->registry[1], CONFINE_READ},
		{config->registry[2], CONFINE_READ},
		{"/proc/meminfo", CONFINE_READ},
		{"/proc/loadavg", CONFINE_READ},
		{"/sys/devices/system/cpu/online", CONFINE_READ},
	};

	/* a path is allowed as what it is now: it must be there */
	_cleanup_close_ int storage = fs_open_or_make_dir(config->storage, 0750);
	_cleanup_close_ int files = fs_open_or_make_dir(config->storage_dir, 0750);
	_cleanup_close_ int run = fs_open_or_make_dir(config->run, 0700);

	if (storage < 0 || files < 0 || run < 0)
		return error_set_errno(err, 500, "state_folder",
				       "%s cannot be opened; mayfly must own it",
				       storage < 0 ? config->storage
				       : files < 0 ? config->storage_dir
						   : config->run);
	return confine(paths, sizeof(paths) / sizeof(paths[0]), CONFINE_JOB, err);
}

static int serve_route(struct call *call, const struct route *route, struct error *err)
{
	if (route->needs & BY_STATIC)
		return hand_over(call, err);
	if ((route->needs & NEEDS_ENGINE) &&
	    engine_open(call->config, &call->executor.engine, err) < 0)
		return -1;
	if (confine_to_state(call->config, err) < 0)
		return -1;
	if (route->body_max_bytes) {
		call->body = buf_new(route->body_max_bytes);
		if (http_read_body(call->connection, &call->body,
				   deadline_in(HTTP_BODY_DEADLINE_MS), err) < 0)
			return -1;
	}
	call->executor.watch = (struct http_watch){
		.fd = call->connection->fd,
		.may_probe = call->connection->request.minor_version == 1,
	};
	route->handler(call);
	return 0;
}

/* A browser asks before it sends a page's request (Fetch standard, section 4.8). It gets an answer from everybody, which allows what would be allowed: a page of
   our own. */
static int answer_options(struct call *call, struct error *err)
{
	struct http_reply reply = http_reply_new(200);
	struct slice host = call->connection->request.host;
	int sent = -1;

	if (check_caller(call, NULL, err) < 0 && err->status != 403)
		return -1;
	call->status = 200;
	if (http_reply_field(&reply, "Access-Control-Allow-Origin", "%s%.*s",
			     call->origin.len ? "" : "http://",
			     (int)(call->origin.len ? call->origin.len : host.len),
			     call->origin.len ? call->origin.data : host.data) == 0 &&
	    http_reply_field(&reply, "Vary", "Origin") == 0 &&
	    http_reply_field(&reply, "Access-Control-Allow-Methods", "%s",
			     call->allow ? call->allow : "GET, POST, OPTIONS") == 0 &&
	    http_reply_field(&reply, "Access-Control-Allow-Headers",
			     "Content-Type, X-API-Key, X-Request-ID") == 0 &&
	    (!*call->request_id ||
	     http_reply_field(&reply, "X-Request-ID", "%s", call->request_id) == 0))
		sent = http_reply_send(call->connection->fd, &reply, SLICE_LITERAL(""), false,
				       deadline_in(HTTP_WRITE_DEADLINE_MS));
	http_reply_free(&reply);
	if (sent < 0)
		call->code = "reply_not_sent";
	return 0;
}

/* Closing while bytes of the client lie unread would reset the connection, and our answer with it. */
static void end_connection(struct call *call, bool refused)
{
	int fd = call->connection->fd, unread = 0;

	if (call->status && (refused || (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0)))
		http_linger(fd);
	(void)shutdown(fd, SHUT_RDWR); /* also where standard output is a second name of it */
}

/* Who may not call is told so, whether there is a route or not. */
static int serve(struct call *call, struct config *config, struct error *err)
{
	const struct route *route = NULL;
	struct error no_route;
	int found = find_route(call, &route, &no_route);

	call_take_request_id(call);
	if (found < 0 && call->connection->request.method == HTTP_OPTIONS &&
	    !is_static(call->connection->request.path))
		return answer_options(call, err);
	call->route = route ? route->path : NULL;
	if (check_caller(call, route, err) < 0 || config_forget_keys(config, err) < 0)
		return -1;
	if (found == 0)
		return serve_route(call, route, err);
	*err = no_route;
	return -1;
}

void api_serve(struct call *call, struct config *config)
{
	struct error err = {0};
	bool refused;

	call->config = config;
	call->executor.family = note_family(call->connection->request.path);
	refused = serve(call, config, &err) < 0;

	if (refused)
		call_refuse(call, &err);
	/* the client has its answer before its container is taken down */
	end_connection(call, refused || call->body_is_unread);
	note_end(call);
	executor_end(&call->executor);
	note_end(call); /* what went wrong in cleaning up */
	buf_free(&call->body);
}
