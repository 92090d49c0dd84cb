/* The cache of results: whose names entries have, what comes back, and what is left when there is
   too much. */
#include "job/result_cache.h"

#include "tap.h"
#include "util.h"

#include <sys/stat.h>
#include <utime.h>

static struct config config;
static struct error err;

static struct job sample(void)
{
	return (struct job){
		.argv = {SLICE_LITERAL("bash"), SLICE_LITERAL("a.sh")},
		.argc = 2,
		.env = {SLICE_LITERAL("A=1")},
		.env_count = 1,
		.cwd = "/workspace",
		.template = "default",
		.wall_ms = 1000,
	};
}

static const char *key_of(const char *owner, const char *family, const struct job *job)
{
	static char keys[2][SHA256_HEX_BYTES];
	static unsigned next;
	char *key = keys[next++ % 2];

	must(cache_key(&config, owner, family, job, key, &err) == 0);
	return key;
}

static void differs(const char *owner, const char *family, const struct job *job, const char *what)
{
	struct job one = sample();

	ok(strcmp(key_of("me", "run", &one), key_of(owner, family, job)) != 0,
	   "another %s, another name", what);
}

static void test_keys(void)
{
	const struct job_input input = {.path = SLICE_LITERAL("f"), .data = SLICE_LITERAL("d")};
	const struct job_input shifted = {.path = SLICE_LITERAL("fd"), .data = SLICE_LITERAL("")};
	struct job job = sample(), other = sample();

	is_text(key_of("me", "run", &job), key_of("me", "run", &other),
		"the same job has the same name");
	differs("you", "run", &job, "caller");
	differs("me", "tool", &job, "family");
	job.argv[1] = SLICE_LITERAL("b.sh");
	differs("me", "run", &job, "argument");
	job = sample();
	job.env[0] = SLICE_LITERAL("A=2");
	differs("me", "run", &job, "environment");
	job = sample();
	job.wall_ms = 1001;
	differs("me", "run", &job, "time-out");
	job = sample();
	job.limits.memory_mb = 64;
	differs("me", "run", &job, "memory");
	job = sample();
	job.standard_input = SLICE_LITERAL("x");
	differs("me", "run", &job, "input");
	job = sample();
	job.inputs = &input;
	job.input_count = 1;
	differs("me", "run", &job, "file");
	other.inputs = &shifted;
	other.input_count = 1;
	ok(strcmp(key_of("me", "run", &job), key_of("me", "run", &other)) != 0,
	   "a name and its content do not run together");
	job = sample();
	job.template = "none";
	is_number(cache_key(&config, "me", "run", &job, (char[SHA256_HEX_BYTES]){0}, &err), -1,
		  "a template that is not there is an error");
}

static void test_entries(void)
{
	char key[SHA256_HEX_BYTES], entry[CACHE_ENTRY_MAX_BYTES + 1],
		large[CACHE_ENTRY_MAX_BYTES + 2];
	struct job job = sample();

	(void)snprintf(key, sizeof(key), "%s", key_of("me", "entries", &job));
	ok(!cache_get(&config, key, entry), "there is nothing at first");
	cache_drop(&config, key);
	cache_put(&config, key, "s/abcdef");
	ok(cache_get(&config, key, entry) && strcmp(entry, "s/abcdef") == 0,
	   "what was put comes back");
	cache_put(&config, key, "s/newer1");
	ok(cache_get(&config, key, entry) && strcmp(entry, "s/newer1") == 0, "the last one wins");
	cache_drop(&config, key);
	ok(!cache_get(&config, key, entry), "what was dropped is gone");
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	cache_put(&config, key, large);
	ok(!cache_get(&config, key, entry), "what is too large is not kept");
	large[CACHE_ENTRY_MAX_BYTES] = '\0';
	cache_put(&config, key, large);
	ok(cache_get(&config, key, entry) && strlen(entry) == CACHE_ENTRY_MAX_BYTES,
	   "the largest is");

	struct config off = config;

	off.cache_bytes = 0;
	ok(!cache_get(&off, key, entry), "where it is off nothing comes back");
	cache_drop(&config, key);
	cache_put(&off, key, "x/y");
	ok(!cache_get(&config, key, entry), "and nothing is put");
}

/* Entries used one after another, the first longest ago. */
static void test_bounds(void)
{
	const struct utimbuf old = {.actime = 1, .modtime = 1};
	char entry[CACHE_ENTRY_MAX_BYTES + 1], keys[5][SHA256_HEX_BYTES];
	struct job job = sample();

	config.cache_bytes = 4 * 4096;
	for (unsigned i = 0; i < 5; i++) {
		job.wall_ms = 2000 + i;
		(void)snprintf(keys[i], sizeof(keys[i]), "%s", key_of("me", "bounds", &job));
	}
	write_file(in_scratch("storage/" CACHE_FOLDER "/.new-crashed"), SLICE_LITERAL("half"));
	must(utime(in_scratch("storage/" CACHE_FOLDER "/.new-crashed"), &old) == 0);
	for (unsigned i = 0; i < 4; i++) {
		const struct utimbuf used = {.actime = 100 + i, .modtime = 100 + i};

		cache_put(&config, keys[i], "s/abcdef");
		must(utime(in_scratch("storage/" CACHE_FOLDER "/%s", keys[i]), &used) == 0);
	}
	is_number(count_entries(in_scratch("storage/" CACHE_FOLDER)), 4,
		  "four fit, and what a crash left is gone");
	ok(cache_get(&config, keys[0], entry), "the oldest is used");
	cache_put(&config, keys[4], "s/abcdef");
	ok(!cache_get(&config, keys[1], entry), "the one that was not used longest makes room");
	ok(cache_get(&config, keys[0], entry) && cache_get(&config, keys[2], entry) &&
		   cache_get(&config, keys[3], entry) && cache_get(&config, keys[4], entry),
	   "and no other");
}

int main(void)
{
	const struct job_result ended = {.reason = JOB_EXITED, .code = 3};

	config = test_config();
	config.cache_bytes = MIB;
	(void)snprintf(config.storage_dir, PATH_MAX, "%s", in_scratch("storage"));
	make_folder(in_scratch("storage"));
	for (enum job_reason reason = JOB_EXITED; reason <= JOB_LOST; reason++) {
		struct job_result result = ended;

		result.reason = reason;
		is_number(cache_may_keep(&result), reason == JOB_EXITED, "reason %d", (int)reason);
	}
	test_keys();
	test_entries();
	test_bounds();
	return done();
}
