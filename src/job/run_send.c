/* A job's way down to its container: its frames (protocol/control.h), gathered so that a usual job
   takes one write. The rules are in run.h. */
#include "base/deadline.h"
#include "base/frame.h"
#include "base/io.h"
#include "job/run_parts.h"

#include <errno.h>

#define REQUIRED_NUMBERS 6 /* of a job's */
/* frames going down are gathered to about this much before a write */
#define SEND_AT_BYTES (64 * KIB)

int job_command(const struct job *job, struct buf *fields)
{
	for (unsigned i = 0; i < job->argc; i++)
		if (field_add(fields, "argv", job->argv[i]) < 0)
			return -1;
	for (unsigned i = 0; i < job->env_count; i++)
		if (field_add(fields, "env", job->env[i]) < 0)
			return -1;
	if (job->readonly && field_add(fields, "readonly", slice_of(job->readonly)) < 0)
		return -1;
	return field_add(fields, "cwd", slice_of(job->cwd));
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
	};

	if (job_command(job, fields) < 0)
		return -1;
	for (const char *const *folder = job->folders; folder && *folder; folder++)
		if (field_add(fields, "folder", slice_of(*folder)) < 0)
			return -1;
	if ((job->kernel && field_add(fields, "kernel", slice_of(job->kernel)) < 0) ||
	    (job->script && field_add(fields, "script", slice_of(job->script)) < 0) ||
	    (job->fetch && field_add(fields, "fetch", slice_of(job->fetch)) < 0))
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

int run_not_taken(struct error *err)
{
	return error_set(err, 502, "job_not_taken", "The container ended before it took the job");
}

int run_send(const struct job *job, int control, struct error *err)
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
		return run_not_taken(err);
	return sent < 0 ? error_set_errno(err, 502, "control_failed",
					  "The container does not accept the job")
			: 0;
}
