/* mayflyctl doctor --attack: one attack, a program as a job or requests as bytes, and what came of it. */
#include "ctl/doctor/attack.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_S       60
#define PRELUDE         REGISTRY_ATTACKS "/prelude.py"
#define EXIT_LIST_BYTES 96
#define SHOWN_BYTES     200 /* of an output that nobody expected */

/* --- definitions --------------------------------------------------------------------------------------- */

static const char *text_of(const struct attack *attack, const char *field)
{
	return json_string_value(json_object_get(attack->definition, field));
}

static json_int_t number_of(const struct attack *attack, const char *field, json_int_t otherwise)
{
	const json_t *value = json_object_get(attack->definition, field);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool attack_is_good(struct attack *attack)
{
	static const struct {
		const char *field;
		json_type type;
	} known[] = {{"title", JSON_STRING},      {"class", JSON_STRING},
		     {"language", JSON_STRING},   {"program", JSON_STRING},
		     {"timeout_s", JSON_INTEGER}, {"exit", JSON_ARRAY},
		     {"report", JSON_TRUE},       {"output_max_bytes", JSON_INTEGER},
		     {"skipped", JSON_ARRAY},     {"artifacts_max", JSON_INTEGER},
		     {"requests", JSON_ARRAY}};
	const char *field;
	const json_t *value;
	struct error err = {.code = NULL};

	json_object_foreach ((json_t *)attack->definition, field, value) {
		bool is_known = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			is_known |= strcmp(known[i].field, field) == 0 &&
				    json_typeof(value) == known[i].type;
		if (!is_known)
			(void)registry_bad_field(&attack->file, &err, "bad_attack", field,
						 "is no field of an attack, or of another type");
	}
	if (!err.code && (!text_of(attack, "title") || !text_of(attack, "class")))
		(void)registry_bad_field(&attack->file, &err, "bad_attack", "title",
					 "title and class are needed");
	if (!err.code && !json_object_get(attack->definition, "requests") &&
	    (!text_of(attack, "program") || !text_of(attack, "language")))
		(void)registry_bad_field(&attack->file, &err, "bad_attack", "program",
					 "program and language, or requests, are needed");
	if (err.code)
		attack_say(attack, false, "the attack's file", "%s", err.message);
	return !err.code;
}

/* --- a job ---------------------------------------------------------------------------------------------- */

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

/* What the programs know of the limits: lines that are the same in Python and in a shell. */
static int add_limits(const struct attack *attack, struct buf *code)
{
	const struct template *template = attack->template;

	return buf_printf(code,
			  "memory_mb=%" PRIu64 "\npids=%" PRIu64 "\ncpu_percent=%" PRIu64
			  "\nport=%" PRIu64 "\n",
			  template->memory_mb, template->pids, template->cpu_percent,
			  attack->config->port);
}

static int make_code(struct attack *attack, const char *language, struct buf *code)
{
	char name[REGISTRY_NAME_MAX_BYTES + 32];

	(void)snprintf(name, sizeof(name), REGISTRY_ATTACKS "/%.*s", REGISTRY_NAME_MAX_BYTES,
		       text_of(attack, "program"));
	if (add_limits(attack, code) < 0)
		return -1;
	if (strcmp(language, "python") == 0 && add_file(attack, PRELUDE, code) < 0)
		return -1;
	return add_file(attack, name, code);
}

/* Runs code as a job. 0 and *out, the caller's, the reply's JSON; -1, and an act says what came instead. */
static int run_job(struct attack *attack, const char *what, const char *language,
		   const struct buf *code, json_int_t timeout_s, json_t **out)
{
	const bool is_python = strcmp(language, "python") == 0;
	_cleanup_json_ json_t *body =
		json_pack("{s:s, s:s, s:s%, s:s, s:I}", "sessionId", ATTACK_SESSION, "language",
			  language, "code", code->data, code->len, "filename",
			  is_python ? "attack.py" : "attack.sh", "timeout", timeout_s);
	struct http_client_reply reply = {.body = buf_new(ATTACK_REPLY_MAX_BYTES)};
	deadline_ms deadline = deadline_in(timeout_s * 1000 + JOB_GRACE_MS + ATTACK_START_MS);
	struct error err;
	int result = doctor_request(attack->config, "POST", "/run", body, deadline, &reply, &err);

	if (result < 0)
		attack_say(attack, false, what, "%s", err.message);
	else if (reply.status != 200 || json_parse(buf_slice(&reply.body), out, &err) < 0)
		attack_say(attack, false, what, "the service answered %d: %.*s", reply.status,
			   SHOWN_BYTES, buf_slice(&reply.body).data);
	else
		goto out; /* with the reply */
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

/* Rule 3 of attack.c: a report without its end is no proof of anything, unless being stopped is one. */
static void judge_report(struct attack *attack, const char *output, json_int_t exit_code)
{
	bool has_end = false;

	for (const char *line = output; *line;) {
		size_t len = strcspn(line, "\n");

		if (!take_act(attack, line, len))
			has_end |= len == 3 && strncmp(line, "end", 3) == 0;
		line += len + (line[len] == '\n');
	}
	if (has_number(json_object_get(attack->definition, "exit"), exit_code)) {
		attack_say(attack, true, "how it ended", "stopped (exit code %d)", (int)exit_code);
	} else if (!has_end || exit_code != 0) {
		size_t len = strlen(output);

		attack_say(attack, false, "the program itself",
			   "did not get to its end (exit code %d): …%s", (int)exit_code,
			   output + (len > SHOWN_BYTES ? len - SHOWN_BYTES : 0));
	}
}

static void judge_exit(struct attack *attack, json_int_t exit_code)
{
	const json_t *good = json_object_get(attack->definition, "exit");
	char list[EXIT_LIST_BYTES];

	if (!good)
		return;
	list_numbers(good, list);
	attack_say(attack, has_number(good, exit_code), "how it ended",
		   exit_code == -1 ? "stopped at its time-out (%d; good is: %s)"
				   : "exit code %d (good is: %s)",
		   (int)exit_code, list);
}

static void judge_output(struct attack *attack, const char *output)
{
	json_int_t most = number_of(attack, "output_max_bytes", 0);

	if (most)
		attack_say(attack, strlen(output) <= (size_t)most, "its output",
			   "%zu bytes of it are in the reply (at most %" PRId64 " are good)",
			   strlen(output), (int64_t)most);
}

static void judge_artifacts(struct attack *attack, const json_t *reply)
{
	const json_t *outputs = json_object_get(json_object_get(reply, "artifacts"), "outputs"),
		     *skipped = json_object_get(reply, "skipped"), *name;
	json_int_t most = number_of(attack, "artifacts_max", 0);
	size_t i;

	json_array_foreach (json_object_get(attack->definition, "skipped"), i, name) {
		const char *text = json_string_value(name);
		bool is_stored = text && json_object_get(outputs, text);

		if (text)
			attack_say(attack, !is_stored, text, "%s",
				   is_stored ? "is stored and served"
				   : has_text(skipped, text)
					   ? "is not stored, and is listed as skipped"
					   : "is not stored");
	}
	if (most)
		attack_say(attack, json_object_size(outputs) <= (size_t)most, "number of artifacts",
			   "%zu are stored (at most %d are good)", json_object_size(outputs),
			   (int)most);
}

void attack_run_program(struct attack *attack)
{
	_cleanup_buf_ struct buf code = buf_new(ATTACK_CODE_MAX_BYTES);
	_cleanup_json_ json_t *reply = NULL;
	const char *language = text_of(attack, "language"), *output;
	json_int_t exit_code;

	if (make_code(attack, language, &code) < 0 ||
	    run_job(attack, "the attack's job", language, &code,
		    number_of(attack, "timeout_s", TIMEOUT_S), &reply) < 0)
		return;
	output = json_string_value(json_object_get(reply, "output"));
	output = output ? output : "";
	exit_code = json_integer_value(json_object_get(reply, "exitCode"));
	if (json_is_true(json_object_get(attack->definition, "report")))
		judge_report(attack, output, exit_code);
	else
		judge_exit(attack, exit_code);
	judge_output(attack, output);
	judge_artifacts(attack, reply);
}

void attack_run_hello(struct attack *attack)
{
	_cleanup_buf_ struct buf code = buf_new(KIB);
	_cleanup_json_ json_t *reply = NULL;
	const char *output;

	if (buf_append_text(&code, "echo hello\n") < 0 ||
	    run_job(attack, "the next job", "bash", &code, TIMEOUT_S, &reply) < 0)
		return;
	output = json_string_value(json_object_get(reply, "output"));
	attack_say(attack, output && strcmp(output, "hello\n") == 0, "the next job",
		   "a harmless one printed \"%.*s\"", output ? (int)strcspn(output, "\n") : 0,
		   output ? output : "");
}

/* --- requests --------------------------------------------------------------------------------------------- */

void attack_run_requests(struct attack *attack)
{
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(attack->definition, "requests"), i, row) {
		const char *what = json_string_value(json_object_get(row, "what"));
		const json_t *send = json_object_get(row, "send"),
			     *good = json_object_get(row, "status");
		struct http_client_reply reply = {.body = buf_new(MIB)};
		char list[EXIT_LIST_BYTES];
		struct error err;

		if (!what || !json_is_string(send) || !json_is_array(good)) {
			attack_say(attack, false, "the attack's file",
				   "request %zu needs what, send and status", i + 1);
			continue;
		}
		list_numbers(good, list);
		if (http_client_send(
			    attack->config->bind, attack->config->port,
			    (struct slice){json_string_value(send), json_string_length(send)},
			    deadline_in(DOCTOR_HTTP_DEADLINE_MS), &reply, &err) < 0)
			attack_say(attack, false, what, "%s", err.message);
		else
			attack_say(attack, has_number(good, reply.status), what,
				   "answered with %d (good is: %s)", reply.status, list);
		buf_free(&reply.body);
	}
}
