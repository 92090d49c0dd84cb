/* The verbs of the engine; the rules are in the header. */
#include "engine/server.h"

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/log.h"
#include "engine/info.h"
#include "engine/inventory.h"
#include "engine/lifecycle.h"
#include "engine/request.h"
#include "protocol/engine.h"
#include "store/log_limit.h"

#include <errno.h>
#include <sys/socket.h>

#define PROGRAM "mayfly-engine"

struct connection {
	const struct config *config;
	const struct error *config_error;
	int fd, ending;
	struct frame_reader reader;
	struct podman podman;
	bool is_parents;            /* the other end is the process that started us */
	bool connected;             /* the podman is open */
	struct job_folders folders; /* closed until needed */
	bool leased, is_kept; /* is_kept: the container that the lifecycle is about outlives it */
	struct lifecycle lifecycle;
	/* for the log: whom the last MAKE was for, and what a REMOVE is about; or "" */
	char job[ENGINE_JOB_BYTES], removing[FOLDER_NAME_BYTES];
};

static int send_fields(struct connection *connection, uint8_t type, const struct buf *fields)
{
	return frame_send(connection->fd, type, buf_slice(fields),
			  deadline_in(ENGINE_CALL_DEADLINE_MS));
}

static void begin_line(struct log_line *line, enum log_level level,
		       const struct connection *connection, const char *verb)
{
	const char *container =
		*connection->removing ? connection->removing : connection->lifecycle.folder.name;

	log_begin(line, level, PROGRAM);
	log_text(line, "verb", verb);
	if (*connection->job)
		log_text(line, "job", connection->job);
	if (*container)
		log_text(line, "container", container);
}

static void log_failure(const struct connection *connection, const char *verb,
			const struct error *err)
{
	_cleanup_close_ int count =
		connection->config_error ? -1 : log_limit_open(connection->config, PROGRAM);
	struct log_line line;

	begin_line(&line, LOG_LEVEL_ERROR, connection, verb);
	log_number(&line, "status", err->status);
	log_text(&line, "error", err->code);
	log_text(&line, "message", err->message);
	log_limit_end(&line, count, err->status >= 500);
}

static void log_warning(const struct connection *connection, const char *verb)
{
	struct log_line line;

	begin_line(&line, LOG_LEVEL_WARNING, connection, verb);
	log_text(&line, "engine_says", connection->lifecycle.warning);
	log_end(&line);
}

/* Tells the client how often something was asked again since the last time; it counts and logs
   that. Where there is none any more, it is logged here: the standard error may be a person's. */
static int tell_again(struct connection *connection, const char *verb, struct buf *fields)
{
	struct podman *podman = &connection->podman;
	uint64_t count = podman->asked_again;
	struct log_line line;

	if (!count)
		return 0;
	podman->asked_again = 0;
	if (fields)
		return field_add_number(fields, ENGINE_ASKED_AGAIN, count);
	begin_line(&line, LOG_LEVEL_WARNING, connection, verb);
	log_number(&line, ENGINE_ASKED_AGAIN, (int64_t)count);
	log_text(&line, "engine_says", podman->uncertain);
	log_end(&line);
	return 0;
}

static int send_error(struct connection *connection, const char *verb, const struct error *err)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_ENGINE_MAX_BYTES);

	log_failure(connection, verb, err);
	if (field_add_number(&fields, "status", (uint64_t)err->status) < 0 ||
	    field_add(&fields, "code", slice_of(err->code)) < 0 ||
	    field_add(&fields, "message", slice_of(err->message)) < 0 ||
	    tell_again(connection, verb, &fields) < 0)
		return -1;
	return send_fields(connection, FRAME_ERROR, &fields);
}

/* The engine and the jobs folder, at the first verb that needs them. */
static int get_ready(struct connection *connection, struct error *err)
{
	if (connection->config_error) {
		*err = *connection->config_error;
		return -1;
	}
	if (connection->folders.jobs < 0 &&
	    folders_open(connection->config, &connection->folders, err) < 0)
		return -1;
	if (!connection->connected && podman_open(&connection->podman, err) < 0)
		return -1;
	connection->connected = true;
	return 0;
}

static int serve_make(struct connection *connection, struct slice fields, struct buf *answer,
		      struct error *err)
{
	struct prepare_request request = {0};

	if (connection->leased)
		return request_refuse(err, "this connection has already made its container");
	connection->job[0] = '\0';
	if (request_parse_make(fields, &request, connection->job, err) < 0 ||
	    get_ready(connection, err) < 0)
		return -1;
	connection->leased = true;
	if (lifecycle_make(&connection->lifecycle, &connection->podman, connection->config,
			   &connection->folders, &request, err) < 0)
		return -1;
	connection->is_kept = request.pooled || request.session;
	return field_add(answer, "folder", slice_of(connection->lifecycle.folder.name)) < 0 ||
			       field_add(answer, "id", slice_of(connection->lifecycle.id)) < 0 ||
			       field_add(answer, "image", slice_of(connection->lifecycle.image)) < 0
		       ? error_set(err, 500, "engine_failed", "Out of memory")
		       : 0;
}

/* Lets a start that is under way end: the podman makes one call at a time. */
static void settle(struct connection *connection)
{
	if (!connection->lifecycle.starting)
		return;
	while (!podman_wait(&connection->podman, NULL, 0, deadline_in(ENGINE_CALL_DEADLINE_MS)))
		;
	lifecycle_started(&connection->lifecycle, &connection->podman);
}

static int end_lifecycle(struct connection *connection, struct error *err)
{
	if (!connection->leased)
		return 0;
	if (lifecycle_end(&connection->lifecycle, &connection->podman, &connection->folders, err) <
	    0)
		return -1;
	connection->leased = false;
	return 0;
}

static int serve_remove(struct connection *connection, struct slice fields, struct buf *answer,
			struct error *err)
{
	struct slice key, folder;

	(void)answer;
	if (!field_next(&fields, &key, &folder) || !slice_eq(key, "folder") || fields.len > 0 ||
	    !folder_is_name(folder))
		return request_refuse(err, "REMOVE takes a folder's name");
	/* a field's value is followed by NUL */
	folder_first_name(folder.data, connection->removing);
	if (get_ready(connection, err) < 0)
		return -1;
	if (connection->leased && slice_eq(folder, connection->lifecycle.folder.name))
		return end_lifecycle(connection, err);
	settle(connection);
	return inventory_remove(&connection->podman, connection->config, &connection->folders,
				folder.data, err);
}

static int send_row(void *context, const struct inventory_row *row)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_ENGINE_MAX_BYTES);

	if (field_add(&fields, "folder", slice_of(row->folder)) < 0 ||
	    field_add(&fields, "id", slice_of(row->id)) < 0 ||
	    field_add(&fields, "template", slice_of(row->template)) < 0 ||
	    field_add(&fields, "job", slice_of(row->job)) < 0 ||
	    field_add(&fields, "expired", row->expired ? SLICE_LITERAL("1") : SLICE_LITERAL("0")) <
		    0)
		return -1;
	return send_fields(context, FRAME_ROW, &fields);
}

static int serve_list(struct connection *connection, struct slice fields, struct buf *answer,
		      struct error *err)
{
	(void)fields;
	(void)answer;
	if (get_ready(connection, err) < 0)
		return -1;
	settle(connection);
	return inventory_list(&connection->podman, connection->config, &connection->folders,
			      send_row, connection, err);
}

static int serve_ping(struct connection *connection, struct slice fields, struct buf *answer,
		      struct error *err)
{
	const struct podman *podman = &connection->podman;

	(void)fields;
	if (get_ready(connection, err) < 0)
		return -1;
	return field_add(answer, "engine",
			 podman->kind == ENGINE_PODMAN ? SLICE_LITERAL("podman")
						       : SLICE_LITERAL("docker")) < 0 ||
			       field_add(answer, "version", slice_of(podman->version)) < 0
		       ? error_set(err, 500, "engine_failed", "Out of memory")
		       : 0;
}

static int serve_info(struct connection *connection, struct slice fields, struct buf *answer,
		      struct error *err)
{
	struct slice key, template;

	if (!field_next(&fields, &key, &template) || !slice_eq(key, "template") || fields.len > 0)
		return request_refuse(err, "INFO takes a template's name");
	if (get_ready(connection, err) < 0)
		return -1;
	settle(connection);
	return info_write(&connection->podman, connection->config, template, answer, err);
}

static int send_image(void *context, const char *image, const char *missing)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_ENGINE_MAX_BYTES);

	if (field_add(&fields, "image", slice_of(image)) < 0 ||
	    field_add(&fields, "missing", slice_of(missing)) < 0)
		return -1;
	return send_fields(context, FRAME_ROW, &fields);
}

static int serve_images(struct connection *connection, struct slice fields, struct buf *answer,
			struct error *err)
{
	(void)fields;
	(void)answer;
	if (get_ready(connection, err) < 0)
		return -1;
	settle(connection);
	return info_images(&connection->podman, send_image, connection, err);
}

static const struct verb {
	uint8_t type;
	const char *name;
	int (*serve)(struct connection *, struct slice fields, struct buf *answer,
		     struct error *err);
} verbs[] = {
	{FRAME_MAKE, "make", serve_make},     {FRAME_REMOVE, "remove", serve_remove},
	{FRAME_LIST, "list", serve_list},     {FRAME_PING, "ping", serve_ping},
	{FRAME_INFO, "describe", serve_info}, {FRAME_IMAGES, "images", serve_images},
};

/* 0 to go on, -1 when the connection is over. */
static int serve(struct connection *connection, const struct frame *frame)
{
	_cleanup_buf_ struct buf answer = buf_new(FRAME_ENGINE_MAX_BYTES);
	const struct verb *verb = NULL;
	struct error err;

	connection->removing[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		if (verbs[i].type == frame->type)
			verb = &verbs[i];
	if (!verb) {
		(void)request_refuse(&err, "a frame that is not a verb");
		(void)!send_error(connection, "none", &err);
		return -1;
	}
	if (verb->serve(connection, frame->payload, &answer, &err) < 0) {
		int sent = send_error(connection, verb->name, &err);

		/* rule 2; a MAKE that failed leaves a lifecycle to end, and what it leaves is
		   reported at the end */
		if (verb->type == FRAME_MAKE && connection->leased &&
		    !connection->lifecycle.deadline)
			(void)!end_lifecycle(connection, &err);
		return sent;
	}
	if (tell_again(connection, verb->name, &answer) < 0 ||
	    send_fields(connection, FRAME_OK, &answer) < 0)
		return -1;
	if (verb->type == FRAME_MAKE && connection->lifecycle.warning[0])
		log_warning(connection, verb->name);
	if (verb->type == FRAME_MAKE && connection->is_kept) {
		settle(connection);
		lifecycle_free(&connection->lifecycle);
		connection->leased = false;
	} else if (verb->type == FRAME_MAKE && !connection->lifecycle.starting) {
		lifecycle_started(&connection->lifecycle, &connection->podman);
	}
	return 0;
}

/* Waits for the client, and for the engine's answer to a start. 1 when the client has sent
 * something, 0 when it is time to end. */
static int wait_client(struct connection *connection)
{
	struct pollfd fds[] = {{.fd = connection->fd, .events = POLLIN},
			       {.fd = connection->ending, .events = POLLIN}};
	deadline_ms deadline = connection->leased       ? connection->lifecycle.deadline
			       : connection->is_parents ? INT64_MAX
							: deadline_in(ENGINE_IDLE_DEADLINE_MS);

	while (!fds[0].revents && !fds[1].revents) {
		if (deadline_left_ms(deadline) == 0)
			return 0;
		if (connection->lifecycle.starting) {
			if (podman_wait(&connection->podman, fds, 2, deadline))
				lifecycle_started(&connection->lifecycle, &connection->podman);
		} else if (poll(fds, 2, deadline_left_ms(deadline)) < 0 && errno != EINTR) {
			return 0;
		}
	}
	return fds[1].revents ? 0 : 1;
}

/* Rule 4: a socket pair has the pid of the process that made it (unix(7)). */
static bool is_parents(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid > 0 &&
	       peer.pid == getppid();
}

static void serve_all(struct connection *connection)
{
	struct frame frame;
	struct error err;

	for (;;) {
		int found = frame_reader_next(&connection->reader, &frame, &err);

		if (found < 0)
			return;
		if (found == 1 && serve(connection, &frame) < 0)
			return;
		if (found == 0 &&
		    (!wait_client(connection) || frame_reader_fill(&connection->reader) <= 0))
			return;
	}
}

int engine_serve(const struct config *config, const struct error *config_error, int fd, int ending)
{
	struct connection connection = {
		.config = config,
		.config_error = config_error,
		.fd = fd,
		.ending = ending,
		.reader = frame_reader_new(fd),
		.is_parents = is_parents(fd),
		.folders = JOB_FOLDERS_CLOSED,
		.lifecycle = lifecycle_new(),
	};
	struct error err;
	int left = 0;

	serve_all(&connection);
	if (end_lifecycle(&connection, &err) < 0) {
		log_failure(&connection, "end", &err);
		left = -1;
	}
	(void)!tell_again(&connection, "end", NULL);
	/* who waits for the end has waited enough: closing what inotify(7) watched takes tens of ms
	 */
	shutdown(fd, SHUT_RDWR);
	lifecycle_free(&connection.lifecycle);
	frame_reader_free(&connection.reader);
	if (connection.connected)
		podman_close(&connection.podman);
	folders_close(&connection.folders);
	return left;
}
