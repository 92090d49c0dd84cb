/*
 * The main of a fuzz target where libFuzzer is not: replays the files and folders given as
 * arguments, or tests/fuzz/corpus/NAME for a program called fuzz_NAME, and prints one TAP line for
 * each. An invariant that breaks ends the program by abort(3), so without a plan.
 */
#include "../unit/tap.h"
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define INPUT_MAX_BYTES (16 * 1024 * 1024)

static bool replay_file(int folder, const char *name)
{
	_cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	size_t len = 0;

	if (fd < 0 || io_read_file(fd, INPUT_MAX_BYTES, &data, &len) < 0) {
		printf("# %s: %m\n", name);
		return false;
	}

	/* A copy of exactly its size, without the NUL: so that ASan sees what reads beyond it. */
	uint8_t *exact = malloc(len ? len : 1);

	if (!exact)
		abort();
	memcpy(exact, data, len);
	printf("# %s\n", name);
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return true;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replay_folder(const char *path)
{
	_cleanup_close_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **entries = NULL;
	int count = folder < 0 ? -1 : scandirat(folder, ".", &entries, is_visible, alphasort);
	bool good = count > 0;

	for (int i = 0; i < count; i++) {
		good = replay_file(folder, entries[i]->d_name) && good;
		free(entries[i]);
	}
	free(entries);
	ok(good, "%s: %d inputs replayed", path, count);
}

static void replay(const char *path)
{
	struct stat status;

	if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode))
		ok(replay_file(AT_FDCWD, path), "%s: replayed", path);
	else
		replay_folder(path);
}

int main(int argc, char **argv)
{
	static const char prefix[] = "fuzz_";
	const char *name = strrchr(argv[0], '/'), *tests = getenv("MAYFLY_TESTS");
	char path[PATH_MAX];

	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc == 1) {
		name = name ? name + 1 : argv[0];
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			name += strlen(prefix);
		(void)snprintf(path, sizeof(path), "%s/fuzz/corpus/%s", tests ? tests : "tests",
			       name);
		replay(path);
	}
	return done();
}
