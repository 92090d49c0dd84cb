/* The calls about one container. */
#include "engine/container.h"

#include "base/ascii.h"
#include "json/json.h"

#include <stdio.h>

#define PATH_BYTES 192

bool container_is_id(struct slice id)
{
	return id.len >= 12 && id.len < CONTAINER_ID_BYTES && ascii_is_of(id, ASCII_HEX);
}

/* Says how to make it: worker/images has the recipe of mayfly-documents, the template NAME that of
   localhost/mayfly-NAME; the others are the operator's own. */
static int refuse_missing(const char *image, struct error *err)
{
	static const struct {
		const char *prefix, *named, *command;
	} recipes[] = {
		{"mayfly-", "documents", "scripts/build-image"},
		{"localhost/mayfly-", "", "mayflyctl template build"},
	};

	for (size_t i = 0; i < COUNT_OF(recipes); i++) {
		const char *name = image + strlen(recipes[i].prefix);

		if (strncmp(image, recipes[i].prefix, strlen(recipes[i].prefix)) == 0 &&
		    strncmp(name, recipes[i].named, strlen(recipes[i].named)) == 0)
			return error_set(err, 500, "image_missing",
					 "The image %s is missing; build it with: %s %.*s", image,
					 recipes[i].command, (int)strcspn(name, ":"), name);
	}
	return error_set(
		err, 500, "image_missing",
		"The worker image %s is missing; build it with: mayflyctl setup (in a source tree: "
		"scripts/build-worker)",
		image);
}

static int refuse_create(const struct podman *podman, const struct podman_reply *reply,
			 const char *image, struct error *err)
{
	char message[ENGINE_MESSAGE_BYTES];

	if (reply->status == 404)
		return refuse_missing(image, err);
	if (reply->status < 400 || reply->status >= 500)
		return podman_unexpected(podman, reply, "asked for a container", err);
	podman_message(reply, message);
	return error_set(err, 500, "engine_refused", "%s refuses the container (%ld): %s",
			 podman_name(podman), reply->status, message);
}

/* Docker says "… limit discarded." of a limit that its kernel has no controller for. */
static int take_warnings(const json_t *warnings, struct container_made *made, struct error *err)
{
	const json_t *warning;
	size_t i;

	made->warning[0] = '\0';
	json_array_foreach (warnings, i, warning) {
		const char *text = json_string_value(warning);

		if (text && strcasestr(text, "discarded"))
			return error_set(err, 500, "limit_ignored",
					 "The engine ignores a limit: %.256s", text);
		if (text && !*made->warning)
			(void)snprintf(made->warning, sizeof(made->warning), "%s", text);
	}
	return 0;
}

int container_create(struct podman *podman, const char *name, const char *image, struct slice body,
		     deadline_ms deadline, struct container_made *out, struct error *err)
{
	_cleanup_json_ json_t *root = NULL;
	struct podman_reply reply;
	char path[PATH_BYTES];
	const char *id;
	int done;

	(void)snprintf(path, sizeof(path), "/containers/create?name=%s", name);
	done = podman_call(podman, "POST", path, body, deadline, &reply, err);
	if (podman_is_uncertain(podman, done, &reply, "asked for a container", err))
		return CONTAINER_UNCERTAIN;
	if (done < 0)
		return -1;
	if (reply.status == 409)
		return CONTAINER_TAKEN;
	if (reply.status != 201)
		return refuse_create(podman, &reply, image, err);
	if (json_parse(reply.body, &root, err) < 0 || !(id = json_text(root, "Id")) ||
	    !container_is_id(slice_of(id)))
		return error_set(err, 502, "engine_bad_reply", "%s made a container but gave no id",
				 podman_name(podman));
	memcpy(out->id, id, strlen(id) + 1);
	return take_warnings(json_object_get(root, "Warnings"), out, err);
}

int container_inspect(struct podman *podman, const char *id, deadline_ms deadline, json_t **out,
		      struct error *err)
{
	char path[PATH_BYTES];

	(void)snprintf(path, sizeof(path), "/containers/%s/json", id);
	return podman_get(podman, path, "asked about a container", deadline, out, err);
}

int container_remove(struct podman *podman, const char *id, deadline_ms deadline, struct error *err)
{
	static const char what[] = "told to remove a container";
	struct podman_reply reply;
	char path[PATH_BYTES];

	(void)snprintf(path, sizeof(path), "/containers/%s?force=true&v=true", id);
	if (podman_ask(podman, "DELETE", path, what, deadline, deadline, &reply, err) < 0)
		return -1;
	return reply.status == 204 || reply.status == 200 || reply.status == 404
		       ? 0
		       : podman_unexpected(podman, &reply, what, err);
}
