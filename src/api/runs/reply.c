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

#include <signal.h>
#include <stdio.h>
#include <time.h>

#define LINK_PATH    "/v1/files/"
#define EXIT_TIMEOUT 124
#define LOST_TEXT    "Execution was begun and its result was lost: the service or its disk failed\n"

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

	return json_pack("{s:o, s:o, s:o, s:o*}", "wall_ms",
			 usage_rounded_up(result->wall_us, US_PER_MS), "cpu_ms",
			 usage_rounded_up(result->cpu_us, US_PER_MS), "max_rss_mb",
			 usage_rounded_up(result->max_rss_bytes, MIB), "compile_ms",
			 run->language.runs.compile_output
				 ? usage_rounded_up(run->compiler.result.wall_us, US_PER_MS)
				 : NULL);
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

/* Names of any bytes become UTF-8, as long as the store takes them; of a path the last
   component. */
static struct slice clean_name(const char *path, struct buf *out)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

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
	const struct storage *storage = &run->execution.storage;
	_cleanup_buf_ struct buf clean = buf_new(3 * JOB_PATH_MAX_BYTES);
	struct slice name = clean_name(path, &clean);
	char stored[JOB_PATH_MAX_BYTES + 1];
	struct file_meta meta;

	if (!storage_path(storage, slice_of(path), stored))
		return error_set(err, 500, "storage_failed", "%.256s is no stored file", path);
	if (files_publish(call->config, call->caller.id, storage->folder, stored, name, &meta,
			  err) < 0)
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
	const struct job_result *result = &run->execution.result;
	const struct capture *captures = run->execution.captures;

	return json_pack(
		"{s:s, s:s, s:i, s:o, s:o, s:o, s:O, s:o, s:s, s:s%, s:s, s:o*, s:o*, "
		"s:o*, s:o*}",
		"id", run->id, "status", run_status(result), "exit_code", run_exit_code(result),
		"stdout", capture_json(&captures[0]), "stderr", capture_json(&captures[1]), "usage",
		usage_of(run), "artifacts", artifacts, "limits", limits_of(&run->request.limits),
		"created_at", created_at, "language", run->request.language.data,
		run->request.language.len, "code_sha256", code_sha256, "stdout_truncated",
		capture_cut_json(&captures[0]), "stderr_truncated", capture_cut_json(&captures[1]),
		"skipped", storage_list_skipped(&run->execution.storage), "compile_output",
		run->language.runs.compile_output ? capture_json(&run->compiler.captures[0])
						  : NULL);
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

	(void)!json_write(whole, record);
	(void)!json_write(brief, summary);
	return 0;
}

/* Reserved is the largest record: each byte of output may be written as \\u0000. */
static uint64_t room_of(const struct run *run)
{
	const struct run_limits *limits = &run->request.limits;
	uint64_t output = 2 * limits->max_output_bytes;

	if (run->language.runs.compile_output)
		output += 2ULL * RUN_COMPILE_OUTPUT_BYTES;
	return 6 * output + RUN_RECORD_REST_BYTES;
}

static struct record_text text_of(const json_t *brief, const json_t *whole, struct buf *text)
{
	size_t at;

	(void)!json_write(brief, text);
	at = text->len;
	(void)!json_write(whole, text);
	return (struct record_text){{text->data, at}, {text->data + at, text->len - at}};
}

int run_reserve(struct run *run, struct error *err)
{
	_cleanup_buf_ struct buf lost = buf_new(RUN_RECORD_REST_BYTES),
				 running = buf_new(RUN_RECORD_REST_BYTES);
	char created_at[DATE_BYTES], code_sha256[SHA256_HEX_BYTES];

	if (run->idempotency.fd < 0)
		return 0;
	date_rfc3339(run->created_ms, created_at);
	sha256_hex_of(run->request.code, code_sha256);
	run->execution.result = (struct job_result){.reason = JOB_CANCELLED, .signal = SIGKILL};

	_cleanup_json_ json_t *whole = record_of(run, created_at, code_sha256, json_array());
	_cleanup_json_ json_t *brief = summary_of(run, created_at, code_sha256, 0);

	run->execution.result = (struct job_result){0};
	(void)json_object_set_new(whole, "stderr", json_string(LOST_TEXT));

	struct record_text if_lost = text_of(brief, whole, &lost);
	json_t *const both[] = {brief, whole};

	for (size_t i = 0; i < COUNT_OF(both); i++) {
		(void)json_object_set_new(both[i], "status", json_string("running"));
		(void)json_object_set_new(both[i], "exit_code", json_null());
	}
	(void)json_object_set_new(whole, "stderr", json_string(""));
	return record_reserve(run->call->config, run->call->caller.id, run->id,
			      text_of(brief, whole, &running), if_lost, room_of(run), &run->place,
			      err);
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
	(void)!json_write(artifacts, out);
	return 0;
}

int run_show(const struct call *call, const struct record *record, struct buf *out,
	     struct error *err)
{
	struct slice text = record->text, list;

	if (time(NULL) - record->written_s > SIGNED_URL_TTL_S / 2 &&
	    record_between(text, ",\"artifacts\":", ",\"limits\":{", &list)) {
		(void)!buf_append(out, text.data, (size_t)(list.data - text.data));
		if (renew_links(call, list, out, err) < 0)
			return -1;
		slice_skip(&text, (size_t)(list.data + list.len - text.data));
	}
	(void)!buf_append(out, text.data, text.len);
	return 0;
}
