/* The container engine's HTTP API; the rules are in the header. */
#include "engine/podman.h"

#include "base/utf8.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define URL_MAX_BYTES 4096
#define OTHERS_MAX    4 /* descriptors that backend_wait watches besides its own */

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
	struct backend *backend = user;

	/* a short count makes libcurl end the transfer: CURLE_WRITE_ERROR */
	return buf_append(&backend->reply, data, size * count) < 0 ? 0 : size * count;
}

/* Copies a field's value of harmless characters, up to the first other. */
static void copy_value(struct slice value, char *out, size_t size)
{
	static const char harmless[] =
		"0123456789.-+~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t len = 0;

	while (len < value.len && len + 1 < size && value.data[len] &&
	       strchr(harmless, value.data[len]))
		len++;
	memcpy(out, value.data, len);
	out[len] = '\0';
}

/* True for the field of that name (with its colon), with *value written, blanks taken off its
 * front. */
static bool is_field(struct slice line, const char *name, struct slice *value)
{
	size_t len = strlen(name);

	if (line.len < len || strncasecmp(line.data, name, len) != 0)
		return false;
	while (len < line.len && line.data[len] == ' ')
		len++;
	*value = (struct slice){line.data + len, line.len - len};
	return true;
}

static size_t take_field(char *data, size_t size, size_t count, void *user)
{
	struct backend *backend = user;
	struct slice line = {data, size * count}, value;

	if (is_field(line, "Libpod-Api-Version:", &value)) {
		backend->kind = BACKEND_PODMAN;
		copy_value(value, backend->version, sizeof(backend->version));
	} else if (is_field(line, "Server:", &value) && slice_starts(value, "Docker/")) {
		copy_value((struct slice){value.data + 7, value.len - 7}, backend->version,
			   sizeof(backend->version));
	} else if (is_field(line, "Api-Version:", &value)) {
		memcpy(backend->api, "/v", 2);
		copy_value(value, backend->api + 2, sizeof(backend->api) - 2);
	}
	return size * count;
}

/* What holds for every call. */
static int set_up(struct backend *backend)
{
	CURL *easy = backend->easy;

	backend->fields = curl_slist_append(NULL, "Content-Type: application/json");
	if (!backend->fields)
		return -1;
	return curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, backend->socket) == CURLE_OK &&
			       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
			       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
			       curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
						(long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
			       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
			       curl_easy_setopt(easy, CURLOPT_HTTPHEADER, backend->fields) ==
				       CURLE_OK &&
			       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) ==
				       CURLE_OK &&
			       curl_easy_setopt(easy, CURLOPT_WRITEDATA, backend) == CURLE_OK &&
			       curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_field) ==
				       CURLE_OK &&
			       curl_easy_setopt(easy, CURLOPT_HEADERDATA, backend) == CURLE_OK
		       ? 0
		       : -1;
}

/* Asks who is there: "GET /_ping" costs the engine nothing, and its header fields tell all we need.
 */
static int greet(struct backend *backend, struct error *err)
{
	struct backend_reply reply = {0};

	if (backend_call(backend, "GET", "/_ping", SLICE_LITERAL(""),
			 deadline_in(ENGINE_CALL_DEADLINE_MS), &reply, err) < 0)
		return -1;
	if (reply.status != 200)
		return backend_unexpected(backend, &reply, "asked whether it is there", err);
	if (!slice_eq(reply.body, "OK") || !backend->api[0])
		return error_set(err, 502, "engine_bad_reply",
				 "What answers at %s is neither Podman nor Docker",
				 backend->socket);
	return 0;
}

int backend_open(struct backend *out, struct error *err)
{
	*out = (struct backend){.kind = BACKEND_DOCKER,
				.owner = (uid_t)-1,
				.reply = buf_new(ENGINE_REPLY_MAX_BYTES)};
	if (socket_find(out->socket, err) < 0)
		return -1;
	/* no TLS: its set-up would be most of our start */
	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK ||
	    !(out->multi = curl_multi_init()) || !(out->easy = curl_easy_init()) ||
	    set_up(out) < 0) {
		backend_close(out);
		return error_set(err, 500, "engine_failed", "libcurl cannot be set up");
	}
	if (greet(out, err) < 0) {
		backend_close(out);
		return -1;
	}
	return 0;
}

void backend_close(struct backend *backend)
{
	if (backend->busy)
		backend_abandon(backend);
	curl_easy_cleanup(backend->easy);
	if (backend->multi)
		curl_multi_cleanup(backend->multi);
	curl_slist_free_all(backend->fields);
	buf_free(&backend->reply);
	backend->easy = NULL;
	backend->multi = NULL;
	backend->fields = NULL;
}

const char *backend_name(const struct backend *backend)
{
	return backend->kind == BACKEND_PODMAN ? "Podman" : "Docker";
}

static int set_request(struct backend *backend, const char *method, const char *url,
		       struct slice body, deadline_ms deadline)
{
	CURL *easy = backend->easy;
	int left = deadline_left_ms(deadline);
	bool post = strcmp(method, "POST") == 0;
	CURLcode result = curl_easy_setopt(easy, CURLOPT_URL, url);

	if (result == CURLE_OK && post)
		result = curl_easy_setopt(easy, CURLOPT_POST, 1L);
	if (result == CURLE_OK && post)
		result = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body.len);
	if (result == CURLE_OK && post)
		result = curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body.data);
	if (result == CURLE_OK && !post)
		result = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	/* 0 would mean forever */
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? left : 1));
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
					  (long)ENGINE_CONNECT_DEADLINE_MS);
	return result == CURLE_OK ? 0 : -1;
}

int backend_begin(struct backend *backend, const char *method, const char *path, struct slice body,
		  deadline_ms deadline, struct error *err)
{
	char url[URL_MAX_BYTES];
	int len = snprintf(url, sizeof(url), "http://engine%s%s", backend->api, path);

	if (len < 0 || (size_t)len >= sizeof(url) ||
	    set_request(backend, method, url, body, deadline) < 0)
		return error_set(err, 500, "engine_failed",
				 "A request to the engine cannot be made");
	buf_free(&backend->reply);
	if (curl_multi_add_handle(backend->multi, backend->easy) != CURLM_OK)
		return error_set(err, 500, "engine_failed",
				 "A request to the engine cannot be begun");
	backend->busy = true;
	backend->done = false;
	return 0;
}

/* Moves the call on as far as it goes without waiting. */
static bool progress(struct backend *backend)
{
	const CURLMsg *message;
	int running, queued;

	if (curl_multi_perform(backend->multi, &running) != CURLM_OK) {
		backend->result = CURLE_FAILED_INIT;
		return backend->done = true;
	}
	while ((message = curl_multi_info_read(backend->multi, &queued)))
		if (message->msg == CURLMSG_DONE) {
			backend->result = message->data.result;
			backend->done = true;
		}
	return backend->done;
}

int backend_wait(struct backend *backend, struct pollfd *others, unsigned count, deadline_ms until)
{
	struct curl_waitfd extra[OTHERS_MAX];

	for (unsigned i = 0; i < count; i++) {
		extra[i] = (struct curl_waitfd){.fd = others[i].fd, .events = CURL_WAIT_POLLIN};
		others[i].revents = 0;
	}
	while (!backend->done && !progress(backend)) {
		int left = deadline_left_ms(until);
		bool ready = false;

		if (left == 0 ||
		    curl_multi_poll(backend->multi, extra, count, left, NULL) != CURLM_OK)
			return 0;
		for (unsigned i = 0; i < count; i++) {
			others[i].revents = extra[i].revents ? POLLIN : 0;
			ready = ready || extra[i].revents;
		}
		if (ready)
			return progress(backend) ? 1 : 0;
	}
	return 1;
}

static int transport_failed(const struct backend *backend, struct error *err)
{
	switch (backend->result) {
	case CURLE_COULDNT_CONNECT:
		return error_set(err, 503, "engine_unreachable",
				 "The engine does not take a connection at %s", backend->socket);
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(err, 504, "engine_timeout",
				 "The engine at %s did not answer in time", backend->socket);
	default:
		return error_set(err, 502, "engine_bad_reply",
				 "The engine at %s gave no good answer: %s", backend->socket,
				 curl_easy_strerror(backend->result));
	}
}

void backend_abandon(struct backend *backend)
{
	curl_multi_remove_handle(backend->multi, backend->easy);
	backend->busy = false;
}

/* Only as long as the call is in the multi handle does libcurl tell its socket. */
static void note_owner(struct backend *backend)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct ucred owner;
	socklen_t len = sizeof(owner);

	if (curl_easy_getinfo(backend->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
	    fd != CURL_SOCKET_BAD && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &len) == 0)
		backend->owner = owner.uid;
}

int backend_finish(struct backend *backend, struct backend_reply *out, struct error *err)
{
	struct backend_reply reply = {0};

	note_owner(backend);
	backend_abandon(backend);
	if (backend->result != CURLE_OK)
		return transport_failed(backend, err);
	curl_easy_getinfo(backend->easy, CURLINFO_RESPONSE_CODE, &reply.status);
	reply.body = buf_slice(&backend->reply);
	*out = reply;
	return 0;
}

int backend_call(struct backend *backend, const char *method, const char *path, struct slice body,
		 deadline_ms deadline, struct backend_reply *out, struct error *err)
{
	if (backend_begin(backend, method, path, body, deadline, err) < 0)
		return -1;
	/* libcurl holds the deadline; the second is for a libcurl that does not */
	while (!backend_wait(backend, NULL, 0, deadline + 1000)) {
		if (deadline_left_ms(deadline + 1000) > 0)
			continue;
		backend->result = CURLE_OPERATION_TIMEDOUT;
		break;
	}
	return backend_finish(backend, out, err);
}

void backend_message(const struct backend_reply *reply, char out[ENGINE_MESSAGE_BYTES])
{
	_cleanup_json_ json_t *root = NULL;
	struct error ignored;
	const char *text = NULL;
	size_t len;

	out[0] = '\0';
	if (json_parse(reply->body, &root, &ignored) < 0)
		return;
	text = json_string_value(json_object_get(root, "message"));
	if (!text)
		return;
	len = utf8_trim(text, strnlen(text, ENGINE_MESSAGE_BYTES - 1));
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	while (len > 0 && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
}

int backend_unexpected(const struct backend *backend, const struct backend_reply *reply,
		       const char *what, struct error *err)
{
	char message[ENGINE_MESSAGE_BYTES];

	backend_message(reply, message);
	return error_set(err, 502, "engine_bad_reply", "%s, %s, answered %ld%s%s",
			 backend_name(backend), what, reply->status, *message ? ": " : "", message);
}
