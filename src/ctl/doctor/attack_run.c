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

enum { IN_FILE = 1, IN_JOB = 2, IN_REQUEST = 4 };

static const struct known {
	const char *field;
	json_type type;
	unsigned in, needed_in;
} known[] = {{"title", JSON_STRING, IN_FILE, IN_FILE},
	     {"class", JSON_STRING, IN_FILE, IN_FILE},
	     {"jobs", JSON_ARRAY, IN_FILE, 0},
	     {"requests", JSON_ARRAY, IN_FILE, 0},
	     {"what", JSON_STRING, IN_JOB | IN_REQUEST, IN_JOB | IN_REQUEST},
	     {"language", JSON_STRING, IN_FILE | IN_JOB, IN_JOB},
	     {"program", JSON_STRING, IN_FILE | IN_JOB, 0},
	     {"code", JSON_ARRAY, IN_FILE | IN_JOB, 0},
	     {"timeout_s", JSON_INTEGER, IN_FILE | IN_JOB, 0},
	     {"within_s", JSON_INTEGER, IN_FILE | IN_JOB, 0},
	     {"exit", JSON_ARRAY, IN_FILE | IN_JOB, 0},
	     {"report", JSON_TRUE, IN_FILE | IN_JOB, 0},
	     {"output", JSON_STRING, IN_FILE | IN_JOB, 0},
	     {"output_max_bytes", JSON_INTEGER, IN_FILE | IN_JOB, 0},
	     {"artifacts", JSON_ARRAY, IN_FILE | IN_JOB, 0},
	     {"artifacts_max", JSON_INTEGER, IN_FILE | IN_JOB, 0},
	     {"skipped", JSON_ARRAY, IN_FILE | IN_JOB, 0},
	     {"send", JSON_STRING, IN_REQUEST, IN_REQUEST},
	     {"status", JSON_ARRAY, IN_REQUEST, IN_REQUEST}};

static const char *text_of(const json_t *object, const char *field)
{
	return json_string_value(json_object_get(object, field));
}

static json_int_t number_of(const json_t *object, const char *field, json_int_t otherwise)
{
	const json_t *value = json_object_get(object, field);

	return value ? json_integer_value(value) : otherwise;
}

static int check_fields(struct attack *attack, const json_t *object, unsigned in, struct error *err)
{
	const char *field;
	const json_t *value;

	json_object_foreach ((json_t *)object, field, value) {
		bool is_known = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			is_known |= strcmp(known[i].field, field) == 0 && (known[i].in & in) &&
				    known[i].type == json_typeof(value);
		if (!is_known)
			return registry_bad_field(&attack->file, field, err,
						  "is no field of an attack, or of another type");
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if ((known[i].needed_in & in) && !json_object_get(object, known[i].field))
			return registry_bad_field(&attack->file, known[i].field, err, "is missing");
	if ((in & IN_JOB) && !text_of(object, "program") == !json_object_get(object, "code"))
		return registry_bad_field(&attack->file, "program", err,
					  "or code is needed, not both");
	return 0;
}

static int check_rows(struct attack *attack, const char *field, unsigned in, struct error *err)
{
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(attack->definition, field), i, row)
		if (!json_is_object(row) || check_fields(attack, row, in, err) < 0)
			return json_is_object(row)
				       ? -1
				       : registry_bad_field(&attack->file, field, err,
							    "holds something that is no object");
	return 0;
}

int attack_check(struct attack *attack, struct error *err)
{
	const json_t *definition = attack->definition;
	bool has_rows =
		json_object_get(definition, "jobs") || json_object_get(definition, "requests");

	if (check_fields(attack, definition, IN_FILE, err) < 0 ||
	    check_rows(attack, "jobs", IN_JOB, err) < 0 ||
	    check_rows(attack, "requests", IN_REQUEST, err) < 0)
		return -1;
	if (!has_rows && (!text_of(definition, "program") || !text_of(definition, "language")))
		return registry_bad_field(&attack->file, "program", err,
					  "and language, or jobs, or requests, are needed");
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
	attack_say(attack, false, name, "cannot be read, or is too long");
	return -1;
}

/* What the programs know of the container that they should be in: lines that are the same in Python
 * and in a shell. */
static int add_settings(const struct attack *attack, struct buf *code)
{
	const struct template *template = attack->template;
	int failed =
		buf_printf(code,
			   "memory_mb=%" PRIu64 "\npids=%" PRIu64 "\ncpu_percent=%" PRIu64
			   "\nworkspace_mb=%" PRIu64 "\ntmp_mb=%" PRIu64 "\nshm_mb=%" PRIu64
			   "\nuid=%" PRIu64 "\ngid=%" PRIu64 "\nport=%" PRIu64 "\nenvironment='",
			   template->memory_mb, template->pids, template->cpu_percent,
			   template->workspace_mb, template->tmp_mb, template->shm_mb,
			   template->uid, template->gid, attack->config->port);

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

static int make_code(struct attack *attack, const json_t *job, struct buf *code)
{
	const char *language = text_of(job, "language"), *program = text_of(job, "program");
	const bool is_python = strcmp(language, "python") == 0;
	char name[REGISTRY_NAME_MAX_BYTES + 32];

	if ((is_python || strcmp(language, "bash") == 0) && add_settings(attack, code) < 0)
		return -1;
	if (is_python && add_file(attack, PRELUDE, code) < 0)
		return -1;
	if (!program)
		return add_lines(json_object_get(job, "code"), code);
	(void)snprintf(name, sizeof(name), REGISTRY_ATTACKS "/%.*s", REGISTRY_NAME_MAX_BYTES,
		       program);
	return add_file(attack, name, code);
}

/* Runs code as a job. 0 and *out, the caller's, the reply's JSON; -1, and an act says what came
 * instead. */
static int run_job(struct attack *attack, const char *what, const char *language,
		   const struct buf *code, json_int_t timeout_s, json_t **out)
{
	const char *ending = strcmp(language, "python") == 0 ? "py"
			     : strcmp(language, "node") == 0 ? "js"
							     : "sh";
	char filename[16];

	(void)snprintf(filename, sizeof(filename), "attack.%s", ending);

	_cleanup_json_ json_t *body = json_pack(
		"{s:s, s:s, s:s%, s:s, s:I}", "sessionId", ATTACK_SESSION, "language", language,
		"code", code->data, code->len, "filename", filename, "timeout", timeout_s);
	struct http_client_reply reply = {.body = buf_new(ATTACK_REPLY_MAX_BYTES)};
	deadline_ms deadline = deadline_in(timeout_s * 1000 + JOB_GRACE_MS + ATTACK_START_MS);
	struct error err;
	int result = doctor_request(attack->config, "POST", "/run", body, deadline, &reply, &err);

	if (result < 0)
		attack_say(attack, false, what, "%s", err.message);
	else if (reply.status != 200 || json_parse(buf_slice(&reply.body), out, &err) < 0)
		attack_say(attack, false, what, "the service answered %d: %.*s", reply.status,
			   SHOWN_BYTES, buf_slice(&reply.body).data);
	/* with the reply */
	else
		goto out;
	result = -1;
out:
	buf_free(&reply.body);
	return result;
}

static bool has_number(const json_t *list, json_int_t number)
{
	const json_t *value;
	size_t i;

	json_array_foreach ((json_t *)list, i, value)
		if (json_is_integer(value) && json_integer_value(value) == number)
			return true;
	return false;
}

static bool has_text(const json_t *list, const char *text)
{
	const json_t *value;
	size_t i;

	json_array_foreach ((json_t *)list, i, value)
		if (json_is_string(value) && strcmp(json_string_value(value), text) == 0)
			return true;
	return false;
}

static void list_numbers(const json_t *list, char out[EXIT_LIST_BYTES])
{
	const json_t *value;
	size_t i, used = 0;

	*out = '\0';
	json_array_foreach ((json_t *)list, i, value)
		if (used < EXIT_LIST_BYTES)
			used += (size_t)snprintf(out + used, EXIT_LIST_BYTES - used, "%s%d",
						 used ? ", " : "", (int)json_integer_value(value));
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
static void judge_report(struct attack *attack, const json_t *job, const char *output,
			 json_int_t exit_code)
{
	bool has_end = false;

	for (const char *line = output; *line;) {
		size_t len = strcspn(line, "\n");

		if (!take_act(attack, line, len))
			has_end |= len == 3 && strncmp(line, "end", 3) == 0;
		line += len + (line[len] == '\n');
	}
	if (has_number(json_object_get(job, "exit"), exit_code)) {
		attack_say(attack, true, "how it ended", "stopped (exit code %d)", (int)exit_code);
	} else if (!has_end || exit_code != 0) {
		size_t len = strlen(output);

		attack_say(attack, false, "the program itself",
			   "did not get to its end (exit code %d): …%s", (int)exit_code,
			   output + (len > SHOWN_BYTES ? len - SHOWN_BYTES : 0));
	}
}

static void judge_exit(struct attack *attack, const json_t *job, json_int_t exit_code)
{
	const json_t *good = json_object_get(job, "exit");
	char list[EXIT_LIST_BYTES];

	if (!good)
		return;
	list_numbers(good, list);
	attack_say(attack, has_number(good, exit_code), "how it ended",
		   exit_code == -1 ? "stopped at its time-out (%d; good is: %s)"
				   : "exit code %d (good is: %s)",
		   (int)exit_code, list);
}

static void judge_output(struct attack *attack, const json_t *job, const char *output)
{
	json_int_t most = number_of(job, "output_max_bytes", 0);
	const char *pattern = text_of(job, "output");
	regex_t compiled;

	if (most)
		attack_say(attack, strlen(output) <= (size_t)most, "size of its output",
			   "%zu bytes of it are in the reply (at most %" PRId64 " are good)",
			   strlen(output), (int64_t)most);
	if (!pattern)
		return;
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
		attack_say(attack, false, "the attack's file", "output is no regular expression");
		return;
	}
	attack_say(attack, regexec(&compiled, output, 0, NULL, 0) == 0, "its output", "%.*s",
		   SHOWN_BYTES, output);
	regfree(&compiled);
}

static void judge_time(struct attack *attack, const json_t *job, int64_t took_ms)
{
	json_int_t most = number_of(job, "within_s", 0);

	if (most)
		attack_say(attack, took_ms <= most * 1000, "how long it took",
			   "%.1f s (at most %d are good)", (double)took_ms / 1000, (int)most);
}

/* Exactly those that the list names, beside the two streams. */
static void judge_names(struct attack *attack, const json_t *wanted, const json_t *outputs)
{
	const char *odd = NULL, *name;
	const json_t *value;
	size_t i;

	json_object_foreach ((json_t *)outputs, name, value)
		if (strcmp(name, "stdout") != 0 && strcmp(name, "stderr") != 0 &&
		    !has_text(wanted, name))
			odd = name;
	json_array_foreach ((json_t *)wanted, i, value)
		if (!json_object_get(outputs, json_string_value(value)))
			odd = json_string_value(value);
	attack_say(attack, !odd, "what is stored", odd ? "%s is, or is not" : "as expected%s",
		   odd ? odd : "");
}

static void judge_artifacts(struct attack *attack, const json_t *job, const json_t *reply)
{
	const json_t *outputs = json_object_get(json_object_get(reply, "artifacts"), "outputs"),
		     *skipped = json_object_get(reply, "skipped"),
		     *wanted = json_object_get(job, "artifacts"), *name;
	json_int_t most = number_of(job, "artifacts_max", 0);
	size_t i;

	json_array_foreach (json_object_get(job, "skipped"), i, name) {
		const char *text = json_string_value(name);
		bool is_stored = json_object_get(outputs, text);

		attack_say(attack, !is_stored && has_text(skipped, text), text, "%s",
			   is_stored                 ? "is stored and served"
			   : has_text(skipped, text) ? "is not stored, and is listed as skipped"
						     : "is neither stored nor listed as skipped");
	}
	if (wanted)
		judge_names(attack, wanted, outputs);
	if (most)
		attack_say(attack, json_object_size(outputs) <= (size_t)most, "number of artifacts",
			   "%zu are stored (at most %d are good)", json_object_size(outputs),
			   (int)most);
}

static void run_hello(struct attack *attack)
{
	_cleanup_buf_ struct buf code = buf_new(KIB);
	_cleanup_json_ json_t *reply = NULL;
	const char *output;

	if (buf_append_text(&code, "echo hello\n") < 0 ||
	    run_job(attack, "the next job", "bash", &code, TIMEOUT_S, &reply) < 0)
		return;
	output = text_of(reply, "output");
	attack_say(attack, output && strcmp(output, "hello\n") == 0, "the next job",
		   "a harmless one printed \"%.*s\"", output ? (int)strcspn(output, "\n") : 0,
		   output ? output : "");
}

static void run_program(struct attack *attack, const json_t *job)
{
	_cleanup_buf_ struct buf code = buf_new(ATTACK_CODE_MAX_BYTES);
	_cleanup_json_ json_t *reply = NULL;
	int64_t started_us = monotonic_us();
	const char *output;
	json_int_t exit_code;

	if (make_code(attack, job, &code) < 0 ||
	    run_job(attack, "the attack's job", text_of(job, "language"), &code,
		    number_of(job, "timeout_s", TIMEOUT_S), &reply) < 0)
		return;
	judge_time(attack, job, (monotonic_us() - started_us) / 1000);
	output = text_of(reply, "output");
	output = output ? output : "";
	exit_code = json_integer_value(json_object_get(reply, "exitCode"));
	if (json_is_true(json_object_get(job, "report")))
		judge_report(attack, job, output, exit_code);
	else
		judge_exit(attack, job, exit_code);
	judge_output(attack, job, output);
	judge_artifacts(attack, job, reply);
}

static void run_programs(struct attack *attack)
{
	const json_t *jobs = json_object_get(attack->definition, "jobs"), *job;
	size_t i;

	json_array_foreach ((json_t *)jobs, i, job) {
		attack->what = text_of(job, "what");
		run_program(attack, job);
		run_hello(attack);
	}
	attack->what = NULL;
	if (!jobs) {
		run_program(attack, attack->definition);
		run_hello(attack);
	}
}

/* --- requests --------------------------------------------------------------------------------- */

static void run_requests(struct attack *attack)
{
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(attack->definition, "requests"), i, row) {
		const json_t *send = json_object_get(row, "send"),
			     *good = json_object_get(row, "status");
		struct http_client_reply reply = {.body = buf_new(MIB)};
		char list[EXIT_LIST_BYTES];
		struct error err;

		list_numbers(good, list);
		if (http_client_send(
			    attack->config->bind, attack->config->port,
			    (struct slice){json_string_value(send), json_string_length(send)},
			    deadline_in(DOCTOR_HTTP_DEADLINE_MS), &reply, &err) < 0)
			attack_say(attack, false, text_of(row, "what"), "%s", err.message);
		else
			attack_say(attack, has_number(good, reply.status), text_of(row, "what"),
				   "answered with %d (good is: %s)", reply.status, list);
		buf_free(&reply.body);
	}
	run_hello(attack);
}

void attack_run(struct attack *attack)
{
	if (json_object_get(attack->definition, "requests"))
		run_requests(attack);
	else
		run_programs(attack);
}
