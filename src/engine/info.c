/* What the engine is: GET /version, /info and /images/NAME/json of the API that Podman and Docker
   share. */
#include "engine/info.h"

#include "base/frame.h"
#include "config/template_find.h"
#include "json/json.h"

#include <stdio.h>

#define COMPONENT_BYTES 128
#define PATH_BYTES      (TEMPLATE_TEXT_BYTES + 32)

static int no_memory(struct error *err)
{
	return error_set(err, 500, "engine_failed", "Out of memory");
}

static int add_text(struct buf *answer, const char *key, const char *value)
{
	return value ? field_add(answer, key, slice_of(value)) : 0;
}

/* "NAME VERSION": the package that the engine says a component is from, else the first line of what
   the component says of itself. */
static int add_component(const json_t *component, struct buf *answer)
{
	const char *name = json_string_value(json_object_get(component, "Name"));
	const char *version = json_string_value(json_object_get(component, "Version"));
	const char *package = json_string_value(
		json_object_get(json_object_get(component, "Details"), "Package"));
	char text[COMPONENT_BYTES];

	if (!name || !version)
		return 0;
	if (package && strchr(package, '_')) /* Debian's: crun_1.8.1-1+deb12u1_amd64 */
		(void)snprintf(text, sizeof(text), "%s %s", name, package);
	else
		(void)snprintf(text, sizeof(text), "%s %.*s", name, (int)strcspn(version, "\n,"),
			       version);
	return add_text(answer, "component", text);
}

static int add_version(struct podman *podman, struct buf *answer, struct error *err)
{
	_cleanup_json_ json_t *version = NULL;
	const json_t *component;
	size_t i;
	int result = podman_get(podman, "/version", "asked for its version",
				deadline_in(ENGINE_CALL_DEADLINE_MS), &version, err);

	if (result < 0)
		return -1;
	json_array_foreach (json_object_get(version, "Components"), i, component)
		if (add_component(component, answer) < 0)
			return no_memory(err);
	return 0;
}

static int add_flag(struct buf *answer, const char *key, const json_t *value)
{
	return json_is_boolean(value) ? field_add_number(answer, key, json_is_true(value)) : 0;
}

/* Docker says "name=rootless" among its security options, Podman has a field of its own. */
static int add_rootless(const json_t *info, struct buf *answer)
{
	const json_t *option;
	bool is_rootless = json_is_true(json_object_get(info, "Rootless"));
	size_t i;

	json_array_foreach (json_object_get(info, "SecurityOptions"), i, option)
		if (json_is_string(option) && strstr(json_string_value(option), "name=rootless"))
			is_rootless = true;
	return field_add_number(answer, "rootless", is_rootless);
}

static int add_info(struct podman *podman, struct buf *answer, struct error *err)
{
	_cleanup_json_ json_t *info = NULL;
	static const struct {
		const char *key, *name;
	} flags[] = {{"memory", "MemoryLimit"},
		     {"swap", "SwapLimit"},
		     {"pids", "PidsLimit"},
		     {"cpu", "CpuCfsQuota"}};
	int result = podman_get(podman, "/info", "asked about its host",
				deadline_in(ENGINE_CALL_DEADLINE_MS), &info, err);

	if (result < 0)
		return -1;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (add_flag(answer, flags[i].key, json_object_get(info, flags[i].name)) < 0)
			return no_memory(err);
	return add_text(answer, "cgroup",
			json_string_value(json_object_get(info, "CgroupVersion"))) < 0 ||
			       add_text(answer, "storage",
					json_string_value(json_object_get(info, "Driver"))) < 0 ||
			       add_text(answer, "runtime",
					json_string_value(
						json_object_get(info, "DefaultRuntime"))) < 0 ||
			       add_rootless(info, answer) < 0
		       ? no_memory(err)
		       : 0;
}

static int add_image(struct podman *podman, const char *name, struct buf *answer, struct error *err)
{
	_cleanup_json_ json_t *image = NULL;
	char path[PATH_BYTES];

	(void)snprintf(path, sizeof(path), "/images/%s/json", name);

	int result = podman_get(podman, path, "asked for an image",
				deadline_in(ENGINE_CALL_DEADLINE_MS), &image, err);
	const char *id = json_string_value(json_object_get(image, "Id"));

	if (result < 0)
		return -1;
	return add_text(answer, "image", name) < 0 || add_text(answer, "image_id", id ? id : "") < 0
		       ? no_memory(err)
		       : 0;
}

int info_write(struct podman *podman, const struct config *config, struct slice template,
	       struct buf *answer, struct error *err)
{
	struct template found;

	if (template_find(config, template, &found, err) < 0)
		return -1;
	if (add_text(answer, "engine", podman->kind == ENGINE_PODMAN ? "podman" : "docker") < 0 ||
	    add_text(answer, "version", podman->version) < 0 ||
	    add_text(answer, "socket", podman->socket) < 0)
		return no_memory(err);
	return add_version(podman, answer, err) < 0 || add_info(podman, answer, err) < 0 ||
			       add_image(podman, found.image, answer, err) < 0
		       ? -1
		       : 0;
}
