/* store/files.h: entries come whole or not at all, belong to one caller, are never found through a
   link, and go with the retention. */
#include "tap.h"
#include "util.h"

#include "base/sha256.h"
#include "store/files.h"
#include "store/storage.h"

#include <sys/file.h>
#include <time.h>

#define OWNER "k1"

static const char hello_hash[] = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

static struct config files_config(const char *folder)
{
	struct config config = test_config();

	(void)snprintf(config.storage_dir, PATH_MAX, "%s/%s", scratch(), folder);
	return config;
}

static int count_in(const struct config *config, const char *folder)
{
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/%s", config->storage_dir, folder);
	return count_entries(path);
}

static struct file_meta store(const struct config *config, const char *owner, const char *name,
			      struct slice data)
{
	struct file_writer writer;
	struct file_meta meta = {0};
	struct error err;

	must(files_begin(config, UPLOAD_MAX_BYTES, &writer, &err) == 0);
	must(files_append(&writer, data, &err) == 0);
	must(files_commit(&writer, owner, slice_of(name), &meta, &err) == 0);
	files_abandon(&writer);
	return meta;
}

static void is_content(int fd, const char *text, const char *what)
{
	_cleanup_free_ char *data = NULL;
	size_t len = 0;

	must(io_read_file(fd, MIB, &data, &len) == 0);
	is_text(data, text, "%s", what);
}

static void test_store(void)
{
	struct config config = files_config("store");
	struct file_writer writer;
	struct file_meta meta, found;
	struct error err;
	int fd;

	is_number(files_begin(&config, UPLOAD_MAX_BYTES, &writer, &err), 0, "an entry is begun");
	is_number(files_append(&writer, SLICE_LITERAL("hel"), &err), 0, "a piece");
	is_number(files_append(&writer, SLICE_LITERAL(""), &err), 0, "an empty one");
	is_number(files_append(&writer, SLICE_LITERAL("lo"), &err), 0, "and another");
	is_number(count_in(&config, FILES_FOLDER), -1, "nothing is visible yet");
	is_number(files_commit(&writer, OWNER, SLICE_LITERAL("a \"b\".txt"), &meta, &err), 0,
		  "it is committed");
	files_abandon(&writer);
	ok(files_is_id(slice_of(meta.id)), "it has an id: %s", meta.id);
	is_text(meta.sha256, hello_hash, "its hash");
	is_number(meta.size_bytes, 5, "its size");
	is_number(count_in(&config, STORAGE_INCOMING), 0, "nothing is left aside");
	is_number(files_open(&config, OWNER, slice_of(meta.id), &fd, &found, &err), 0,
		  "its owner finds it");
	is_content(fd, "hello", "the bytes");
	close(fd);
	is_text(found.name, "a \"b\".txt", "the name");
	is_text(found.id, meta.id, "the id");
	is_text(found.sha256, hello_hash, "the hash");
	is_text(found.owner, OWNER, "the owner");
	ok(found.size_bytes == 5 && found.created_s == meta.created_s &&
		   meta.created_s > 1700000000,
	   "size and time");
	is_number(files_open(&config, NULL, slice_of(meta.id), &fd, &found, &err), 0,
		  "who has a signature finds it, too");
	close(fd);
	is_number(files_open(&config, "k2", slice_of(meta.id), &fd, &found, &err), -1,
		  "another key does not");
	is_number(err.status, 404, "as if there were none");
	is_text(err.message, "uploaded file not found", "as src/api/runs/README.md has it");
}

static void test_ids(void)
{
	static const char *const bad[] = {"",
					  "file_",
					  "file_0123456789a",
					  "file_0123456789abc",
					  "file_0123456789a-",
					  "File_0123456789ab",
					  "file_0123456789a/",
					  "../../etc/passwd",
					  "file_../../x.xx",
					  "run_0123456789abc"};
	struct config config = files_config("store");
	struct file_meta meta;
	struct error err;
	int fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_number(files_open(&config, NULL, slice_of(bad[i]), &fd, &meta, &err), -1,
			  "\"%s\" is no id", bad[i]);
		is_number(err.status, 404, "so there is nothing");
	}
	is_number(files_open(&config, NULL, (struct slice){"file_0123456789\0b", 17}, &fd, &meta,
			     &err),
		  -1, "nor is one with a NUL");
}

static void test_names(void)
{
	ok(files_is_name(SLICE_LITERAL("a.txt")) && files_is_name(SLICE_LITERAL(".a")) &&
		   files_is_name(SLICE_LITERAL("-x \xc3\xbc")),
	   "names");
	ok(!files_is_name(SLICE_LITERAL("")) && !files_is_name(SLICE_LITERAL("a/b")) &&
		   !files_is_name(SLICE_LITERAL("..")) && !files_is_name(SLICE_LITERAL("a\nb")) &&
		   !files_is_name(SLICE_LITERAL("\xff")) &&
		   !files_is_name((struct slice){"a\0b", 3}),
	   "and what is none");
}

static void test_limit(void)
{
	struct config config = files_config("limit");
	struct file_writer writer;
	struct error err;

	must(files_begin(&config, 5, &writer, &err) == 0);
	is_number(files_append(&writer, SLICE_LITERAL("hello"), &err), 0, "what fits exactly");
	is_number(files_append(&writer, SLICE_LITERAL("!"), &err), -1, "a byte more");
	is_number(err.status, 413, "is a 413");
	is_text(err.code, "file_too_large", "with a word");
	files_abandon(&writer);
	is_number(count_in(&config, STORAGE_INCOMING), 0, "what is given up leaves nothing");
	is_number(count_in(&config, FILES_FOLDER), -1, "anywhere");
}

static void test_failure(void)
{
	struct config config = files_config("failure");
	struct file_writer writer;
	struct error err;

	(void)snprintf(config.storage_dir, PATH_MAX, "/proc/nowhere");
	is_number(files_begin(&config, 5, &writer, &err), -1, "no folder, no entry");
	is_text(err.code, "storage_failed", "with a word");
	config = files_config("failure");
	make_folder(config.storage_dir);
	write_file(in_scratch("failure/" STORAGE_INCOMING), SLICE_LITERAL("in the way"));
	is_number(files_begin(&config, 5, &writer, &err), -1, "a file where a folder should be");
	is_text(err.code, "storage_failed", "with a word");
}

static void test_publish(void)
{
	struct config config = files_config("publish");
	struct file_meta meta, found;
	struct error err;
	int fd;

	make_folder(in_scratch("job/sub"));
	write_file(in_scratch("job/sub/out.txt"), SLICE_LITERAL("hello"));
	write_file(in_scratch("job/outside"), SLICE_LITERAL("secret"));
	must(symlink("../outside", in_scratch("job/sub/link")) == 0);
	must(mkfifo(in_scratch("job/sub/pipe"), 0600) == 0);

	_cleanup_close_ int folder =
		open(in_scratch("job/sub"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	is_number(files_publish(&config, OWNER, folder, "out.txt", SLICE_LITERAL("Result.txt"),
				&meta, &err),
		  0, "an artifact is published");
	is_text(meta.sha256, hello_hash, "hashed");
	is_number(meta.size_bytes, 5, "measured");
	is_number(faccessat(folder, "out.txt", F_OK, 0), -1, "and moved, not copied");
	is_number(files_open(&config, OWNER, slice_of(meta.id), &fd, &found, &err), 0,
		  "it is in the store");
	is_content(fd, "hello", "with its bytes");
	close(fd);
	is_text(found.name, "Result.txt", "under its name");
	is_number(files_publish(&config, OWNER, folder, "link", SLICE_LITERAL("x"), &meta, &err),
		  -1, "a link is not followed");
	is_number(files_publish(&config, OWNER, folder, "pipe", SLICE_LITERAL("x"), &meta, &err),
		  -1, "a FIFO does not block");
	is_number(files_publish(&config, OWNER, folder, "../outside", SLICE_LITERAL("x"), &meta,
				&err),
		  -1, "nothing outside");
	is_number(files_publish(&config, OWNER, folder, "missing", SLICE_LITERAL("x"), &meta, &err),
		  -1, "nor what is not there");
	is_number(count_in(&config, STORAGE_INCOMING), 0, "none of that leaves anything");
	is_number(count_in(&config, FILES_FOLDER), 1, "but the one entry");
}

/* The same from another file system. */
static int publish_across(void *context)
{
	struct config config = files_config("across");
	struct file_meta meta, found;
	struct error err;
	int fd;

	(void)context;
	if (!own_mounts())
		return 2;
	make_folder(in_scratch("tmpfs"));
	must(mount("none", in_scratch("tmpfs"), "tmpfs", 0, "size=1m") == 0);
	write_file(in_scratch("tmpfs/out"), SLICE_LITERAL("hello"));

	_cleanup_close_ int folder = open(in_scratch("tmpfs"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (files_publish(&config, OWNER, folder, "out", SLICE_LITERAL("out"), &meta, &err) < 0 ||
	    strcmp(meta.sha256, hello_hash) != 0 ||
	    files_open(&config, OWNER, slice_of(meta.id), &fd, &found, &err) < 0)
		return 1;

	char text[8] = "";

	return read(fd, text, sizeof(text)) == 5 && strcmp(text, "hello") == 0 &&
			       count_in(&config, STORAGE_INCOMING) == 0
		       ? 0
		       : 1;
}

static void test_hostile_entries(void)
{
	struct config config = files_config("hostile");
	struct file_meta meta = store(&config, OWNER, "a", SLICE_LITERAL("hello")), found;
	char path[PATH_MAX + 64], other[PATH_MAX + 96];
	struct error err;
	int fd;

	write_file(in_scratch("hostile/secret"), SLICE_LITERAL("secret"));
	(void)snprintf(path, sizeof(path), "%s/" FILES_FOLDER "/%s/data", config.storage_dir,
		       meta.id);
	must(unlink(path) == 0 && symlink("../../secret", path) == 0);
	is_number(files_open(&config, NULL, slice_of(meta.id), &fd, &found, &err), -1,
		  "data that is a link is none");
	must(unlink(path) == 0 && mkfifo(path, 0600) == 0);
	is_number(files_open(&config, NULL, slice_of(meta.id), &fd, &found, &err), -1,
		  "nor is a FIFO, and nobody waits");
	meta = store(&config, OWNER, "a", SLICE_LITERAL("hello"));
	(void)snprintf(path, sizeof(path), "%s/" FILES_FOLDER "/%s", config.storage_dir, meta.id);
	(void)snprintf(other, sizeof(other), "%s/" FILES_FOLDER "/file_LLLLLLLLLLLL",
		       config.storage_dir);
	must(symlink(path, other) == 0);
	is_number(files_open(&config, NULL, SLICE_LITERAL("file_LLLLLLLLLLLL"), &fd, &found, &err),
		  -1, "an entry that is a link is none");
	(void)snprintf(other, sizeof(other), "%s/meta.json", path);
	write_file(other, SLICE_LITERAL("{\"name\":\"a\"}"));
	is_number(files_open(&config, NULL, slice_of(meta.id), &fd, &found, &err), -1,
		  "nor one whose meta.json lacks something");
}

static void set_age(const char *path, time_t age_s)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - age_s}};

	must(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static void test_sweep(void)
{
	struct config config = files_config("sweep");
	struct file_meta old = store(&config, OWNER, "a", SLICE_LITERAL("old")),
			 young = store(&config, OWNER, "b", SLICE_LITERAL("young")), found;
	char path[PATH_MAX + 64];
	struct error err;
	int fd, writer;

	(void)snprintf(path, sizeof(path), "%s/" FILES_FOLDER "/%s", config.storage_dir, old.id);
	set_age(path, 31 * 86400);
	make_folder(in_scratch("sweep/" STORAGE_INCOMING "/crashed"));
	write_file(in_scratch("sweep/" STORAGE_INCOMING "/crashed/data"), SLICE_LITERAL("half"));
	set_age(in_scratch("sweep/" STORAGE_INCOMING "/crashed"), INCOMING_MAX_AGE_S + 10);
	make_folder(in_scratch("sweep/" STORAGE_INCOMING "/running"));
	writer = open(in_scratch("sweep/" STORAGE_INCOMING "/running"), O_RDONLY | O_DIRECTORY);
	must(flock(writer, LOCK_EX) == 0);
	config.retention_days = 0;
	is_number(files_sweep(&config), 1, "without a retention only what a crash left goes");
	config.retention_days = 30;
	is_number(files_sweep(&config), 1, "then what is older");
	is_number(files_open(&config, NULL, slice_of(old.id), &fd, &found, &err), -1,
		  "the old one is gone");
	is_number(files_open(&config, NULL, slice_of(young.id), &fd, &found, &err), 0,
		  "the young one is not");
	close(fd);
	is_number(count_in(&config, STORAGE_INCOMING), 1, "nor what is being written");
	close(writer);
	(void)snprintf(config.storage_dir, PATH_MAX, "%s/none", scratch());
	is_number(files_sweep(&config), 0, "nothing to sweep where nothing is");
}

int main(void)
{
	test_store();
	test_ids();
	test_names();
	test_limit();
	test_failure();
	test_publish();
	is_number(in_child(publish_across, NULL), 0,
		  "from another file system an artifact is copied");
	test_hostile_entries();
	test_sweep();
	return done();
}
