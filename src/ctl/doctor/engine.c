/* mayflyctl doctor: the container engine, as mayfly-engine hears it describe itself. */
#include "ctl/doctor/internal.h"

#include "config/template.h"
#include "job/engine_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES   192
#define LEAST_PODMAN "4.3"
#define LEAST_DOCKER "20.10" /* the first with the API version 1.41 */

/* What it says of itself: a text by each key (protocol/engine.h), "component" an array of them. */
static void take_field(void *context, struct slice key, struct slice value)
{
	if (slice_eq(key, "component"))
		(void)json_array_append_new(json_object_get(context, "component"),
					    json_clean_string(value));
	else
		(void)json_object_setn_new(context, key.data, key.len, json_clean_string(value));
}

/* The words behind the last blank: "Podman Engine 4.3.1", "Conmon conmon_2.1.6+ds1-1_amd64". */
static void say_component(struct doctor *doctor, const json_t *is, const char *text)
{
	const char *blank = strrchr(text, ' ');
	char name[TEXT_BYTES];

	if (!blank)
		return;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(blank - text), text);
	/* what Docker calls Engine is its own version; Podman's own is better known by its package
	 */
	doctor_component(doctor, strcmp(name, "Engine") == 0 ? ctl_text(is, "engine") : name,
			 blank + 1);
}

static void say_engine(struct doctor *doctor, const json_t *is, bool is_own)
{
	const char *version = ctl_text(is, "version"),
		   *least = json_text_is(is, "engine", "podman") ? LEAST_PODMAN : LEAST_DOCKER;
	bool is_old = *version && doctor_version_compare(version, least) < 0;

	doctor_say(doctor, is_old ? DOCTOR_FAIL : DOCTOR_OK, "engine",
		   is_old ? "install a later one" : NULL, "%s %s answers at %s, asked by %s%s%s",
		   ctl_text(is, "engine"), version, ctl_text(is, "socket"),
		   is_own ? "a mayfly-engine of our own user" : "mayfly-engine behind its socket",
		   is_old ? "; mayfly needs at least " : "", is_old ? least : "");
}

static void say_limits(struct doctor *doctor, const json_t *is)
{
	static const char *const limits[] = {"memory", "swap", "pids", "cpu"};
	const char *engine = ctl_text(is, "engine");
	bool is_rootless = json_text_is(is, "rootless", "1");
	char missing[TEXT_BYTES] = "";

	for (size_t i = 0; i < COUNT_OF(limits); i++)
		if (json_text_is(is, limits[i], "0"))
			doctor_list(missing, sizeof(missing), "%s", limits[i]);
	if (is_rootless && json_text_is(is, "cgroup", "1"))
		doctor_fail(
			doctor, "engine.limits",
			"boot with systemd.unified_cgroup_hierarchy=1, or run the engine as root",
			"rootless %s on cgroup v1 enforces no limit", engine);
	else if (*missing)
		doctor_fail(doctor, "engine.limits",
			    is_rootless ? "delegate the controllers: systemctl edit user@.service, "
					  "[Service] Delegate=cpu cpuset io memory pids"
					: "enable the cgroup controllers in the kernel's command "
					  "line (cgroup_enable=memory swapaccount=1)",
			    "%s says that it cannot limit: %s", engine, missing);
	else
		doctor_ok(doctor, "engine.limits",
			  "%s, %s, on cgroup v%s, can limit memory, swap, pids and CPU", engine,
			  is_rootless ? "rootless" : "as root", ctl_text(is, "cgroup"));
}

static void say_image(struct doctor *doctor, const json_t *is)
{
	const char *image = ctl_text(is, "image"), *id = ctl_text(is, "image_id");

	doctor->has_image = *id;
	if (doctor->has_image)
		doctor_ok(doctor, "image", "%s is there: %.19s", image, id);
	else
		doctor_fail(doctor, "image",
			    "make it: scripts/build-worker, installed as "
			    "/usr/share/mayfly/scripts/build-worker",
			    "%s, the image of template " TEMPLATE_TOOL ", is missing", image);
}

static void say_storage(struct doctor *doctor, const json_t *is)
{
	if (json_text_is(is, "storage", "vfs"))
		doctor_warn(doctor, "engine.storage",
			    "set driver = \"overlay\" in /etc/containers/storage.conf",
			    "the engine keeps images with vfs, which copies each image whole for "
			    "each container");
	else
		doctor_ok(doctor, "engine.storage", "images are stored with %s",
			  ctl_text(is, "storage"));
}

static void say_unreachable(struct doctor *doctor, const struct error *err)
{
	doctor_fail(doctor, "engine",
		    strcmp(err->code, "engine_unreachable") == 0
			    ? geteuid() == 0 ? "systemctl enable --now podman.socket"
					     : "systemctl --user enable --now podman.socket"
		    : strcmp(err->code, "engine_timeout") == 0 ? "restart the engine's service"
							       : NULL,
		    "no container engine: %s", err->message);
}

void doctor_engine(struct doctor *doctor)
{
	_cleanup_json_ json_t *is = json_pack("{s:[]}", "component");
	const json_t *component;
	struct engine engine;
	struct error err;
	size_t i;

	if (engine_open(doctor->config, &engine, &err) < 0) {
		say_unreachable(doctor, &err);
		return;
	}

	bool is_own = engine.child != 0;
	int result = engine_info(&engine, TEMPLATE_TOOL, deadline_in(DOCTOR_ENGINE_DEADLINE_MS),
				 take_field, is, &err);

	engine_close(&engine);
	if (result < 0) {
		say_unreachable(doctor, &err);
		return;
	}
	doctor->has_engine = true;
	say_engine(doctor, is, is_own);
	json_array_foreach (json_object_get(is, "component"), i, component)
		say_component(doctor, is, json_string_value(component));
	doctor_unused_runtime(doctor, ctl_text(is, "runtime"));
	say_limits(doctor, is);
	say_storage(doctor, is);
	say_image(doctor, is);
}
