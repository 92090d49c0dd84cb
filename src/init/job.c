/*
 * What comes down the control socket before the program starts.
 *
 *   state        JOB        FILE       DATA       STDIN      GO         CANCEL     PREPARE
 *   before JOB   received   error      error      error      error      cancelled  error
 *   received     error      file       error      received   done       cancelled  preparation
 *   file         error      file       file       received   done       cancelled  error
 *
 * Rules:
 *  1. "error" ends the connection: both ends are built from one tree.
 *  2. A job that cannot be (a bad field, a path, a full tmpfs) is refused, and what still comes for
 *     it is thrown away until GO, so that the host, which writes first, never gets stuck or reset.
 *  3. Inputs are made beneath cwd by safe paths only (base/fs.h), and never over anything but, in a
 *     session, a file.
 */
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool is_any(struct slice text)
{
	(void)text;
	return true;
}

static bool is_kernel_name(struct slice text)
{
	return fs_is_component(text) && text.len <= KERNEL_NAME_MAX_BYTES;
}

static bool is_folder_name(struct slice text)
{
	return fs_is_component(text) ||
	       (text.len > 1 && text.data[0] == '/' &&
		fs_is_relative_path((struct slice){text.data + 1, text.len - 1},
				    JOB_ARTIFACT_DEPTH_MAX));
}

static bool is_path(struct slice text)
{
	return fs_is_relative_path(text, JOB_ARTIFACT_DEPTH_MAX);
}

static const struct {
	const char *key;
	bool (*is_good)(struct slice value);
	size_t place; /* offset in struct init_job */
} texts[] = {
	{"cwd", is_any, offsetof(struct init_job, cwd)},
	{"readonly", fs_is_component, offsetof(struct init_job, readonly)},
	{"collect", is_folder_name, offsetof(struct init_job, collect)},
	{"kernel", is_kernel_name, offsetof(struct init_job, kernel)},
	{"script", fs_is_component, offsetof(struct init_job, script)},
	{"fetch", is_path, offsetof(struct init_job, fetch)},
	{"remove", is_path, offsetof(struct init_job, remove)},
};

struct init_job init_job_new(void)
{
	return (struct init_job){
		.text = buf_new(FRAME_JOB_MAX_BYTES),
		.inputs = buf_new(JOB_INPUT_MAX_COUNT * (JOB_PATH_MAX_BYTES + 1)),
		.prepare = buf_new(FRAME_JOB_MAX_BYTES),
		.cwd_fd = -1,
		.file_fd = -1,
		.stdin_fd = -1,
	};
}

static void close_and_forget(int *fd)
{
	cleanup_close(fd);
	*fd = -1;
}

void init_job_free(struct init_job *job)
{
	buf_free(&job->text);
	buf_free(&job->inputs);
	buf_free(&job->prepare);
	close_and_forget(&job->cwd_fd);
	close_and_forget(&job->file_fd);
	close_and_forget(&job->stdin_fd);
}

bool init_job_is_session(const struct init_job *job)
{
	return job->idle_s && !job->last;
}

bool init_job_is_files(const struct init_job *job)
{
	return job->argc == 0 && !job->kernel && init_job_is_session(job);
}

const struct init_input *init_job_input(const struct init_job *job, const char *path)
{
	const struct init_input *input = job->given;

	for (size_t at = 0; at < job->inputs.len; input++) {
		if (strcmp(job->inputs.data + at, path) == 0)
			return input;
		at += strlen(job->inputs.data + at) + 1;
	}
	return NULL;
}

/* FNV-1a. */
uint64_t init_hash(uint64_t hash, struct slice data)
{
	for (size_t i = 0; i < data.len; i++)
		hash = (hash ^ (unsigned char)data.data[i]) * 0x100000001b3ULL;
	return hash;
}

static int add_text(char **list, unsigned *count, unsigned max, struct slice value,
		    const char *what, struct error *err)
{
	if (*count == max)
		return error_set(err, 400, "job_bad", "more than %u of %s", max, what);
	list[(*count)++] = (char *)value.data; /* NUL follows it in job->text */
	return 0;
}

static int take_field(struct init_job *job, struct slice key, struct slice value, struct error *err)
{
	const struct field_number numbers[] = {
		{"wall_ms", INIT_CLOCK_MAX_MS, &job->wall_ms},
		{"cpu_ms", INIT_CLOCK_MAX_MS, &job->cpu_ms},
		{"stream_bytes", INT64_MAX, &job->stream_bytes},
		{"flat", 1, &job->flat},
		{"echo", 1, &job->echo},
		{"last", 1, &job->last},
		{"list", 1, &job->list},
		{"idle_s", CELL_IDLE_MAX_S, &job->idle_s},
		{"idle_cpu_ms", INIT_CLOCK_MAX_MS, &job->idle_cpu_ms},
		{"artifact_count", INT64_MAX, &job->artifact_count},
		{"artifact_bytes", INT64_MAX, &job->artifact_bytes},
		{"artifacts_bytes", INT64_MAX, &job->artifacts_bytes},
	};
	int taken;

	if (slice_eq(key, "argv"))
		return add_text(job->argv, &job->argc, JOB_ARGV_MAX_COUNT, value, "argv", err);
	if (slice_eq(key, "env"))
		return add_text(job->env, &job->envc, JOB_ENV_MAX_COUNT, value, "env", err);
	if (slice_eq(key, "folder"))
		return add_text(job->folders, &job->folder_count, JOB_FOLDER_MAX_COUNT, value,
				"folder", err);
	if (slice_eq(key, "ignore"))
		return add_text(job->ignored, &job->ignored_count, JOB_IGNORED_MAX_COUNT, value,
				"ignore", err);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (slice_eq(key, texts[i].key) && texts[i].is_good(value)) {
			*(char **)(void *)((char *)job + texts[i].place) = (char *)value.data;
			return 0;
		}
	taken = field_take_number(numbers, COUNT_OF(numbers), key, value);
	if (taken < 0)
		return error_set(err, 400, "job_bad", "%.*s is not a number, or too large",
				 (int)key.len, key.data);
	if (taken)
		return 0;
	return error_set(err, 400, "job_bad", "unknown field %.*s", (int)key.len, key.data);
}

static int make_folders(const struct init_job *job, struct error *err)
{
	if (job->readonly && mkdirat(job->cwd_fd, job->readonly, 0755) < 0 && errno != EEXIST)
		return error_set_errno(err, 500, "cwd", "folder %s", job->readonly);
	for (unsigned i = 0; i < job->folder_count; i++) {
		if (!fs_is_component(slice_of(job->folders[i])))
			return error_set(err, 400, "job_bad", "folder is not a name");
		if (mkdirat(job->cwd_fd, job->folders[i], 0755) < 0 && errno != EEXIST)
			return error_set_errno(err, 500, "cwd", "folder %s", job->folders[i]);
	}
	/* without it, what is in the way of it is the program's own doing */
	if (job->collect && job->collect[0] == '/')
		(void)mkdir(job->collect, 0755);
	return 0;
}

static int parse_job(struct init_job *job, struct slice payload, struct error *err)
{
	struct slice fields, key, value;

	if (buf_append(&job->text, payload.data, payload.len) < 0)
		return error_set_errno(err, 500, "job_bad", "keeping the job");
	fields = buf_slice(&job->text);
	while (field_next(&fields, &key, &value))
		if (take_field(job, key, value, err) < 0)
			return -1;
	if (fields.len)
		return error_set(err, 400, "job_bad", "a field without a name or an end");
	if (!init_job_is_files(job) && (job->argc == 0 || job->argv[0][0] == '\0'))
		return error_set(err, 400, "job_bad", "argv is missing");
	if (!job->cwd || job->cwd[0] != '/')
		return error_set(err, 400, "job_bad", "cwd is missing or not absolute");
	job->cwd_fd = open(job->cwd, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job->cwd_fd < 0)
		return error_set_errno(err, 500, "cwd", "cwd %s", job->cwd);
	return make_folders(job, err);
}

int init_job_remove(const struct init_job *job, const char *path)
{
	char parent[JOB_PATH_MAX_BYTES + 1];
	const char *slash = strrchr(path, '/');

	if (!slash)
		return unlinkat(job->cwd_fd, path, 0);
	memcpy(parent, path, (size_t)(slash - path)); /* a path: checked before */
	parent[slash - path] = '\0';

	_cleanup_close_ int folder = fs_open_beneath(job->cwd_fd, parent, O_PATH | O_DIRECTORY, 0);

	return folder < 0 ? -1 : unlinkat(folder, slash + 1, 0);
}

static int begin_file(struct init_job *job, struct slice path, struct error *err)
{
	static const char end = '\0';
	const char *name;

	close_and_forget(&job->file_fd);
	if (!fs_is_relative_path(path, JOB_ARTIFACT_DEPTH_MAX))
		return error_set(err, 400, "input_path", "an input's path may not be used");
	if (job->input_count == JOB_INPUT_MAX_COUNT)
		return error_set(err, 400, "input_count", "more than %d inputs",
				 JOB_INPUT_MAX_COUNT);
	if (buf_append(&job->inputs, path.data, path.len) < 0 ||
	    buf_append(&job->inputs, &end, 1) < 0)
		return error_set_errno(err, 500, "input_failed", "keeping an input's path");
	name = job->inputs.data + job->inputs.len - path.len - 1;
	job->given[job->input_count++] = (struct init_input){.hash = INIT_HASH_EMPTY};
	if (fs_make_parents(job->cwd_fd, name, 0755) < 0)
		return error_set_errno(err, 500, "input_failed", "folders of input %s", name);
	/* a folder stays, and what is not there is none: both show when the file is made */
	if (init_job_is_session(job))
		(void)init_job_remove(job, name);
	job->file_fd =
		fs_open_beneath(job->cwd_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	if (job->file_fd < 0)
		return error_set_errno(err, 500, "input_failed", "input %s", name);
	return 0;
}

static int append_data(struct init_job *job, struct slice data, struct error *err)
{
	struct init_input *input = &job->given[job->input_count - 1];

	input->size_bytes += data.len;
	input->hash = init_hash(input->hash, data);
	if (io_write_all(job->file_fd, data.data, data.len) < 0)
		return error_set_errno(err, 500, "input_failed", "writing an input");
	return 0;
}

/* Standard input is spooled, so that a program which does not read it does not hold up the host. */
static int append_stdin(struct init_job *job, struct slice data, struct error *err)
{
	close_and_forget(&job->file_fd);
	if (job->stdin_fd < 0)
		job->stdin_fd = memfd_create("stdin", MFD_CLOEXEC);
	job->stdin_bytes += data.len;
	if (job->stdin_bytes > JOB_STDIN_MAX_BYTES)
		return error_set(err, 400, "stdin_too_large", "more than %llu bytes of input",
				 JOB_STDIN_MAX_BYTES);
	if (job->stdin_fd < 0 || io_write_all(job->stdin_fd, data.data, data.len) < 0)
		return error_set_errno(err, 500, "input_failed", "keeping standard input");
	return 0;
}

/* How long it may run is for the job itself to say, not for what prepares it. */
static int finish(struct init_job *job, struct error *err)
{
	if (job->wall_ms == 0 && !init_job_is_files(job))
		return error_set(err, 400, "job_bad", "wall_ms is missing or 0");
	return job->readonly ? init_readonly_seal(job, err) : 0;
}

/* Inputs and standard input belong to the job. */
static int take_prepare(struct init_job *job, struct slice payload, struct error *err)
{
	if (job->input_count || job->stdin_fd >= 0)
		return error_set(err, 400, "frame_order", "PREPARE behind an input");
	if (buf_append(&job->prepare, payload.data, payload.len) < 0)
		return error_set_errno(err, 500, "prepare_bad", "keeping what to prepare");
	job->is_preparation = true;
	return 0;
}

/* The table above. 0, or -1 with *err: word "frame_order" for a frame out of place, any other for a
   job to be refused. */
static int take_frame(struct init_job *job, const struct frame *frame, struct error *err)
{
	if (frame->type == FRAME_JOB && !job->received) {
		job->received = true;
		return parse_job(job, frame->payload, err);
	}
	if (frame->type == FRAME_JOB || !job->received)
		return error_set(err, 400, "frame_order", "frame '%c' out of place", frame->type);
	if (frame->type == FRAME_PREPARE)
		return take_prepare(job, frame->payload, err);
	if (job->refused)
		return 0;
	switch (frame->type) {
	case FRAME_FILE:
		return begin_file(job, frame->payload, err);
	case FRAME_DATA:
		if (job->file_fd < 0)
			break;
		return append_data(job, frame->payload, err);
	case FRAME_STDIN:
		return append_stdin(job, frame->payload, err);
	case FRAME_GO:
		return finish(job, err);
	default:
		break;
	}
	return error_set(err, 400, "frame_order", "frame '%c' out of place", frame->type);
}

int init_job_read(struct frame_reader *reader, struct init_job *job, deadline_ms deadline,
		  struct error *err)
{
	struct frame frame = {0};
	struct error problem;

	while (frame.type != FRAME_GO && frame.type != FRAME_PREPARE) {
		if (frame_read(reader, &frame, deadline, err) < 0)
			return -1;
		if (frame.type == FRAME_CANCEL) {
			job->cancelled = true;
			return 0;
		}
		if (take_frame(job, &frame, &problem) == 0)
			continue;
		if (strcmp(problem.code, "frame_order") == 0) {
			*err = problem;
			return -1;
		}
		job->refused = true;
		job->refusal = problem;
	}
	close_and_forget(&job->file_fd);
	if (job->stdin_fd >= 0 && lseek(job->stdin_fd, 0, SEEK_SET) < 0)
		return error_set_errno(err, 500, "input_failed", "rewinding standard input");
	return 0;
}

static bool same_text(const char *left, const char *right)
{
	return left && right ? strcmp(left, right) == 0 : left == right;
}

static bool same_texts(char *const *left, unsigned left_count, char *const *right,
		       unsigned right_count)
{
	if (left_count != right_count)
		return false;
	for (unsigned i = 0; i < left_count; i++)
		if (strcmp(left[i], right[i]) != 0)
			return false;
	return true;
}

bool init_job_same_command(const struct init_job *left, const struct init_job *right)
{
	return same_texts(left->argv, left->argc, right->argv, right->argc) &&
	       same_texts(left->env, left->envc, right->env, right->envc) &&
	       strcmp(left->cwd, right->cwd) == 0 && same_text(left->readonly, right->readonly);
}
