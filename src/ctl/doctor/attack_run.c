/* mayflyctl doctor --attack: one attack, a program as a job or requests as bytes, and what came of
 * it. */
#include "ctl/doctor/attack.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "json/json.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_S       60
#define PRELUDE         REGISTRY_ATTACKS "/prelude.py"
#define EXIT_LIST_BYTES 96
#define SHOWN_BYTES     200 /* of an output */

/* --- definitions ------------------------------------------------------------------------------ */

/* A file, or a row of its jobs or requests; the fields are told in worker/README.md. */
struct row {
	const char *title, *class, *what, *language, *program, *output;
	const json_t *jobs, *requests, *code, *exit, *artifacts, *skipped, *status;
	uint64_t timeout_s, within_s, output_max_bytes, artifacts_max;
	struct slice send;
	bool report;
};

#define FIELD(name, kind)                                                                          \
	{                                                                                          \
		READ_FIELD(struct row, name, #name, kind)                                          \
	}
#define NEEDED(name, kind)                                                                         \
	{                                                                                          \
		READ_FIELD(struct row, name, #name, kind), READ_REQUIRED                           \
	}
#define FIELDS_OF_JOB                                                                              \
	FIELD(program, READ_TEXT), FIELD(code, READ_TEXTS), FIELD(timeout_s, READ_NUMBER),         \
		FIELD(within_s, READ_NUMBER), FIELD(exit, READ_LIST), FIELD(report, READ_FLAG),    \
		FIELD(output, READ_TEXT), FIELD(output_max_bytes, READ_NUMBER),                    \
		FIELD(artifacts, READ_TEXTS), FIELD(artifacts_max, READ_NUMBER),                   \
		FIELD(skipped, READ_TEXTS)

static const struct json_field file_fields[] = {
	NEEDED(title, READ_TEXT),   NEEDED(class, READ_TEXT),   FIELD(jobs, READ_LIST),
	FIELD(requests, READ_LIST), FIELD(language, READ_TEXT), FIELDS_OF_JOB};
static const struct json_field job_fields[] = {NEEDED(what, READ_TEXT), NEEDED(language, READ_TEXT),
					       FIELDS_OF_JOB};
static const struct json_field request_fields[] = {
	NEEDED(what, READ_TEXT), NEEDED(send, READ_SLICE), NEEDED(status, READ_LIST)};

static int read_file(const struct attack *attack, struct row *out, struct error *err)
{
	*out = (struct row){.timeout_s = TIMEOUT_S};
	if (registry_read(&attack->file, "", attack->definition, file_fields, COUNT_OF(file_fields),
			  out, err) < 0)
		return -1;
	if (!out->jobs && !out->requests && (!out->program || !out->language))
		return registry_bad_field(&attack->file, "program", err,
					  "and language, or jobs, or requests, are needed");
	return 0;
}

static int read_job(const struct attack *attack, size_t at, const json_t *job, struct row *out,
		    struct error *err)
{
	char place[REGISTRY_FIELD_BYTES];

	*out = (struct row){.timeout_s = TIMEOUT_S};
	(void)snprintf(place, sizeof(place), "jobs[%zu]", at);
	if (registry_read(&attack->file, place, job, job_fields, COUNT_OF(job_fields), out, err) <
	    0)
		return -1;
	(void)snprintf(place, sizeof(place), "jobs[%zu].program", at);
	return !out->program == !out->code ? registry_bad_field(&attack->file, place, err,
								"or code is needed, not both")
					   : 0;
}

static int read_request(const struct attack *attack, size_t at, const json_t *request,
			struct row *out, struct error *err)
{
	char place[REGISTRY_FIELD_BYTES];

	*out = (struct row){0};
	(void)snprintf(place, sizeof(place), "requests[%zu]", at);
	return registry_read(&attack->file, place, request, request_fields,
			     COUNT_OF(request_fields), out, err);
}

int attack_check(struct attack *attack, struct error *err)
{
	struct row file, row;
	const json_t *value;
	size_t i;

	if (read_file(attack, &file, err) < 0)
		return -1;
	json_array_foreach ((json_t *)file.jobs, i, value)
		if (read_job(attack, i, value, &row, err) < 0)
			return -1;
	json_array_foreach ((json_t *)file.requests, i, value)
		if (read_request(attack, i, value, &row, err) < 0)
			return -1;
	return 0;
}

/* --- a job ------------------------------------------------------------------------------------ */

/* Appends a data file. 0, or -1 and an act says why. */
static int add_file(struct attack *attack, const char *name, struct buf *code)
{
	_cleanup_free_ char *text = NULL;
	struct error err;
	size_t len;

	if (doctor_data(attack->config, name, &text, &len, &err) == 0 &&
	    buf_append(code, text, len) == 0)
		return 0;
	return attack_say(attack, false, name, "cannot be read, or is too long");
}

/* What the programs know of the container that they should be in: lines that are the same in Python
 * and in a shell. */
static int add_settings(const struct attack *attack, struct buf *code)
{
	const struct template *template = attack->template;
	int failed = buf_printf(code,
				"memory_mb=%" PRIu64 "\npids=%" PRIu64 "\ncpu_percent=%" PRIu64
				"\nworkspace_mb=%" PRIu64 "\ntmp_mb=%" PRIu64 "\nshm_mb=%" PRIu64
				"\npty=%d\nport=%" PRIu64 "\nenvironment='",
				template->memory_mb, template->pids, template->cpu_percent,
				template->workspace_mb, template->tmp_mb, template->shm_mb,
				template->pty, attack->config->port);

	for (const char *at = template->environment; *at; at += strlen(at) + 1)
		failed |= buf_printf(code, "%.*s ", (int)strcspn(at, "="), at);
	return failed | buf_append_text(code, "'\n");
}

static int add_lines(const json_t *lines, struct buf *code)
{
	const json_t *line;
	int failed = 0;
	size_t i;

	json_array_foreach ((json_t *)lines, i, line)
		failed |= buf_append(code, json_string_value(line), json_string_length(line)) |
			  buf_append_text(code, "\n");
	return failed;
}

static int make_code(struct attack *attack, const struct row *job, struct buf *code)
{
	const bool is_python = strcmp(job->language, "python") == 0;
	char name[REGISTRY_NAME_MAX_BYTES + 32];

	if ((is_python || strcmp(job->language, "bash") == 0) && add_settings(attack, code) < 0)
		return -1;
	if (is_python && add_file(attack, PRELUDE, code) < 0)
		return -1;
	if (!job->program)
		return add_lines(job->code, code);
	(void)snprintf(name, sizeof(name), REGISTRY_ATTACKS "/%.*s", REGISTRY_NAME_MAX_BYTES,
		       job->program);
	return add_file(attack, name, code);
}

/* Runs code as a job. 0 and *out, the caller's, the reply's JSON; -1, and an act says what came
 * instead. */
static int run_job(struct attack *attack, const char *what, const char *language,
		   const struct buf *code, uint64_t timeout_s, json_t **out)
{
	const char *ending = strcmp(language, "python") == 0 ? "py"
			     : strcmp(language, "node") == 0 ? "js"
							     : "sh";
	char filename[16];

	(void)snprintf(filename, sizeof(filename), "attack.%s", ending);

	_cleanup_json_ json_t *body =
		json_pack("{s:s, s:s, s:s%, s:s, s:I}", "sessionId", ATTACK_SESSION, "language",
			  language, "code", code->data, code->len, "filename", filename, "timeout",
			  (json_int_t)timeout_s);
	struct http_client_reply reply = {.body = buf_new(ATTACK_REPLY_MAX_BYTES)};
	deadline_ms deadline =
		deadline_in((int64_t)timeout_s * 1000 + JOB_GRACE_MS + ATTACK_START_MS);
	struct error err;
	int result = doctor_request(attack->config, "POST", "/run", body, deadline, &reply, &err);

	if (result < 0)
		attack_say(attack, false, what, "%s", err.message);
	else if (reply.status != 200 || json_parse(buf_slice(&reply.body), out, &err) < 0)
		result = attack_say(attack, false, what, "the service answered %d: %.*s",
				    reply.status, SHOWN_BYTES, buf_slice(&reply.body).data);
	buf_free(&reply.body);
	return result;
}

/* Is value, which it takes, in the list? */
static bool has(const json_t *list, json_t *value)
{
	_cleanup_json_ json_t *wanted = value;
	const json_t *found;
	size_t i;

	json_array_foreach ((json_t *)list, i, found)
		if (json_equal(found, wanted))
			return true;
	return false;
}

static void list_numbers(const json_t *list, char out[EXIT_LIST_BYTES])
{
	const json_t *value;
	size_t i;

	*out = '\0';
	json_array_foreach ((json_t *)list, i, value)
		doctor_list(out, EXIT_LIST_BYTES, "%d", (int)json_integer_value(value));
}

/* "held: what: how" and "broken: what: how". True for a line of that form. */
static bool take_act(struct attack *attack, const char *line, size_t len)
{
	static const struct {
		const char *prefix;
		bool is_held;
	} kinds[] = {{"held: ", true}, {"broken: ", false}};

	for (size_t i = 0; i < 2; i++) {
		char what[REGISTRY_NAME_MAX_BYTES * 2];
		size_t prefix = strlen(kinds[i].prefix);
		const char *colon;

		if (len <= prefix || strncmp(line, kinds[i].prefix, prefix) != 0)
			continue;
		line += prefix;
		len -= prefix;
		colon = memmem(line, len, ": ", 2);
		(void)snprintf(what, sizeof(what), "%.*s", (int)(colon ? colon - line : (long)len),
			       line);
		attack_say(attack, kinds[i].is_held, what, "%.*s",
			   colon ? (int)(len - (size_t)(colon + 2 - line)) : 0,
			   colon ? colon + 2 : "");
		return true;
	}
	return false;
}

/* Rule 3 of attack.c: a report without its end is no proof of anything, unless being stopped is
 * one. */
static void judge_report(struct attack *attack, const struct row *job, const char *output,
			 json_int_t exit_code)
{
	bool has_end = false;

	for (const char *line = output; *line;) {
		size_t len = strcspn(line, "\n");

		if (!take_act(attack, line, len))
			has_end |= len == 3 && strncmp(line, "end", 3) == 0;
		line += len + (line[len] == '\n');
	}
	if (has(job->exit, json_integer(exit_code))) {
		attack_say(attack, true, "how it ended", "stopped (exit code %d)", (int)exit_code);
	} else if (!has_end || exit_code != 0) {
		size_t len = strlen(output);

		attack_say(attack, false, "the program itself",
			   "did not get to its end (exit code %d): …%s", (int)exit_code,
			   output + (len > SHOWN_BYTES ? len - SHOWN_BYTES : 0));
	}
}

static void judge_exit(struct attack *attack, const struct row *job, json_int_t exit_code)
{
	char list[EXIT_LIST_BYTES];

	if (!job->exit)
		return;
	list_numbers(job->exit, list);
	attack_say(attack, has(job->exit, json_integer(exit_code)), "how it ended",
		   exit_code == -1 ? "stopped at its time-out (%d; good is: %s)"
				   : "exit code %d (good is: %s)",
		   (int)exit_code, list);
}

static void judge_output(struct attack *attack, const struct row *job, const char *output)
{
	regex_t compiled;

	if (job->output_max_bytes)
		attack_say(attack, strlen(output) <= job->output_max_bytes, "size of its output",
			   "%zu bytes of it are in the reply (at most %" PRIu64 " are good)",
			   strlen(output), job->output_max_bytes);
	if (!job->output)
		return;
	if (regcomp(&compiled, job->output, REG_EXTENDED | REG_NOSUB) != 0) {
		attack_say(attack, false, "the attack's file", "output is no regular expression");
		return;
	}
	attack_say(attack, regexec(&compiled, output, 0, NULL, 0) == 0, "its output", "%.*s",
		   SHOWN_BYTES, output);
	regfree(&compiled);
}

static void judge_time(struct attack *attack, const struct row *job, int64_t took_ms)
{
	if (job->within_s)
		attack_say(attack, took_ms <= (int64_t)job->within_s * 1000, "how long it took",
			   "%.1f s (at most %" PRIu64 " are good)", (double)took_ms / 1000,
			   job->within_s);
}

/* Exactly those that the list names, beside the two streams. */
static void judge_names(struct attack *attack, const json_t *wanted, const json_t *outputs)
{
	const char *odd = NULL, *name;
	const json_t *value;
	size_t i;

	json_object_foreach ((json_t *)outputs, name, value)
		if (strcmp(name, "stdout") != 0 && strcmp(name, "stderr") != 0 &&
		    !has(wanted, json_string(name)))
			odd = name;
	json_array_foreach ((json_t *)wanted, i, value)
		if (!json_object_get(outputs, json_string_value(value)))
			odd = json_string_value(value);
	attack_say(attack, !odd, "what is stored", odd ? "%s is, or is not" : "as expected%s",
		   odd ? odd : "");
}

static void judge_artifacts(struct attack *attack, const struct row *job, const json_t *reply)
{
	const json_t *outputs = json_object_get(json_object_get(reply, "artifacts"), "outputs"),
		     *skipped = json_object_get(reply, "skipped"), *name;
	size_t i;

	json_array_foreach ((json_t *)job->skipped, i, name) {
		const char *text = json_string_value(name);
		bool is_stored = json_object_get(outputs, text),
		     is_skipped = has(skipped, json_string(text));

		attack_say(attack, !is_stored && is_skipped, text, "%s",
			   is_stored    ? "is stored and served"
			   : is_skipped ? "is not stored, and is listed as skipped"
					: "is neither stored nor listed as skipped");
	}
	if (job->artifacts)
		judge_names(attack, job->artifacts, outputs);
	if (job->artifacts_max)
		attack_say(attack, json_object_size(outputs) <= job->artifacts_max,
			   "number of artifacts", "%zu are stored (at most %" PRIu64 " are good)",
			   json_object_size(outputs), job->artifacts_max);
}

static void run_hello(struct attack *attack)
{
	_cleanup_buf_ struct buf code = buf_new(KIB);
	_cleanup_json_ json_t *reply = NULL;
	const char *output;

	if (buf_append_text(&code, "echo hello\n") < 0 ||
	    run_job(attack, "the next job", "bash", &code, TIMEOUT_S, &reply) < 0)
		return;
	output = ctl_text(reply, "output");
	attack_say(attack, strcmp(output, "hello\n") == 0, "the next job",
		   "a harmless one printed \"%.*s\"", (int)strcspn(output, "\n"), output);
}

/* And a harmless one after it. */
static void run_program(struct attack *attack, const struct row *job)
{
	_cleanup_buf_ struct buf code = buf_new(ATTACK_CODE_MAX_BYTES);
	_cleanup_json_ json_t *reply = NULL;
	int64_t started_us = monotonic_us();

	attack->what = job->what;
	if (make_code(attack, job, &code) == 0 && run_job(attack, "the attack's job", job->language,
							  &code, job->timeout_s, &reply) == 0) {
		const char *output = ctl_text(reply, "output");
		json_int_t exit_code = json_integer_value(json_object_get(reply, "exitCode"));

		judge_time(attack, job, (monotonic_us() - started_us) / 1000);
		if (job->report)
			judge_report(attack, job, output, exit_code);
		else
			judge_exit(attack, job, exit_code);
		judge_output(attack, job, output);
		judge_artifacts(attack, job, reply);
	}
	run_hello(attack);
	attack->what = NULL;
}

static void send_request(struct attack *attack, const struct row *row)
{
	struct http_client_reply reply = {.body = buf_new(MIB)};
	char list[EXIT_LIST_BYTES];
	struct error err;

	list_numbers(row->status, list);
	if (http_client_send(attack->config->bind, attack->config->port, row->send,
			     deadline_in(DOCTOR_HTTP_DEADLINE_MS), &reply, &err) < 0)
		attack_say(attack, false, row->what, "%s", err.message);
	else
		attack_say(attack, has(row->status, json_integer(reply.status)), row->what,
			   "answered with %d (good is: %s)", reply.status, list);
	buf_free(&reply.body);
}

void attack_run(struct attack *attack)
{
	struct row file, row;
	const json_t *value;
	struct error err;
	size_t i;

	if (read_file(attack, &file, &err) < 0)
		return; /* attack_check has seen that it is not so */
	json_array_foreach ((json_t *)file.jobs, i, value)
		if (read_job(attack, i, value, &row, &err) == 0)
			run_program(attack, &row);
	json_array_foreach ((json_t *)file.requests, i, value)
		if (read_request(attack, i, value, &row, &err) == 0)
			send_request(attack, &row);
	if (file.requests)
		run_hello(attack);
	else if (!file.jobs)
		run_program(attack, &file);
}
