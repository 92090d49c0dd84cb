/* The configuration: every variable's default, a good value, its edges, and a refusal that names
 * it. */
#include "config/config.h"

#include "tap.h"
#include "util.h"

#define UNTOUCHED 0xAA

static struct config config;

/* Reads an environment of these NAME=value only. Returns what config_read does. */
static int read_with(struct error *err, const char *const *variables, size_t count)
{
	must(clearenv() == 0);
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *name = strdup(variables[i]);

		must(name && strchr(name, '='));

		char *value = strchr(name, '=');

		*value++ = '\0';
		must(setenv(name, value, 1) == 0);
	}
	*err = (struct error){.code = "", .message = ""};
	memset(&config, UNTOUCHED, sizeof(config));
	return config_read(&config, err);
}

#define READ(err, ...)                                                                             \
	read_with(err, (const char *const[]){__VA_ARGS__},                                         \
		  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void test_defaults(void)
{
	struct error err;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	must(READ(&err, "HOME=/home/x", "XDG_RUNTIME_DIR=/run/user/7") == 0);
	is_text(config.bind, "127.0.0.1", "BIND");
	is_number(config.port, 8080, "PORT");
	ok(!config.public_base_url && !config.allowed_hosts && !*config.executor_api_key,
	   "no URL, no hosts, no key");
	ok(!config.debug_ui, "DEBUG_UI");
	is_text(config.storage, "/home/x/.aa-storage", "AA_STORAGE_PATH");
	is_text(config.run, geteuid() == 0 ? "/run/mayfly" : "/run/user/7/mayfly",
		"MAYFLY_RUN_DIR");
	is_text(config.instance, "mayfly", "MAYFLY_INSTANCE");
	is_text(config.registry[0], "/home/x/.config/mayfly", "MAYFLY_CONFIG_DIR");
	is_text(config.registry[1], "/etc/mayfly", "the operator's folder");
	is_text(config.registry[2], "/usr/share/mayfly", "MAYFLY_DATA_DIR");
	is_number(config.stream_bytes, JOB_STREAM_MAX_BYTES, "MAYFLY_STREAM_MB");
	is_number(config.artifact_count, JOB_ARTIFACT_MAX_COUNT, "MAYFLY_ARTIFACT_FILES");
	is_number(config.artifact_bytes, JOB_ARTIFACT_MAX_BYTES, "MAYFLY_ARTIFACT_FILE_MB");
	is_number(config.artifacts_bytes, JOB_ARTIFACTS_MAX_BYTES, "MAYFLY_ARTIFACT_TOTAL_MB");
	is_number(config.slots, cpus > 2 ? cpus * 2 : 4, "MAX_CONCURRENT_RUNS");
	is_number(config.slot_wait_ms, SLOT_WAIT_MS, "MAYFLY_SLOT_WAIT_MS");
	is_number(config.sessions, SESSIONS_DEFAULT, "MAYFLY_SESSIONS");
	is_number(config.sessions_of_tenant, SESSIONS_DEFAULT, "MAYFLY_TENANT_SESSIONS");
	is_number(config.pool, POOL_DEFAULT, "MAYFLY_POOL");
	is_number(config.pool_total, POOL_TOTAL_DEFAULT, "MAYFLY_POOL_TOTAL");
	is_number(config.pool_memory_bytes, POOL_MEMORY_DEFAULT_MB * MIB, "MAYFLY_POOL_MEMORY_MB");
	is_number(config.pool_ttl_s, POOL_TTL_DEFAULT_S, "MAYFLY_POOL_TTL_S");
	is_number(config.cache_bytes, CACHE_DEFAULT_MB * MIB, "MAYFLY_CACHE_MB");
	is_number(config.retention_days, RETENTION_DEFAULT_DAYS, "ARTIFACT_RETENTION_DAYS");

	char self[PATH_MAX] = "";

	must(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	*strrchr(self, '/') = '\0';
	is_text(config.libexec, self, "MAYFLY_LIBEXEC_DIR is the program's own folder");
}

static void test_texts(void)
{
	struct error err;

	must(READ(&err, "HOME=/h", "BIND=::1", "PUBLIC_BASE_URL=https://x/", "ALLOWED_HOSTS=a,b",
		  "EXECUTOR_API_KEY=k", "AA_STORAGE_PATH=/s", "MAYFLY_RUN_DIR=/r",
		  "MAYFLY_CONFIG_DIR=/c", "MAYFLY_DATA_DIR=/d", "MAYFLY_LIBEXEC_DIR=/l",
		  "MAYFLY_INSTANCE=other-1") == 0);
	is_text(config.bind, "::1", "BIND is taken");
	is_text(config.public_base_url, "https://x/", "PUBLIC_BASE_URL is taken");
	is_text(config.allowed_hosts, "a,b", "ALLOWED_HOSTS is taken");
	is_text(config.executor_api_key, "k", "EXECUTOR_API_KEY is taken");
	is_text(config.storage, "/s", "AA_STORAGE_PATH is taken");
	is_text(config.run, "/r", "MAYFLY_RUN_DIR is taken");
	is_text(config.registry[0], "/c", "MAYFLY_CONFIG_DIR is taken");
	is_text(config.registry[2], "/d", "MAYFLY_DATA_DIR is taken");
	is_text(config.libexec, "/l", "MAYFLY_LIBEXEC_DIR is taken");
	is_text(config.instance, "other-1", "MAYFLY_INSTANCE is taken");
	must(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", "BIND=", "EXECUTOR_API_KEY=",
		  "MAYFLY_INSTANCE=", "PORT=", "DEBUG_UI=", "AA_STORAGE_PATH=") == 0);
	ok(!*config.executor_api_key && config.port == 8080 &&
		   strcmp(config.bind, "127.0.0.1") == 0 &&
		   strcmp(config.instance, "mayfly") == 0 && !config.debug_ui &&
		   strcmp(config.storage, "/h/.aa-storage") == 0,
	   "an empty variable counts as unset");
}

/* A number: taken at both edges, in its unit; refused one past them and in every shape that is no
 * number. */
static void numbers(const char *name, uint64_t least, uint64_t most, uint64_t unit,
		    const uint64_t *place)
{
	const char *bad[] = {"-1",
			     "+5",
			     " 5",
			     "5 ",
			     "5.0",
			     "5e1",
			     "0x5",
			     "five",
			     "18446744073709551616",
			     "99999999999999999999"};
	struct error err;
	char text[128], want[256];
	bool all = true;

	for (unsigned edge = 0; edge < 2; edge++) {
		uint64_t value = edge ? most : least;

		(void)snprintf(text, sizeof(text), "%s=%llu", name, (unsigned long long)value);
		ok(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", text) == 0 && *place == value * unit,
		   "%s", text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s=%s", name, bad[i]);
		all &= READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", text) < 0 &&
		       strstr(err.message, name) && strstr(err.message, bad[i]);
	}
	ok(all, "%s refuses what is no number and says so", name);
	(void)snprintf(text, sizeof(text), "%s=%llu", name, (unsigned long long)most + 1);
	(void)snprintf(want, sizeof(want),
		       "%s is \"%llu\", but takes a whole number from %llu to %llu", name,
		       (unsigned long long)most + 1, (unsigned long long)least,
		       (unsigned long long)most);
	is_number(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", text), -1, "%s: one too many", name);
	is_text(err.message, want, "named with what it takes");
	ok(err.status == 500 && strcmp(err.code, "bad_configuration") == 0, "by its word");
	if (least == 0)
		return;
	(void)snprintf(text, sizeof(text), "%s=%llu", name, (unsigned long long)least - 1);
	is_number(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", text), -1, "%s: one too few", name);
}

static void test_numbers(void)
{
	struct error err;

	numbers("PORT", 1, 65535, 1, &config.port);
	numbers("EXECUTOR_PORT", 1, 65535, 1, &config.port);
	numbers("MAYFLY_STREAM_MB", 1, 1024, MIB, &config.stream_bytes);
	numbers("MAYFLY_ARTIFACT_FILES", 0, JOB_ARTIFACT_SCAN_MAX, 1, &config.artifact_count);
	numbers("MAYFLY_ARTIFACT_FILE_MB", 1, 1024 * 1024, MIB, &config.artifact_bytes);
	numbers("MAYFLY_ARTIFACT_TOTAL_MB", 1, 1024 * 1024, MIB, &config.artifacts_bytes);
	numbers("MAX_CONCURRENT_RUNS", 1, SLOT_MAX_COUNT, 1, &config.slots);
	numbers("MAYFLY_SLOT_WAIT_MS", 0, 600000, 1, &config.slot_wait_ms);
	numbers("MAYFLY_SESSIONS", 0, SESSIONS_MAX, 1, &config.sessions);
	numbers("MAYFLY_TENANT_SESSIONS", 0, SESSIONS_MAX, 1, &config.sessions_of_tenant);
	numbers("MAYFLY_POOL", 0, POOL_TOTAL_MAX, 1, &config.pool);
	numbers("MAYFLY_POOL_TOTAL", 0, POOL_TOTAL_MAX, 1, &config.pool_total);
	numbers("MAYFLY_POOL_MEMORY_MB", 0, MEMORY_MAX_MB, MIB, &config.pool_memory_bytes);
	numbers("MAYFLY_CACHE_MB", 0, MEMORY_MAX_MB, MIB, &config.cache_bytes);
	numbers("MAYFLY_POOL_TTL_S", 1, POOL_TTL_MAX_S, 1, &config.pool_ttl_s);
	numbers("ARTIFACT_RETENTION_DAYS", 0, 36500, 1, &config.retention_days);
	must(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", "EXECUTOR_PORT=81", "PORT=82") == 0);
	is_number(config.port, 82, "PORT goes before EXECUTOR_PORT");
}

static void refuses(const char *variable, const char *named)
{
	struct error err;

	is_number(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", variable), -1, "refused: %.60s",
		  variable);
	ok(strstr(err.message, named) && strcmp(err.code, "bad_configuration") == 0,
	   "naming %s: %.80s", named, err.message);
}

static void test_origins(void)
{
	struct error err;

	must(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x") == 0);
	ok(!config.allowed_origins, "no page of another origin");
	must(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", "ALLOWED_ORIGINS=https://a.example") == 0);
	is_text(config.allowed_origins, "https://a.example", "ALLOWED_ORIGINS is taken");
	must(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", "CORS_ORIGIN=https://b.example",
		  "ALLOWED_ORIGINS=") == 0);
	is_text(config.allowed_origins, "https://b.example", "by its usual name, too");
	is_number(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", "CORS_ORIGIN=https://b.example",
		       "ALLOWED_ORIGINS=https://a.example"),
		  -1, "two that differ");
	ok(strstr(err.message, "ALLOWED_ORIGINS and CORS_ORIGIN"), "are named");
	refuses("ALLOWED_ORIGINS=*", "ALLOWED_ORIGINS is \"*\"");
	refuses("CORS_ORIGIN=app.example.com", "CORS_ORIGIN is \"app.example.com\"");
}

static void test_flags(void)
{
	static const char *const yes[] = {"DEBUG_UI=true", "DEBUG_UI=1"}, *const no[] = {
										  "DEBUG_UI=false",
										  "DEBUG_UI=0"};
	struct error err;

	for (size_t i = 0; i < 2; i++) {
		ok(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", yes[i]) == 0 && config.debug_ui,
		   "%s", yes[i]);
		ok(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", no[i]) == 0 && !config.debug_ui,
		   "%s", no[i]);
	}
	refuses("DEBUG_UI=yes", "DEBUG_UI");
	refuses("DEBUG_UI=TRUE", "DEBUG_UI");
	refuses("DEBUG_UI=2", "DEBUG_UI");
}

static void test_paths(void)
{
	static const char *const names[] = {"AA_STORAGE_PATH",    "MAYFLY_RUN_DIR",
					    "MAYFLY_CONFIG_DIR",  "MAYFLY_DATA_DIR",
					    "MAYFLY_LIBEXEC_DIR", "MAYFLY_IMAGE_STAMP"};
	char text[PATH_MAX + 64];
	struct error err;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s=relative/path", names[i]);
		refuses(text, names[i]);

		int used = snprintf(text, sizeof(text), "%s=/", names[i]);

		memset(text + used, 'x', PATH_MAX - 1);
		text[used + PATH_MAX - 2] = '\0';
		/* what lies beneath another would be too long then */
		is_number(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", "MAYFLY_KEYS_FILE=/k", text),
			  0, "%s of %d bytes", names[i], PATH_MAX - 1);
		text[used + PATH_MAX - 2] = 'x';
		text[used + PATH_MAX - 1] = '\0';
		refuses(text, names[i]);
	}
}

static void test_instance(void)
{
	refuses("MAYFLY_INSTANCE=Upper", "MAYFLY_INSTANCE");
	refuses("MAYFLY_INSTANCE=a b", "MAYFLY_INSTANCE");
	refuses("MAYFLY_INSTANCE=../x", "MAYFLY_INSTANCE");
	refuses("MAYFLY_INSTANCE=a_b", "MAYFLY_INSTANCE");
	refuses("MAYFLY_INSTANCE=123456789012345678901234567890123", "MAYFLY_INSTANCE");

	struct error err;

	ok(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x",
		"MAYFLY_INSTANCE=12345678901234567890123456789012") == 0,
	   "an instance of 32 characters");
}

/* A file in the folder of systemd's credentials. data NULL: none. */
static int read_credential(struct error *err, const struct slice *data)
{
	const char *folder = in_scratch("credentials"),
		   *path = in_scratch("credentials/EXECUTOR_API_KEY");
	char variable[PATH_MAX];

	make_folder(folder);
	if (data)
		write_file(path, *data);
	else
		must(unlink(path) == 0 || errno == ENOENT);
	(void)snprintf(variable, sizeof(variable), "CREDENTIALS_DIRECTORY=%s", folder);
	return READ(err, "HOME=/h", "XDG_RUNTIME_DIR=/x", variable);
}

static void test_secrets(void)
{
	static const struct {
		struct slice data;
		const char *want; /* NULL: refused */
		const char *what;
	} rows[] = {
		{SLICE_LITERAL("secret"), "secret", "a credential"},
		{SLICE_LITERAL("secret\n"), "secret", "one with an editor's newline"},
		{SLICE_LITERAL("s \xff=\r\n"), "s \xff=", "one of any bytes"},
		{SLICE_LITERAL(""), NULL, "an empty one"},
		{SLICE_LITERAL("\n"), NULL, "an empty line"},
		{SLICE_LITERAL("\nsecret\n"), NULL, "one behind an empty line"},
		{SLICE_LITERAL("one\ntwo\n"), NULL, "two lines"},
		{SLICE_LITERAL("sec\0ret"), NULL, "one with a NUL"},
	};
	char longest[CONFIG_SECRET_BYTES];
	struct slice data = {longest, sizeof(longest) - 1};
	struct error err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_number(read_credential(&err, &rows[i].data), rows[i].want ? 0 : -1, "%s",
			  rows[i].what);
		if (rows[i].want)
			is_text(config.executor_api_key, rows[i].want, "is the key");
		else
			ok(strstr(err.message, "EXECUTOR_API_KEY"),
			   "is refused, and leaves no door open: %s", err.message);
	}
	memset(longest, 'k', sizeof(longest));
	ok(read_credential(&err, &data) == 0 &&
		   strlen(config.executor_api_key) == sizeof(longest) - 1,
	   "the longest");
	data.len++;
	ok(read_credential(&err, &data) < 0 && strstr(err.message, "EXECUTOR_API_KEY"),
	   "one byte more");
	ok(read_credential(&err, NULL) == 0 && !*config.executor_api_key, "none at all is no key");
	must(mkdir(in_scratch("credentials/EXECUTOR_API_KEY"), 0700) == 0);
	ok(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", "EXECUTOR_API_KEY=k") == 0 &&
		   strcmp(config.executor_api_key, "k") == 0,
	   "a variable goes before");

	char variable[PATH_MAX];

	(void)snprintf(variable, sizeof(variable), "CREDENTIALS_DIRECTORY=%s",
		       in_scratch("credentials"));
	ok(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", variable) < 0,
	   "one that cannot be read is refused: %s", err.message);
}

static void test_unenforced(void)
{
	static const char *const bad[] = {"all",       "cpu,", ",cpu", "cpu pids",
					  "cpu,,pids", "CPU",  "cp"};
	struct error err;
	char text[64];

	must(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x") == 0);
	is_number(config.unenforced, 0, "every limit must be enforced");
	must(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", "MAYFLY_ALLOW_UNENFORCED=cpu") == 0);
	is_number(config.unenforced, LIMIT_CPU, "one need not");
	must(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x",
		  "MAYFLY_ALLOW_UNENFORCED=cpu,memory,pids,cpu") == 0);
	is_number(config.unenforced, LIMIT_CPU | LIMIT_MEMORY | LIMIT_PIDS, "none need");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "MAYFLY_ALLOW_UNENFORCED=%s", bad[i]);
		ok(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", text) < 0 &&
			   strstr(err.message, "takes any of memory, pids, cpu"),
		   "%s: %s", text, err.message);
	}
}

static void test_old_names(void)
{
	static const char *const rows[][2] = {
		{"MAYFLY_SPARES=2", "MAYFLY_SPARES is now called MAYFLY_POOL"},
		{"MAYFLY_SPARES_TOTAL=", "MAYFLY_SPARES_TOTAL is now called MAYFLY_POOL_TOTAL"},
		{"MAYFLY_SPARES_MEMORY_MB=1",
		 "MAYFLY_SPARES_MEMORY_MB is now called MAYFLY_POOL_MEMORY_MB"},
		{"MAYFLY_SPARE_TTL_S=9", "MAYFLY_SPARE_TTL_S is now called MAYFLY_POOL_TTL_S"},
	};
	struct error err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ok(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", rows[i][0]) < 0, "%s is refused",
		   rows[i][0]);
		is_text(err.message, rows[i][1], "and says what it is called");
	}
}

/* Folders of drop-in files that are no more: one with entries is refused. */
static void test_old_folders(void)
{
	static const char *const rows[][2] = {{"runtimes.d", "languages.d"},
					      {"interpreters.d", "languages.d"},
					      {"sandboxes.d", "templates.d"}};
	char variable[PATH_MAX];
	struct error err;

	make_folder(in_scratch("etc"));
	(void)snprintf(variable, sizeof(variable), "MAYFLY_CONFIG_DIR=%s", in_scratch("etc"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_folder(in_scratch("etc/%s", rows[i][0]));
		is_number(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", variable), 0,
			  "%s without files harms nothing", rows[i][0]);
		write_file(in_scratch("etc/%s/x.json", rows[i][0]), SLICE_LITERAL("{}"));
		ok(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", variable) < 0 &&
			   strcmp(err.code, "bad_configuration") == 0 &&
			   strstr(err.message, rows[i][0]) && strstr(err.message, rows[i][1]),
		   "with one it is refused, and called by its new name: %s", err.message);
		must(unlink(in_scratch("etc/%s/x.json", rows[i][0])) == 0);
	}
}

/* As an ordinary user, to whom neither /root nor /run belongs. */
static void test_user(void)
{
	struct error err;

	must(geteuid() != 0 || seteuid(NOBODY_ID) == 0);
	is_number(READ(&err, "XDG_RUNTIME_DIR=/x"), -1, "no HOME and no AA_STORAGE_PATH");
	ok(strstr(err.message, "AA_STORAGE_PATH"), "says what to set: %s", err.message);
	is_number(READ(&err, "HOME=/h"), -1, "no XDG_RUNTIME_DIR and no MAYFLY_RUN_DIR");
	ok(strstr(err.message, "MAYFLY_RUN_DIR"), "says what to set: %s", err.message);
	is_number(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/run/user/7"), 0, "both are enough");
	is_text(config.run, "/run/user/7/mayfly", "the run folder is the session's");
	is_number(READ(&err, "AA_STORAGE_PATH=/s", "MAYFLY_RUN_DIR=/r"), 0, "so are our own two");
	is_text(config.registry[0], "", "and then there is no personal registry");
	must(getuid() != 0 || seteuid(0) == 0);
	if (geteuid() == 0) {
		is_number(READ(&err, "PATH=/bin"), 0, "root needs nothing");
		is_text(config.storage, "/root/.aa-storage", "root's storage");
	}
}

int main(void)
{
	test_defaults();
	test_texts();
	test_numbers();
	test_origins();
	test_flags();
	test_paths();
	test_instance();
	test_secrets();
	test_unenforced();
	test_old_names();
	test_old_folders();
	test_user();

	struct error err;
	const unsigned char *bytes = (const unsigned char *)&config;
	size_t changed = 0;

	must(READ(&err, "HOME=/h", "XDG_RUNTIME_DIR=/x", "PORT=x") < 0);
	for (size_t i = 0; i < sizeof(config); i++)
		changed += bytes[i] != UNTOUCHED;
	is_number(changed, 0, "a refusal leaves the result untouched");
	return done();
}
