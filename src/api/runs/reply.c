/* From a run's result to its record. */
#include "api/runs/internal.h"

#include "base/clock.h"
#include "base/date.h"
#include "base/utf8.h"
#include "bounds.h"
#include "http/media_types.h"
#include "server/links.h"
#include "server/usage.h"
#include "store/files.h"
#include "store/links.h"

#include <stdio.h>
#include <time.h>

#define LINK_PATH    "/v1/files/"
#define EXIT_TIMEOUT 124

static const char *const statuses[] = {
	[JOB_EXITED] = "failed",      [JOB_SIGNALED] = "failed", [JOB_TIMEOUT] = "timeout",
	[JOB_CPU] = "killed",         [JOB_OOM] = "oom",         [JOB_CANCELLED] = "killed",
	[JOB_NOT_STARTED] = "failed", [JOB_LOST] = "oom",
};

const char *run_status(const struct job_result *result)
{
	if (result->reason == JOB_EXITED && result->code == 0)
		return "succeeded";
	return statuses[result->reason];
}

int run_exit_code(const struct job_result *result)
{
	return result->reason == JOB_TIMEOUT ? EXIT_TIMEOUT : job_exit_code(result);
}

static json_t *usage_of(const struct run *run)
{
	const struct job_result *result = &run->execution.result;
	json_t *usage = json_pack("{s:o, s:o, s:o}", "wall_ms",
				  usage_rounded_up(result->wall_us, US_PER_MS), "cpu_ms",
				  usage_rounded_up(result->cpu_us, US_PER_MS), "max_rss_mb",
				  usage_rounded_up(result->max_rss_bytes, MIB));

	if (run->language.runs.compile_output)
		(void)json_object_set_new(
			usage, "compile_ms",
			usage_rounded_up(run->compiler.result.wall_us, US_PER_MS));
	return usage;
}

static json_t *limits_of(const struct run_limits *limits)
{
	json_t *object = json_object();

	for (size_t i = 0; i < RUN_LIMIT_COUNT; i++)
		(void)json_object_set_new(
			object, run_limit_table[i].name,
			json_integer((json_int_t)run_limit_of(limits, &run_limit_table[i])));
	return object;
}

/* --- artifacts -------------------------------------------------------------------------------- */

/* Names of any bytes become UTF-8, as long as the store takes them. */
static struct slice clean_name(const char *name, struct buf *out)
{
	if (utf8_append_clean(out, slice_of(name)) < 0)
		return SLICE_LITERAL("artifact");
	if (out->len > JOB_NAME_MAX_BYTES)
		out->len = utf8_trim(out->data, JOB_NAME_MAX_BYTES);
	return buf_slice(out);
}

static int add_artifact(struct run *run, const struct sign_key *key, const char *path, json_t *list,
			struct error *err)
{
	struct call *call = run->call;
	_cleanup_buf_ struct buf clean = buf_new(3 * JOB_PATH_MAX_BYTES);
	struct slice name = clean_name(path, &clean);
	struct file_meta meta;

	if (files_publish(call->config, call->caller.id, run->execution.storage.folder, path, name,
			  &meta, err) < 0)
		return -1;

	json_t *artifact = json_pack("{s:s, s:I, s:s}", "name", meta.name, "size",
				     (json_int_t)meta.size_bytes, "sha256", meta.sha256);

	(void)json_array_append_new(list, artifact);
	if (link_set(call, key, meta.id, artifact) < 0)
		return error_set(err, 500, "link_failed", "The link to %s is too long", meta.id);
	(void)json_object_set_new(artifact, "content_type",
				  json_string(static_type_of(slice_of(meta.name)).name));
	return 0;
}

/* Puts what was collected into the file store. A new array, or NULL with *err. */
static json_t *publish_artifacts(struct run *run, struct error *err)
{
	const struct buf *names = &run->execution.storage.names;
	json_t *list = json_array();
	struct sign_key key;
	int failed = 0;

	if (names->len)
		failed = storage_end_file(&run->execution.storage, err) < 0 ||
			 sign_key_load(run->call->config, true, &key, err) < 0;
	for (size_t at = 0; !failed && at < names->len; at += strlen(names->data + at) + 1)
		failed = add_artifact(run, &key, names->data + at, list, err) < 0;
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

/* --- the record ------------------------------------------------------------------------------- */

static json_t *summary_of(const struct run *run, const char *created_at, const char *code_sha256,
			  size_t artifact_count)
{
	const struct job_result *result = &run->execution.result;

	return json_pack("{s:s, s:s, s:i, s:o, s:I, s:s, s:s%, s:s}", "id", run->id, "status",
			 run_status(result), "exit_code", run_exit_code(result), "usage",
			 usage_of(run), "artifact_count", (json_int_t)artifact_count, "created_at",
			 created_at, "language", run->request.language.data,
			 run->request.language.len, "code_sha256", code_sha256);
}

static json_t *record_of(const struct run *run, const char *created_at, const char *code_sha256,
			 json_t *artifacts)
{
	static const char *const cut[2] = {"stdout_truncated", "stderr_truncated"};
	const struct job_result *result = &run->execution.result;
	const struct capture *captures = run->execution.captures;
	json_t *record =
		json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:O, s:o, s:s, s:s%, s:s}", "id", run->id,
			  "status", run_status(result), "exit_code", run_exit_code(result),
			  "stdout", json_clean_string(buf_slice(&captures[0].text)), "stderr",
			  json_clean_string(buf_slice(&captures[1].text)), "usage", usage_of(run),
			  "artifacts", artifacts, "limits", limits_of(&run->request.limits),
			  "created_at", created_at, "language", run->request.language.data,
			  run->request.language.len, "code_sha256", code_sha256);

	for (unsigned i = 0; i < 2; i++)
		if (captures[i].is_cut)
			(void)json_object_set_new(record, cut[i], json_true());
	if (run->language.runs.compile_output)
		(void)json_object_set_new(
			record, "compile_output",
			json_clean_string(buf_slice(&run->compiler.captures[0].text)));
	return record;
}

int run_write(struct run *run, struct buf *record, struct buf *summary, struct error *err)
{
	_cleanup_json_ json_t *artifacts = publish_artifacts(run, err);
	char created_at[DATE_BYTES], code_sha256[SHA256_HEX_BYTES];

	if (!artifacts)
		return -1;
	date_rfc3339(run->created_ms, created_at);
	sha256_hex_of(run->request.code, code_sha256);

	_cleanup_json_ json_t *whole = record_of(run, created_at, code_sha256, artifacts);
	_cleanup_json_ json_t *brief =
		summary_of(run, created_at, code_sha256, json_array_size(artifacts));

	if (json_write(whole, record) < 0 || json_write(brief, summary) < 0)
		return error_set(err, 500, "record_too_large", "the run's record is too large");
	return 0;
}

/* --- showing it again ------------------------------------------------------------------------- */

static int renew_link(const struct call *call, const struct sign_key *key, json_t *artifact)
{
	const char *url = json_string_value(json_object_get(artifact, "url"));
	const char *path = url ? strstr(url, LINK_PATH) : NULL;
	char id[FILE_ID_BYTES];

	if (!path)
		return -1;
	(void)snprintf(id, sizeof(id), "%s", path + strlen(LINK_PATH));
	return files_is_id(slice_of(id)) ? link_set(call, key, id, artifact) : -1;
}

/*
 * The place of the artifacts in a record. Within a string of JSON every quote has a backslash
 * before it, so a raw match of these texts is the key itself. The rest is not parsed: output may
 * hold what json_parse refuses, as NUL.
 */
static bool find_artifacts(struct slice record, struct slice *out)
{
	static const char before[] = ",\"artifacts\":", after[] = ",\"limits\":{";
	const char *start = memmem(record.data, record.len, before, sizeof(before) - 1);

	if (!start)
		return false;
	start += sizeof(before) - 1;

	const char *end =
		memmem(start, record.len - (size_t)(start - record.data), after, sizeof(after) - 1);

	*out = (struct slice){start, end ? (size_t)(end - start) : 0};
	return end != NULL;
}

static int renew_links(const struct call *call, struct slice list, struct buf *out,
		       struct error *err)
{
	_cleanup_json_ json_t *artifacts = NULL;
	struct sign_key key;
	json_t *artifact;
	size_t i;

	if (json_parse(list, &artifacts, err) < 0)
		return -1;
	if (json_array_size(artifacts) && sign_key_load(call->config, true, &key, err) < 0)
		return -1;
	json_array_foreach (artifacts, i, artifact)
		if (renew_link(call, &key, artifact) < 0)
			return error_set(err, 500, "storage_failed",
					 "the record of an artifact is damaged");
	return json_write(artifacts, out);
}

int run_show(const struct call *call, const struct record *record, struct buf *out,
	     struct error *err)
{
	const char *end = record->text.data + record->text.len;
	struct slice list;
	int failed;

	if (time(NULL) - record->written_s <= SIGNED_URL_TTL_S / 2 ||
	    !find_artifacts(record->text, &list)) {
		failed = buf_append(out, record->text.data, record->text.len);
	} else {
		failed =
			buf_append(out, record->text.data, (size_t)(list.data - record->text.data));
		if (renew_links(call, list, out, err) < 0)
			return -1;
		failed |=
			buf_append(out, list.data + list.len, (size_t)(end - list.data) - list.len);
	}
	return failed ? error_set(err, 500, "record_too_large", "the run's record is too large")
		      : 0;
}
