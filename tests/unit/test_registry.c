/* The drop-in registries: names, order of folders, broken and missing files. */
#include "config/registry.h"

#include "base/fs.h"
#include "tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/mayfly-registry-XXXXXX";
static struct config config;

static void put(const char *path, const char *text)
{
	char whole[PATH_MAX];
	int fd;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		perror(whole);
	close(fd);
}

static void make_folder(const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	if (mkdir(whole, 0755) < 0)
		perror(whole);
}

static void set_up(void)
{
	if (!mkdtemp(root))
		perror(root);
	for (unsigned i = 0; i < 3; i++)
		snprintf(config.registry[i], PATH_MAX, "%s/%c", root, "abc"[i]);
	make_folder("a");
	make_folder("a/tools.d");
	make_folder("c");
	make_folder("c/tools.d");
	make_folder("c/tools.d/folder.json");
	put("a/tools.d/two.json", "first");
	put("c/tools.d/two.json", "second");
	put("c/tools.d/one-1_x.json", "1");
	put("c/tools.d/Upper.json", "");
	put("c/tools.d/.json", "");
	put("c/tools.d/readme.txt", "");
	put("c/tools.d/two.json.bak", "");
	put("c/tools.d/do.t.json", "");
}

static void test_names(void)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	struct error err;

	ok(registry_names(&config, REGISTRY_TOOLS, &names, &err) == 0, "lists");
	is_number(names.count, 3, "three entries, each once");
	is_text(names.names[0], "folder", "sorted");
	is_text(names.names[1], "one-1_x", "sorted");
	is_text(names.names[2], "two", "sorted");
}

static void test_no_folder(void)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	struct error err;

	ok(registry_names(&config, REGISTRY_LANGUAGES, &names, &err) == 0, "no folder is no error");
	is_number(names.count, 0, "and holds nothing");
}

static void test_open(void)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	struct error err;

	ok(registry_open(&config, REGISTRY_TOOLS, SLICE_LITERAL("two"), &file, &err) == 0, "opens");
	is_text(file.data, "first", "the first folder wins");
	is_number(file.len, 5, "whole");
	ok(strstr(file.path, "/a/tools.d/two.json") != NULL, "and says where");
}

static void refuses(const char *name, const char *code)
{
	struct registry_file file;
	struct error err;

	ok(registry_open(&config, REGISTRY_TOOLS, slice_of(name), &file, &err) < 0, "refuses %s",
	   name);
	is_text(err.code, code, "with %s", code);
}

static void test_refusals(void)
{
	char *large = malloc(REGISTRY_FILE_MAX_BYTES + 2);

	refuses("nope", "registry_no_entry");
	refuses("", "registry_no_entry");
	refuses("../a/tools.d/two", "registry_no_entry");
	refuses("Upper", "registry_no_entry");
	refuses("folder", "registry_unreadable");
	if (large) {
		memset(large, ' ', REGISTRY_FILE_MAX_BYTES + 1);
		large[REGISTRY_FILE_MAX_BYTES + 1] = '\0';
		put("a/tools.d/large.json", large);
		refuses("large", "registry_unreadable");
	}
	free(large);
}

static void test_too_many(void)
{
	struct registry_names names = {0};
	struct error err;
	char path[64];

	make_folder("b");
	make_folder("b/tools.d");
	for (int i = 0; i <= REGISTRY_MAX_COUNT; i++) {
		snprintf(path, sizeof(path), "b/tools.d/n%d.json", i);
		put(path, "");
	}
	ok(registry_names(&config, REGISTRY_TOOLS, &names, &err) < 0, "too many entries");
	is_text(err.code, "registry_too_large", "say so");
}

int main(void)
{
	set_up();
	test_names();
	test_no_folder();
	test_open();
	test_refusals();
	test_too_many();
	ok(fs_remove_tree(AT_FDCWD, root) == 0, "cleaned up");
	return done();
}
