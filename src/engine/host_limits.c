/* What the engine can enforce; the rules are in the header. */
#include "engine/host_limits.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "engine/spec.h"
#include "json/json.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define ANSWER_FILE      "engine.info" /* beneath the run folder */
#define ANSWER_MAX_BYTES 256
#define ROOTLESS         (1U << CONFIG_LIMITS) /* beside the limits, in what is kept */
#define NAMES_BYTES      32

/* What the engine says of itself. */
struct answer {
	unsigned missing;
	bool rootless, copies_images;
	const char *remedy; /* what to do about what is missing */
};

/* True where user 0 is the host's root: in a user namespace it may be any user, such as the user of
   a rootless engine. */
static bool root_is_root(void)
{
	static const char map[] = "/proc/self/uid_map";
	_cleanup_close_ int fd = open(map, O_RDONLY | O_CLOEXEC);
	char text[128];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at = text;

	if (len <= 0)
		return false;
	text[len] = '\0';
	/* "inside outside count" of the first range; user_namespaces(7) */
	for (int i = 0; i < 2; i++) {
		at += strspn(at, " ");
		if (strncmp(at, "0 ", 2) != 0)
			return false;
		at++;
	}
	return true;
}

/* What an answer is good for, with a blank at its end (rule 3). */
static int identify(const struct podman *podman, char out[ANSWER_MAX_BYTES], struct error *err)
{
	struct stat status;
	char boot[BOOT_ID_BYTES];

	if (boot_id(boot) < 0)
		return error_set_errno(err, 500, "engine_failed",
				       "The kernel's boot_id cannot be read");
	if (stat(podman->socket, &status) < 0)
		return error_set_errno(err, 503, "engine_unreachable", "%s", podman->socket);
	(void)snprintf(out, ANSWER_MAX_BYTES, "%s %ju %ju %jd.%ld ", boot, (uintmax_t)status.st_dev,
		       (uintmax_t)status.st_ino, (intmax_t)status.st_ctim.tv_sec,
		       status.st_ctim.tv_nsec);
	return 0;
}

static int open_answer(const struct config *config, int flags)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/" ANSWER_FILE, config->run) >= sizeof(path))
		return -1;
	return open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* True when an answer is kept that is good for key. */
static bool recall(const struct config *config, const char *key, struct host_limits *out)
{
	_cleanup_close_ int fd = open_answer(config, O_RDONLY);
	_cleanup_free_ char *text = NULL;
	size_t len, key_len = strlen(key);
	uint64_t value;

	/* one that is being written has no end yet */
	if (fd < 0 || io_read_file(fd, ANSWER_MAX_BYTES, &text, &len) < 0 || len <= key_len ||
	    memcmp(text, key, key_len) != 0 || text[len - 1] != '\n' ||
	    num_parse((struct slice){text + key_len, len - key_len - 1}, 10, 2 * ROOTLESS - 1,
		      &value) < 0)
		return false;
	*out = (struct host_limits){.missing = (unsigned)value & (ROOTLESS - 1),
				    .rootless = value & ROOTLESS};
	return true;
}

/* What cannot be kept is asked for again. */
static void keep(const struct config *config, const char *key, const struct host_limits *known)
{
	_cleanup_close_ int fd = open_answer(config, O_WRONLY | O_CREAT | O_TRUNC);
	char text[ANSWER_MAX_BYTES];
	int len = snprintf(text, sizeof(text), "%s%u\n", key,
			   known->missing | (known->rootless ? ROOTLESS : 0));

	if (fd >= 0 && len < ANSWER_MAX_BYTES)
		(void)!io_write_all(fd, text, (size_t)len);
}

static bool has_text(const json_t *list, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *have = json_string_value(item);

		if (have && strcmp(have, text) == 0)
			return true;
	}
	return false;
}

/* With the cgroupfs manager a rootless Podman may make no cgroup: crun goes on without one, and
   Podman 4.3 still lists the controllers here and the limits in what it says of the container. */
static void read_podman(const json_t *root, struct answer *out)
{
	const json_t *host = json_object_get(root, "host");
	const json_t *controllers = json_object_get(host, "cgroupControllers");
	const unsigned all = (1U << CONFIG_LIMITS) - 1;

	out->rootless =
		json_is_true(json_object_get(json_object_get(host, "security"), "rootless"));
	out->copies_images = json_text_is(json_object_get(root, "store"), "graphDriverName", "vfs");
	out->remedy =
		"give it the controllers, in /etc/systemd/system/user@.service.d/delegate.conf: "
		"[Service] Delegate=memory pids cpu, then systemctl daemon-reload and systemctl "
		"restart user@UID";
	for (unsigned i = 0; i < CONFIG_LIMITS; i++)
		if (!has_text(controllers, config_limits[i]))
			out->missing |= 1U << i;
	if (out->rootless && !json_text_is(host, "cgroupVersion", "v2")) {
		out->missing = all;
		out->remedy = "boot with systemd.unified_cgroup_hierarchy=1, for cgroup v2";
	} else if (out->rootless && !json_text_is(host, "cgroupManager", "systemd")) {
		out->missing = all;
		out->remedy =
			"use systemd as its cgroup manager (cgroup_manager in containers.conf), in "
			"a session of the user's";
	}
}

/* Docker looks at the kernel, and at what it was given. */
static void read_docker(const json_t *root, struct answer *out)
{
	static const char *const fields[CONFIG_LIMITS] = {"MemoryLimit", "PidsLimit",
							  "CpuCfsQuota"};

	out->copies_images = json_text_is(root, "Driver", "vfs");
	out->remedy = "see its own warnings: docker info";
	for (unsigned i = 0; i < CONFIG_LIMITS; i++)
		if (!json_is_true(json_object_get(root, fields[i])))
			out->missing |= 1U << i;
}

static int ask(struct podman *podman, deadline_ms deadline, struct answer *out, struct error *err)
{
	_cleanup_json_ json_t *root = NULL;
	bool is_podman = podman->kind == ENGINE_PODMAN;

	if (podman_get(podman, is_podman ? "/libpod/info" : "/info", "asked what it can enforce",
		       deadline, &root, err) != 0)
		return -1;
	if (!json_is_object(root))
		return error_set(err, 502, "engine_bad_reply",
				 "%s says what it can enforce in no object", podman_name(podman));
	(is_podman ? read_podman : read_docker)(root, out);
	return 0;
}

/* The names of limits, as the setting takes them. */
static void name_limits(unsigned limits, char out[NAMES_BYTES])
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < CONFIG_LIMITS; i++)
		if (limits & 1U << i)
			used += (size_t)snprintf(out + used, NAMES_BYTES - used, "%s%s",
						 used ? "," : "", config_limits[i]);
}

static void take_note(const struct answer *answer, const char *names, struct host_limits *out)
{
	static const char vfs[] =
		"vfs copies the image for every container: set driver = \"overlay\" in "
		"storage.conf, then podman system reset";

	(void)snprintf(out->note, sizeof(out->note), "%s%s%s%s", *names ? "not enforced: " : "",
		       names, *names && answer->copies_images ? "; " : "",
		       answer->copies_images ? vfs : "");
}

int host_limits_learn(struct podman *podman, const struct config *config, deadline_ms deadline,
		      struct host_limits *out, struct error *err)
{
	struct host_limits found = {0};
	char key[ANSWER_MAX_BYTES], names[NAMES_BYTES];
	struct answer answer = {0};

	*out = found;
	if (!config->unenforced && podman->owner == 0 && root_is_root())
		return 0;
	if (identify(podman, key, err) < 0)
		return -1;
	if (recall(config, key, &found) && !(found.missing & ~config->unenforced)) {
		*out = found;
		return 0;
	}
	if (ask(podman, deadline, &answer, err) < 0)
		return -1;
	name_limits(answer.missing, names);
	if (answer.missing & ~config->unenforced)
		return error_set(
			err, 500, "limit_ignored",
			"%s%s cannot enforce these limits: %s. Either %s; or have jobs run "
			"without them: MAYFLY_ALLOW_UNENFORCED=%s",
			answer.rootless ? "Rootless " : "", podman_name(podman), names,
			answer.remedy, names);
	found = (struct host_limits){.missing = answer.missing, .rootless = answer.rootless};
	keep(config, key, &found);
	take_note(&answer, names, &found);
	*out = found;
	return 0;
}
