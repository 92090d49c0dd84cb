#include "job/run.h"

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/num.h"
#include "protocol/control.h"
#include "protocol/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

int job_connect(const struct config *config, const char *folder, int *out, struct error *err)
{
	char path[PATH_MAX + sizeof(JOBS_DIR_NAME) + 1];
	struct stat status;

	(void)snprintf(path, sizeof(path), "%s/%s", config->run, JOBS_DIR_NAME);

	_cleanup_close_ int jobs = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int dir =
		jobs < 0 ? -1 : openat(jobs, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int name =
		dir < 0 ? -1 : openat(dir, CONTROL_NAME, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (name < 0 || fstat(name, &status) < 0)
		return error_set_errno(err, 502, "control_failed",
				       "The container's control socket cannot be opened");
	if (!S_ISSOCK(status.st_mode))
		return error_set(err, 502, "control_failed",
				 "The container replaced its control socket");

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", name);

	int fd = io_connect(path, 0, CONTROL_CONNECT_DEADLINE_MS);

	if (fd < 0)
		return error_set_errno(err, 502, "control_failed", "The container does not answer");
	*out = fd;
	return 0;
}

/* --- down: its frames (protocol/control.h), gathered so that a usual job takes one write
   ---------- */

#define REQUIRED_NUMBERS 6 /* of a job's */
/* frames going down are gathered to about this much before a write */
#define SEND_AT_BYTES (64 * KIB)

static bool has_variable(const struct job *job, const char *text)
{
	const struct slice name = {text, strcspn(text, "=") + 1};

	for (unsigned i = 0; i < job->env_count; i++)
		if (job->env[i].len >= name.len && memcmp(job->env[i].data, text, name.len) == 0)
			return true;
	return false;
}

int job_command(const struct job *job, struct buf *fields)
{
	const char *const *more = job->env_count < JOB_ENV_MAX_COUNT ? job->language_env : NULL;

	for (unsigned i = 0; i < job->argc; i++)
		if (field_add(fields, "argv", job->argv[i]) < 0)
			return -1;
	for (unsigned i = 0; i < job->env_count; i++)
		if (field_add(fields, "env", job->env[i]) < 0)
			return -1;
	for (; more && *more; more++)
		if (!has_variable(job, *more) && field_add(fields, "env", slice_of(*more)) < 0)
			return -1;
	if (job->readonly && field_add(fields, "readonly", slice_of(job->readonly)) < 0)
		return -1;
	return field_add(fields, "cwd", slice_of(job->cwd));
}

static int add_names(const char *key, const char *const *names, struct buf *fields)
{
	for (; names && *names; names++)
		if (field_add(fields, key, slice_of(*names)) < 0)
			return -1;
	return 0;
}

static int add_request(const struct job *job, struct buf *fields)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"wall_ms", job->wall_ms},
		{"cpu_ms", job->cpu_ms},
		{"stream_bytes", job->stream_bytes},
		{"artifact_count", job->artifact_count},
		{"artifact_bytes", job->artifact_bytes},
		{"artifacts_bytes", job->artifacts_bytes},
		{"echo", job->is_echo}, /* from here on only where they say something */
		{"last", job->is_last},
		{"list", job->is_list},
		{"idle_s", job->idle_s},
		{"idle_cpu_ms", job->idle_cpu_ms},
	};

	if (job_command(job, fields) < 0 || add_names("folder", job->folders, fields) < 0 ||
	    add_names("ignore", job->ignored, fields) < 0)
		return -1;
	if ((job->kernel && field_add(fields, "kernel", slice_of(job->kernel)) < 0) ||
	    (job->script && field_add(fields, "script", slice_of(job->script)) < 0) ||
	    (job->fetch && field_add(fields, "fetch", slice_of(job->fetch)) < 0) ||
	    (job->remove && field_add(fields, "remove", slice_of(job->remove)) < 0))
		return -1;
	if ((job->collect && field_add(fields, "collect", slice_of(job->collect)) < 0) ||
	    (job->collect_flat && field_add_number(fields, "flat", 1) < 0))
		return -1;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if ((numbers[i].value || i < REQUIRED_NUMBERS) &&
		    field_add_number(fields, numbers[i].key, numbers[i].value) < 0)
			return -1;
	return 0;
}

/* Frames on their way down, gathered so that a usual job takes one write. */
struct sender {
	int fd;
	deadline_ms deadline;
	struct buf frames;
};

static int flush(struct sender *sender)
{
	int sent =
		io_send_all(sender->fd, sender->frames.data, sender->frames.len, sender->deadline);

	sender->frames.len = 0;
	return sent;
}

static int put(struct sender *sender, uint8_t type, struct slice payload)
{
	if (frame_append(&sender->frames, type, payload) < 0)
		return -1;
	return sender->frames.len < SEND_AT_BYTES ? 0 : flush(sender);
}

/* Bytes of any length, in frames of their kind. */
static int put_pieces(struct sender *sender, uint8_t type, struct slice data)
{
	while (data.len) {
		struct slice piece = {data.data, data.len < FRAME_DATA_MAX_BYTES
							 ? data.len
							 : FRAME_DATA_MAX_BYTES};

		if (put(sender, type, piece) < 0)
			return -1;
		data.data += piece.len;
		data.len -= piece.len;
	}
	return 0;
}

static int not_taken(struct error *err)
{
	return error_set(err, 502, "job_not_taken", "The container ended before it took the job");
}

static int send_job(const struct job *job, int control, struct error *err)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
	struct sender sender = {
		.fd = control,
		.deadline = deadline_in(HTTP_BODY_DEADLINE_MS),
		.frames = buf_new(SEND_AT_BYTES + FRAME_JOB_MAX_BYTES + FRAME_DATA_MAX_BYTES),
	};

	if (add_request(job, &fields) < 0)
		return error_set(err, 400, "job_too_large",
				 "Arguments and environment pass %llu bytes",
				 (unsigned long long)FRAME_JOB_MAX_BYTES);

	int sent = put(&sender, FRAME_JOB, buf_slice(&fields));

	for (unsigned i = 0; sent == 0 && i < job->input_count; i++) {
		sent = put(&sender, FRAME_FILE, job->inputs[i].path);
		if (sent == 0)
			sent = put_pieces(&sender, FRAME_DATA, job->inputs[i].data);
	}
	if (sent == 0)
		sent = put_pieces(&sender, FRAME_STDIN, job->standard_input);
	if (sent == 0)
		sent = put(&sender, FRAME_GO, SLICE_LITERAL(""));
	if (sent == 0)
		sent = flush(&sender);
	buf_free(&sender.frames);
	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
		return not_taken(err);
	return sent < 0 ? error_set_errno(err, 502, "control_failed",
					  "The container does not take the job")
			: 0;
}

/* --- up --------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum job_reason reason;
} reasons[] = {
	{"exited", JOB_EXITED},
	{"signaled", JOB_SIGNALED},
	{"timeout", JOB_TIMEOUT},
	{"cpu", JOB_CPU},
	{"oom", JOB_OOM},
	{"cancelled", JOB_CANCELLED},
	{"not_started", JOB_NOT_STARTED},
};

static int take_reason(struct slice value, enum job_reason *out)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (slice_eq(value, reasons[i].name)) {
			*out = reasons[i].reason;
			return 0;
		}
	return -1;
}

static const struct {
	const char *name;
	enum job_kernel kernel;
} kernels[] = {{"kept", JOB_KERNEL_KEPT}, {"lost", JOB_KERNEL_LOST}, {"ended", JOB_KERNEL_ENDED}};

static enum job_kernel take_kernel(struct slice value)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (slice_eq(value, kernels[i].name))
			return kernels[i].kernel;
	return JOB_KERNEL_NONE;
}

static int take_exit(struct slice fields, struct job_result *result, struct error *err)
{
	uint64_t code = 0, signal = 0, out = 0, errors = 0, ended = 0;
	struct slice key, value, message = SLICE_LITERAL("");
	bool has_reason = false;
	const struct field_number numbers[] = {
		{"code", 255, &code},
		{"signal", 127, &signal},
		{"stdout_truncated", 1, &out},
		{"stderr_truncated", 1, &errors},
		{"ended", 1, &ended},
		{"idle_cpu_us", INT64_MAX, &result->idle_cpu_us},
		{"wall_us", INT64_MAX, &result->wall_us},
		{"cpu_us", INT64_MAX, &result->cpu_us},
		{"max_rss_bytes", INT64_MAX, &result->max_rss_bytes},
	};

	while (field_next(&fields, &key, &value)) {
		if (slice_eq(key, "reason")) {
			if (take_reason(value, &result->reason) < 0)
				break;
			has_reason = true;
		}
		if (slice_eq(key, "message"))
			message = value;
		if (slice_eq(key, "kernel"))
			result->kernel = take_kernel(value);
		if (field_take_number(numbers, sizeof(numbers) / sizeof(numbers[0]), key, value) <
		    0)
			return error_set(err, 502, "control_failed",
					 "The container reported an impossible %.*s", (int)key.len,
					 key.data);
	}
	if (!has_reason || fields.len)
		return error_set(err, 502, "control_failed", "The container's report is malformed");
	result->code = (int)code;
	result->signal = (int)signal;
	result->is_ended = ended;
	result->stdout_truncated = out;
	result->stderr_truncated = errors;
	(void)snprintf(result->message, sizeof(result->message), "%.*s", (int)message.len,
		       message.data);
	return 0;
}

/*
 *             | before EXIT        | after EXIT
 * STDOUT/ERR  | store, tell        | refuse
 * DISPLAY     | tell               | refuse
 * EXIT        | note               | refuse
 * FILE, DATA, | refuse             | store
 * SKIPPED,    |                    |
 * LISTED      |                    |
 * END         | refuse             | done
 */
struct run {
	struct storage *storage;
	const struct job_listener *listener;
	struct job_result result;
	uint64_t stream_left[2], bytes_out;
	bool has_spoken, has_exited, is_done;
	int64_t started_us;
	deadline_ms next_sync; /* of the streams */
};

static int take_stream(struct run *run, bool is_stderr, struct slice data, struct error *err)
{
	/* init caps too; this is the cap that holds when init is not itself any more */
	if (data.len > run->stream_left[is_stderr])
		return error_set(err, 502, "control_failed",
				 "The container sends more output than it may");
	run->stream_left[is_stderr] -= data.len;
	run->bytes_out += data.len;
	run->listener->on_output(run->listener->context, is_stderr, data);
	return storage_append_stream(run->storage, is_stderr, data, err);
}

/* What is malformed is dropped: it is the program's loss. */
static void take_display(const struct run *run, struct slice payload)
{
	struct display display;
	struct error ignored;

	if (run->listener->on_display && display_parse(payload, &display, &ignored) == 0)
		run->listener->on_display(run->listener->context, &display);
}

static int take_listed(const struct run *run, struct slice fields, struct error *err)
{
	struct slice key, value, path = SLICE_LITERAL("");
	uint64_t size_bytes = 0, mtime_ms = 0;
	const struct field_number numbers[] = {{"size", INT64_MAX, &size_bytes},
					       {"mtime_ms", INT64_MAX, &mtime_ms}};

	while (field_next(&fields, &key, &value)) {
		if (slice_eq(key, "path"))
			path = value;
		if (field_take_number(numbers, 2, key, value) < 0)
			return error_set(err, 502, "control_failed",
					 "The container listed a file of an impossible size");
	}
	if (run->listener->on_listed && fs_is_relative_path(path, JOB_ARTIFACT_DEPTH_MAX + 1))
		run->listener->on_listed(run->listener->context, path, size_bytes,
					 (int64_t)mtime_ms);
	return 0;
}

static int take_frame(struct run *run, const struct frame *frame, struct error *err)
{
	run->has_spoken = true;
	if (!run->has_exited) {
		if (frame->type == FRAME_STDOUT || frame->type == FRAME_STDERR)
			return take_stream(run, frame->type == FRAME_STDERR, frame->payload, err);
		if (frame->type == FRAME_DISPLAY) {
			take_display(run, frame->payload);
			return 0;
		}
		if (frame->type == FRAME_EXIT) {
			run->has_exited = true;
			return take_exit(frame->payload, &run->result, err);
		}
	} else {
		if (frame->type == FRAME_FILE)
			return storage_begin_file(run->storage, frame->payload, err);
		if (frame->type == FRAME_DATA) {
			run->bytes_out += frame->payload.len;
			return storage_append_file(run->storage, frame->payload, err);
		}
		if (frame->type == FRAME_LISTED)
			return take_listed(run, frame->payload, err);
		if (frame->type == FRAME_SKIPPED)
			return storage_note_skipped(run->storage, frame->payload, err);
		if (frame->type == FRAME_END) {
			run->is_done = true;
			return 0;
		}
	}
	return error_set(err, 502, "control_failed",
			 "The container sent a frame of type '%c' out of order", frame->type);
}

/* Takes every frame that is in the buffer. */
static int take_frames(struct run *run, struct frame_reader *reader, struct error *err)
{
	struct frame frame;
	int found;

	while (!run->is_done && (found = frame_reader_next(reader, &frame, err)) != 0)
		if (found < 0 || take_frame(run, &frame, err) < 0)
			return -1;
	return 0;
}

/* One wait for the container or the client. 1 when the container has something (or has closed), 0
   when it has not, or -1 with *err. */
static int wait_once(const struct run *run, int control, struct http_watch *watch,
		     deadline_ms deadline, struct error *err)
{
	const struct job_listener *listener = run->listener;
	struct pollfd polls[2] = {{.fd = control, .events = POLLIN}, http_watch_pollfd(watch)};
	int left = deadline_left_ms(deadline);
	int wait = listener->on_tick && listener->tick_ms < left ? (int)listener->tick_ms : left;
	/* one that never stops sending is overdue, too */
	int ready = left ? poll(polls, 2, wait) : 0;

	if (ready < 0 && errno != EINTR)
		return error_set_errno(err, 502, "control_failed", "waiting failed");
	if (ready == 0 && wait == left)
		return error_set(err, 504, "job_overdue",
				 "The container did not send the job's files in time");
	if (ready > 0 && (polls[1].revents & ~POLLOUT) &&
	    http_watch_is_gone(watch, polls[1].revents))
		return error_set(err, 0, "client_gone", "the client hung up");
	if (listener->on_tick && (ready == 0 || (ready > 0 && (polls[1].revents & POLLOUT))))
		listener->on_tick(listener->context);
	return ready > 0 && polls[0].revents;
}

/* Waits for the container or the client. 0 when the container has something (or has closed). */
static int wait_for_frames(const struct run *run, int control, struct http_watch *watch,
			   deadline_ms deadline, struct error *err)
{
	int found;

	do
		found = wait_once(run, control, watch, deadline, err);
	while (found == 0);
	return found < 0 ? -1 : 0;
}

/* Rule 3, for a program that has not ended: the time-out is ours. */
static int end_overdue(struct run *run)
{
	run->result = (struct job_result){
		.reason = JOB_TIMEOUT,
		.signal = SIGKILL,
		.wall_us = (uint64_t)(monotonic_us() - run->started_us),
		.is_overdue = true,
	};
	return 0;
}

static int receive(struct run *run, struct frame_reader *reader, struct http_watch *watch,
		   deadline_ms deadline, struct error *err)
{
	while (!run->is_done) {
		if (wait_for_frames(run, reader->fd, watch, deadline, err) < 0)
			return err->status == 504 && !run->has_exited ? end_overdue(run) : -1;

		ssize_t got = frame_reader_fill(reader);

		/* a Unix socket is reset by a peer that has not read all (unix(7)): it has not seen
		   GO */
		if (got < 0 && errno == ECONNRESET && !run->has_spoken)
			return not_taken(err);
		if (got < 0 && errno != ECONNRESET)
			return error_set_errno(err, 502, "control_failed",
					       "The container's answer cannot be read");
		if (got <= 0 && run->has_exited)
			return error_set(err, 502, "control_failed",
					 "The container ended while its files were collected");
		if (got <= 0) {
			run->result = (struct job_result){.reason = JOB_LOST, .signal = SIGKILL};
			return 0;
		}
		if (take_frames(run, reader, err) < 0)
			return -1;
		/* a program that has printed has most often still to end: the disk is waited for
		   meanwhile */
		if (!run->is_done && deadline_left_ms(run->next_sync) == 0) {
			if (storage_sync_streams(run->storage, err) < 0)
				return -1;
			run->next_sync = deadline_in(STREAM_SYNC_INTERVAL_MS);
		}
	}
	return 0;
}

static uint64_t bytes_in(const struct job *job)
{
	uint64_t total = job->standard_input.len;

	for (unsigned i = 0; i < job->input_count; i++)
		total += job->inputs[i].data.len;
	return total;
}

int job_run(const struct job *job, int control, struct storage *storage,
	    const struct job_listener *listener, struct http_watch *watch, struct job_result *out,
	    struct error *err)
{
	struct run run = {
		.storage = storage,
		.listener = listener,
		.stream_left = {job->stream_bytes, job->stream_bytes},
	};

	run.started_us = monotonic_us();
	if (send_job(job, control, err) < 0)
		return -1;
	storage->patterns = job->artifacts;
	storage->takes_absolute = job->collect != NULL;
	for (unsigned i = 0; i < job->input_count; i++)
		if (job_is_hidden(job, i) && storage_hide(storage, job->inputs[i].path, err) < 0)
			return -1;
	if (listener->on_sent && listener->on_sent(listener->context, err) < 0)
		return -1;
	if (listener->on_tick)
		listener->on_tick(listener->context);

	struct frame_reader reader = frame_reader_new(control);
	int received = receive(&run, &reader, watch,
			       deadline_in((int64_t)job->wall_ms + JOB_GRACE_MS), err);

	frame_reader_free(&reader);
	if (received < 0)
		return -1;
	*out = run.result;
	out->bytes_in = bytes_in(job);
	out->bytes_out = run.bytes_out;
	return 0;
}

int job_exit_code(const struct job_result *result)
{
	switch (result->reason) {
	case JOB_TIMEOUT:
		return -1;
	case JOB_OOM:
	case JOB_CPU:
	case JOB_LOST:
		return 128 + SIGKILL;
	case JOB_SIGNALED:
	case JOB_CANCELLED:
		return 128 + result->signal;
	case JOB_NOT_STARTED:
		return 127;
	case JOB_EXITED:
		break;
	}
	return result->code;
}
