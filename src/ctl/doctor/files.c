/* mayflyctl doctor: room for what is written, and which users may read and write it. */
#include "ctl/doctor/internal.h"

#include "ctl/settings.h"
#include "store/links.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The folder itself, or the nearest one above that exists: what is missing is made at need. */
#define SPACE_ADVICE                                                                               \
	"make room, lower ARTIFACT_RETENTION_DAYS, or let AA_STORAGE_PATH name a larger disk"
static void find_existing(const char *path, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s", path);
	while (access(out, F_OK) < 0) {
		char *slash = strrchr(out, '/');

		if (!slash || slash == out) {
			(void)snprintf(out, PATH_MAX, "/");
			return;
		}
		*slash = '\0';
	}
}

static void say_space(struct doctor *doctor, const char *check, const char *path,
		      uint64_t fail_bytes, uint64_t warn_bytes)
{
	char existing[PATH_MAX];
	struct statvfs status;

	find_existing(path, existing);
	if (statvfs(existing, &status) < 0) {
		doctor_fail(doctor, check, SPACE_ADVICE, "%s: %s", existing, strerror(errno));
		return;
	}

	uint64_t bytes = (uint64_t)status.f_bavail * status.f_frsize;
	/* some file systems have as many inodes as they have room, and say 0 of 0 */
	uint64_t inodes = status.f_files ? status.f_favail : DOCTOR_INODES_WARN;
	enum doctor_status is = bytes < fail_bytes || inodes < DOCTOR_INODES_FAIL   ? DOCTOR_FAIL
				: bytes < warn_bytes || inodes < DOCTOR_INODES_WARN ? DOCTOR_WARN
										    : DOCTOR_OK;

	if (status.f_flag & ST_RDONLY)
		doctor_fail(doctor, check, "mount it writable", "%s is read-only", path);
	else if (!status.f_files)
		doctor_say(doctor, is, check, is == DOCTOR_OK ? NULL : SPACE_ADVICE,
			   "%s: %" PRIu64 " MiB free", path, (uint64_t)(bytes / MIB));
	else
		doctor_say(doctor, is, check, is == DOCTOR_OK ? NULL : SPACE_ADVICE,
			   "%s: %" PRIu64 " MiB and %" PRIu64 " inodes free", path,
			   (uint64_t)(bytes / MIB), inodes);
}

/* Whom a thing of ours may belong to: root, us, and the service's user. */
static bool is_ours(const struct doctor *doctor, uid_t owner)
{
	uid_t service;
	gid_t group;

	return owner == 0 || owner == geteuid() ||
	       (ctl_service_user(doctor->config, &service, &group) && owner == service);
}

/* forbidden: bits of the mode that no other user may have. engine: it belongs to mayfly-engine as
   system units. */
static void say_rights(struct doctor *doctor, const char *check, const char *path, mode_t forbidden,
		       bool is_engines, const char *harm)
{
	struct stat status;
	char advice[PATH_MAX + 64];

	if (stat(path, &status) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			doctor_warn(doctor, check, "run this as root to see it", "%s: %s", path,
				    strerror(errno));
		return;
	}
	if (status.st_mode & forbidden) {
		(void)snprintf(advice, sizeof(advice), "chmod %04o %s",
			       (unsigned)(status.st_mode & 07777 & ~forbidden), path);
		doctor_fail(doctor, check, advice, "%s has mode %04o: %s", path,
			    (unsigned)(status.st_mode & 07777), harm);
	} else if (!is_engines && !is_ours(doctor, status.st_uid)) {
		doctor_warn(doctor, check, "chown it, or find out why",
			    "%s belongs to uid %u, which is neither root, nor this user, nor the "
			    "service",
			    path, status.st_uid);
	} else {
		doctor_ok(doctor, check, "%s: mode %04o, owner %u, group %u", path,
			  (unsigned)(status.st_mode & 07777), status.st_uid, status.st_gid);
	}
}

static bool has_secrets(const struct config *config)
{
	return config->executor_api_key[0] || config->api_keys[0] || config->signing_key[0] ||
	       config->jwt_secret[0];
}

static void say_all_rights(struct doctor *doctor)
{
	static const char reach[] = "others could reach the control sockets of jobs";
	const struct config *config = doctor->config;
	const struct {
		const char *check, *folder, *name;
		mode_t forbidden;
		bool is_engines;
		const char *harm;
	} rows[] = {
		{"rights.keys", config->keys_file, "", 0027, false,
		 "others could read the hashes of keys, or add one"},
		{"rights.settings", geteuid() == 0 ? "/etc/mayfly" : config->registry[0],
		 "/mayfly.conf", has_secrets(config) ? 0027 : 0022, false,
		 "others could read the secrets in it, or change it"},
		{"rights.credentials", "/etc/mayfly/credentials", "", 0077, false,
		 "others could read keys"},
		{"rights.run", config->run, "", 0027, true, reach},
		{"rights.jobs", config->run, "/jobs", 0007, true, reach},
		{"rights.making", config->run, "/making", 0077, true,
		 "others could choose what the engine mounts"},
		{"rights.results", config->storage, "", 0027, false,
		 "others could read or change results"},
		{"rights.signing_key", config->storage_dir, "/" SIGN_KEY_FILE, 0077, false,
		 "others could sign links to results"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char path[PATH_MAX + 32];

		(void)snprintf(path, sizeof(path), "%s%s", rows[i].folder, rows[i].name);
		say_rights(doctor, rows[i].check, path, rows[i].forbidden, rows[i].is_engines,
			   rows[i].harm);
	}
}

void doctor_files(struct doctor *doctor)
{
	const struct config *config = doctor->config;

	say_space(doctor, "space.results", config->storage, DOCTOR_SPACE_FAIL_BYTES,
		  DOCTOR_SPACE_WARN_BYTES);
	if (strcmp(config->storage_dir, config->storage) != 0)
		say_space(doctor, "space.uploads", config->storage_dir, DOCTOR_SPACE_FAIL_BYTES,
			  DOCTOR_SPACE_WARN_BYTES);
	/* sockets, locks and counters */
	say_space(doctor, "space.run", config->run, MIB, 8 * MIB);
	say_all_rights(doctor);
}
