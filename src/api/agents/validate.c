#include "api/agents/validate.h"

#include "api/agents/checks.h"
#include "base/fs.h"
#include "bounds.h"

struct validation {
	json_t *body; /* owned */
	const char *language;
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

static int take_file(struct validation *validation, const char *path, size_t path_len,
		     const json_t *text, struct error *err)
{
	struct job_input file = {{path, path_len},
				 {json_string_value(text), json_string_length(text)}};

	if (!json_is_string(text))
		return error_set(err, 400, "wrong_type", "files must be an object of strings");
	if (!fs_is_relative_path(file.path, JOB_ARTIFACT_DEPTH_MAX) ||
	    path_len > JOB_PATH_MAX_BYTES)
		return error_set(err, 400, "bad_file_path", "Invalid file path: %.*s",
				 (int)path_len, path);
	for (unsigned i = 0; i < validation->count; i++)
		if (fs_paths_collide(validation->files[i].path, file.path))
			return error_set(err, 400, "bad_file_path", "Invalid file path: %.*s",
					 (int)path_len, path);
	validation->files[validation->count++] = file;
	return 0;
}

static int take_request(struct validation *validation, struct slice body, struct error *err)
{
	const json_t *files, *language;
	json_t *text;
	const char *path;
	size_t path_len;

	if (json_parse(body, &validation->body, err) < 0)
		return -1;
	language = json_object_get(validation->body, "language");
	files = json_object_get(validation->body, "files");
	if (!json_is_string(language))
		return error_set(err, 400, "wrong_type", "language must be a string");
	if (!json_is_object(files))
		return error_set(err, 400, "wrong_type", "files must be an object of strings");
	if (json_object_size(files) == 0 || json_object_size(files) > VALIDATE_FILES_MAX_COUNT)
		return error_set(err, 400, "bad_file_count", "files takes 1 to %d files",
				 VALIDATE_FILES_MAX_COUNT);
	validation->language = json_string_value(language);
	json_object_keylen_foreach((json_t *)files, path, path_len,
				   text) if (take_file(validation, path, path_len, text, err) <
					     0) return -1;
	return 0;
}

/* A language without a list has nothing that is looked for. */
static int check_patterns(const struct config *config, struct validation *validation,
			  struct error *err)
{
	_cleanup_patterns_ struct patterns patterns = {0};
	struct error why;

	if (patterns_load(config, validation->language, &patterns, &why) < 0 && why.status != 404) {
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
			 validation->count, &validation->syntax, err) < 0)
		return -1;
	if (check_patterns(call->config, validation, err) < 0)
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
