#include "server/call.h"

#include "auth/rate_limit.h"
#include "base/deadline.h"
#include "base/random.h"
#include "bounds.h"
#include "server/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_S 1 /* a slot is usually free again by then */
#define JSON_TYPE     "application/json; charset=utf-8"

/* --- the APIs, and the shape of their errors -------------------------------------------------- */

static json_t *error_of_tools(const struct call *call, const struct error *err)
{
	(void)call;
	return json_pack("{s:i, s:s, s:s, s:o}", "statusCode", err->status, "code", err->code,
			 "error", http_reason(err->status), "message",
			 json_clean_string(slice_of(err->message)));
}

static json_t *error_of_sandbox(const struct call *call, const struct error *err)
{
	(void)call;
	return json_pack("{s:s, s:o}", "status", "error", "error",
			 json_clean_string(slice_of(err->message)));
}

static json_t *error_of_runs(const struct call *call, const struct error *err)
{
	(void)call;
	return json_pack("{s:o, s:n}", "error", json_clean_string(slice_of(err->message)), "data");
}

static json_t *error_of_agents(const struct call *call, const struct error *err)
{
	if (strcmp(err->code, "no_route") == 0)
		return json_pack("{s:b, s:s, s:o}", "success", 0, "message", "Route not found",
				 "path", json_clean_string(call->connection->request.path));
	return json_pack("{s:b, s:o}", "success", 0, "message",
			 json_clean_string(slice_of(err->message)));
}

struct shape {
	json_t *(*body)(const struct call *call, const struct error *err);
	bool wants_bearer;   /* a 401 says what is missing (RFC 6750) */
	bool has_request_id; /* replies carry X-Request-ID */
};

static const struct shape tools = {error_of_tools, false, false};
static const struct shape sandbox = {error_of_sandbox, false, true};
static const struct shape runs = {error_of_runs, true, false};
static const struct shape agents = {error_of_agents, true, false};

/* The first row that fits is the API of a path; the last fits all. */
static const struct api {
	const char *path; /* this one; where it ends in '/', all that begin with it */
	char family;      /* as struct metrics_job has it */
	const struct shape *errors;
} apis[] = {
	{"/run", 'A', &tools},
	{"/tools/", 'A', &tools},
	{"/health", 'B', &sandbox},
	{"/capabilities", 'B', &sandbox},
	{"/templates", 'B', &sandbox},
	{"/templates/", 'B', &sandbox},
	{"/sessions", 'B', &sandbox},
	{"/sessions/", 'B', &sandbox},
	{"/session/create", 'B', &sandbox},
	{"/session/execute", 'B', &sandbox},
	{"/session/destroy", 'B', &sandbox},
	{"/execute", 'B', &sandbox},
	{"/metrics", 'B', &sandbox},
	{"/metrics/prometheus", 'B', &sandbox},
	{"/v1/", 'C', &runs},
	{"/api/v1/", 'D', &agents},
	{"/validate", 'D', &tools},
	{"/", 'E', &tools},
};

static const struct api *api_of(const struct call *call)
{
	struct slice path = call->connection->request.path;
	size_t i = 0;

	for (; i < COUNT_OF(apis) - 1; i++) {
		size_t len = strlen(apis[i].path);

		if (slice_starts(path, apis[i].path) &&
		    (path.len == len || apis[i].path[len - 1] == '/'))
			break;
	}
	return &apis[i];
}

bool call_is_named(const struct call *call)
{
	return *call->caller.id && strcmp(call->caller.id, CALLER_LOOPBACK) != 0 &&
	       strcmp(call->caller.id, CALLER_EXECUTOR) != 0;
}

void call_begin(struct call *call)
{
	const struct slice *given = http_field(&call->connection->request, "X-Request-ID");
	bool is_good = given && given->len > 0 && given->len <= SANDBOX_REQUEST_ID_MAX_BYTES;
	char hex[33];

	call->executor.family = api_of(call)->family;
	if (!api_of(call)->errors->has_request_id)
		return;
	for (size_t i = 0; is_good && i < given->len; i++)
		is_good = given->data[i] > ' ' && given->data[i] <= '~';
	if (is_good) {
		memcpy(call->request_id, given->data, given->len);
		return;
	}
	random_hex(hex, sizeof(hex) - 1);
	hex[12] = '4';
	hex[16] = "89ab"[hex[16] & 3];
	(void)snprintf(call->request_id, sizeof(call->request_id), "%.8s-%.4s-%.4s-%.4s-%.12s", hex,
		       hex + 8, hex + 12, hex + 16, hex + 20);
}

/* --- replies ---------------------------------------------------------------------------------- */

/* The fields of a reply whose status is set. */
static void add_fields(const struct call *call, const char *type, struct http_reply *reply)
{
	int status = reply->status;

	http_reply_field(reply, "Content-Type", "%s", type);
	http_reply_field(reply, "Cache-Control", "no-store");
	if (*call->request_id)
		http_reply_field(reply, "X-Request-ID", "%s", call->request_id);
	if (status == 503)
		http_reply_field(reply, "Retry-After", "%d", RETRY_AFTER_S);
	if (status == 429 || (status == 409 && call->retry_after_s))
		http_reply_field(reply, "Retry-After", "%" PRId64,
				 call->retry_after_s ? call->retry_after_s : RETRY_AFTER_S);
	if (status == 401 && api_of(call)->errors->wants_bearer)
		http_reply_field(reply, "WWW-Authenticate", "Bearer");
	if (call->is_replayed)
		http_reply_field(reply, "Idempotent-Replayed", "true");
	if (call->disposition && status == 200)
		http_reply_field(reply, "Content-Disposition", "%s", call->disposition);
	if (status == 405)
		http_reply_field(reply, "Allow", "%s", call->allow);
	if (call->code && strcmp(call->code, "content_encoding") == 0)
		http_reply_field(reply, "Accept-Encoding", "identity");
}

void call_leave(struct call *call)
{
	executor_leave(&call->executor);
	if (call->caller.has_key && call->executor.cpu_us)
		cpu_charge(call->config, call->caller.id, call->executor.cpu_us);
	call->executor.cpu_us = 0;
}

void call_send(struct call *call, const struct http_reply *reply, struct slice body)
{
	bool head_only = call->connection->request.method == HTTP_HEAD;

	call->status = reply->status;
	call_leave(call);
	if (http_reply_send(call->connection->fd, reply, body, head_only,
			    deadline_in(HTTP_WRITE_DEADLINE_MS)) < 0)
		call->code = CALL_NOT_SENT;
	call->answered_us = monotonic_us();
}

void call_reply(struct call *call, int status, const char *type, struct slice body)
{
	call_leave(call);
	if (call->stream && stream_reply(call->stream, status, body))
		return;

	struct http_reply reply = http_reply_new(status);

	add_fields(call, type, &reply);
	call_send(call, &reply, body);
	http_reply_free(&reply);
}

void call_reply_json(struct call *call, int status, json_t *value)
{
	static const struct error too_large = {500, "reply_failed", "The reply cannot be written"};
	_cleanup_buf_ struct buf text = buf_new(SANDBOX_REPLY_MAX_BYTES);

	if (json_write(value, &text) < 0) {
		json_decref(value);
		value = api_of(call)->errors->body(call, &too_large);
		call->code = too_large.code;
		status = too_large.status;
		text.len = 0;
		(void)!json_write(value, &text);
	}
	json_decref(value);
	call_reply(call, status, JSON_TYPE, buf_slice(&text));
}

void call_refuse(struct call *call, const struct error *err)
{
	call->code = err->code;
	if (err->status)
		call_reply_json(call, err->status, api_of(call)->errors->body(call, err));
}

struct buf call_refusal(const struct call *call, const struct error *err)
{
	_cleanup_json_ json_t *value = api_of(call)->errors->body(call, err);
	_cleanup_buf_ struct buf text = buf_new(KIB);
	struct buf whole = buf_new(HTTP_REPLY_HEAD_MAX_BYTES + 2 * KIB);
	struct http_reply reply = http_reply_new(err->status);

	add_fields(call, JSON_TYPE, &reply);
	if (json_write(value, &text) < 0 ||
	    http_reply_write(&whole, &reply, buf_slice(&text),
			     call->connection->request.method == HTTP_HEAD) < 0)
		buf_free(&whole);
	http_reply_free(&reply);
	return whole;
}

int call_no_route(const struct call *call, struct error *err)
{
	const struct http_request *request = &call->connection->request;

	return error_set(err, 404, "no_route", "Route %.*s:%.*s not found",
			 (int)request->method_text.len, request->method_text.data,
			 (int)request->path.len, request->path.data);
}

void call_count(struct call *call)
{
	int64_t ended_us = call->answered_us ? call->answered_us : monotonic_us();

	executor_count(&call->executor, ended_us - call->started_us);
}
