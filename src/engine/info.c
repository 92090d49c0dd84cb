/* What the engine is, and which images it has: GET /version, /info and /images/NAME/json of the API
   that Podman and Docker share. */
#include "engine/info.h"

#include "base/frame.h"
#include "config/template_find.h"
#include "json/json.h"

#include <stdio.h>

#define COMPONENT_BYTES 128
#define LABEL_MISSING   "io.mayfly.missing" /* of scripts/build-template, as io.mayfly.template */
/* those that have the latter, as a filter in a URI */
#define IMAGES_PATH "/images/json?filters=%7B%22label%22%3A%5B%22io.mayfly.template%22%5D%7D"

#define PATH_BYTES (TEMPLATE_TEXT_BYTES + 32)

/* Fields of one answer. */
struct answer {
	struct buf *fields;
	int failed; /* not all found room */
};

static void add_text(struct answer *answer, const char *key, const char *value)
{
	if (value)
		answer->failed |= field_add(answer->fields, key, slice_of(value));
}

static int get(struct podman *podman, const char *path, const char *what, json_t **out,
	       struct error *err)
{
	return podman_get(podman, path, what, deadline_in(ENGINE_CALL_DEADLINE_MS), out, err);
}

/* "NAME VERSION": the package that the engine says a component is from, else the first line of what
   the component says of itself. */
static void add_component(struct answer *answer, const json_t *component)
{
	const char *name = json_text(component, "Name"), *version = json_text(component, "Version");
	const char *package = json_text(json_object_get(component, "Details"), "Package");
	char text[COMPONENT_BYTES];

	if (!name || !version)
		return;
	if (package && strchr(package, '_')) /* Debian's: crun_1.8.1-1+deb12u1_amd64 */
		(void)snprintf(text, sizeof(text), "%s %s", name, package);
	else
		(void)snprintf(text, sizeof(text), "%s %.*s", name, (int)strcspn(version, "\n,"),
			       version);
	add_text(answer, "component", text);
}

static int add_version(struct podman *podman, struct answer *answer, struct error *err)
{
	_cleanup_json_ json_t *version = NULL;
	const json_t *component;
	size_t i;

	if (get(podman, "/version", "asked for its version", &version, err) < 0)
		return -1;
	json_array_foreach (json_object_get(version, "Components"), i, component)
		add_component(answer, component);
	return 0;
}

/* Docker says "name=rootless" among its security options, Podman has a field of its own. */
static bool is_rootless(const json_t *info)
{
	const json_t *option;
	size_t i;

	json_array_foreach (json_object_get(info, "SecurityOptions"), i, option)
		if (json_is_string(option) && strstr(json_string_value(option), "name=rootless"))
			return true;
	return json_is_true(json_object_get(info, "Rootless"));
}

static int add_info(struct podman *podman, struct answer *answer, struct error *err)
{
	_cleanup_json_ json_t *info = NULL;
	static const struct {
		const char *key, *name;
	} flags[] = {{"memory", "MemoryLimit"},
		     {"swap", "SwapLimit"},
		     {"pids", "PidsLimit"},
		     {"cpu", "CpuCfsQuota"}};

	if (get(podman, "/info", "asked about its host", &info, err) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		const json_t *flag = json_object_get(info, flags[i].name);

		if (json_is_boolean(flag))
			answer->failed |=
				field_add_number(answer->fields, flags[i].key, json_is_true(flag));
	}
	add_text(answer, "cgroup", json_text(info, "CgroupVersion"));
	add_text(answer, "storage", json_text(info, "Driver"));
	add_text(answer, "runtime", json_text(info, "DefaultRuntime"));
	answer->failed |= field_add_number(answer->fields, "rootless", is_rootless(info));
	return 0;
}

static int add_image(struct podman *podman, const char *name, struct answer *answer,
		     struct error *err)
{
	_cleanup_json_ json_t *image = NULL;
	char path[PATH_BYTES];

	(void)snprintf(path, sizeof(path), "/images/%s/json", name);
	if (get(podman, path, "asked for an image", &image, err) < 0)
		return -1;
	add_text(answer, "image", name);
	add_text(answer, "image_id", image ? json_text(image, "Id") : "");
	return 0;
}

int info_write(struct podman *podman, const struct config *config, struct slice template,
	       struct buf *fields, struct error *err)
{
	struct answer answer = {.fields = fields};
	struct template found;

	if (template_find(config, template, &found, err) < 0)
		return -1;
	add_text(&answer, "engine", podman->kind == ENGINE_PODMAN ? "podman" : "docker");
	add_text(&answer, "version", podman->version);
	add_text(&answer, "socket", podman->socket);
	if (add_version(podman, &answer, err) < 0 || add_info(podman, &answer, err) < 0 ||
	    add_image(podman, found.image, &answer, err) < 0)
		return -1;
	return answer.failed ? error_set(err, 500, "engine_failed", "Out of memory") : 0;
}

int info_images(struct podman *podman, int (*row)(void *, const char *, const char *),
		void *context, struct error *err)
{
	_cleanup_json_ json_t *list = NULL;
	const json_t *image, *name;
	size_t i, j;

	if (podman_get(podman, IMAGES_PATH, "asked for its images",
		       deadline_in(ENGINE_CALL_DEADLINE_MS), &list, err) != 0)
		return -1;
	json_array_foreach (list, i, image) {
		const char *missing = json_string_value(
			json_object_get(json_object_get(image, "Labels"), LABEL_MISSING));

		json_array_foreach (json_object_get(image, "RepoTags"), j, name)
			if (json_is_string(name) &&
			    row(context, json_string_value(name), missing ? missing : "") < 0)
				return error_set(err, 500, "engine_failed",
						 "The list cannot be sent");
	}
	return 0;
}
