/* What the configuration says of callers' keys: where they come from, and that they can be
   forgotten. */
#include "config/config.h"

#include "tap.h"
#include "util.h"

static struct config config;

/* Reads an environment of these names and values only; NULL ends them. */
static int read_with(const char *const *variables, struct error *err)
{
	must(clearenv() == 0);
	for (; *variables; variables += 2)
		must(setenv(variables[0], variables[1], 1) == 0);
	return config_read(&config, err);
}

static void test_stdin(void)
{
	static const struct {
		const char *const variables[10];
		bool on_stdin;
		const char *what;
	} rows[] = {
		{{"HOME", "/h", "MAYFLY_RUN_DIR", "/r"},
		 false,
		 "the keys file is opened by its path"},
		{{"HOME", "/h", "MAYFLY_RUN_DIR", "/r", "MAYFLY_KEYS_STDIN", "true"},
		 true,
		 "MAYFLY_KEYS_STDIN=true: it is standard input"},
		{{"HOME", "/h", "MAYFLY_RUN_DIR", "/r", "MAYFLY_KEYS_STDIN", "true",
		  "MAYFLY_KEYS_FILE", "/k"},
		 false,
		 "a file that is named goes before"},
	};
	static const char *const bad[] = {
		"HOME", "/h", "MAYFLY_RUN_DIR", "/r", "MAYFLY_KEYS_STDIN", "0:keys", NULL};
	struct error err = {.message = ""};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(read_with(rows[i].variables, &err) == 0 &&
			   config.keys_on_stdin == rows[i].on_stdin,
		   "%s%s", rows[i].what, err.message);
	ok(read_with(bad, &err) < 0 && strstr(err.message, "MAYFLY_KEYS_STDIN"),
	   "anything else is refused: %s", err.message);
}

/* Does this process's memory of its environment, as /proc shows it, hold the text? */
static bool environ_holds(const char *text)
{
	char found[65536];
	_cleanup_close_ int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, found, sizeof(found));

	must(len > 0);
	return memmem(found, (size_t)len, text, strlen(text)) != NULL;
}

/* In a program of its own: only what it was started with is what /proc shows. */
static int forget_here(void)
{
	struct error err;
	bool had = environ_holds("wiped-1") && environ_holds("wiped-2") && environ_holds("wiped-3");

	must(config_read(&config, &err) == 0 && *config.executor_api_key && *config.api_keys &&
	     *config.jwt_secret);
	must(config_forget_keys(&config, &err) == 0);
	return had && !environ_holds("wiped-") && environ_holds("kept-1") && !getenv("API_KEYS") &&
			       !memmem(&config, sizeof(config), "wiped-", 6) &&
			       strcmp(config.signing_key, "kept-1") == 0
		       ? 0
		       : 1;
}

static void test_forgetting(void)
{
	static const char *const variables[] = {"HOME",
						"/h",
						"MAYFLY_RUN_DIR",
						"/r",
						"EXECUTOR_API_KEY",
						"wiped-1",
						"API_KEYS",
						"wiped-2:a:1:1",
						"JWT_SECRET",
						"wiped-3",
						"SIGNING_KEY",
						"kept-1",
						NULL};
	struct error err;
	pid_t child = fork();
	int status;

	if (child == 0) {
		must(read_with(variables, &err) == 0);
		(void)execl("/proc/self/exe", "test_config_keys", "forget", (char *)NULL);
		_exit(99);
	}
	must(child > 0 && waitpid(child, &status, 0) == child);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	   "callers' keys are forgotten, in the environment too; the signing key stays");
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc == 2)
		return forget_here();
	test_stdin();
	test_forgetting();
	return done();
}
