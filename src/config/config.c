#include "config/config.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "bounds.h"
#include "config/registry.h"
#include "http/access.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#define CUSTOM_FOLDER "/.templates"
#define PODMAN_IMAGES "/containers/storage/overlay-images/images.json"

/* The value of a variable; an empty one counts as unset. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static const char *variable_or(const char *name, const char *fallback)
{
	const char *value = variable(name);

	return value ? value : fallback;
}

#define PLACE(field) offsetof(struct config, field)

static const struct {
	const char *name;
	uint64_t least, most, fallback, unit;
	size_t offset;
} number_variables[] = {
	{"EXECUTOR_PORT", 1, 65535, 8080, 1, PLACE(port)},
	{"PORT", 1, 65535, 0, 1, PLACE(port)},
	{"MAYFLY_STREAM_MB", 1, 1024, JOB_STREAM_MAX_BYTES / MIB, MIB, PLACE(stream_bytes)},
	{"MAYFLY_ARTIFACT_FILES", 0, JOB_ARTIFACT_SCAN_MAX, JOB_ARTIFACT_MAX_COUNT, 1,
	 PLACE(artifact_count)},
	{"MAYFLY_ARTIFACT_FILE_MB", 1, 1024 * 1024, JOB_ARTIFACT_MAX_BYTES / MIB, MIB,
	 PLACE(artifact_bytes)},
	{"MAYFLY_ARTIFACT_TOTAL_MB", 1, 1024 * 1024, JOB_ARTIFACTS_MAX_BYTES / MIB, MIB,
	 PLACE(artifacts_bytes)},
	{"MAX_CONCURRENT_RUNS", 1, SLOT_MAX_COUNT, 0, 1, PLACE(slots)},
	{"MAYFLY_SLOT_WAIT_MS", 0, 600000, SLOT_WAIT_MS, 1, PLACE(slot_wait_ms)},
	{"MAYFLY_POOL", 0, POOL_TOTAL_MAX, POOL_DEFAULT, 1, PLACE(pool)},
	{"MAYFLY_POOL_TOTAL", 0, POOL_TOTAL_MAX, POOL_TOTAL_DEFAULT, 1, PLACE(pool_total)},
	{"MAYFLY_POOL_MEMORY_MB", 0, MEMORY_MAX_MB, POOL_MEMORY_DEFAULT_MB, MIB,
	 PLACE(pool_memory_bytes)},
	{"MAYFLY_POOL_TTL_S", 1, POOL_TTL_MAX_S, POOL_TTL_DEFAULT_S, 1, PLACE(pool_ttl_s)},
	{"MAYFLY_CACHE_MB", 0, MEMORY_MAX_MB, CACHE_DEFAULT_MB, MIB, PLACE(cache_bytes)},
	{"MAYFLY_SESSIONS", 0, SESSIONS_MAX, SESSIONS_DEFAULT, 1, PLACE(sessions)},
	{"MAYFLY_TENANT_SESSIONS", 0, SESSIONS_MAX, SESSIONS_DEFAULT, 1, PLACE(sessions_of_tenant)},
	{"MAYFLY_TEMPLATE_MEMORY_MB", MEMORY_MIN_MB, MEMORY_MAX_MB, CUSTOM_MEMORY_DEFAULT_MB, 1,
	 PLACE(custom_memory_mb)},
	{"MAYFLY_TEMPLATE_CPU_PERCENT", 1, CPU_PERCENT_MAX, CUSTOM_CPU_DEFAULT_PERCENT, 1,
	 PLACE(custom_cpu_percent)},
	{"MAYFLY_TEMPLATE_TIMEOUT_S", TIMEOUT_MIN_S, SANDBOX_TIMEOUT_MAX_S, SANDBOX_TIMEOUT_MAX_S,
	 1, PLACE(custom_timeout_s)},
	{"ARTIFACT_RETENTION_DAYS", 0, 36500, RETENTION_DEFAULT_DAYS, 1, PLACE(retention_days)},
};

int config_number(const char *name, uint64_t least, uint64_t most, uint64_t *out, struct error *err)
{
	const char *text = variable(name);

	if (text && (num_parse(slice_of(text), 10, most, out) < 0 || *out < least))
		return error_set(err, 500, "bad_configuration",
				 "%s is \"%.64s\", but takes a whole number from %" PRIu64
				 " to %" PRIu64,
				 name, text, least, most);
	return 0;
}

static int read_numbers(struct config *config, struct error *err)
{
	for (size_t i = 0; i < COUNT_OF(number_variables); i++) {
		uint64_t *place = (uint64_t *)((char *)config + number_variables[i].offset);
		const char *name = number_variables[i].name;
		uint64_t value = number_variables[i].fallback;

		if (config_number(name, number_variables[i].least, number_variables[i].most, &value,
				  err) < 0)
			return -1;
		/* PORT overrides EXECUTOR_PORT only when it is set: 0 stands for "as before" */
		if (value || variable(name) || !*place)
			*place = value * number_variables[i].unit;
	}
	return 0;
}

/* A path: the variable's, else what lies beneath a folder of the session's; "" when there is no
   such folder. */
static int read_path(const char *name, const char *folder, const char *beneath, char out[PATH_MAX],
		     struct error *err)
{
	const char *given = variable(name);
	int len = snprintf(out, PATH_MAX, "%s%s",
			   given    ? given
			   : folder ? folder
				    : "",
			   given || !folder ? "" : beneath);

	if (len < 0 || len >= PATH_MAX || (len > 0 && out[0] != '/'))
		return error_set(err, 500, "bad_configuration",
				 "%s must be an absolute path of less than %d bytes", name,
				 PATH_MAX);
	return 0;
}

static int read_flag(const char *name, bool *out, struct error *err)
{
	const char *text = variable(name);

	if (!text || strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		*out = false;
	else if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
		*out = true;
	else
		return error_set(err, 500, "bad_configuration",
				 "%s is \"%s\", but takes true or false", name, text);
	return 0;
}

static int read_places(struct config *config, struct error *err)
{
	bool is_root = geteuid() == 0;
	const char *home = variable_or("HOME", is_root ? "/root" : NULL);
	const char *runtime = is_root ? "/run" : variable("XDG_RUNTIME_DIR");

	if (read_path("AA_STORAGE_PATH", home, "/.aa-storage", config->storage, err) < 0 ||
	    read_path("STORAGE_DIR", config->storage, "", config->storage_dir, err) < 0 ||
	    /* nowhere, beneath a folder whose path has no room for it */
	    read_path("MAYFLY_TEMPLATES_DIR",
		      strlen(config->storage_dir) + sizeof(CUSTOM_FOLDER) > PATH_MAX
			      ? NULL
			      : config->storage_dir,
		      CUSTOM_FOLDER, config->custom, err) < 0 ||
	    read_path("MAYFLY_RUN_DIR", runtime, "/mayfly", config->run, err) < 0 ||
	    read_path("MAYFLY_IMAGE_STAMP", is_root ? "/var/lib" : home,
		      is_root ? PODMAN_IMAGES : "/.local/share" PODMAN_IMAGES, config->image_stamp,
		      err) < 0 ||
	    read_path("MAYFLY_CONFIG_DIR", home, "/.config/mayfly", config->registry[0], err) < 0 ||
	    read_path("MAYFLY_DATA_DIR", "/usr/share", "/mayfly", config->registry[2], err) < 0)
		return -1;
	(void)snprintf(config->registry[1], PATH_MAX, "/etc/mayfly");
	if (!*config->storage)
		return error_set(err, 500, "bad_configuration",
				 "set AA_STORAGE_PATH (HOME is not set either)");
	if (!*config->run)
		return error_set(err, 500, "bad_configuration",
				 "set MAYFLY_RUN_DIR (XDG_RUNTIME_DIR is not set either)");
	return 0;
}

/* The folder of this program, unless a variable says another. */
static int read_libexec(struct config *config, struct error *err)
{
	char self[PATH_MAX] = "";
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len > 0)
		*strrchr(self, '/') = '\0';
	if (read_path("MAYFLY_LIBEXEC_DIR", self, "", config->libexec, err) < 0)
		return -1;
	return *config->libexec
		       ? 0
		       : error_set(err, 500, "bad_configuration",
				   "set MAYFLY_LIBEXEC_DIR: /proc/self/exe cannot be read");
}

/* Where the keys of callers lie. The system's own user has no home to speak of. */
static int read_keys_file(struct config *config, struct error *err)
{
	const char *folder = variable("MAYFLY_CONFIG_DIR"), *home = variable("HOME");
	bool is_system = geteuid() == 0 || !home || strcmp(home, "/") == 0;

	if (!folder && is_system)
		folder = "/etc/mayfly";
	if (read_path("MAYFLY_KEYS_FILE", folder ? folder : home,
		      folder ? "/keys" : "/.config/mayfly/keys", config->keys_file, err) < 0 ||
	    read_flag("MAYFLY_KEYS_STDIN", &config->keys_on_stdin, err) < 0)
		return -1;
	/* one that is named is not the one that the unit has opened */
	config->keys_on_stdin = config->keys_on_stdin && !variable("MAYFLY_KEYS_FILE");
	return 0;
}

/* A secret's variable, else its credential, without the newline that editors add. size: of out, in
   bytes. */
static int read_secret(const char *name, char *out, size_t size, struct error *err)
{
	const char *value = variable(name), *folder = variable("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];
	ssize_t len = 0;

	out[0] = '\0';
	if (value) {
		len = snprintf(out, size, "%s", value);
	} else if (folder) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, name);

		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT)
			return 0; /* none was given */
		/* one that was given and is not there to be had must not leave the door open */
		len = fd < 0 ? -1 : read(fd, out, size);
		if (len < 0)
			return error_set_errno(err, 500, "bad_configuration",
					       "%s: %.256s cannot be read", name, path);
	}
	if ((size_t)len >= size)
		return error_set(err, 500, "bad_configuration", "%s must have less than %zu bytes",
				 name, size);
	while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == '\r'))
		len--;
	out[len] = '\0';
	if ((value || folder) && (len == 0 || strcspn(out, "\r\n") != (size_t)len))
		return error_set(err, 500, "bad_configuration", "%s must be one line of text",
				 name);
	return 0;
}

/* One setting of two names. "*" is none of what it takes: any page at all could run code here. */
static int read_origins(struct config *config, struct error *err)
{
	const char *list = variable("ALLOWED_ORIGINS"), *other = variable("CORS_ORIGIN");

	if (list && other && strcmp(list, other) != 0)
		return error_set(err, 500, "bad_configuration",
				 "ALLOWED_ORIGINS and CORS_ORIGIN are one setting, but differ: set "
				 "one of them");
	config->allowed_origins = list ? list : other;
	if (!config->allowed_origins || http_are_origins(config->allowed_origins))
		return 0;
	return error_set(err, 500, "bad_configuration",
			 "%s is \"%.256s\", but takes origins such as https://app.example.com or "
			 "http://localhost:3000, with commas between",
			 list ? "ALLOWED_ORIGINS" : "CORS_ORIGIN", config->allowed_origins);
}

/* A secret that can be guessed is none where others reach us. */
static int check_secrets(const struct config *config, struct error *err)
{
	const struct {
		const char *name, *value;
	} secrets[] = {{"EXECUTOR_API_KEY", config->executor_api_key},
		       {"SIGNING_KEY", config->signing_key},
		       {"JWT_SECRET", config->jwt_secret}};

	for (size_t i = 0; i < COUNT_OF(secrets); i++)
		if (*secrets[i].value && strlen(secrets[i].value) < SECRET_MIN_BYTES &&
		    !http_is_loopback(slice_of(config->bind)))
			return error_set(err, 500, "bad_configuration", "%s " SECRET_SHORT,
					 secrets[i].name);
	return 0;
}

static int read_instance(struct config *config, struct error *err)
{
	const char *name = variable_or("MAYFLY_INSTANCE", "mayfly");
	size_t len = strlen(name);

	if (len > 32 || strspn(name, ASCII_LOWER ASCII_DIGITS "-") != len)
		return error_set(err, 500, "bad_configuration",
				 "MAYFLY_INSTANCE takes 1 to 32 of a-z, 0-9 and '-'");
	config->instance = name;
	return 0;
}

/* The name of a network, never a mode by which a container would share another's (host,
   container:ID, ns:PATH). */
static int read_network(struct config *config, struct error *err)
{
	const char *name = variable_or("MAYFLY_NETWORK", "none");
	size_t len = strlen(name);

	if (len > NETWORK_NAME_MAX_BYTES || strspn(name, ASCII_ALNUM "._-") != len ||
	    *name == '-' || *name == '.' || strcmp(name, "host") == 0)
		return error_set(
			err, 500, "bad_configuration",
			"MAYFLY_NETWORK is \"%.64s\", but takes none, allow, or the name of a "
			"network other than host",
			name);
	config->network = strcmp(name, "none") == 0 ? NULL : name;
	return 0;
}

const char *const config_limits[CONFIG_LIMITS] = {"memory", "pids", "cpu"};

/* Names of limits, with commas between. */
static int read_unenforced(struct config *config, struct error *err)
{
	const char *text = variable_or("MAYFLY_ALLOW_UNENFORCED", ""), *at = text;

	config->unenforced = 0;
	while (*at) {
		struct slice name = {at, strcspn(at, ",")};
		unsigned found = 0;

		for (unsigned i = 0; i < CONFIG_LIMITS; i++)
			if (slice_eq(name, config_limits[i]))
				found = 1U << i;
		at += name.len;
		if (!found || (*at == ',' && !*++at))
			return error_set(
				err, 500, "bad_configuration",
				"MAYFLY_ALLOW_UNENFORCED is \"%.64s\", but takes any of memory, "
				"pids, cpu, with commas between",
				text);
		config->unenforced |= found;
	}
	return 0;
}

static int read_uids(struct config *config, struct error *err)
{
	const char *text = variable("MAYFLY_UIDS");
	struct slice last, first;

	if (!text)
		return 0;
	last = slice_of(text);
	first = slice_take(&last, '-');
	if (num_parse(first, 10, USER_MAX, &config->uids_first) < 0 ||
	    num_parse(last, 10, USER_MAX, &config->uids_last) < 0 ||
	    config->uids_first < USER_MIN ||
	    config->uids_last < config->uids_first + USER_RANGE_MIN - 1)
		return error_set(err, 500, "bad_configuration",
				 "MAYFLY_UIDS is \"%.64s\", but takes FIRST-LAST: at least %d ids "
				 "from %d to %d, which no user of the host has",
				 text, USER_RANGE_MIN, USER_MIN, USER_MAX);
	return 0;
}

/* An old name would be a setting that does nothing: its operator is told what it is called. */
static int refuse_old_names(struct error *err)
{
	static const struct {
		const char *old, *now;
	} names[] = {
		{"MAYFLY_SPARES", "MAYFLY_POOL"},
		{"MAYFLY_SPARES_TOTAL", "MAYFLY_POOL_TOTAL"},
		{"MAYFLY_SPARES_MEMORY_MB", "MAYFLY_POOL_MEMORY_MB"},
		{"MAYFLY_SPARE_TTL_S", "MAYFLY_POOL_TTL_S"},
	};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (getenv(names[i].old))
			return error_set(err, 500, "bad_configuration", "%s is now called %s",
					 names[i].old, names[i].now);
	return 0;
}

/* Does a folder hold entries? One that cannot be looked at is none of ours. */
static bool has_entries(const char *path)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	struct error ignored;

	return registry_add_names(path, &names, &ignored) == 0 && names.count > 0;
}

/* The same for the folders of drop-in files that operators write. */
static int refuse_old_folders(const struct config *config, struct error *err)
{
	static const struct {
		const char *old, *now;
	} folders[] = {
		{"runtimes.d", "languages.d, as the profile \"tools\" of a language"},
		{"interpreters.d", "languages.d, as the profile \"runs\" of a language"},
		{"sandboxes.d", "templates.d, with \"public\": true"},
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < CONFIG_REGISTRY_DIRS - 1; i++)
		for (size_t k = 0; k < COUNT_OF(folders); k++)
			if (config->registry[i][0] &&
			    (size_t)snprintf(path, sizeof(path), "%s/%s", config->registry[i],
					     folders[k].old) < sizeof(path) &&
			    has_entries(path))
				return error_set(err, 500, "bad_configuration",
						 "%.256s: what is in it is now in %s", path,
						 folders[k].now);
	return 0;
}

int config_read(struct config *out, struct error *err)
{
	struct config config = {
		.bind = variable_or("BIND", "127.0.0.1"),
		.public_base_url = variable("PUBLIC_BASE_URL"),
		.allowed_hosts = variable("ALLOWED_HOSTS"),
		.warm = variable("MAYFLY_WARM"),
		.custom_images = variable("MAYFLY_TEMPLATE_IMAGES"),
	};

	if (refuse_old_names(err) < 0 || read_numbers(&config, err) < 0 ||
	    read_origins(&config, err) < 0 || read_flag("DEBUG_UI", &config.debug_ui, err) < 0 ||
	    read_flag("MAYFLY_TEMPLATE_NETWORK", &config.custom_network, err) < 0 ||
	    read_network(&config, err) < 0 || read_unenforced(&config, err) < 0 ||
	    read_uids(&config, err) < 0 || read_places(&config, err) < 0 ||
	    refuse_old_folders(&config, err) < 0 || read_libexec(&config, err) < 0 ||
	    read_keys_file(&config, err) < 0 ||
	    read_secret("EXECUTOR_API_KEY", config.executor_api_key,
			sizeof(config.executor_api_key), err) < 0 ||
	    read_secret("API_KEYS", config.api_keys, sizeof(config.api_keys), err) < 0 ||
	    read_secret("SIGNING_KEY", config.signing_key, sizeof(config.signing_key), err) < 0 ||
	    read_secret("JWT_SECRET", config.jwt_secret, sizeof(config.jwt_secret), err) < 0 ||
	    check_secrets(&config, err) < 0 || read_instance(&config, err) < 0)
		return -1;
	if (config.slots == 0) {
		long cpus = sysconf(_SC_NPROCESSORS_ONLN);

		config.slots = cpus > 2 ? (uint64_t)cpus * 2 : 4;
	}
	*out = config;
	explicit_bzero(&config, sizeof(config)); /* the one copy is what config_forget_keys wipes */
	return 0;
}

static void wipe(const char *name, char *copy, size_t size)
{
	char *value = getenv(name);

	explicit_bzero(copy, size);
	if (!value)
		return;
	explicit_bzero(value, strlen(value)); /* /proc/self/environ is this very memory */
	(void)unsetenv(name);
}

int config_forget_keys(struct config *config, struct error *err)
{
	wipe("EXECUTOR_API_KEY", config->executor_api_key, sizeof(config->executor_api_key));
	wipe("API_KEYS", config->api_keys, sizeof(config->api_keys));
	wipe("JWT_SECRET", config->jwt_secret, sizeof(config->jwt_secret));
	if (!config->keys_on_stdin)
		return 0;

	/* descriptor 0 stays taken: who would get it next may not expect it */
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return null < 0 || dup2(null, STDIN_FILENO) < 0
		       ? error_set_errno(err, 500, "keys_not_forgotten",
					 "/dev/null cannot take the place of the keys file")
		       : 0;
}
