/* mayflyctl doctor: the user ids of containers, which nothing else of the host may have. */
#include "ctl/doctor/internal.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "config/uid_range.h"
#include "protocol/engine.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES MIB /* of passwd(5), subuid(5) */
#define TAKEN_BYTES    256 /* of the list of what is in the way */

/* Lists the lines of a file, fields with colons between, whose range of ids meets ours. first is
   the field with the first id, counted from 0; the next one says how many, unless has_count is
   false. */
static void list_lines(const char *path, struct uid_range range, unsigned first, bool has_count,
		       char *taken)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct slice rest;
	size_t len;

	if (fd < 0 || io_read_file(fd, FILE_MAX_BYTES, &text, &len) < 0)
		return; /* a host without subordinate ids has none of these */
	rest = (struct slice){text, len};
	while (rest.len > 0) {
		struct slice line = slice_take(&rest, '\n'), name = slice_take(&line, ':');
		uint64_t from, count = 1;

		for (unsigned i = 1; i < first; i++)
			(void)slice_take(&line, ':');
		if (num_parse(slice_take(&line, ':'), 10, UINT32_MAX, &from) < 0 ||
		    (has_count && num_parse(line, 10, UINT32_MAX, &count) < 0))
			continue;
		if (from < range.first + (uint64_t)range.count && from + count > range.first)
			doctor_list(taken, TAKEN_BYTES, "%.*s in %s (%llu)", (int)name.len,
				    name.data, path, (unsigned long long)from);
	}
}

/* Lists the processes with an id of ours that no container has. */
static void list_processes(const struct config *config, struct uid_range range, char *taken)
{
	_cleanup_closedir_ DIR *listing = opendir("/proc");
	char path[PATH_MAX];
	struct stat status;
	uint64_t pid;

	for (const struct dirent *entry; listing && (entry = readdir(listing));) {
		if (num_parse(slice_of(entry->d_name), 10, INT32_MAX, &pid) < 0 ||
		    fstatat(dirfd(listing), entry->d_name, &status, 0) < 0 ||
		    status.st_uid < range.first || status.st_uid - range.first >= range.count)
			continue;
		(void)snprintf(path, sizeof(path), "%.4000s/" USERS_DIR_NAME "/%u", config->run,
			       status.st_uid);
		if (access(path, F_OK) < 0)
			doctor_list(taken, TAKEN_BYTES, "process %s (%u)", entry->d_name,
				    status.st_uid);
	}
}

void doctor_users(struct doctor *doctor)
{
	struct uid_range range = uid_range(doctor->config, geteuid() != 0);
	char taken[TAKEN_BYTES] = "";

	/* a rootless engine's are ids of its own namespace */
	if (geteuid() == 0) {
		list_lines("/etc/passwd", range, 2, false, taken);
		list_lines("/etc/subuid", range, 1, true, taken);
		list_lines("/etc/subgid", range, 1, true, taken);
		list_processes(doctor->config, range, taken);
	}
	if (*taken)
		doctor_fail(doctor, "users",
			    "give containers another range of user ids: MAYFLY_UIDS=FIRST-LAST",
			    "of %u-%u, which containers get, these are taken: %s", range.first,
			    range.first + range.count - 1, taken);
	else
		doctor_ok(doctor, "users", "each container gets a user id of %u-%u", range.first,
			  range.first + range.count - 1);
}
