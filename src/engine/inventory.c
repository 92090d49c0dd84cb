/* The inventory; the rules are in the header. */
#include "engine/inventory.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "base/random.h"
#include "engine/container.h"
#include "engine/spec.h"
#include "engine/user.h"
#include "http/uri.h"
#include "json/json.h"

#include <stdio.h>

#define LIST_PATH_MAX_BYTES 3072
#define NAME_PATTERN_BYTES  (CONTAINER_NAME_BYTES + 8)

static const char digits[] = "0123456789abcdef";

static int out_of_memory(struct error *err)
{
	return error_set(err, 500, "engine_failed", "Out of memory");
}

struct search {
	struct podman *podman;
	const struct config *config;
	const struct job_folders *folders;
	deadline_ms deadline;
	char boot[BOOT_ID_BYTES];
	json_t *orphans; /* owned: a key for each folder and claim without an owner, less what a
			    container was seen of */
	int (*row)(void *, const struct inventory_row *);
	void *context;
};

/* GET /containers/json, of all states, with our labels, whose folder's name begins so. The caller
 * owns *out, an array. */
static int fetch(const struct search *search, const char *begin, json_t **out, struct error *err)
{
	_cleanup_buf_ struct buf filters = buf_new(LIST_PATH_MAX_BYTES),
				 path = buf_new(LIST_PATH_MAX_BYTES);
	_cleanup_json_ json_t *list = NULL;
	char pattern[NAME_PATTERN_BYTES];

	/* Docker's names begin with a slash */
	(void)snprintf(pattern, sizeof(pattern), "^/?%s-%s", search->config->instance, begin);

	_cleanup_json_ json_t *root =
		json_pack("{s:[o, o], s:[s]}", "label",
			  json_sprintf(LABEL_INSTANCE "=%s", search->config->instance),
			  json_sprintf(LABEL_RUN "=%s", search->config->run), "name", pattern);

	if (!root || json_write(root, &filters) < 0 ||
	    buf_append_text(&path, "/containers/json?all=true&filters=") < 0 ||
	    uri_encode(&path, buf_slice(&filters), false) < 0)
		return error_set(err, 500, "engine_failed",
				 "The question for our containers cannot be written");
	/* what fails is asked again in parts */
	if (podman_get_once(
		    search->podman, path.data, "asked for its containers",
		    deadline_earlier(search->deadline, deadline_in(ENGINE_CALL_DEADLINE_MS)), &list,
		    err) != 0)
		return -1;
	if (!json_is_array(list))
		return error_set(err, 502, "engine_bad_reply", "%s lists its containers as no list",
				 podman_name(search->podman));
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
static bool is_expired(const struct search *search, const json_t *container)
{
	const json_t *labels = json_object_get(container, "Labels");
	const char *state = text_of(container, "State");
	uint64_t deadline_s;

	if (num_parse(slice_of(text_of(labels, LABEL_DEADLINE)), 10, UINT32_MAX, &deadline_s) < 0 ||
	    strcmp(text_of(labels, LABEL_BOOT), search->boot) != 0 || boot_now_s() > deadline_s)
		return true;
	if (strcmp(state, "running") == 0 || strcmp(state, "paused") == 0)
		return false;
	return folder_look(search->folders, text_of(labels, LABEL_FOLDER)) != FOLDER_OWNED;
}

static int send_row(const struct search *search, const struct inventory_row *row, struct error *err)
{
	(void)json_object_del(search->orphans, row->folder);
	return search->row(search->context, row) < 0
		       ? error_set(err, 500, "engine_failed", "The list cannot be sent")
		       : 0;
}

static int send_containers(const struct search *search, const json_t *list, struct error *err)
{
	const json_t *container;
	size_t i;

	json_array_foreach (list, i, container) {
		const json_t *labels = json_object_get(container, "Labels");
		struct inventory_row row = {
			.folder = text_of(labels, LABEL_FOLDER),
			.id = text_of(container, "Id"),
			.template = text_of(labels, LABEL_TEMPLATE),
			.job = text_of(labels, LABEL_JOB),
		};

		if (!folder_is_name(slice_of(row.folder)))
			continue; /* none that we have made */
		row.expired = is_expired(search, container);
		if (send_row(search, &row, err) < 0)
			return -1;
	}
	return 0;
}

/* Rule 3: a list that the engine cannot give, in parts. begin: what the folders' names begin with,
   of which the engine has failed to list the containers, as *err says. */
static int list_parts(const struct search *search, const char *begin, struct error *err)
{
	_cleanup_json_ json_t *list = NULL;
	char longer[FOLDER_NAME_BYTES];
	size_t len = strlen(begin);
	struct inventory_row row = {.folder = begin, .id = "", .template = "", .job = ""};

	if (folder_is_name(slice_of(begin))) {
		row.expired = folder_look(search->folders, begin) != FOLDER_OWNED;
		return send_row(search, &row, err);
	}
	for (const char *digit = digits; *digit; digit++) {
		int listed;

		if (deadline_left_ms(search->deadline) == 0)
			return -1;
		(void)snprintf(longer, sizeof(longer), "%.*s%c", (int)len, begin, *digit);
		listed = fetch(search, longer, &list, err);
		if ((listed < 0 ? list_parts(search, longer, err)
				: send_containers(search, list, err)) < 0)
			return -1;
		json_decref(steal_ptr(&list));
	}
	return 0;
}

/* The name of a container that is not there can be listed: the engine is well. */
static bool is_well(const struct search *search)
{
	_cleanup_json_ json_t *list = NULL;
	char name[FOLDER_NAME_BYTES] = FOLDER_PREFIX;
	struct error ignored;

	random_hex(name + strlen(FOLDER_PREFIX), FOLDER_HEX_DIGITS);
	return fetch(search, name, &list, &ignored) == 0;
}

static int note_claim(void *context, const struct claim *claim)
{
	return json_object_set_new(context, claim->folder, json_true());
}

/* An owner that moves its folder lives. */
static int note_folder(void *context, const char *first_name, enum folder_owner owner)
{
	if (owner == FOLDER_ABANDONED)
		return json_object_set_new(context, first_name, json_true());
	(void)json_object_del(context, first_name);
	return 0;
}

int inventory_list(struct podman *podman, const struct config *config,
		   const struct job_folders *folders,
		   int (*row)(void *context, const struct inventory_row *row), void *context,
		   struct error *err)
{
	_cleanup_json_ json_t *list = NULL, *orphans = json_object();
	struct search search = {.podman = podman,
				.config = config,
				.folders = folders,
				.deadline = deadline_in(ENGINE_LIST_DEADLINE_MS),
				.orphans = orphans,
				.row = row,
				.context = context};
	const char *folder;
	json_t *value;
	int listed;

	if (!orphans)
		return out_of_memory(err);
	if (boot_id(search.boot) < 0)
		return error_set_errno(err, 500, "engine_failed",
				       "The kernel's boot_id cannot be read");
	/* rule 4 */
	if (users_each(folders, note_claim, orphans) < 0 ||
	    folders_each(folders, note_folder, orphans) < 0)
		return error_set_errno(err, 500, "engine_failed",
				       "The job folders cannot be listed");
	listed = fetch(&search, FOLDER_PREFIX, &list, err);
	if (listed == 0)
		listed = send_containers(&search, list, err);
	else if (is_well(&search))
		listed = list_parts(&search, FOLDER_PREFIX, err);
	if (listed < 0)
		return -1;
	json_object_foreach (orphans, folder, value) {
		struct inventory_row one = {
			.folder = folder, .id = "", .template = "", .job = "", .expired = true};

		if (row(context, &one) < 0)
			return error_set(err, 500, "engine_failed", "The list cannot be sent");
	}
	return 0;
}

/* Rule 1. */
static bool is_ours(const struct config *config, const json_t *container)
{
	const json_t *labels = json_object_get(json_object_get(container, "Config"), "Labels");

	return strcmp(text_of(labels, LABEL_INSTANCE), config->instance) == 0 &&
	       strcmp(text_of(labels, LABEL_RUN), config->run) == 0;
}

int inventory_remove(struct podman *podman, const struct config *config,
		     const struct job_folders *folders, const char *folder, struct error *err)
{
	_cleanup_json_ json_t *container = NULL;
	char first_name[FOLDER_NAME_BYTES], name[CONTAINER_NAME_BYTES];
	struct error ignored;
	int inspected;

	folder_first_name(folder, first_name);
	(void)snprintf(name, sizeof(name), "%s-%s", config->instance, first_name);
	inspected = container_inspect(podman, name, deadline_in(ENGINE_CALL_DEADLINE_MS),
				      &container, &ignored);
	if ((inspected < 0 || (inspected == 0 && is_ours(config, container))) &&
	    container_remove(podman, name, deadline_in(ENGINE_REMOVE_DEADLINE_MS), err) < 0)
		return -1;
	return user_release(folders, first_name,
			    text_of(json_object_get(container, "Config"), "User")) < 0 ||
			       folder_remove(folders, first_name) < 0
		       ? error_set_errno(err, 500, "engine_failed",
					 "The folder %s cannot be removed", folder)
		       : 0;
}
