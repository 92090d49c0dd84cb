/*
 * Adding a template from a request: what a client says becomes a file as those of templates.d,
 * which is checked as one before it is there. The fields are those of the
 * src/api/sandbox/README.md.
 */
#include "base/atomic_file.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/num.h"
#include "base/sha256.h"
#include "config/recipe.h"
#include "config/template_custom.h"
#include "json/schema.h"

#include <errno.h>
#include <stdio.h>

#define HASH_DIGITS 12   /* of a recipe, in an image's tag */
#define FOLDER_MODE 0755 /* the engine reads it, and may be another user */
#define FILE_MODE   0644

/* json/schema.h. Lists, objects and what only the operator's settings bound are looked at apart. */
static const char parameters_text[] =
	"{\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64},"
	"\"description\":{\"type\":\"string\",\"maxLength\":255,\"default\":\"\"},"
	"\"base_image\":{\"type\":\"string\",\"maxLength\":255,\"default\":\"\"},"
	"\"memory_limit\":{\"type\":\"string\",\"maxLength\":16,\"default\":\"512m\"},"
	"\"cpu_quota\":{\"type\":\"number\",\"minimum\":0.01,\"maximum\":102400000,\"default\":1},"
	"\"timeout\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":3600,\"default\":30},"
	"\"network_enabled\":{\"type\":\"boolean\",\"default\":false}}";

struct put {
	const struct config *config;
	const json_t *request;
	json_t *values;      /* owned: the plain fields, checked */
	json_t *environment; /* the request's, or NULL */
	json_t *build;       /* owned: base, packages, setup_commands */
	const char *name;
	uint64_t memory_mb, cpu_percent, timeout_s;
	char image[TEMPLATE_TEXT_BYTES];
	bool network, needs_build;
};

static const char *text_of(const struct put *put, const char *field)
{
	return json_text(put->values, field);
}

static int bad(struct error *err, const char *field, const char *what)
{
	return error_set(err, 400, "bad_template", "%s: %s", field, what);
}

/* --- fields ----------------------------------------------------------------------------------- */

static int take_plain(struct put *put, struct error *err)
{
	_cleanup_json_ json_t *parameters = NULL, *issues = json_array();
	const json_t *issue, *path;

	put->values = json_object();
	if (json_parse(slice_of(parameters_text), &parameters, err) < 0 ||
	    schema_validate(parameters, put->request, issues, put->values, err) < 0)
		return -1;
	issue = json_array_get(issues, 0);
	if (!issue)
		return 0;
	path = json_array_get(json_object_get(issue, "path"), 0);
	return bad(err, path ? json_string_value(path) : "the request",
		   json_text(issue, "message"));
}

/* ^\d+[mgMG]$ */
static int take_memory(struct put *put, struct error *err)
{
	const char *text = text_of(put, "memory_limit");
	size_t len = strlen(text);
	char unit = len ? text[len - 1] : '\0';
	uint64_t number;

	if (!unit || !strchr("mgMG", unit) ||
	    num_parse((struct slice){text, len - 1}, 10, MEMORY_MAX_MB, &number) < 0)
		return bad(err, "memory_limit",
			   "takes a whole number and m or g, such as 512m or 2g");
	put->memory_mb = unit == 'g' || unit == 'G' ? number * KIB : number;
	if (put->memory_mb < MEMORY_MIN_MB || put->memory_mb > put->config->custom_memory_mb)
		return error_set(err, 400, "bad_template", "memory_limit: takes %dm to %llum here",
				 MEMORY_MIN_MB, (unsigned long long)put->config->custom_memory_mb);
	return 0;
}

/* A number of CPUs; from 1000 on microseconds of each CUSTOM_CPU_QUOTA_PERIOD_US, as Docker has
   it. */
static int take_cpu(struct put *put, struct error *err)
{
	double quota = json_number_value(json_object_get(put->values, "cpu_quota"));
	double percent = quota >= 1000 ? quota * 100 / CUSTOM_CPU_QUOTA_PERIOD_US : quota * 100;

	put->cpu_percent = (uint64_t)(percent + 0.5);
	if (put->cpu_percent < 1 || put->cpu_percent > put->config->custom_cpu_percent)
		return error_set(err, 400, "bad_template", "cpu_quota: takes 0.01 to %g CPUs here",
				 (double)put->config->custom_cpu_percent / 100);
	return 0;
}

static int take_limits(struct put *put, struct error *err)
{
	if (take_memory(put, err) < 0 || take_cpu(put, err) < 0)
		return -1;
	put->timeout_s = (uint64_t)json_integer_value(json_object_get(put->values, "timeout"));
	if (put->timeout_s > put->config->custom_timeout_s)
		return error_set(err, 400, "bad_template", "timeout: takes 1 to %llu here",
				 (unsigned long long)put->config->custom_timeout_s);
	put->network = json_is_true(json_object_get(put->values, "network_enabled"));
	if (put->network && !(put->config->network && put->config->custom_network))
		return error_set(err, 403, "template_not_allowed",
				 "network_enabled: the operator allows custom templates no network "
				 "(MAYFLY_NETWORK, MAYFLY_TEMPLATE_NETWORK)");
	return 0;
}

static int take_environment(struct put *put, struct error *err)
{
	json_t *variables = json_object_get(put->request, "environment_variables"), *value;
	const char *name;

	if (!variables || json_is_null(variables))
		return 0;
	if (!json_is_object(variables))
		return bad(err, "environment_variables", "takes {\"NAME\": \"value\"}");
	json_object_foreach (variables, name, value)
		if (!recipe_is_variable(name) || !recipe_is_line(value))
			return bad(
				err, "environment_variables",
				"a name is of A-Z, a-z, 0-9 and _ and neither LD_… nor MAYFLY_…, a "
				"value one line of text");
	put->environment = variables;
	return 0;
}

static int take_list(struct put *put, const char *field, const char *takes, struct error *err)
{
	json_t *list = json_object_get(put->request, field);

	if (!list || json_is_null(list))
		return 0;
	if (!recipe_is_list(field, list))
		return bad(err, field, takes);
	if (json_array_size(list) == 0)
		return 0;
	put->needs_build = true;
	(void)json_object_set(put->build, field, list);
	return 0;
}

/* The image of a template that must be built is called by what it is built of: another recipe,
   another image. */
static int name_image(struct put *put, struct error *err)
{
	_cleanup_buf_ struct buf text = buf_new(RECIPE_MAX_BYTES);
	char hex[SHA256_HEX_BYTES];

	if (json_write(put->build, &text) < 0)
		return bad(err, "packages", "are too many");
	sha256_hex_of(buf_slice(&text), hex);
	(void)snprintf(put->image, sizeof(put->image), CUSTOM_IMAGE_PREFIX "%s:%.*s", put->name,
		       HASH_DIGITS, hex);
	return 0;
}

static int take_image(struct put *put, struct error *err)
{
	const char *base = text_of(put, "base_image");
	struct template operators;

	if (!*base) {
		if (template_load(put->config, SLICE_LITERAL(TEMPLATE_DEFAULT), &operators, err) <
		    0)
			return -1;
		base = operators.image;
	}
	if (!recipe_is_image(base))
		return bad(err, "base_image", "is not the name of an image");
	/* a template's own image is for itself alone: none is the base of another */
	if (custom_check_image(put->config, "", base, err) < 0)
		return -1;
	put->build = json_pack("{s:s}", "base", base);
	if (take_list(put, "packages", "takes a list of names of packages", err) < 0 ||
	    take_list(put, "setup_commands", "takes a list of commands of one line each", err) < 0)
		return -1;
	(void)snprintf(put->image, sizeof(put->image), "%s", base);
	return put->needs_build ? name_image(put, err) : 0;
}

/* --- the file --------------------------------------------------------------------------------- */

static int write_text(const struct put *put, struct buf *out, struct error *err)
{
	_cleanup_json_ json_t *root =
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b}", "name", put->name, "image",
			  put->image, "memory_mb", (json_int_t)put->memory_mb, "cpu_percent",
			  (json_int_t)put->cpu_percent, "timeout_s", (json_int_t)put->timeout_s,
			  "timeout_max_s", (json_int_t)put->config->custom_timeout_s, "network",
			  put->network);
	const char *description = text_of(put, "description");

	if (!root ||
	    (*description &&
	     json_object_set_new(root, "description", json_string(description)) < 0) ||
	    (put->environment && json_object_set(root, "environment", put->environment) < 0) ||
	    (put->needs_build && json_object_set(root, "build", put->build) < 0) ||
	    json_write(root, out) < 0)
		return error_set(err, 400, "bad_template", "The template is too large");
	return 0;
}

/* The file is read as it will be when it is used, before it is there. */
static int check_text(const struct put *put, struct buf *text, struct error *err)
{
	struct registry_file file = {
		.kind = REGISTRY_TEMPLATES, .data = text->data, .len = text->len};
	struct template ignored;

	(void)snprintf(file.path, sizeof(file.path), "%.64s", put->name);
	if (template_parse(&file, slice_of(put->name), &ignored, err) == 0)
		return 0;
	if (strcmp(err->code, "bad_template") == 0)
		err->status = 400;
	return -1;
}

static int store(const struct put *put, const struct buf *text, struct error *err)
{
	char target[REGISTRY_NAME_MAX_BYTES + sizeof(".json")];
	_cleanup_close_ int folder = fs_open_or_make_dir(put->config->custom, FOLDER_MODE);

	(void)snprintf(target, sizeof(target), "%s.json", put->name);
	if (folder < 0)
		return custom_not_written(put->config, err);
	if (atomic_file_write(folder, NULL, target, FILE_MODE,
			      ATOMIC_SYNC | ATOMIC_NEW | ATOMIC_MODE, buf_slice(text)) == 0)
		return 0;
	if (errno != EEXIST)
		return custom_not_written(put->config, err);
	return error_set(err, 409, "template_exists", "Template %s exists already: remove it first",
			 put->name);
}

static int check_name(struct put *put, struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_registry_names_ struct registry_names names = {0};

	put->name = text_of(put, "name");
	if (!registry_is_name(slice_of(put->name)))
		return bad(err, "name", "takes 1 to 64 of a-z, 0-9, _ and -");
	if (registry_open(put->config, REGISTRY_TEMPLATES, slice_of(put->name), &file, err) == 0)
		return error_set(err, 409, "template_exists", "Template %s is the operator's",
				 put->name);
	if (err->status != 404 || custom_names(put->config, &names, err) < 0)
		return -1;
	return names.count < CUSTOM_MAX_COUNT
		       ? 0
		       : error_set(err, 409, "too_many_templates",
				   "There are %d custom templates already, the maximum",
				   CUSTOM_MAX_COUNT);
}

int custom_put(const struct config *config, const json_t *request, struct template *out,
	       bool *needs_build, struct error *err)
{
	_cleanup_buf_ struct buf text = buf_new(REGISTRY_FILE_MAX_BYTES);
	struct put put = {.config = config, .request = request};
	int done = take_plain(&put, err) < 0 || check_name(&put, err) < 0 ||
				   take_limits(&put, err) < 0 || take_environment(&put, err) < 0 ||
				   take_image(&put, err) < 0 || write_text(&put, &text, err) < 0 ||
				   check_text(&put, &text, err) < 0 ||
				   store(&put, &text, err) < 0 ||
				   custom_load(config, slice_of(put.name), out, err) < 0
			   ? -1
			   : 0;

	*needs_build = put.needs_build;
	json_decref(put.values);
	json_decref(put.build);
	return done;
}
