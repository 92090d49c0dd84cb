/* The inventory; the rules are in the header. */
#include "engine/inventory.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "engine/container.h"
#include "engine/spec.h"
#include "engine/user.h"
#include "http/uri.h"
#include "json/json.h"

#define LIST_PATH_MAX_BYTES 3072

/* GET /containers/json, of all states, with our labels; those of one folder unless it is NULL. The
 * caller owns *out, an array. */
static int fetch(struct podman *podman, const struct config *config, const char *folder,
		 json_t **out, struct error *err)
{
	_cleanup_buf_ struct buf filters = buf_new(LIST_PATH_MAX_BYTES),
				 path = buf_new(LIST_PATH_MAX_BYTES);
	_cleanup_json_ json_t *labels =
		json_pack("[o, o]", json_sprintf(LABEL_INSTANCE "=%s", config->instance),
			  json_sprintf(LABEL_RUN "=%s", config->run));
	_cleanup_json_ json_t *root = NULL, *list = NULL;

	if (folder && json_array_append_new(labels, json_sprintf(LABEL_FOLDER "=%s", folder)) < 0)
		return error_set(err, 500, "engine_failed", "Out of memory");
	root = json_pack("{s:O}", "label", labels);
	if (!root || json_write(root, &filters) < 0 ||
	    buf_append_text(&path, "/containers/json?all=true&filters=") < 0 ||
	    uri_encode(&path, buf_slice(&filters), false) < 0)
		return error_set(err, 500, "engine_failed",
				 "The question for our containers cannot be written");
	if (podman_get(podman, path.data, "asked for its containers",
		       deadline_in(ENGINE_CALL_DEADLINE_MS), &list, err) != 0)
		return -1;
	if (!json_is_array(list))
		return error_set(err, 502, "engine_bad_reply", "%s lists its containers as no list",
				 podman_name(podman));
	*out = steal_ptr(&list);
	return 0;
}

/* A text of an object, "" when it is not there. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_text(object, key);

	return text ? text : "";
}

/* Rule 2, for a container. */
static bool is_expired(const json_t *container, const char *boot, const struct job_folders *folders)
{
	const json_t *labels = json_object_get(container, "Labels");
	const char *state = text_of(container, "State");
	uint64_t deadline_s;
	int64_t age_ms;

	if (num_parse(slice_of(text_of(labels, LABEL_DEADLINE)), 10, UINT32_MAX, &deadline_s) < 0 ||
	    strcmp(text_of(labels, LABEL_BOOT), boot) != 0 || boot_now_s() > deadline_s)
		return true;
	if (strcmp(state, "running") == 0 || strcmp(state, "paused") == 0)
		return false;
	return folder_look(folders, text_of(labels, LABEL_FOLDER), &age_ms) != FOLDER_OWNED;
}

static int list_containers(const json_t *list, const struct job_folders *folders, json_t *seen,
			   int (*row)(void *, const struct inventory_row *), void *context,
			   struct error *err)
{
	const json_t *container;
	char boot[BOOT_ID_BYTES];
	size_t i;

	if (boot_id(boot) < 0)
		return error_set_errno(err, 500, "engine_failed",
				       "The kernel's boot_id cannot be read");
	json_array_foreach (list, i, container) {
		const json_t *labels = json_object_get(container, "Labels");
		struct inventory_row one = {
			.folder = text_of(labels, LABEL_FOLDER),
			.id = text_of(container, "Id"),
			.template = text_of(labels, LABEL_TEMPLATE),
			.job = text_of(labels, LABEL_JOB),
			.expired = is_expired(container, boot, folders),
		};

		if (!folder_is_name(slice_of(one.folder)))
			continue; /* none that we have made */
		if (json_object_set_new(seen, one.folder, json_true()) < 0 ||
		    row(context, &one) < 0)
			return error_set(err, 500, "engine_failed", "The list cannot be sent");
	}
	return 0;
}

struct folder_rows {
	const struct job_folders *folders;
	const json_t *seen;
	int (*row)(void *, const struct inventory_row *);
	void *context;
};

static int list_folder(void *context, int place, const char *name)
{
	const struct folder_rows *rows = context;
	char first_name[FOLDER_NAME_BYTES];
	struct inventory_row one = {
		.folder = first_name, .id = "", .template = "", .job = "", .expired = true};
	int64_t age_ms;

	(void)place;
	folder_first_name(name, first_name);
	if (json_object_get(rows->seen, first_name) ||
	    folder_look(rows->folders, first_name, &age_ms) != FOLDER_ABANDONED ||
	    age_ms <= ENGINE_MAKE_DEADLINE_MS)
		return 0;
	return rows->row(rows->context, &one);
}

/* A claim is made after its folder and given back before it (engine/user.h). A folder that moves
   while it is looked for is young. */
static int list_claim(void *context, const struct claim *claim)
{
	const struct folder_rows *rows = context;
	struct inventory_row one = {
		.folder = claim->folder, .id = "", .template = "", .job = "", .expired = true};
	int64_t age_ms;

	if (json_object_get(rows->seen, claim->folder) ||
	    claim->age_ms <= ENGINE_MAKE_DEADLINE_MS ||
	    folder_look(rows->folders, claim->folder, &age_ms) != FOLDER_ABSENT)
		return 0;
	return rows->row(rows->context, &one);
}

int inventory_list(struct podman *podman, const struct config *config,
		   const struct job_folders *folders,
		   int (*row)(void *context, const struct inventory_row *row), void *context,
		   struct error *err)
{
	_cleanup_json_ json_t *list = NULL, *seen = json_object();

	if (fetch(podman, config, NULL, &list, err) < 0)
		return -1;
	if (list_containers(list, folders, seen, row, context, err) < 0)
		return -1;

	struct folder_rows rows = {folders, seen, row, context};

	return folders_each(folders, list_folder, &rows) < 0 ||
			       users_each(folders, list_claim, &rows) < 0
		       ? error_set_errno(err, 500, "engine_failed",
					 "The job folders cannot be listed")
		       : 0;
}

int inventory_remove(struct podman *podman, const struct config *config,
		     const struct job_folders *folders, const char *folder, struct error *err)
{
	_cleanup_json_ json_t *list = NULL;
	char first_name[FOLDER_NAME_BYTES];
	const json_t *container;
	size_t i;

	folder_first_name(folder, first_name);
	if (fetch(podman, config, first_name, &list, err) < 0)
		return -1;
	json_array_foreach (list, i, container) {
		const char *id = text_of(container, "Id");

		if (!container_is_id(slice_of(id)))
			return error_set(err, 502, "engine_bad_reply",
					 "%s lists a container without an id", podman_name(podman));
		if (container_remove(podman, id, deadline_in(ENGINE_REMOVE_DEADLINE_MS), err) < 0)
			return -1;
	}
	return user_release(folders, folder) < 0 || folder_remove(folders, folder) < 0
		       ? error_set_errno(err, 500, "engine_failed",
					 "The folder %s cannot be removed", folder)
		       : 0;
}
