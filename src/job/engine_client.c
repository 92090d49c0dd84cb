#include "job/engine_client.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "bounds.h"
#include "store/metrics.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

/* The descriptor, or -1: nothing listens there. */
static int connect_socket(const struct config *config)
{
	char path[PATH_MAX + sizeof(ENGINE_SOCKET_NAME) + 1];

	(void)snprintf(path, sizeof(path), "%s/" ENGINE_SOCKET_NAME, config->run);
	return io_connect(path, 0, 0);
}

/* In the child: waits for a first byte, leaves it in the socket and becomes the engine; ends when
   the parent hangs up. */
__attribute__((noreturn)) static void become_engine(const struct config *config, int fd)
{
	char path[PATH_MAX + 32], byte;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* what the parent had open is not ours: above all the client's connection, which must close
	   when the parent closes it */
	if (null < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(126);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	if (recv(STDIN_FILENO, &byte, 1, MSG_PEEK) <= 0)
		_exit(0);
	(void)snprintf(path, sizeof(path), "%s/mayfly-engine", config->libexec);
	execl(path, "mayfly-engine", (char *)NULL);
	_exit(127);
}

int engine_open(const struct config *config, struct engine *out, struct error *err)
{
	int pair[2], fd = connect_socket(config);
	pid_t child = 0;

	if (fd < 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return error_set_errno(err, 503, "engine_start",
					       "no socket pair for the engine");
		child = fork();
		if (child == 0)
			become_engine(config, pair[1]);
		close(pair[1]);
		fd = pair[0];
		if (child < 0) {
			close(fd);
			return error_set_errno(err, 503, "engine_start",
					       "no process for the engine");
		}
	}
	*out = (struct engine){
		.fd = fd, .child = child, .reader = frame_reader_new(fd), .config = config};
	return 0;
}

static int take_error(struct slice fields, struct error *err)
{
	struct slice key, value, code = SLICE_LITERAL(""),
				 message = SLICE_LITERAL("the engine failed");
	uint64_t status = 500;

	while (field_next(&fields, &key, &value)) {
		if (slice_eq(key, "code"))
			code = value;
		else if (slice_eq(key, "message"))
			message = value;
		else if (slice_eq(key, "status") &&
			 (num_parse(value, 10, 599, &status) < 0 || status < 400))
			status = 500; /* 0 would mean: no client to answer */
	}
	return error_set(err, (int)status, engine_codes[engine_code_index(code.data, code.len)],
			 "%.*s", (int)message.len, message.data);
}

/* Counts what mayfly-engine had to ask its engine again for. */
static void count_again(struct engine *engine, struct slice fields)
{
	uint64_t count = 0;
	const struct field_number number = {ENGINE_ASKED_AGAIN, UINT32_MAX, &count};
	struct slice key, value;

	while (field_next(&fields, &key, &value))
		(void)!field_take_number(&number, 1, key, value);
	engine->asked_again += count;
	if (count)
		metric_add(engine->config, METRIC_ENGINE_ASKED_AGAIN, count);
}

/* Sends a verb and reads the first frame of its answer. 0, or -1 with *err. */
static int ask(struct engine *engine, uint8_t verb, struct slice fields, deadline_ms deadline,
	       struct frame *frame, struct error *err)
{
	if (frame_send(engine->fd, verb, fields, deadline) < 0)
		return error_set_errno(err, 503, "engine_failed",
				       "mayfly-engine cannot be reached");
	return frame_read(&engine->reader, frame, deadline, err);
}

/* Another connection in place of one that the engine has hung up, as it does after a time of
   silence. False when there is none to be had, or the engine is our child: it stays. */
static bool reconnect(struct engine *engine)
{
	int fd = engine->child ? -1 : connect_socket(engine->config);

	if (fd < 0)
		return false;
	close(engine->fd);
	frame_reader_free(&engine->reader);
	engine->fd = fd;
	engine->reader = frame_reader_new(fd);
	return true;
}

/* Sends a verb and reads frames until OK (0, its fields in *ok) or an error. A verb that no word
   has answered is sent once more: what it might have left undone is removed twice, or is a
   container without owner, which the reaper takes. */
static int call(struct engine *engine, uint8_t verb, struct slice fields, deadline_ms deadline,
		void (*row)(void *, struct slice), void *context, struct slice *ok,
		struct error *err)
{
	struct frame frame = {.type = 0};
	int done = ask(engine, verb, fields, deadline, &frame, err);

	if (done < 0 && strcmp(err->code, "frame_timeout") != 0 && reconnect(engine))
		done = ask(engine, verb, fields, deadline, &frame, err);
	for (;; done = frame_read(&engine->reader, &frame, deadline, err)) {
		if (done < 0) {
			if (strcmp(err->code, "frame_timeout") == 0)
				return error_set(err, 504, "engine_timeout",
						 "mayfly-engine did not answer in time");
			return error_set(
				err, 503, "engine_failed",
				"mayfly-engine ended without an answer; is it installed beside "
				"mayfly?");
		}
		if (frame.type == FRAME_ERROR || frame.type == FRAME_OK)
			count_again(engine, frame.payload);
		if (frame.type == FRAME_ERROR)
			return take_error(frame.payload, err);
		if (frame.type == FRAME_OK) {
			*ok = frame.payload;
			return 0;
		}
		if (frame.type != FRAME_ROW || !row)
			return error_set(err, 502, "engine_failed",
					 "mayfly-engine answered out of order");
		row(context, frame.payload);
	}
}

/* Copies a folder's name that is one component, as all are that the engine makes. */
static int take_folder(struct slice value, char folder[ENGINE_FOLDER_BYTES])
{
	return value.len == 0 || value.data[0] == '.' || memchr(value.data, '/', value.len) ||
			       !slice_copy(value, folder, ENGINE_FOLDER_BYTES)
		       ? -1
		       : 0;
}

/* All of it fits: FRAME_ENGINE_MAX_BYTES is many names and numbers. */
static void add_make(struct buf *fields, const struct engine_request *request)
{
	const struct {
		const char *key;
		uint64_t value;
	} optional[] = {
		{"pool", request->is_pooled},
		{"session", request->is_session},
		{"memory_mb", request->limits.memory_mb},
		{"pids", request->limits.pids},
		{"cpu_percent", request->limits.cpu_percent},
	};

	(void)!field_add(fields, "template", slice_of(request->template));
	(void)!field_add_number(fields, "lifetime_s", request->lifetime_s);
	if (request->job && *request->job)
		(void)!field_add(fields, "job", slice_of(request->job));
	for (size_t i = 0; i < COUNT_OF(optional); i++)
		if (optional[i].value)
			(void)!field_add_number(fields, optional[i].key, optional[i].value);
}

int engine_make(struct engine *engine, const struct engine_request *request, deadline_ms deadline,
		char folder[ENGINE_FOLDER_BYTES], struct error *err)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_ENGINE_MAX_BYTES);
	struct slice ok, key, value;

	add_make(&fields, request);
	if (call(engine, FRAME_MAKE, buf_slice(&fields), deadline, NULL, NULL, &ok, err) < 0)
		return -1;
	while (field_next(&ok, &key, &value))
		if (slice_eq(key, "folder"))
			return take_folder(value, folder) < 0
				       ? error_set(err, 502, "engine_failed",
						   "mayfly-engine named a malformed folder")
				       : 0;
	return error_set(err, 502, "engine_failed", "mayfly-engine named no folder");
}

int engine_remove(struct engine *engine, const char *folder, deadline_ms deadline,
		  struct error *err)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_ENGINE_MAX_BYTES);
	struct slice ok;

	(void)!field_add(&fields, "folder", slice_of(folder));
	return call(engine, FRAME_REMOVE, buf_slice(&fields), deadline, NULL, NULL, &ok, err);
}

struct list_context {
	void (*row)(void *, const struct engine_row *);
	void *context;
};

static void list_row(void *context, struct slice fields)
{
	const struct list_context *list = context;
	struct engine_row row = {.folder = ""};
	struct slice key, value;

	while (field_next(&fields, &key, &value)) {
		if (slice_eq(key, "folder") && take_folder(value, row.folder) < 0)
			return;
		/* an id that is none is left out */
		if (slice_eq(key, "id") && ascii_is_of(value, ASCII_HEX))
			(void)slice_copy(value, row.id, sizeof(row.id));
		if (slice_eq(key, "job") && ascii_is_of(value, ENGINE_JOB_ALPHABET))
			(void)slice_copy(value, row.job, sizeof(row.job));
		if (slice_eq(key, "expired"))
			row.is_expired = slice_eq(value, "1");
	}
	if (*row.folder)
		list->row(list->context, &row);
}

int engine_list(struct engine *engine, deadline_ms deadline,
		void (*row)(void *, const struct engine_row *), void *context, struct error *err)
{
	struct list_context list = {row, context};
	struct slice ok;

	return call(engine, FRAME_LIST, SLICE_LITERAL(""), deadline, list_row, &list, &ok, err);
}

int engine_ping(struct engine *engine, deadline_ms deadline, struct buf *version, struct error *err)
{
	struct slice ok, key, value;

	if (call(engine, FRAME_PING, SLICE_LITERAL(""), deadline, NULL, NULL, &ok, err) < 0)
		return -1;
	while (field_next(&ok, &key, &value))
		if (!slice_eq(key, ENGINE_ASKED_AGAIN) &&
		    buf_printf(version, "%s%.*s", version->len ? " " : "", (int)value.len,
			       value.data) < 0)
			return error_set_errno(err, 502, "engine_failed",
					       "the version is too long");
	return 0;
}

int engine_info(struct engine *engine, const char *template, deadline_ms deadline,
		void (*field)(void *, struct slice, struct slice), void *context, struct error *err)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_ENGINE_MAX_BYTES);
	struct slice ok, key, value;

	(void)!field_add(&fields, "template", slice_of(template));
	if (call(engine, FRAME_INFO, buf_slice(&fields), deadline, NULL, NULL, &ok, err) < 0)
		return -1;
	while (field_next(&ok, &key, &value))
		field(context, key, value);
	return 0;
}

struct images_context {
	void (*row)(void *, struct slice, struct slice);
	void *context;
};

static void image_row(void *context, struct slice fields)
{
	const struct images_context *images = context;
	struct slice key, value, image = SLICE_LITERAL(""), missing = SLICE_LITERAL("");

	while (field_next(&fields, &key, &value)) {
		if (slice_eq(key, "image"))
			image = value;
		if (slice_eq(key, "missing"))
			missing = value;
	}
	images->row(images->context, image, missing);
}

int engine_images(struct engine *engine, deadline_ms deadline,
		  void (*row)(void *, struct slice, struct slice), void *context, struct error *err)
{
	struct images_context images = {row, context};
	struct slice ok;

	return call(engine, FRAME_IMAGES, SLICE_LITERAL(""), deadline, image_row, &images, &ok,
		    err);
}

void engine_close(struct engine *engine)
{
	deadline_ms deadline = deadline_in(ENGINE_CALL_DEADLINE_MS);
	char late[256]; /* an answer that came too late */

	if (engine->fd < 0)
		return;
	shutdown(engine->fd, SHUT_WR);
	while (engine->child && io_read_some(engine->fd, late, sizeof(late), deadline) > 0)
		continue;
	frame_reader_free(&engine->reader);
	close(steal_fd(&engine->fd));
}
