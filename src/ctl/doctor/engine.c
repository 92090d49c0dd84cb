/* mayflyctl doctor: the container engine, as mayfly-engine hears it describe itself. */
#include "ctl/doctor/internal.h"

#include "config/template.h"

#include "job/engine_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMPONENTS_MAX 8
#define TEXT_BYTES     192
#define LEAST_PODMAN   "4.3"
#define LEAST_DOCKER   "20.10" /* the first with the API version 1.41 */

struct description {
	char engine[TEXT_BYTES], version[TEXT_BYTES], socket[TEXT_BYTES], cgroup[TEXT_BYTES],
		storage[TEXT_BYTES], runtime[TEXT_BYTES], image[TEMPLATE_TEXT_BYTES],
		image_id[TEXT_BYTES];
	char memory[2], swap[2], pids[2], cpu[2], rootless[2]; /* "1", "0" or "" */
	char components[COMPONENTS_MAX][TEXT_BYTES];
	size_t component_count;
};

static void take_field(void *context, struct slice key, struct slice value)
{
	struct description *out = context;
	const struct {
		const char *key;
		char *text;
		size_t size;
	} texts[] = {
		{"engine", out->engine, sizeof(out->engine)},
		{"version", out->version, sizeof(out->version)},
		{"socket", out->socket, sizeof(out->socket)},
		{"cgroup", out->cgroup, sizeof(out->cgroup)},
		{"storage", out->storage, sizeof(out->storage)},
		{"runtime", out->runtime, sizeof(out->runtime)},
		{"image", out->image, sizeof(out->image)},
		{"image_id", out->image_id, sizeof(out->image_id)},
		{"memory", out->memory, sizeof(out->memory)},
		{"swap", out->swap, sizeof(out->swap)},
		{"pids", out->pids, sizeof(out->pids)},
		{"cpu", out->cpu, sizeof(out->cpu)},
		{"rootless", out->rootless, sizeof(out->rootless)},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (slice_eq(key, texts[i].key))
			(void)snprintf(texts[i].text, texts[i].size, "%.*s", (int)value.len,
				       value.data);
	if (slice_eq(key, "component") && out->component_count < COMPONENTS_MAX)
		(void)snprintf(out->components[out->component_count++], TEXT_BYTES, "%.*s",
			       (int)value.len, value.data);
}

/* The words behind the last blank: "Podman Engine 4.3.1", "Conmon conmon_2.1.6+ds1-1_amd64". */
static void say_component(struct doctor *doctor, const struct description *is, char *text)
{
	char *name = text, *version = strrchr(text, ' ');

	if (!version)
		return;
	*version++ = '\0';
	/* what Docker calls Engine is its own version; Podman's own is better known by its package
	 */
	doctor_component(doctor, strcmp(name, "Engine") == 0 ? is->engine : name, version);
}

static void say_engine(struct doctor *doctor, const struct description *is, bool is_own)
{
	const char *least = strcmp(is->engine, "podman") == 0 ? LEAST_PODMAN : LEAST_DOCKER;
	bool is_old = *is->version && doctor_version_compare(is->version, least) < 0;

	doctor_say(doctor, is_old ? DOCTOR_FAIL : DOCTOR_OK, "engine",
		   is_old ? "install a later one" : NULL, "%s %s answers at %s, asked by %s%s%s",
		   is->engine, is->version, is->socket,
		   is_own ? "a mayfly-engine of our own user" : "mayfly-engine behind its socket",
		   is_old ? "; mayfly needs at least " : "", is_old ? least : "");
}

static void say_limits(struct doctor *doctor, const struct description *is)
{
	const struct {
		const char *name, *flag;
	} limits[] = {
		{"memory", is->memory}, {"swap", is->swap}, {"pids", is->pids}, {"cpu", is->cpu}};
	char missing[TEXT_BYTES] = "";
	bool is_rootless = strcmp(is->rootless, "1") == 0;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (strcmp(limits[i].flag, "0") == 0)
			(void)snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing),
				       "%s%s", *missing ? ", " : "", limits[i].name);
	if (is_rootless && strcmp(is->cgroup, "1") == 0)
		doctor_say(
			doctor, DOCTOR_FAIL, "engine.limits",
			"boot with systemd.unified_cgroup_hierarchy=1, or run the engine as root",
			"rootless %s on cgroup v1 enforces no limit", is->engine);
	else if (*missing)
		doctor_say(doctor, DOCTOR_FAIL, "engine.limits",
			   is_rootless ? "delegate the controllers: systemctl edit user@.service, "
					 "[Service] Delegate=cpu cpuset io memory pids"
				       : "enable the cgroup controllers in the kernel's command "
					 "line (cgroup_enable=memory swapaccount=1)",
			   "%s says that it cannot limit: %s", is->engine, missing);
	else
		doctor_say(doctor, DOCTOR_OK, "engine.limits", NULL,
			   "%s, %s, on cgroup v%s, can limit memory, swap, pids and CPU",
			   is->engine, is_rootless ? "rootless" : "as root", is->cgroup);
}

static void say_image(struct doctor *doctor, const struct description *is)
{
	doctor->has_image = is->image_id[0] != '\0';
	if (doctor->has_image)
		doctor_say(doctor, DOCTOR_OK, "image", NULL, "%s is there: %.19s", is->image,
			   is->image_id);
	else
		doctor_say(doctor, DOCTOR_FAIL, "image",
			   "make it: scripts/build-worker, installed as "
			   "/usr/share/mayfly/scripts/build-worker",
			   "%s, the image of template " TEMPLATE_TOOL ", is missing", is->image);
}

static void say_storage(struct doctor *doctor, const struct description *is)
{
	if (strcmp(is->storage, "vfs") == 0)
		doctor_say(doctor, DOCTOR_WARN, "engine.storage",
			   "set driver = \"overlay\" in /etc/containers/storage.conf",
			   "the engine keeps images with vfs, which copies each image whole for "
			   "each container");
	else
		doctor_say(doctor, DOCTOR_OK, "engine.storage", NULL, "images are stored with %s",
			   is->storage);
}

static void say_unreachable(struct doctor *doctor, const struct error *err)
{
	doctor_say(doctor, DOCTOR_FAIL, "engine",
		   strcmp(err->code, "engine_unreachable") == 0
			   ? geteuid() == 0 ? "systemctl enable --now podman.socket"
					    : "systemctl --user enable --now podman.socket"
		   : strcmp(err->code, "engine_timeout") == 0 ? "restart the engine's service"
							      : NULL,
		   "no container engine: %s", err->message);
}

void doctor_engine(struct doctor *doctor)
{
	struct description is = {0};
	struct engine engine;
	struct error err;

	if (engine_open(doctor->config, &engine, &err) < 0) {
		say_unreachable(doctor, &err);
		return;
	}

	bool is_own = engine.child != 0;
	int result = engine_info(&engine, TEMPLATE_TOOL, deadline_in(DOCTOR_ENGINE_DEADLINE_MS),
				 take_field, &is, &err);

	engine_close(&engine);
	if (result < 0) {
		say_unreachable(doctor, &err);
		return;
	}
	doctor->has_engine = true;
	say_engine(doctor, &is, is_own);
	for (size_t i = 0; i < is.component_count; i++)
		say_component(doctor, &is, is.components[i]);
	doctor_unused_runtime(doctor, is.runtime);
	say_limits(doctor, &is);
	say_storage(doctor, &is);
	say_image(doctor, &is);
}
