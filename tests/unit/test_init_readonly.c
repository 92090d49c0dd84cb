/*
 * The field readonly of JOB (src/init/readonly.c): what the program can do in its folder, tried by
 * every call that could change something there. As a user without rights, since modes hold nobody
 * who has them all.
 */
#include "init/init.h"

#include "tap.h"
#include "util.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

static struct error err;
static char folder[PATH_MAX];

/* --- what a program may try ------------------------------------------------------------------- */

static int close_or_fail(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

static int do_read(void)
{
	return close_or_fail(open("test.js", O_RDONLY));
}

static int do_write(void)
{
	return close_or_fail(open("test.js", O_WRONLY));
}

static int do_truncate(void)
{
	return truncate("test.js", 0);
}

static int do_create(void)
{
	return close_or_fail(open("new", O_WRONLY | O_CREAT, 0644));
}

static int do_create_deep(void)
{
	return close_or_fail(open("a/b/new", O_WRONLY | O_CREAT, 0644));
}

static int do_unnamed(void)
{
	return close_or_fail(open(".", O_WRONLY | O_TMPFILE, 0644));
}

static int do_mkdir(void)
{
	return mkdir("d", 0755);
}

static int do_symlink(void)
{
	return symlink("test.js", "s");
}

static int do_unlink(void)
{
	return unlink("test.js");
}

static int do_unlink_deep(void)
{
	return unlink("a/b/deep.js");
}

static int do_rmdir(void)
{
	return rmdir("a");
}

static int do_rename(void)
{
	return rename("test.js", "other.js");
}

static int do_rename_out(void)
{
	return rename("test.js", "../output/test.js");
}

static int do_rename_in(void)
{
	must(close_or_fail(open("../output/mine", O_WRONLY | O_CREAT, 0644)) == 0);
	return rename("../output/mine", "test.js");
}

static int do_rename_folder(void)
{
	return rename("../run", "../away");
}

static int do_exchange(void)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, "../run", AT_FDCWD, "../output", 2U);
}

static int do_link(void)
{
	return link("test.js", "../output/second");
}

static int do_chmod(void)
{
	return chmod("test.js", 0666);
}

static int do_chmod_folder(void)
{
	return chmod(".", 0777);
}

static int do_chmod_parent(void)
{
	return chmod("..", 0777);
}

static int do_fchmodat(void)
{
	return (int)syscall(SYS_fchmodat, AT_FDCWD, "test.js", 0666);
}

static int do_fchmodat2(void)
{
	return (int)syscall(452, AT_FDCWD, "test.js", 0666, 0);
}

/* It says that it was done, and nothing is. */
static int do_fchmod(void)
{
	_cleanup_close_ int fd = open("test.js", O_RDONLY);
	struct stat status;

	if (fd < 0 || fchmod(fd, 0666) < 0 || fstat(fd, &status) < 0)
		return -1;
	return (status.st_mode & 07777) == 0444 ? 0 : -1;
}

static int do_fchmod_folder(void)
{
	_cleanup_close_ int fd = open(".", O_RDONLY | O_DIRECTORY);

	if (fd < 0 || fchmod(fd, 0777) < 0)
		return -1;
	return do_create();
}

static int do_utime(void)
{
	const struct utimbuf times = {1, 1};

	return utime("test.js", &times);
}

static int do_utimensat(void)
{
	return utimensat(AT_FDCWD, "test.js", NULL, 0);
}

static int do_futimens(void)
{
	const struct timespec times[2] = {{1, 0}, {1, 0}};
	_cleanup_close_ int fd = open("test.js", O_RDONLY);
	struct stat status;

	if (fd < 0 || futimens(fd, times) < 0 || fstat(fd, &status) < 0)
		return -1;
	return status.st_mtime != 1 ? 0 : -1;
}

static int do_xattr(void)
{
	return setxattr("test.js", "system.posix_acl_access", "", 0, 0);
}

static int do_output(void)
{
	return close_or_fail(open("../output/result", O_WRONLY | O_CREAT | O_EXCL, 0644));
}

static int do_output_folder(void)
{
	return mkdir("../output/more", 0755);
}

static const struct {
	const char *name;
	int (*attempt)(void);
	int wanted; /* errno; 0: it works */
} attempts[] = {
	{"reading", do_read, 0},
	{"writing", do_write, EACCES},
	{"truncating", do_truncate, EACCES},
	{"making a file", do_create, EACCES},
	{"making a file in a folder of it", do_create_deep, EACCES},
	{"making a file without a name", do_unnamed, EACCES},
	{"making a folder", do_mkdir, EACCES},
	{"making a symbolic link", do_symlink, EACCES},
	{"removing a file", do_unlink, EACCES},
	{"removing a file in a folder of it", do_unlink_deep, EACCES},
	{"removing a folder", do_rmdir, EACCES},
	{"renaming a file", do_rename, EACCES},
	{"renaming a file away", do_rename_out, EACCES},
	{"renaming a file over one", do_rename_in, EACCES},
	{"renaming the folder", do_rename_folder, EACCES},
	{"exchanging the folder", do_exchange, EACCES},
	{"a second name", do_link, EPERM},
	{"chmod of a file", do_chmod, EPERM},
	{"chmod of the folder", do_chmod_folder, EPERM},
	{"chmod of its parent", do_chmod_parent, EPERM},
	{"fchmodat", do_fchmodat, EPERM},
	{"fchmodat2", do_fchmodat2, EPERM},
	{"fchmod, which does nothing", do_fchmod, 0},
	{"making a file after an fchmod of the folder", do_fchmod_folder, EACCES},
	{"utime", do_utime, EPERM},
	{"utimensat", do_utimensat, EPERM},
	{"futimens, which does nothing", do_futimens, 0},
	{"an access list", do_xattr, EOPNOTSUPP},
	{"a file in the output folder", do_output, 0},
	{"a folder in the output folder", do_output_folder, 0},
};

/* --- the job ---------------------------------------------------------------------------------- */

static struct init_job take_job(const char *readonly)
{
	static const char *const inputs[] = {"run/test.js", "run/a/b/deep.js"};
	_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
	struct init_job job = init_job_new();
	struct frame_reader reader;
	int pair[2];

	must(field_add(&fields, "argv", SLICE_LITERAL("true")) == 0 &&
	     field_add(&fields, "cwd", slice_of(folder)) == 0 &&
	     field_add(&fields, "wall_ms", SLICE_LITERAL("1000")) == 0 &&
	     field_add(&fields, "readonly", slice_of(readonly)) == 0 &&
	     field_add(&fields, "folder", SLICE_LITERAL("output")) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	must(frame_send(pair[0], FRAME_JOB, buf_slice(&fields), deadline_in(1000)) == 0);
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
		must(frame_send(pair[0], FRAME_FILE, slice_of(inputs[i]), deadline_in(1000)) == 0 &&
		     frame_send(pair[0], FRAME_DATA, SLICE_LITERAL("1"), deadline_in(1000)) == 0);
	must(frame_send(pair[0], FRAME_GO, SLICE_LITERAL(""), deadline_in(1000)) == 0);
	reader = frame_reader_new(pair[1]);
	must(init_job_read(&reader, &job, deadline_in(1000), &err) == 0);
	frame_reader_free(&reader);
	close(pair[0]);
	close(pair[1]);
	return job;
}

/* In a process of its own, for the filter stays: writes the errno of every attempt. */
static int try_everything(void *context)
{
	int results[sizeof(attempts) / sizeof(attempts[0])], out = *(int *)context;

	if (getuid() == 0)
		must(setresgid(NOBODY_ID, NOBODY_ID, NOBODY_ID) == 0 &&
		     setresuid(NOBODY_ID, NOBODY_ID, NOBODY_ID) == 0);

	struct init_job job = take_job("run");

	must(!job.refused && init_readonly_enter(&job) == 0);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		errno = 0;
		results[i] = attempts[i].attempt() == 0 ? 0 : errno;
	}
	init_job_free(&job);
	return write(out, results, sizeof(results)) == (ssize_t)sizeof(results) ? 0 : 1;
}

static void make_home(const char *name)
{
	(void)snprintf(folder, sizeof(folder), "%s", in_scratch("%s", name));
	make_folder(folder);
	if (getuid() == 0)
		must(chmod(scratch(), 0755) == 0 && chown(folder, NOBODY_ID, NOBODY_ID) == 0);
}

static void test_attempts(void)
{
	int results[sizeof(attempts) / sizeof(attempts[0])], ends[2];

	make_home("attempts");
	must(pipe(ends) == 0);
	must(in_child(try_everything, &ends[1]) == 0);
	must(read(ends[0], results, sizeof(results)) == (ssize_t)sizeof(results));
	close(ends[0]);
	close(ends[1]);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		/* an architecture without the old calls, a kernel without the new */
		bool absent = results[i] == ENOSYS && attempts[i].wanted == EPERM;

		ok(results[i] == attempts[i].wanted || absent, "%s: %s", attempts[i].name,
		   results[i] ? strerror(results[i]) : "works");
	}
}

static void test_names(void)
{
	static const char *const bad[] = {"", "..", "a/b", "/run", "."};

	make_home("names");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct init_job job = take_job(bad[i]);

		ok(job.refused && strcmp(job.refusal.code, "job_bad") == 0,
		   "'%s' is no folder's name", bad[i]);
		init_job_free(&job);
	}
}

int main(void)
{
	test_attempts();
	test_names();
	return done();
}
