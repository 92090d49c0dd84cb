#include "api/routes.h"

#include "api/agents.h"
#include "api/auth.h"
#include "api/execute.h"
#include "api/files.h"
#include "api/health.h"
#include "api/runs.h"
#include "api/tools.h"
#include "api/validate.h"
#include "base/cleanup.h"
#include "base/confine.h"
#include "base/fs.h"
#include "http/accept.h"
#include "http/access.h"
#include "limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum route_needs {
	NEEDS_NOTHING = 0,
	NEEDS_BODY = 1,
	NEEDS_ENGINE = 2, /* it runs a job: the caller must be allowed to */
	BY_STATIC = 4,    /* a file or a page: mayfly-static's */
	BY_PREFIX = 8,    /* the path and what is beneath it; of "x/" only what is beneath */
	TAKES_FORM = 16,  /* an upload: multipart/form-data; its handler reads the body itself */
	KEY_TO_RUN = 32,  /* it wants a bearer token of this scope */
	KEY_TO_READ = 64,
	COSTS_TOKEN = 128, /* of the caller's bucket */
	AGENT_TOKEN = 256, /* it wants family D's token */
};

static const struct route {
	const char *methods; /* as the Allow field has them */
	const char *path;
	unsigned needs;
	size_t body_max_bytes;
	void (*handler)(struct call *call);
} routes[] = {
	{"POST", "/run", NEEDS_BODY | NEEDS_ENGINE, HTTP_BODY_MAX_BYTES, api_run},
	{"POST", "/tools/execute", NEEDS_BODY | NEEDS_ENGINE, HTTP_BODY_FILES_MAX_BYTES,
	 api_tools_execute},
	{"GET, HEAD", "/tools", NEEDS_NOTHING, 0, api_tools},
	{"GET, HEAD", "/artifacts", BY_STATIC | BY_PREFIX, 0, NULL},
	{"GET, HEAD", "/", BY_STATIC, 0, NULL},
	{"GET, HEAD", "/assets/", BY_STATIC | BY_PREFIX, 0, NULL},
	{"GET, HEAD", "/openapi.json", BY_STATIC, 0, NULL},
	{"GET, HEAD", "/debug", BY_STATIC | BY_PREFIX, 0, NULL},
	{"GET, HEAD", "/health", NEEDS_NOTHING, 0, api_health},
	{"GET, HEAD", "/v1/health", NEEDS_NOTHING, 0, api_v1_health},
	{"POST", "/v1/files", TAKES_FORM | KEY_TO_RUN, 0, api_upload},
	{"GET, HEAD", "/v1/files/", BY_STATIC | BY_PREFIX, 0, NULL},
	{"POST", "/v1/runs", NEEDS_BODY | NEEDS_ENGINE | KEY_TO_RUN | COSTS_TOKEN,
	 HTTP_BODY_MAX_BYTES, api_runs_create},
	{"GET, HEAD", "/v1/runs", KEY_TO_READ, 0, api_runs_list},
	{"GET, HEAD", "/v1/runs/", BY_PREFIX | KEY_TO_READ, 0, api_runs_read},
	{"POST", "/validate", NEEDS_BODY | NEEDS_ENGINE, AGENT_BODY_MAX_BYTES, api_validate},
	{"GET, HEAD", "/api/v1/health", NEEDS_NOTHING, 0, api_agents_health},
	{"POST", AGENTS_PATH, NEEDS_BODY | NEEDS_ENGINE | BY_PREFIX | AGENT_TOKEN,
	 AGENT_BODY_MAX_BYTES, api_agents_post},
	{"GET, HEAD", AGENTS_PATH, BY_PREFIX | AGENT_TOKEN, 0, api_agents_get},
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

/* Each family has its own shape of errors. */
static void refuse(struct call *call, const struct error *err)
{
	const struct slice path = call->connection->request.path;

	if (slice_starts(path, "/v1/"))
		call_refuse_data(call, err);
	else if (slice_starts(path, AGENTS_API))
		agents_refuse(call, err);
	else
		call_refuse(call, err);
}

/* Who calls, and may he? */
static int check_permission(struct call *call, const struct route *route, struct error *err)
{
	if (route->needs & AGENT_TOKEN)
		return auth_check_agent(call, &call->caller, err);
	if (!(route->needs & (KEY_TO_RUN | KEY_TO_READ)))
		return (route->needs & NEEDS_ENGINE) ? auth_check_run(call, err) : 0;
	if (auth_check(call, (route->needs & KEY_TO_RUN) ? KEY_RUN : KEY_READ, &call->caller, err) <
	    0)
		return -1;
	return (route->needs & COSTS_TOKEN) ? auth_take_token(call, err) : 0;
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
	return route ? check_permission(call, route, err) : 0;
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
	if ((route->needs & NEEDS_ENGINE) && engine_open(call->config, &call->engine, err) < 0)
		return -1;
	if (confine_to_state(call->config, err) < 0)
		return -1;
	if (route->needs & NEEDS_BODY) {
		call->body = buf_new(route->body_max_bytes);
		if (http_read_body(call->connection, &call->body,
				   deadline_in(HTTP_BODY_DEADLINE_MS), err) < 0)
			return -1;
	}
	call->watch = (struct http_watch){
		.fd = call->connection->fd,
		.may_probe = call->connection->request.minor_version == 1,
	};
	route->handler(call);
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
static int serve(struct call *call, struct error *err)
{
	const struct route *route = NULL;
	struct error no_route;
	int found = find_route(call, &route, &no_route);

	if (check_caller(call, route, err) < 0)
		return -1;
	if (found == 0)
		return serve_route(call, route, err);
	*err = no_route;
	return -1;
}

void api_serve(struct call *call)
{
	struct error err = {0};
	bool refused = serve(call, &err) < 0;

	if (refused)
		refuse(call, &err);
	/* the client has its answer before its container is taken down */
	end_connection(call, refused || call->body_is_unread);
	execute_clean_up(call);
	buf_free(&call->body);
}
