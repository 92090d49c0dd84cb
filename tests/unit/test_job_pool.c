/*
 * Pooled containers without containers: kinds that differ by everything that makes them, claims of
 * which one wins, notes that are broken. What is a pooled container here is a folder with a socket
 * that listens.
 */
#include "job/pool.h"

#include "job/internal.h"
#include "tap.h"
#include "util.h"

#include <sys/socket.h>
#include <sys/un.h>

#define CLAIMERS 8
#define DIGITS   "0123456789abcdef01234567"

static struct config config;
static struct error err;

static struct job python_job(void)
{
	return (struct job){
		.argv = {SLICE_LITERAL("python3"), SLICE_LITERAL("a.py")},
		.argc = 2,
		.env = {SLICE_LITERAL("HOME=/tmp")},
		.env_count = 1,
		.cwd = "/workspace",
		.template = "tool",
	};
}

/* The kind of a job, in a buffer of its own until the fourth call after. */
static const char *kind_of(const struct job *job)
{
	static char kinds[4][POOL_KIND_DIGITS + 1];
	static unsigned next;
	struct pool_plan plan;

	must(pool_plan(&config, job, &plan, &err) == 0);
	memcpy(kinds[next % 4], plan.kind, sizeof(plan.kind));
	pool_plan_free(&plan);
	return kinds[next++ % 4];
}

static void differs(const struct job *job, const char *what)
{
	struct job plain = python_job();

	ok(strcmp(kind_of(job), kind_of(&plain)) != 0, "another kind: %s", what);
}

static void test_kinds_of_jobs(void)
{
	static const char *const boot_env[] = {"PYTHONPATH=/usr/lib/mayfly/python", NULL};
	struct job plain = python_job(), other = plain;

	is_text(kind_of(&plain), kind_of(&other), "the same job is of the same kind");
	other.wall_ms = 1;
	other.stream_bytes = other.artifact_count = 2;
	other.input_count = 0;
	is_text(kind_of(&plain), kind_of(&other), "whatever its time-out and caps");
	other = plain;
	other.argv[1] = SLICE_LITERAL("b.py");
	differs(&other, "argv");
	other = plain;
	other.argv[0] = SLICE_LITERAL("python3a");
	other.argv[1] = SLICE_LITERAL(".py");
	differs(&other, "the same bytes in other arguments");
	other = plain;
	other.env[0] = SLICE_LITERAL("HOME=/");
	differs(&other, "environment");
	other = plain;
	other.cwd = "/tmp";
	differs(&other, "working directory");
	other = plain;
	other.boot_env = boot_env;
	differs(&other, "what makes it wait before its script");
	other = plain;
	other.limits.memory_mb = 100;
	differs(&other, "a limit");
	other.limits = (struct engine_limits){.pids = 100};
	differs(&other, "the same of another limit");
}

static void changes(const char *name, const char *value, const char *what)
{
	struct job job = python_job();
	const char *before = kind_of(&job);

	must(setenv(name, value, 1) == 0);
	ok(strcmp(kind_of(&job), before) != 0, "another kind: %s", what);
	must(unsetenv(name) == 0);
	is_text(kind_of(&job), before, "and as before without it");
}

static void test_kinds_of_hosts(void)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct job job = python_job();
	const char *before = kind_of(&job);

	changes("MAYFLY_MEMORY_MB", "300", "a limit's variable");
	changes("APPARMOR_PROFILE", "mine", "an AppArmor profile");
	changes("SECCOMP_PROFILE", in_scratch("profile"), "a seccomp profile");
	write_file(config.image_stamp, SLICE_LITERAL(""));
	ok(strcmp(kind_of(&job), before) != 0, "another kind: images have changed");
	before = kind_of(&job);
	must(utimensat(AT_FDCWD, config.image_stamp, times, 0) == 0);
	ok(strcmp(kind_of(&job), before) != 0, "another kind: images have changed again");
	job.template = "absent";

	struct pool_plan plan;

	is_number(pool_plan(&config, &job, &plan, &err), -1, "a template that is not there");
	is_text(err.code, "not_found", "is said to be");
}

/* --- claims ----------------------------------------------------------------------------------- */

/* Makes the folder of a pooled container; the descriptor that listens in it. */
static int put_pooled(const char *kind, const char *digits)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *folder = in_scratch("run/" JOBS_DIR_NAME "/" POOL_PREFIX "%s-%s", kind, digits);

	make_folder(folder);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", folder);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	     listen(fd, CLAIMERS) == 0);
	return fd;
}

static bool claim(const struct pool_plan *plan, char folder[ENGINE_FOLDER_BYTES])
{
	_cleanup_close_ int control = -1;

	return pool_claim(&config, plan, &control, folder);
}

static void test_claim_once(const struct pool_plan *plan)
{
	_cleanup_close_ int listener = put_pooled(plan->kind, DIGITS);
	int go[2], winners = 0, status;
	char byte, folder[ENGINE_FOLDER_BYTES];

	must(pipe(go) == 0);
	for (int i = 0; i < CLAIMERS; i++) {
		pid_t child = fork();

		must(child >= 0);
		if (child == 0) {
			close(go[1]);
			_exit(read(go[0], &byte, 1) == 0 && claim(plan, folder) ? 1 : 0);
		}
	}
	close(go[0]);
	close(go[1]); /* all at once */
	while (wait(&status) > 0)
		winners += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	is_number(winners, 1, "of %d who want the last one, one gets it", CLAIMERS);
	ok(exists(in_scratch("run/" JOBS_DIR_NAME "/c-" DIGITS)), "it is no longer in the pool");
	ok(!claim(plan, folder), "and is not claimed again");
	must(fs_remove_tree(AT_FDCWD, in_scratch("run/" JOBS_DIR_NAME)) == 0);
}

static void test_claim_living(const struct pool_plan *plan)
{
	static const char *const dead[] = {"aaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbb",
					   "cccccccccccccccccccccccc"};
	char folder[ENGINE_FOLDER_BYTES];

	for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++)
		close(put_pooled(plan->kind, dead[i]));

	_cleanup_close_ int other = put_pooled("fedcba9876543210", DIGITS);
	_cleanup_close_ int longer = put_pooled(plan->kind, DIGITS "0");
	_cleanup_close_ int shorter = put_pooled(plan->kind, "0123");
	_cleanup_close_ int living = put_pooled(plan->kind, "dddddddddddddddddddddddd");

	ok(claim(plan, folder), "those that have ended are passed over");
	is_text(folder, "c-dddddddddddddddddddddddd", "for the one that lives");
	ok(!claim(plan, folder), "and neither another kind nor a name that is none is taken");
	must(fs_remove_tree(AT_FDCWD, in_scratch("run/" JOBS_DIR_NAME)) == 0);
	ok(!claim(plan, folder), "where there is no folder at all, nothing is");
}

/* --- the list --------------------------------------------------------------------------------- */

static void note(void *context, const struct pool_row *row)
{
	must(buf_printf(context, "%s %s %llu %llu %d %s\n", row->kind,
			row->folder + strlen(row->folder) - 1, (unsigned long long)row->age_s,
			(unsigned long long)row->memory_bytes, row->is_prebooted, row->label) == 0);
}

static void test_list(void)
{
	/* what is noted of the pooled container whose digits end in this one's index; NULL:
	   nothing */
	static const char *const records[] = {NULL,
					      "",
					      " ",
					      "1",
					      "1 2",
					      "1 2 0",
					      "1 2 0 bad",
					      "-1 2 0 7 bad",
					      "1 2 99999999999999999999 7 bad",
					      "0 2 0 7 old"};
	_cleanup_buf_ struct buf rows = buf_new(4 * KIB);
	char text[128];

	is_number(pool_list(&config, note, &rows, &err), 0, "a list of nothing");
	make_folder(in_scratch("run/" POOL_RECORDS_DIR));
	for (unsigned i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		make_folder(in_scratch("run/" JOBS_DIR_NAME "/s-0123456789abcdef-%023d%u", 0, i));
		if (records[i])
			write_file(in_scratch("run/" POOL_RECORDS_DIR "/%023d%u", 0, i),
				   slice_of(records[i]));
	}
	is_number(pool_list(&config, note, &rows, &err), 0, "a list of broken notes");
	is_text(buf_slice(&rows).data, "", "is empty");

	make_folder(in_scratch("run/" JOBS_DIR_NAME "/s-fedcba9876543210-%024d", 0));
	make_folder(in_scratch("run/" JOBS_DIR_NAME "/c-%024d", 0));
	(void)snprintf(text, sizeof(text), "%llu 1234 1 7 default: python3 a b.py",
		       (unsigned long long)boot_now_s() + 100);
	write_file(in_scratch("run/" POOL_RECORDS_DIR "/%024d", 0), slice_of(text));
	must(fs_remove_tree(AT_FDCWD,
			    in_scratch("run/" JOBS_DIR_NAME "/s-0123456789abcdef-%024d", 0)) == 0);
	is_number(pool_list(&config, note, &rows, &err), 0, "a list of one");
	is_text(buf_slice(&rows).data, "fedcba9876543210 0 0 1234 1 default: python3 a b.py\n",
		"whose notes are good, though they come from the future");
}

int main(void)
{
	struct pool_plan plan;
	struct job job = python_job();

	config = test_config();
	config.pool_ttl_s = 1;
	(void)snprintf(config.image_stamp, PATH_MAX, "%s", in_scratch("stamp"));
	test_kinds_of_jobs();
	test_kinds_of_hosts();
	must(pool_plan(&config, &job, &plan, &err) == 0);
	is_text(plan.label, "tool: python3 a.py", "a label for people");
	test_claim_once(&plan);
	test_claim_living(&plan);
	test_list();
	pool_plan_free(&plan);
	return done();
}
