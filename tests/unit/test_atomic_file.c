/* Files that are there whole or not at all. */
#include "tap.h"
#include "util.h"

#include "base/atomic_file.h"
#include "base/fs.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>

static int folder;

static const char *content(const char *name)
{
	static char text[64];
	_cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	return len < 0 ? "(none)" : text;
}

static int put(const char *aside, const char *name, unsigned flags, const char *text)
{
	return atomic_file_write(folder, aside, name, 0640, flags, slice_of(text));
}

static void places(void)
{
	ok(put(NULL, "a", ATOMIC_OLD, "x") < 0 && errno == ENOENT,
	   "none is replaced where none is");
	ok(put(NULL, "a", ATOMIC_NEW | ATOMIC_SYNC, "one") == 0, "a new one");
	is_text(content("a"), "one", "is there");
	ok(put(NULL, "a", ATOMIC_NEW, "two") < 0 && errno == EEXIST, "another is not new");
	is_text(content("a"), "one", "and changes nothing");
	ok(put(NULL, "a", ATOMIC_OLD, "two") == 0, "the old one is replaced");
	is_text(content("a"), "two", "by the new one");
	ok(put(NULL, "a", 0, "three") == 0, "or any");
	is_text(content("a"), "three", "by the last one");
}

static void aside(void)
{
	struct atomic_file file;

	must(atomic_file_open(folder, "aside", 0600, 0, &file) == 0);
	ok(put("aside", "b", 0, "x") < 0 && errno == EEXIST, "a name aside is taken by one");
	is_text(content("aside"), "", "who keeps it");
	ok(put("aside", "b", ATOMIC_LOCKED, "x") == 0, "unless no other can be there");
	atomic_file_close(&file);
	must(atomic_file_open(folder, "aside", 0600, 0, &file) == 0);
	errno = EDOM;
	atomic_file_close(&file);
	ok(errno == EDOM, "closing keeps errno");
	is_text(content("aside"), "(none)", "and takes away what was not put in its place");
}

static void modes(void)
{
	mode_t before = umask(0077);
	struct stat status;

	must(put(NULL, "m", ATOMIC_MODE, "x") == 0 && fstatat(folder, "m", &status, 0) == 0);
	(void)umask(before);
	is_number(status.st_mode & 0777, 0640, "a mode that no umask cuts");
}

static void nothing_left(void)
{
	_cleanup_closedir_ DIR *listing = fdopendir(dup(folder));
	unsigned dots = 0;

	rewinddir(listing);
	for (const struct dirent *entry; (entry = readdir(listing));)
		dots += entry->d_name[0] == '.';
	is_number(dots, 2, "nothing stays aside");
}

int main(void)
{
	folder = fs_open_or_make_dir(in_scratch("atomic"), 0700);
	must(folder >= 0);
	places();
	aside();
	modes();
	nothing_left();
	return done();
}
