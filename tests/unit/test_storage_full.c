/*
 * A full disk, really: a tmpfs of a few pages in mounts of the test's own. Whatever step meets it
 * says "storage_full" and what to do, and nothing is left behind.
 */
#include "store/storage.h"

#include "tap.h"
#include "util.h"

#define DISK_BYTES 131072
#define FILL_BYTES 4096

enum step { OPEN, INPUT, STREAM, FILE_BYTES, FILE_BEGIN, COMMIT, STEP_COUNT };

static const char *const step_names[] = {
	"opening", "an input", "a stream", "an artifact", "an artifact's folder", "the commit"};

static struct config config;
static struct error err;

/* Appends by take until it fails; false when it never does. */
static bool fill(struct storage *storage,
		 int (*take)(struct storage *, struct slice, struct error *))
{
	static const char page[FILL_BYTES] = "x";

	for (size_t i = 0; i < 2 * DISK_BYTES / FILL_BYTES; i++)
		if (take(storage, (struct slice){page, sizeof(page)}, &err) < 0)
			return true;
	return false;
}

static int take_stream(struct storage *storage, struct slice data, struct error *why)
{
	return storage_append_stream(storage, false, data, why);
}

/* New empty files and folders take inodes, of which the disk has few. */
static bool use_up_inodes(struct storage *storage)
{
	char path[32];

	for (int i = 0; i < 200; i++) {
		(void)snprintf(path, sizeof(path), "folder-%d/file", i);
		if (storage_begin_file(storage, slice_of(path), &err) < 0)
			return true;
	}
	return false;
}

/* Until the disk has not one inode left. */
static unsigned use_up_names(void)
{
	unsigned count = 0;

	while (mkdir(in_scratch("disk/%u", count), 0700) == 0 || errno == EEXIST)
		count++;
	must(errno == ENOSPC);
	return count;
}

/* The disk has so few inodes left that one of the five things fails which an open result consists
 * of. */
static int open_with(unsigned left)
{
	struct storage storage;
	unsigned count = use_up_names();
	int wrong = 0;

	for (unsigned i = 1; i <= left; i++)
		must(rmdir(in_scratch("disk/%u", count - i)) == 0);
	if (storage_open(&config, &storage, &err) == 0)
		return 1;
	if (count_entries(in_scratch("disk/storage/.incoming")) > 0)
		wrong = 4;
	must(fs_remove_tree(AT_FDCWD, in_scratch("disk/storage")) == 0);
	return wrong;
}

static bool fails_at(enum step step, struct storage *storage)
{
	static const char much[DISK_BYTES + 1] = "x";
	char id[JOB_ID_LENGTH + 1];

	switch (step) {
	case INPUT:
		return storage_put_input(storage, "input", (struct slice){much, sizeof(much)},
					 &err) < 0;
	case STREAM:
		return fill(storage, take_stream);
	case FILE_BYTES:
		must(storage_begin_file(storage, SLICE_LITERAL("file"), &err) == 0);
		return fill(storage, storage_append_file);
	case FILE_BEGIN:
		return use_up_inodes(storage);
	case COMMIT:
		use_up_names();
		return storage_commit(storage, "session", id, &err) < 0;
	default:
		return false;
	}
}

/* In a child: one step on a new full disk. A bit for each thing that is wrong. */
static int meet(void *context)
{
	enum step step = *(enum step *)context;
	struct storage storage;
	int wrong = 0;

	if (!own_mounts() ||
	    mount("none", in_scratch("disk"), "tmpfs", 0, "size=128k,nr_inodes=40") < 0)
		return 77;
	(void)snprintf(config.storage, PATH_MAX, "%s/disk/storage", scratch());
	if (step == OPEN) {
		for (unsigned left = 0; left < 5; left++)
			wrong |= open_with(left);
	} else {
		must(storage_open(&config, &storage, &err) == 0);
		if (!fails_at(step, &storage))
			wrong |= 1;
		storage_close(&storage);
		if (count_entries(in_scratch("disk/storage/.incoming")) != 0)
			wrong |= 4;
	}
	if (err.status != 500 || strcmp(err.code, "storage_full") != 0 ||
	    !strstr(err.message, "ARTIFACT_RETENTION_DAYS"))
		wrong |= 2;
	if (exists(in_scratch("disk/storage/session/")) &&
	    count_entries(in_scratch("disk/storage/session")) != 0)
		wrong |= 8;
	return wrong;
}

int main(void)
{
	config = test_config();
	make_folder(in_scratch("disk"));
	for (enum step step = OPEN; step < STEP_COUNT; step++) {
		int wrong = in_child(meet, &step);
		const char *name = step_names[step];

		if (wrong == 77) {
			ok(true, "a full disk at %s # skip nobody may mount here", name);
			continue;
		}
		ok(!(wrong & 1), "a full disk fails %s", name);
		ok(!(wrong & 2), "with storage_full and what to do");
		ok(!(wrong & 4), "nothing is left in .incoming");
		ok(wrong < 8, "and no half result is visible");
	}
	return done();
}
