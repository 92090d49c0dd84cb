/* The container engine's HTTP API; the rules are in the header. */
#include "engine/podman.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define URL_MAX_BYTES 4096
#define OTHERS_MAX    4 /* descriptors that podman_wait watches besides its own */

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
	struct podman *podman = user;

	/* a short count makes libcurl end the transfer: CURLE_WRITE_ERROR */
	return buf_append(&podman->reply, data, size * count) < 0 ? 0 : size * count;
}

/* Copies a field's value of harmless characters, up to the first other. */
static void copy_value(struct slice value, char *out, size_t size)
{
	size_t len = ascii_span(value, ASCII_ALNUM ".-+~");

	if (len >= size)
		len = size - 1;
	memcpy(out, value.data, len);
	out[len] = '\0';
}

/* True for the field of that name (with its colon), with *value written, without blanks around. */
static bool is_field(struct slice line, const char *name, struct slice *value)
{
	if (!slice_starts_nocase(line, name))
		return false;
	slice_skip(&line, strlen(name));
	*value = ascii_trim(line);
	return true;
}

static size_t take_field(char *data, size_t size, size_t count, void *user)
{
	struct podman *podman = user;
	struct slice line = {data, size * count}, value;

	if (is_field(line, "Libpod-Api-Version:", &value)) {
		podman->kind = ENGINE_PODMAN;
		copy_value(value, podman->version, sizeof(podman->version));
	} else if (is_field(line, "Server:", &value) && slice_starts(value, "Docker/")) {
		copy_value((struct slice){value.data + 7, value.len - 7}, podman->version,
			   sizeof(podman->version));
	} else if (is_field(line, "Api-Version:", &value)) {
		memcpy(podman->api, "/v", 2);
		copy_value(value, podman->api + 2, sizeof(podman->api) - 2);
	}
	return size * count;
}

#define SET(option, value) (curl_easy_setopt(podman->easy, CURLOPT_##option, value) == CURLE_OK)

/* What holds for every call. */
static bool set_up(struct podman *podman)
{
	podman->fields = curl_slist_append(NULL, "Content-Type: application/json");
	return podman->fields && SET(UNIX_SOCKET_PATH, podman->socket) &&
	       SET(PROTOCOLS_STR, "http") && SET(PROXY, "") &&
	       SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(NOSIGNAL, 1L) &&
	       SET(HTTPHEADER, podman->fields) && SET(WRITEFUNCTION, take_body) &&
	       SET(WRITEDATA, podman) && SET(HEADERFUNCTION, take_field) && SET(HEADERDATA, podman);
}

/* Asks who is there: "GET /_ping" costs the engine nothing, and its header fields tell all we need.
 */
static int greet(struct podman *podman, struct error *err)
{
	static const char what[] = "asked whether it is there";
	struct podman_reply reply = {0};

	if (podman_ask(podman, "GET", "/_ping", what, deadline_in(ENGINE_CALL_DEADLINE_MS),
		       deadline_in(ENGINE_AGAIN_PATIENCE_MS), &reply, err) < 0)
		return -1;
	if (reply.status != 200)
		return podman_unexpected(podman, &reply, what, err);
	if (!slice_eq(reply.body, "OK") || !podman->api[0])
		return error_set(err, 502, "engine_bad_reply",
				 "What answers at %s is neither Podman nor Docker", podman->socket);
	return 0;
}

int podman_open(struct podman *out, struct error *err)
{
	*out = (struct podman){.kind = ENGINE_DOCKER,
			       .owner = (uid_t)-1,
			       .reply = buf_new(ENGINE_REPLY_MAX_BYTES)};
	if (socket_find(out->socket, err) < 0)
		return -1;
	/* no TLS: its set-up would be most of our start */
	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK ||
	    !(out->multi = curl_multi_init()) || !(out->easy = curl_easy_init()) || !set_up(out)) {
		podman_close(out);
		return error_set(err, 500, "engine_failed", "libcurl cannot be set up");
	}
	if (greet(out, err) < 0) {
		podman_close(out);
		return -1;
	}
	return 0;
}

void podman_close(struct podman *podman)
{
	if (podman->busy)
		podman_abandon(podman);
	curl_easy_cleanup(podman->easy);
	if (podman->multi)
		curl_multi_cleanup(podman->multi);
	curl_slist_free_all(podman->fields);
	buf_free(&podman->reply);
	podman->easy = NULL;
	podman->multi = NULL;
	podman->fields = NULL;
}

const char *podman_name(const struct podman *podman)
{
	return podman->kind == ENGINE_PODMAN ? "Podman" : "Docker";
}

static bool set_request(struct podman *podman, const char *method, const char *url,
			struct slice body, deadline_ms deadline)
{
	int left = deadline_left_ms(deadline);
	bool post = strcmp(method, "POST") == 0;

	return SET(URL, url) &&
	       (post ? SET(POST, 1L) && SET(POSTFIELDSIZE, (long)body.len) &&
				SET(COPYPOSTFIELDS, body.data)
		     : SET(HTTPGET, 1L)) &&
	       SET(CUSTOMREQUEST, method) &&
	       SET(TIMEOUT_MS, left > 0 ? left : 1L) && /* 0: for ever */
	       SET(CONNECTTIMEOUT_MS, (long)ENGINE_CONNECT_DEADLINE_MS);
}

int podman_begin(struct podman *podman, const char *method, const char *path, struct slice body,
		 deadline_ms deadline, struct error *err)
{
	char url[URL_MAX_BYTES];
	int len = snprintf(url, sizeof(url), "http://engine%s%s", podman->api, path);

	podman->result = CURLE_OK;
	if (len < 0 || (size_t)len >= sizeof(url) ||
	    !set_request(podman, method, url, body, deadline))
		return error_set(err, 500, "engine_failed",
				 "A request to the engine cannot be made");
	buf_free(&podman->reply);
	if (curl_multi_add_handle(podman->multi, podman->easy) != CURLM_OK)
		return error_set(err, 500, "engine_failed",
				 "A request to the engine cannot be started");
	podman->busy = true;
	podman->done = false;
	return 0;
}

/* Moves the call on as far as it goes without waiting. */
static bool progress(struct podman *podman)
{
	const CURLMsg *message;
	int running, queued;

	if (curl_multi_perform(podman->multi, &running) != CURLM_OK) {
		podman->result = CURLE_FAILED_INIT;
		return podman->done = true;
	}
	while ((message = curl_multi_info_read(podman->multi, &queued)))
		if (message->msg == CURLMSG_DONE) {
			podman->result = message->data.result;
			podman->done = true;
		}
	return podman->done;
}

int podman_wait(struct podman *podman, struct pollfd *others, unsigned count, deadline_ms until)
{
	struct curl_waitfd extra[OTHERS_MAX];

	for (unsigned i = 0; i < count; i++) {
		extra[i] = (struct curl_waitfd){.fd = others[i].fd, .events = CURL_WAIT_POLLIN};
		others[i].revents = 0;
	}
	while (!podman->done && !progress(podman)) {
		int left = deadline_left_ms(until);
		bool ready = false;

		if (left == 0 ||
		    curl_multi_poll(podman->multi, extra, count, left, NULL) != CURLM_OK)
			return 0;
		for (unsigned i = 0; i < count; i++) {
			others[i].revents = extra[i].revents ? POLLIN : 0;
			ready = ready || extra[i].revents;
		}
		if (ready)
			return progress(podman) ? 1 : 0;
	}
	return 1;
}

static int transport_failed(const struct podman *podman, struct error *err)
{
	switch (podman->result) {
	case CURLE_COULDNT_CONNECT:
		return error_set(err, 503, "engine_unreachable",
				 "The engine does not accept a connection at %s", podman->socket);
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(err, 504, "engine_timeout",
				 "The engine at %s did not answer in time", podman->socket);
	default:
		return error_set(err, 502, "engine_bad_reply",
				 "The engine at %s gave a malformed answer: %s", podman->socket,
				 curl_easy_strerror(podman->result));
	}
}

void podman_abandon(struct podman *podman)
{
	curl_multi_remove_handle(podman->multi, podman->easy);
	podman->busy = false;
}

/* Only as long as the call is in the multi handle does libcurl tell its socket. */
static void note_owner(struct podman *podman)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct ucred owner;
	socklen_t len = sizeof(owner);

	if (curl_easy_getinfo(podman->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
	    fd != CURL_SOCKET_BAD && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &len) == 0)
		podman->owner = owner.uid;
}

int podman_finish(struct podman *podman, struct podman_reply *out, struct error *err)
{
	struct podman_reply reply = {0};

	note_owner(podman);
	podman_abandon(podman);
	if (podman->result != CURLE_OK)
		return transport_failed(podman, err);
	curl_easy_getinfo(podman->easy, CURLINFO_RESPONSE_CODE, &reply.status);
	reply.body = buf_slice(&podman->reply);
	*out = reply;
	return 0;
}

int podman_call(struct podman *podman, const char *method, const char *path, struct slice body,
		deadline_ms deadline, struct podman_reply *out, struct error *err)
{
	if (podman_begin(podman, method, path, body, deadline, err) < 0)
		return -1;
	/* libcurl holds the deadline; the second is for a libcurl that does not */
	while (!podman_wait(podman, NULL, 0, deadline + MS_PER_S)) {
		if (deadline_left_ms(deadline + MS_PER_S) > 0)
			continue;
		podman->result = CURLE_OPERATION_TIMEDOUT;
		break;
	}
	return podman_finish(podman, out, err);
}

bool podman_is_uncertain(const struct podman *podman, int done, const struct podman_reply *reply,
			 const char *what, struct error *err)
{
	if (done < 0)
		return podman->result == CURLE_GOT_NOTHING || podman->result == CURLE_RECV_ERROR ||
		       podman->result == CURLE_SEND_ERROR || podman->result == CURLE_PARTIAL_FILE;
	return reply->status == 500 && podman_unexpected(podman, reply, what, err) < 0;
}

void podman_again(struct podman *podman, const struct error *err, int pause_ms)
{
	podman->asked_again++;
	(void)snprintf(podman->uncertain, sizeof(podman->uncertain), "%.*s",
		       (int)sizeof(podman->uncertain) - 1, err->message);
	(void)poll(NULL, 0, pause_ms); /* no event tells when it has made up its mind */
}

int podman_ask(struct podman *podman, const char *method, const char *path, const char *what,
	       deadline_ms deadline, deadline_ms patience, struct podman_reply *out,
	       struct error *err)
{
	/* an engine that has gone is not waited for so long */
	const deadline_ms patience_of_broken =
		deadline_earlier(patience, deadline_in(ENGINE_AGAIN_PATIENCE_MS));
	int pause_ms = ENGINE_AGAIN_MS;

	for (;;) {
		int done = podman_call(podman, method, path, SLICE_LITERAL(""), deadline, out, err);
		bool is_under_way =
			done == 0 && out->status == 409 && strcmp(method, "DELETE") == 0;

		if ((!is_under_way && !podman_is_uncertain(podman, done, out, what, err)) ||
		    deadline_left_ms(done < 0 ? patience_of_broken : patience) <= pause_ms)
			return done;
		if (is_under_way)
			(void)podman_unexpected(podman, out, what, err);
		podman_again(podman, err, pause_ms);
		pause_ms = pause_ms * 2 < ENGINE_AGAIN_MAX_MS ? pause_ms * 2 : ENGINE_AGAIN_MAX_MS;
	}
}

static int get(struct podman *podman, const char *path, const char *what, deadline_ms deadline,
	       deadline_ms patience, json_t **out, struct error *err)
{
	struct podman_reply reply = {0};

	if (podman_ask(podman, "GET", path, what, deadline, patience, &reply, err) < 0)
		return -1;
	if (reply.status != 200) {
		(void)podman_unexpected(podman, &reply, what, err);
		return reply.status == 404 ? 1 : -1;
	}
	if (json_parse(reply.body, out, err) < 0)
		return error_set(err, 502, "engine_bad_reply", "%s, %s, answered in no good JSON",
				 podman_name(podman), what);
	return 0;
}

int podman_get(struct podman *podman, const char *path, const char *what, deadline_ms deadline,
	       json_t **out, struct error *err)
{
	return get(podman, path, what, deadline, deadline_in(ENGINE_AGAIN_PATIENCE_MS), out, err);
}

int podman_get_once(struct podman *podman, const char *path, const char *what, deadline_ms deadline,
		    json_t **out, struct error *err)
{
	return get(podman, path, what, deadline, deadline_in(0), out, err);
}

void podman_message(const struct podman_reply *reply, char out[ENGINE_MESSAGE_BYTES])
{
	_cleanup_json_ json_t *root = NULL;
	struct error ignored;
	const char *text = NULL;
	size_t len;

	out[0] = '\0';
	if (json_parse(reply->body, &root, &ignored) < 0)
		return;
	text = json_text(root, "message");
	if (!text)
		return;
	len = utf8_trim(text, strnlen(text, ENGINE_MESSAGE_BYTES - 1));
	memcpy(out, text, len);
	ascii_mask_control(out, len, ' ');
	while (len > 0 && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
}

int podman_unexpected(const struct podman *podman, const struct podman_reply *reply,
		      const char *what, struct error *err)
{
	char message[ENGINE_MESSAGE_BYTES];

	podman_message(reply, message);
	return error_set(err, 502, "engine_bad_reply", "%s, %s, answered %ld%s%s",
			 podman_name(podman), what, reply->status, *message ? ": " : "", message);
}
