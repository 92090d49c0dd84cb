#include "api/agents/validate.h"

#include "api/agents/checks.h"
#include "base/fs.h"
#include "bounds.h"
#include "config/language.h"
#include "json/read.h"

struct validation {
	json_t *body; /* owned */
	const char *language;
	const json_t *given; /* {path: text} */
	struct job_input files[VALIDATE_FILES_MAX_COUNT];
	unsigned count;
	struct check syntax, security, size; /* owned */
};

static void validation_free(struct validation *validation)
{
	json_decref(validation->body);
	check_free(&validation->syntax);
	check_free(&validation->security);
	check_free(&validation->size);
}

static const struct json_field fields[] = {
	{READ_FIELD(struct validation, language, "language", READ_TEXT), READ_REQUIRED,
	 .too_small = {"wrong_type", "must be a string"}},
	{READ_FIELD(struct validation, given, "files", READ_MAP), READ_REQUIRED,
	 .too_small = {"wrong_type", "must be an object of strings"}},
};

static int take_file(struct validation *validation, struct slice path, struct slice text,
		     struct error *err)
{
	bool is_bad =
		!fs_is_relative_path(path, JOB_ARTIFACT_DEPTH_MAX) || path.len > JOB_PATH_MAX_BYTES;

	for (unsigned i = 0; i < validation->count; i++)
		is_bad |= fs_paths_collide(validation->files[i].path, path);
	if (is_bad)
		return error_set(err, 400, "bad_file_path", "Invalid file path: %.*s",
				 (int)path.len, path.data);
	validation->files[validation->count++] = (struct job_input){path, text};
	return 0;
}

static int take_request(struct validation *validation, struct slice body, struct error *err)
{
	const char *path;
	json_t *text;

	if (json_parse(body, &validation->body, err) < 0 ||
	    json_take(validation->body, "", fields, COUNT_OF(fields), JSON_LENIENT, validation,
		      err) < 0)
		return -1;
	if (json_object_size(validation->given) == 0 ||
	    json_object_size(validation->given) > VALIDATE_FILES_MAX_COUNT)
		return error_set(err, 400, "bad_file_count", "files takes 1 to %d files",
				 VALIDATE_FILES_MAX_COUNT);
	json_object_foreach ((json_t *)validation->given, path, text)
		if (take_file(validation, slice_of(path), json_slice(text), err) < 0)
			return -1;
	return 0;
}

/* A language without a list has nothing that is looked for. */
static int check_patterns(const struct config *config, struct validation *validation,
			  struct error *err)
{
	_cleanup_patterns_ struct patterns patterns = {0};
	_cleanup_language_ struct language language = {0};
	struct error why;

	if (language_load(config, slice_of(validation->language), &language, err) < 0)
		return -1;
	if (patterns_load(config, language.name, &patterns, &why) < 0 && why.status != 404) {
		*err = why;
		return -1;
	}
	check_security(&patterns, validation->files, validation->count, &validation->security);
	return 0;
}

static int validate(struct call *call, struct validation *validation, struct error *err)
{
	if (take_request(validation, buf_slice(&call->body), err) < 0 ||
	    check_syntax(&call->executor, validation->language, validation->files,
			 validation->count, &validation->syntax, err) < 0 ||
	    check_patterns(call->config, validation, err) < 0)
		return -1;
	check_size(validation->files, validation->count, &validation->size);
	return 0;
}

void api_validate(struct call *call)
{
	struct validation validation = {0};
	struct error err;

	if (validate(call, &validation, &err) < 0)
		call_refuse(call, &err);
	else
		call_reply_json(call, 200,
				json_pack("{s:s, s:b, s:o, s:o, s:o}", "language",
					  validation.language, "valid",
					  validation.syntax.passed && validation.security.passed &&
						  validation.size.passed,
					  "syntax", check_json(&validation.syntax), "security",
					  check_json(&validation.security), "size",
					  check_json(&validation.size)));
	validation_free(&validation);
}
