/*
 * What is answered is on the disk: every file of a result and its record, and every folder that
 * names one, was synced by then. fsync(2) and fdatasync(2) are ours here, and note the path.
 */
#include "store/storage.h"
#include "tap.h"
#include "util.h"

static char synced[16384];

static int note(int fd)
{
	char link[64], path[PATH_MAX];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

	ssize_t len = readlink(link, path, sizeof(path) - 1);

	must(len > 0);
	path[len] = '\0';
	(void)snprintf(synced + strlen(synced), sizeof(synced) - strlen(synced), "%s\n", path);
	return 0;
}

int fsync(int fd)
{
	return note(fd);
}

int fdatasync(int fd)
{
	return note(fd);
}

/* Was it synced? */
static bool is_synced(const char *path)
{
	char line[PATH_MAX + 8];

	(void)snprintf(line, sizeof(line), "%s\n", path);
	return strstr(synced, line) != NULL;
}

int main(void)
{
	static const char *const parts[] = {"in/put/a", "in/put", "in", "out/b", "out",
					    "stdout",   "stderr", "",   NULL};
	struct config config = test_config();
	struct storage storage;
	char id[JOB_ID_LENGTH + 1], incoming[64];
	struct error err;

	must(storage_open(&config, &storage, &err) == 0);
	(void)snprintf(incoming, sizeof(incoming), "storage/.incoming/%s", storage.incoming_name);
	must(storage_put_input(&storage, "in/put/a", SLICE_LITERAL("x"), &err) == 0 &&
	     storage_append_stream(&storage, false, SLICE_LITERAL("x"), &err) == 0 &&
	     storage_append_stream(&storage, true, SLICE_LITERAL("x"), &err) == 0 &&
	     storage_begin_file(&storage, SLICE_LITERAL("out/b"), &err) == 0 &&
	     storage_append_file(&storage, SLICE_LITERAL("x"), &err) == 0 &&
	     storage_commit(&storage, "session", id, &err) == 0);
	for (const char *const *part = parts; *part; part++)
		ok(is_synced(in_scratch("%s%s%s", incoming, **part ? "/" : "", *part)),
		   "synced: \"%s\" of the result", *part);
	ok(is_synced(in_scratch("storage/session")), "the folder that it was moved to");
	ok(is_synced(in_scratch("storage")), "the folder that names it");
	synced[0] = '\0';
	storage_write_record(&storage, "session", id, SLICE_LITERAL("{}"));
	ok(strstr(synced, "/storage/.records/session/.new-"), "the record");
	ok(is_synced(in_scratch("storage/.records/session")) &&
		   is_synced(in_scratch("storage/.records")) && is_synced(in_scratch("storage")),
	   "and its folders");
	storage_close(&storage);
	return done();
}
