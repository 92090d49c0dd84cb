/* config/template.h: fields, defaults, and errors that name file, line and field. */
#include "config/template.h"

#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config config;

static void path_of(const char *name, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%.3900s/templates.d/%s.json", config.registry[0], name);
}

static void put(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	path_of(name, path);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		ok(false, "%s can be written", path);
}

static void set_up(char *folder)
{
	char path[PATH_MAX];

	if (!mkdtemp(folder))
		ok(false, "a folder can be made");
	(void)snprintf(config.registry[0], PATH_MAX, "%s", folder);
	(void)snprintf(path, sizeof(path), "%s/templates.d", folder);
	if (mkdir(path, 0700) < 0)
		ok(false, "%s can be made", path);
}

static void tear_down(const char *folder)
{
	static const char *const names[] = {"bad", "good", "small"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(names[i], path);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/templates.d", folder);
	(void)rmdir(path);
	(void)rmdir(folder);
}

static void test_defaults(void)
{
	struct template template;
	struct error err;

	put("small", "{\"image\": \"i\"}");
	if (!ok(template_load(&config, SLICE_LITERAL("small"), &template, &err) == 0,
		"an image is enough"))
		return;
	is_text(template.name, "small", "the name is the file's");
	is_text(template.image, "i", "the image");
	is_text(template.description, "", "no description");
	ok(!template.network && !template.pty, "no network, no terminals");
	is_text(template.user, "runner", "the user's name");
	is_number(template.memory_mb, DEFAULT_MEMORY_MB, "memory");
	is_number(template.pids, DEFAULT_PIDS, "pids");
	is_number(template.cpu_percent, DEFAULT_CPU_PERCENT, "cpu");
	is_number(template.nofile, DEFAULT_NOFILE, "nofile");
	is_number(template.timeout_s, TIMEOUT_DEFAULT_S, "time-out");
	is_number(template.timeout_max_s, TIMEOUT_MAX_S, "longest time-out");

	setenv("MAYFLY_MEMORY_MB", "64", 1);
	is_number(template_load(&config, SLICE_LITERAL("small"), &template, &err), 0,
		  "with a variable");
	is_number(template.memory_mb, 64, "the operator's memory");
	put("good", "{\"image\": \"i\", \"memory_mb\": 2048}");
	is_number(template_load(&config, SLICE_LITERAL("good"), &template, &err), 0, "with both");
	is_number(template.memory_mb, 2048, "the template's memory goes first");
	unsetenv("MAYFLY_MEMORY_MB");
}

static void test_every_field(void)
{
	struct template template;
	struct error err;

	put("good",
	    "{\"name\": \"good\", \"description\": \"d\", \"image\": \"r.example/x:1\", \"user\": \"u-1\","
	    " \"network\": true, \"pty\": true, \"memory_mb\": 16, \"pids\": 4, \"cpu_percent\": 1, \"workspace_mb\": 1,"
	    " \"tmp_mb\": 2, \"shm_mb\": 3, \"nofile\": 16, \"nproc\": 5, \"fsize_mb\": 6, \"timeout_s\": 9,"
	    " \"timeout_max_s\": 10}");
	if (!ok(template_load(&config, SLICE_LITERAL("good"), &template, &err) == 0, "every field"))
		return;
	is_text(template.description, "d", "description");
	ok(template.network && template.pty, "network, terminals");
	is_text(template.user, "u-1", "user");
	ok(template.memory_mb == 16 && template.pids == 4 && template.cpu_percent == 1 &&
		   template.workspace_mb == 1 && template.tmp_mb == 2 && template.shm_mb == 3 &&
		   template.nofile == 16 && template.nproc == 5 && template.fsize_mb == 6 &&
		   template.timeout_s == 9 && template.timeout_max_s == 10,
	   "each number in its place");
}

static void test_mistakes(void)
{
	static const struct {
		const char *text, *message; /* what the message ends in, after the folder */
	} cases[] = {
		{"{\n\"image\": \"i\",\n\"pid\": 1}",
		 "/templates.d/bad.json:3: \"pid\" is not a known field"},
		{"{\"image\": \"i\",\n\n\"pids\" : 3}",
		 "/templates.d/bad.json:3: \"pids\" takes a whole number from 4 to 32768"},
		{"{\"image\": \"pids\", \"pids\": 32769}",
		 "/templates.d/bad.json:1: \"pids\" takes a whole number from 4 to 32768"},
		{"{\"image\": \"i\", \"pids\": 64.0}",
		 "/templates.d/bad.json:1: \"pids\" takes a whole number from 4 to 32768"},
		{"{\"image\": \"i\", \"pids\": \"64\"}",
		 "/templates.d/bad.json:1: \"pids\" takes a whole number from 4 to 32768"},
		{"{\"image\": \"i\", \"pids\": -64}",
		 "/templates.d/bad.json:1: \"pids\" takes a whole number from 4 to 32768"},
		{"{\"image\": \"i\", \"uid\": 7}",
		 "/templates.d/bad.json:1: \"uid\" is not a known field"},
		{"{\"image\": \"i\", \"user\": \"root\"}",
		 "/templates.d/bad.json:1: \"user\" takes a lower-case letter, then a-z, 0-9, _ and "
		 "-; neither root nor nobody"},
		{"{\"image\": \"i\", \"user\": \"a:b\"}",
		 "/templates.d/bad.json:1: \"user\" takes a lower-case letter, then a-z, 0-9, _ and "
		 "-; neither root nor nobody"},
		{"{}", "/templates.d/bad.json:1: \"image\" is missing"},
		{"{\"image\": \"\"}",
		 "/templates.d/bad.json:1: \"image\" takes a text of 1 to 255 bytes"},
		{"{\"image\": 1}",
		 "/templates.d/bad.json:1: \"image\" takes a text of 1 to 255 bytes"},
		{"{\"image\": \"a b\"}",
		 "/templates.d/bad.json:1: \"image\" is not the name of an image"},
		{"{\"image\": \"i\", \"network\": \"no\"}",
		 "/templates.d/bad.json:1: \"network\" must be true or false"},
		{"{\"image\": \"i\", \"name\": \"other\"}",
		 "/templates.d/bad.json:1: \"name\" must be the file's own name, bad"},
		{"{\"image\": \"i\", \"timeout_s\": 10, \"timeout_max_s\": 9}",
		 "/templates.d/bad.json:1: \"timeout_s\" is more than timeout_max_s"},
		{"[]", "/templates.d/bad.json:1: must hold one object"},
	};
	struct template template;
	struct error err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("bad", cases[i].text);
		is_number(template_load(&config, SLICE_LITERAL("bad"), &template, &err), -1,
			  "refused: %s", cases[i].text);
		is_text(err.code, "bad_template", "by its word");
		is_text(err.message + strnlen(config.registry[0], PATH_MAX), cases[i].message,
			"by its message");
	}
	put("bad", "{\"image\": \"i\",\n \"image\": \"j\"}");
	is_number(template_load(&config, SLICE_LITERAL("bad"), &template, &err), -1,
		  "a doubled field");
	ok(strstr(err.message, "line 2"), "with its line: %s", err.message);
}

static void test_names(void)
{
	static const char *const names[] = {"none",      "",     "..", "../good",
					    "good.json", "GOOD", "a/b"};
	struct template template;
	struct error err;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		is_number(template_load(&config, slice_of(names[i]), &template, &err), -1,
			  "no template: \"%s\"", names[i]);
		is_number(err.status, 404, "404");
		is_text(err.code, "not_found", "by its word");
	}
}

static void test_variables(void)
{
	static const char *const values[] = {"0", "15", "1048577", "64m", " 64", "-1", "0x40"};
	struct template template;
	struct error err;

	put("small", "{\"image\": \"i\"}");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		setenv("MAYFLY_MEMORY_MB", values[i], 1);
		is_number(template_load(&config, SLICE_LITERAL("small"), &template, &err), -1,
			  "MAYFLY_MEMORY_MB=\"%s\"", values[i]);
		is_text(err.code, "bad_configuration", "by its word");
		ok(strstr(err.message, "MAYFLY_MEMORY_MB") &&
			   strstr(err.message, "from 16 to 1048576"),
		   "%s", err.message);
	}
	setenv("MAYFLY_MEMORY_MB", "", 1);
	is_number(template_load(&config, SLICE_LITERAL("small"), &template, &err), 0,
		  "an empty one counts as unset");
	unsetenv("MAYFLY_MEMORY_MB");
}

static int load(const char *text, struct template *out, struct error *err)
{
	put("good", text);
	return template_load(&config, SLICE_LITERAL("good"), out, err);
}

/* Where the working directory is, and whose image it is. */
static void test_workdir_and_image_env(void)
{
	struct template template;
	struct error err;

	is_number(load("{\"image\": \"i\"}", &template, &err), 0, "a template without workdir");
	is_text(template.workdir, "/workspace", "has the usual one");
	is_number(load("{\"image\": \"i\", \"workdir\": \"/work\"}", &template, &err), 0,
		  "one with");
	is_text(template.workdir, "/work", "has its own");
	is_number(load("{\"image\": \"i\", \"workdir\": \"/etc\"}", &template, &err), -1,
		  "but not any");
	ok(strstr(err.message, "\"workdir\" takes /workspace or /work") != NULL, "%s", err.message);

	static const char both[] = "{\"image\": \"i\", \"image_env\": \"RUNNER_IMAGE_TEST\"}",
			  only[] = "{\"image_env\": \"RUNNER_IMAGE_TEST\"}";

	unsetenv("RUNNER_IMAGE_TEST");
	is_number(load(both, &template, &err), 0, "a variable that is not set");
	is_text(template.image, "i", "changes nothing");
	is_number(load(only, &template, &err), -1, "without an image beside it");
	ok(err.status == 404 && strcmp(err.code, "no_image") == 0, "there is no template");
	setenv("RUNNER_IMAGE_TEST", "", 1);
	is_number(load(only, &template, &err), -1, "an empty one is none");
	setenv("RUNNER_IMAGE_TEST", "mine:1", 1);
	is_number(load(both, &template, &err), 0, "one that is set");
	is_text(template.image, "mine:1", "is the image");
	is_number(load(only, &template, &err), 0, "and the only one");
	setenv("RUNNER_IMAGE_TEST", "two words", 1);
	is_number(load(only, &template, &err), -1, "blanks are refused as in a file");

	char much[2 * TEMPLATE_TEXT_BYTES];

	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	setenv("RUNNER_IMAGE_TEST", much, 1);
	is_number(load(only, &template, &err), -1, "so is too much");
	is_text(err.code, "bad_configuration", "as the operator's mistake");
	unsetenv("RUNNER_IMAGE_TEST");
	setenv("HOME_IMAGE", "x", 1);
	is_number(load("{\"image_env\": \"HOME_IMAGE\"}", &template, &err), -1,
		  "a file names no other variable");
}

int main(void)
{
	char folder[] = "/tmp/mayfly-test-XXXXXX";

	set_up(folder);
	test_defaults();
	test_every_field();
	test_mistakes();
	test_names();
	test_variables();
	test_workdir_and_image_env();
	tear_down(folder);
	return done();
}
