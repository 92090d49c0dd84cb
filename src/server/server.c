#include "server/server.h"

#include "auth/rate_limit.h"
#include "base/cleanup.h"
#include "base/confine.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/memory.h"
#include "http/accept.h"
#include "http/access.h"
#include "server/request_log.h"
#include "store/log_limit.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>

/* --- finding the route ------------------------------------------------------------------------ */

static bool has_path(const struct route *route, const struct call *call)
{
	struct slice path = call->connection->request.path;
	size_t len = strlen(route->path);

	if (!slice_starts(path, route->path) ||
	    ((route->flags & DEBUG_ONLY) && !call->config->debug_ui))
		return false;
	if ((route->flags & BY_PREFIX) && route->path[len - 1] == '/')
		return path.len > len;
	return path.len == len || ((route->flags & BY_PREFIX) && path.data[len] == '/');
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

	if (!strstr(allowed, route->methods))
		(void)snprintf(allowed + len, sizeof(allowed) - len, "%s%s", len ? ", " : "",
			       route->methods);
	call->allow = allowed;
}

/* The row of the request's path and method. 0, or -1 with *err: 404, 405. */
static int find_route(const struct server *server, struct call *call, const struct route **out,
		      struct error *err)
{
	const struct http_request *request = &call->connection->request;

	for (const struct route *route = server->routes;
	     route < server->routes + server->route_count; route++) {
		if (!has_path(route, call))
			continue;
		if (has_method(route->methods, request->method_text)) {
			*out = route;
			call->rest = (struct slice){request->path.data + strlen(route->path),
						    request->path.len - strlen(route->path)};
			return 0;
		}
		add_allowed(call, route);
	}
	if (call->allow)
		return error_set(err, 405, "method_not_allowed", "%.*s takes %s",
				 (int)request->path.len, request->path.data, call->allow);
	return call_no_route(call, err);
}

/* Does mayfly-static answer for that path? */
static bool is_static(const struct server *server, const struct call *call)
{
	for (size_t i = 0; i < server->route_count; i++)
		if (!server->routes[i].handler && has_path(&server->routes[i], call))
			return true;
	return server->is_static;
}

/* What a page may send along: every field that we read and that is not its own to send. */
#define REQUEST_FIELDS                                                                             \
	"Accept, Authorization, Content-Type, If-Modified-Since, If-None-Match, If-Range, Range, " \
	"X-API-Key, X-Idempotency-Key, X-Request-ID"

/* --- who calls -------------------------------------------------------------------------------- */

/* Host and Origin: what a browser says of where a request comes from. */
static int check_source(struct call *call, const struct route *route, struct error *err)
{
	const struct http_request *request = &call->connection->request;
	const struct slice *origin = http_field(request, "Origin");
	char address[HTTP_ADDRESS_BYTES];
	struct http_access access = {
		.bind = call->config->bind,
		.public_base_url = call->config->public_base_url,
		.allowed_hosts = call->config->allowed_hosts,
		.allowed_origins = call->config->allowed_origins,
		.takes_forms = route && (route->flags & TAKES_FORM),
	};

	http_local_address(call->connection->fd, address);
	if (*address && !http_is_loopback(slice_of(address)))
		access.bind = address;
	if (http_check_host(&access, request, err) < 0)
		return -1;

	int refused = http_check_origin(&access, request, err);

	if (origin || access.allowed_origins)
		http_reply_share(origin && (!refused || err->status != 403) ? *origin
									    : SLICE_LITERAL(""));
	return refused;
}

static int check_caller(struct call *call, const struct route *route, struct error *err)
{
	if (auth_check(call, route->access, err) < 0)
		return -1;
	if (!(route->flags & COSTS_TOKEN) || !call->caller.has_key)
		return 0;
	if ((route->flags & NEEDS_ENGINE) &&
	    cpu_check(call->config, &call->caller.key, &call->retry_after_s, err) < 0)
		return -1;
	return bucket_take(call->config, &call->caller.key, &call->retry_after_s, err);
}

/* Does a browser ask before it sends a page's request (Fetch standard, section 4.8)? */
static bool is_preflight(const struct call *call)
{
	const struct http_request *request = &call->connection->request;

	return request->method == HTTP_OPTIONS && http_field(request, "Origin") &&
	       http_field(request, "Access-Control-Request-Method");
}

/* The answer allows what would be allowed: to a page that may call all that we read, to any other
   what the sandbox API says to all, of a page of our own. */
static void answer_options(struct call *call, bool may_call)
{
	const struct http_request *request = &call->connection->request;
	_cleanup_buf_ struct buf own = buf_new(HTTP_HEAD_MAX_BYTES);
	struct http_reply reply = http_reply_new(200);

	if (!may_call || !http_field(request, "Origin")) {
		(void)!buf_printf(&own, "http://%.*s", (int)request->host.len, request->host.data);
		http_reply_share(buf_slice(&own));
	}
	http_reply_field(&reply, "Access-Control-Allow-Methods", "%s",
			 call->allow ? call->allow : "GET, POST, OPTIONS");
	http_reply_field(&reply, "Access-Control-Allow-Headers", "%s",
			 may_call && is_preflight(call) ? REQUEST_FIELDS
							: "Content-Type, X-API-Key, X-Request-ID");
	if (may_call)
		http_reply_field(&reply, "Access-Control-Max-Age", "%d", PREFLIGHT_MAX_AGE_S);
	if (*call->request_id)
		http_reply_field(&reply, "X-Request-ID", "%s", call->request_id);
	call_send(call, &reply, SLICE_LITERAL(""));
	http_reply_free(&reply);
}

/* --- from mayfly to mayfly-static ------------------------------------------------------------- */

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

/* The other end: the head was whole and good at mayfly's, so anything else is an error. */
static int take_head(int head_fd, struct http_connection *connection, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	size_t len;

	if (lseek(head_fd, 0, SEEK_SET) < 0 ||
	    io_read_file(head_fd, HTTP_HANDOVER_MAX_BYTES, &data, &len) < 0 ||
	    buf_append(&connection->head, data,
		       len < HTTP_HEAD_MAX_BYTES ? len : HTTP_HEAD_MAX_BYTES) < 0)
		return error_set_errno(err, 500, "handover_failed", "Cannot read the request");
	switch (http_parse_head(connection->head.data, connection->head.len, &connection->request,
				err)) {
	case 1:
		return 0;
	case 0:
		return error_set(err, 500, "handover_failed", "The request's head is not whole");
	default:
		return -1;
	}
}

/* --- confinement ------------------------------------------------------------------------------ */

/* A path is allowed as what it is now: it must be there. */
static int make_state(const struct config *config, struct error *err)
{
	_cleanup_close_ int storage = fs_open_or_make_dir(config->storage, 0750);
	_cleanup_close_ int files = fs_open_or_make_dir(config->storage_dir, 0750);
	_cleanup_close_ int run = fs_open_or_make_dir(config->run, 0700);

	if (storage >= 0 && files >= 0 && run >= 0)
		return 0;
	return error_set_errno(err, 500, "state_folder", "%s cannot be opened; mayfly must own it",
			       storage < 0 ? config->storage
			       : files < 0 ? config->storage_dir
					   : config->run);
}

/* From here on this process reaches its own state and nothing else; the engine's end is a process
   of its own already. */
static int confine_to_state(const struct server *server, const struct config *config,
			    struct error *err)
{
	enum confine_access state = server->is_static ? CONFINE_READ : CONFINE_READ_WRITE;
	const struct confine_path paths[] = {
		{config->storage, state},
		{config->storage_dir, state},
		{config->registry[0], CONFINE_READ},
		{config->registry[1], CONFINE_READ},
		{config->registry[2], CONFINE_READ},
		/* for jobs */
		{config->run, state},
		{config->custom, state},
		{"/proc/meminfo", CONFINE_READ},
		{"/proc/loadavg", CONFINE_READ},
		{"/sys/devices/system/cpu/online", CONFINE_READ},
	};

	if (server->is_static)
		return confine(paths, 2 + CONFIG_REGISTRY_DIRS, CONFINE_STATIC, err);
	if (make_state(config, err) < 0)
		return -1;
	return confine(paths, COUNT_OF(paths), CONFINE_JOB, err);
}

/* --- memory that is not there ----------------------------------------------------------------- */

/* What is said then; one process, one request. */
static struct {
	const struct server *server;
	struct call *call;
	int log_count;
	struct buf reply; /* owned */
} last_words;

static const struct error out_of_memory = {
	503, "out_of_memory", "The request needs more memory than there is; try a smaller one"};

/* Allocates nothing. */
static void say_last_words(void)
{
	struct call *call = last_words.call;
	struct slice reply = buf_slice(&last_words.reply);

	call->code = out_of_memory.code;
	if (!http_reply_has_begun() &&
	    send(call->connection->fd, reply.data, reply.len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
		call->status = out_of_memory.status;
		http_linger(call->connection->fd);
	}
	request_log(call, last_words.server->program, last_words.log_count);
}

/* Once more when the head has been read: the path says what the reply looks like. */
static void prepare_last_words(void)
{
	struct buf reply = call_refusal(last_words.call, &out_of_memory);

	buf_free(&last_words.reply);
	last_words.reply = reply;
}

/* --- one request ------------------------------------------------------------------------------ */

/* Whose share of the slots its jobs take: the caller's, where it has a name of its own, else its
   address's. Of an API whose requests have tenants these take the address's place. */
static void name_share(const struct call *call, char out[HTTP_ADDRESS_BYTES + KEY_ID_BYTES])
{
	char address[HTTP_ADDRESS_BYTES];

	http_peer_network(call->connection->fd, address);
	(void)snprintf(out, HTTP_ADDRESS_BYTES + KEY_ID_BYTES, "%s",
		       call_is_named(call) ? call->caller.id : address);
}

static bool lacks_body(const struct call *call, const struct route *route)
{
	const struct http_request *request = &call->connection->request;

	return (route->flags & MAY_LACK_BODY) && !request->chunked && !request->has_content_length;
}

static int serve_route(const struct server *server, struct call *call, const struct route *route,
		       struct error *err)
{
	char share[HTTP_ADDRESS_BYTES + KEY_ID_BYTES];

	if (!route->handler)
		return hand_over(call, err);
	name_share(call, share);
	if ((route->flags & NEEDS_ENGINE) &&
	    engine_open(call->config, &call->executor.engine, err) < 0)
		return -1;
	if (!server->is_static && confine_to_state(server, call->config, err) < 0)
		return -1;
	if (route->body_max_bytes && !lacks_body(call, route)) {
		call->body = buf_new(route->body_max_bytes);
		if (http_read_body(call->connection, &call->body,
				   deadline_in(HTTP_BODY_DEADLINE_MS), err) < 0)
			return -1;
	}
	call->executor.caller = (struct slot_caller){
		.id = slot_caller_id(slice_of(share)),
		.jobs = call->caller.has_key ? call->caller.key.jobs : 0,
		.sessions = call->caller.has_key ? call->caller.key.sessions : 0,
	};
	call->executor.watch = (struct http_watch){
		.fd = call->connection->fd,
		.may_probe = call->connection->request.minor_version == 1,
	};
	route->handler(call);
	return 0;
}

/* The head has been read. 0 when it was answered, or -1 with *err. */
static int serve(const struct server *server, struct call *call, struct config *config,
		 struct error *err)
{
	const struct route *route = NULL;
	struct error no_route;
	int found = find_route(server, call, &route, &no_route);

	call_begin(call);

	bool may_call = check_source(call, route, err) == 0;

	prepare_last_words();
	if (found < 0 && call->connection->request.method == HTTP_OPTIONS &&
	    (may_call || err->status == 403) &&
	    (!is_static(server, call) || (may_call && is_preflight(call)))) {
		answer_options(call, may_call);
		return 0;
	}
	if (route && !server->is_static)
		call->route = route->path;
	if (!may_call || (route && check_caller(call, route, err) < 0) ||
	    (!server->is_static && config_forget_keys(config, err) < 0))
		return -1;
	if (route && found == 0)
		return serve_route(server, call, route, err);
	*err = no_route;
	return -1;
}

static int read_and_serve(const struct server *server, struct call *call, struct config *config,
			  int head_fd, struct error *err)
{
	if (server->is_static && confine_to_state(server, config, err) < 0)
		return -1;
	if ((head_fd >= 0 ? take_head(head_fd, call->connection, err)
			  : http_read_head(call->connection, deadline_in(HTTP_HEAD_DEADLINE_MS),
					   err)) < 0)
		return -1;
	return serve(server, call, config, err);
}

/* Closing while bytes of the client lie unread would reset the connection, our answer with it. */
static void end_connection(struct call *call, bool refused)
{
	int fd = call->connection->fd, unread = 0;

	if (call->status && (refused || (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0)))
		http_linger(fd);
	(void)shutdown(fd, SHUT_RDWR); /* also where standard output is a second name of it */
}

int server_run(const struct server *server, int fd, int head_fd, int64_t started_us)
{
	struct http_connection connection = http_connection_new(fd);
	struct config config;
	struct call call = {.config = &config,
			    .connection = &connection,
			    .executor = executor_new(&config),
			    .started_us = started_us,
			    .sent_bytes = server->is_static ? 0 : CALL_UNCOUNTED};
	_cleanup_close_ int log_count = -1;
	struct error err = {0};
	bool is_configured, refused;

	last_words.server = server;
	last_words.call = &call;
	last_words.log_count = -1;
	memory_end_when_out(say_last_words);
	prepare_last_words();
	is_configured = config_read(&config, &err) == 0;
	if (is_configured)
		last_words.log_count = log_count = log_limit_open(&config, server->program);
	refused = !is_configured || read_and_serve(server, &call, &config, head_fd, &err) < 0;
	if (refused)
		call_refuse(&call, &err);
	/* the client has its answer before its container is taken down */
	end_connection(&call, refused || call.body_is_unread);
	call_leave(&call);
	call_count(&call);
	executor_end(&call.executor);
	call_count(&call); /* what went wrong in cleaning up */
	if (call.status ||
	    connection.request.head_len) /* a peer that connects and goes is no request */
		request_log(&call, server->program, log_count);
	buf_free(&call.body);
	http_connection_free(&connection);
	return is_configured ? EX_OK : EX_CONFIG;
}
