#include "engine/user.h"

#include "base/atomic_file.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "config/uid_range.h"
#include "protocol/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define TEXT_BYTES 512 /* of a claim, with its NUL: two lines of its own and one with two names */
#define NAME_BYTES 32  /* of a claim's file, or its group's */

/* The field of /etc/passwd for a person's name: up to its comma it is the name, what follows it is
   ours. */
#define NOTE ",mayfly "

/* The claim's file, whole. 0; 1 when the id is taken; -1 with errno. */
static int write_claim(const struct job_folders *folders, uint32_t id,
		       const struct template *template, const char *folder)
{
	char text[TEXT_BYTES], name[NAME_BYTES], group[NAME_BYTES];
	int len;

	(void)snprintf(name, sizeof(name), "%" PRIu32, id);
	(void)snprintf(group, sizeof(group), "%" PRIu32 ".group", id);
	len = snprintf(text, sizeof(text),
		       "root:x:0:0:root:/root:/bin/bash\n"
		       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
		       "%s:x:%s:%s:%s" NOTE "%s:%s:/bin/bash\n",
		       template->user, name, name, template->user, folder, template->workdir);
	if (atomic_file_write(folders->users, folder, name, 0444, ATOMIC_NEW | ATOMIC_MODE,
			      (struct slice){text, (size_t)len}) < 0)
		return errno == EEXIST ? 1 : -1;
	len = snprintf(text, sizeof(text), "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n%s:x:%s:\n",
		       template->user, name);
	return atomic_file_write(folders->users, folder, group, 0444, ATOMIC_MODE,
				 (struct slice){text, (size_t)len});
}

int user_claim(const struct config *config, const struct job_folders *folders, bool is_rootless,
	       const struct template *template, const char *folder, struct user *out,
	       struct error *err)
{
	struct uid_range range = uid_range(config, is_rootless);
	uint32_t start = 0;

	/* two installations that share a range seldom meet */
	(void)!getrandom(&start, sizeof(start), 0);
	for (uint32_t i = 0; i < range.count; i++) {
		uint32_t id = range.first + (start % range.count + i) % range.count;
		int taken = id == geteuid() ? 1 : write_claim(folders, id, template, folder);

		if (taken < 0)
			return error_set_errno(err, 500, "engine_failed",
					       "A container's user cannot be claimed");
		if (taken)
			continue;
		out->id = id;
		if ((size_t)snprintf(out->passwd, sizeof(out->passwd), "%s/" USERS_DIR_NAME "/%u",
				     config->run, id) >= sizeof(out->passwd) ||
		    (size_t)snprintf(out->group, sizeof(out->group), "%s.group", out->passwd) >=
			    sizeof(out->group))
			return error_set(err, 500, "bad_configuration",
					 "MAYFLY_RUN_DIR is too long");
		return 0;
	}
	return error_set(err, 500, "bad_configuration",
			 "Each user id from %u to %u belongs to a container: give a wider range, "
			 "MAYFLY_UIDS",
			 range.first, range.first + range.count - 1);
}

/* False when the file of that name is no claim. */
static bool read_claim(int users, const char *name, struct claim *out)
{
	_cleanup_close_ int fd = -1;
	char text[TEXT_BYTES];
	struct slice folder;
	const char *note;
	uint64_t id;
	ssize_t len;

	if (num_parse(slice_of(name), 10, UINT32_MAX, &id) < 0)
		return false;
	fd = openat(users, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	note = strstr(text, NOTE);
	if (!note)
		return false;
	note += strlen(NOTE);
	folder = (struct slice){note, strcspn(note, ":")};
	if (!folder_is_name(folder) || folder.len >= sizeof(out->folder))
		return false;
	*out = (struct claim){.name = name};
	memcpy(out->folder, folder.data, folder.len);
	return true;
}

int users_each(const struct job_folders *folders,
	       int (*each)(void *context, const struct claim *claim), void *context)
{
	int listing_fd = openat(folders->users, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *listing = listing_fd < 0 ? NULL : fdopendir(listing_fd);
	struct claim claim;

	if (!listing) {
		cleanup_close(&listing_fd);
		return -1;
	}
	for (const struct dirent *entry; (entry = readdir(listing));)
		if (read_claim(folders->users, entry->d_name, &claim) && each(context, &claim) < 0)
			return -1;
	return 0;
}

struct release {
	int users;
	char folder[FOLDER_NAME_BYTES];
};

/* The group goes first: while the claim is there, no other container can have the id. */
static int release_if_named(void *context, const struct claim *claim)
{
	const struct release *release = context;
	char group[NAME_BYTES];

	if (strcmp(claim->folder, release->folder) != 0)
		return 0;
	(void)snprintf(group, sizeof(group), "%.10s.group", claim->name);
	if (unlinkat(release->users, group, 0) < 0 && errno != ENOENT)
		return -1;
	return unlinkat(release->users, claim->name, 0) < 0 && errno != ENOENT ? -1 : 0;
}

int user_release(const struct job_folders *folders, const char *first_name, const char *user)
{
	struct release release = {.users = folders->users};
	char name[NAME_BYTES];
	struct claim claim;

	folder_first_name(first_name, release.folder);
	/* what a writer that died had written aside */
	(void)unlinkat(folders->users, release.folder, 0);
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(user, ":"), user);
	if (read_claim(folders->users, name, &claim) && strcmp(claim.folder, release.folder) == 0)
		return release_if_named(&release, &claim);
	return users_each(folders, release_if_named, &release);
}
