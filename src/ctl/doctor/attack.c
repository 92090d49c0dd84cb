/*
 * mayflyctl doctor --attack: the hostile suite against the service that is installed.
 *
 * Rules:
 *  1. An attack is a file of attack.d in a registry (config/registry.h), so that operators add
 *     their own: programs that run as jobs of POST /run, or requests as bytes. What must come of it
 *     stands in the file (its fields: worker/README.md), or is said by the program itself, a line
 *     for each act.
 *  2. All goes through the service's own port, as a client's requests do: nothing is set up for it,
 *     and any caller may attack.
 *  3. What is not shown to hold counts as broken: a program that does not get to its end, a reply
 *     that does not come.
 *  4. After each job a harmless one must succeed; after all of them no container of theirs may be
 *     left.
 */
#include "ctl/doctor/attack.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/date.h"
#include "ctl/doctor/doctor.h"
#include "ctl/pool.h"
#include "job/engine_client.h"
#include "job/pool.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define EXIT_GOOD    0
#define EXIT_BAD     1
#define FOLDERS_MAX  1024
#define GONE_POLL_MS 200

/* --- containers that are left (rule 4) -------------------------------------------------------- */

struct folders {
	char names[FOLDERS_MAX][ENGINE_FOLDER_BYTES];
	size_t count;
};

static void take_row(void *context, const struct engine_row *row)
{
	struct folders *folders = context;

	if (folders->count < FOLDERS_MAX)
		memcpy(folders->names[folders->count++], row->folder, ENGINE_FOLDER_BYTES);
}

/* Pooled containers are made after jobs, and stay. */
static void leave_out(void *context, const struct pool_row *pooled)
{
	struct folders *folders = context;
	size_t kept = 0;

	for (size_t i = 0; i < folders->count; i++)
		if (!ctl_pool_is(pooled->folder, folders->names[i]))
			memmove(folders->names[kept++], folders->names[i], ENGINE_FOLDER_BYTES);
	folders->count = kept;
}

/* False where this user cannot ask. */
static bool list_folders(const struct config *config, struct folders *out)
{
	struct engine engine;
	struct error err;

	out->count = 0;
	if (engine_open(config, &engine, &err) < 0)
		return false;

	int result =
		engine_list(&engine, deadline_in(DOCTOR_ENGINE_DEADLINE_MS), take_row, out, &err);

	engine_close(&engine);
	return result == 0 && pool_list(config, leave_out, out, &err) == 0;
}

static bool has_folder(const struct folders *folders, const char *name)
{
	for (size_t i = 0; i < folders->count; i++)
		if (strcmp(folders->names[i], name) == 0)
			return true;
	return false;
}

/* How many of those in left are still there. */
static size_t keep_those_in(struct folders *left, const struct folders *now)
{
	size_t kept = 0;

	for (size_t i = 0; i < left->count; i++)
		if (has_folder(now, left->names[i]))
			memmove(left->names[kept++], left->names[i], ENGINE_FOLDER_BYTES);
	left->count = kept;
	return kept;
}

/* Of what is there now and was not before, none may stay; jobs of others that run meanwhile end,
 * too. */
static void look_for_rest(struct attack *attack, const struct folders *before, bool could_list)
{
	deadline_ms deadline = deadline_in(ATTACK_GONE_DEADLINE_MS);
	struct folders left, now;
	size_t fresh = 0;

	if (!could_list || !list_folders(attack->config, &left)) {
		attack_say(attack, true, "containers left behind",
			   "not looked at: this user cannot ask the engine");
		return;
	}
	for (size_t i = 0; i < left.count; i++)
		if (!has_folder(before, left.names[i]))
			memmove(left.names[fresh++], left.names[i], ENGINE_FOLDER_BYTES);
	left.count = fresh;
	while (left.count && deadline_left_ms(deadline) && list_folders(attack->config, &now) &&
	       keep_those_in(&left, &now))
		(void)poll(NULL, 0, GONE_POLL_MS);
	attack_say(attack, left.count == 0, "containers left behind",
		   left.count ? "%zu, %s among them" : "none", left.count,
		   left.count ? left.names[0] : "");
}

/* --- one attack, and all ---------------------------------------------------------------------- */

static int add_result(json_t *report, const struct attack *attack, int64_t started_us)
{
	const json_t *definition = attack->definition;
	const char *class = json_string_value(json_object_get(definition, "class"));
	const char *title = json_string_value(json_object_get(definition, "title"));
	json_t *result =
		json_pack("{s:s, s:s, s:s, s:s, s:I, s:O}", "name", attack->name, "class",
			  class ? class : "-", "title", title ? title : attack->name, "verdict",
			  attack->broken ? "broken" : "held", "took_ms",
			  (json_int_t)((monotonic_us() - started_us) / 1000), "acts", attack->acts);
	json_int_t held = json_integer_value(json_object_get(report, "held")),
		   broken = json_integer_value(json_object_get(report, "broken"));

	if (attack->broken)
		(void)json_object_set_new(report, "ok", json_false());
	(void)json_object_set_new(report, attack->broken ? "broken" : "held",
				  json_integer((attack->broken ? broken : held) + 1));
	return json_array_append_new(json_object_get(report, "attacks"), result);
}

/* As registry_parse, but a request may hold NUL. */
static int read_definition(struct attack *attack, json_t **out, struct error *err)
{
	struct registry_file *file = &attack->file;

	if (registry_open(attack->config, REGISTRY_ATTACKS, slice_of(attack->name), file, err) <
		    0 ||
	    registry_parse(file, out, err) < 0)
		return -1;
	attack->definition = *out;
	return attack_check(attack, err);
}

static void run_one(struct attack *attack, json_t *report)
{
	_cleanup_json_ json_t *definition = NULL;
	int64_t started_us = monotonic_us();
	struct error err;

	attack->acts = json_array();
	if (read_definition(attack, &definition, &err) < 0) {
		attack_say(attack, false, "the attack's file", "%s", err.message);
	} else {
		attack_run(attack);
	}
	(void)add_result(report, attack, started_us);
	registry_file_free(&attack->file);
	json_decref(attack->acts);
}

static void run_rest(const struct config *config, const struct folders *before, bool could_list,
		     json_t *report)
{
	_cleanup_json_ json_t *definition = json_pack(
		"{s:s, s:s}", "title", "What the attacks have left behind", "class", "persistence");
	struct attack attack = {.config = config,
				.name = "nothing-left",
				.definition = definition,
				.acts = json_array()};
	int64_t started_us = monotonic_us();

	look_for_rest(&attack, before, could_list);
	(void)add_result(report, &attack, started_us);
	json_decref(attack.acts);
}

static bool is_wanted(const char *name, char *const *only, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(only[i], name) == 0)
			return true;
	return count == 0;
}

static void run_all(const struct config *config, const struct template *template,
		    const struct registry_names *names, char *const *only, unsigned count,
		    json_t *report)
{
	struct folders before;
	bool could_list = list_folders(config, &before);

	for (size_t i = 0; i < names->count; i++) {
		struct attack attack = {
			.config = config, .template = template, .name = names->names[i]};

		if (!is_wanted(attack.name, only, count))
			continue;
		if (isatty(STDERR_FILENO))
			(void)fprintf(stderr, "attack %s\n", attack.name);
		run_one(&attack, report);
	}
	run_rest(config, &before, could_list, report);
}

/* Is every name of --only an attack? Says so where not. */
static bool are_known(const struct registry_names *names, char *const *only, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		bool is_known = false;

		for (size_t k = 0; k < names->count; k++)
			is_known |= strcmp(names->names[k], only[i]) == 0;
		if (!is_known) {
			(void)fprintf(stderr,
				      "mayflyctl doctor: there is no attack \"%s\" in attack.d\n",
				      only[i]);
			return false;
		}
	}
	return true;
}

static int say_error(const struct error *err, const char *advice)
{
	(void)fprintf(stderr, "mayflyctl doctor: %s%s\n", err->message, advice);
	return EXIT_BAD;
}

static json_t *new_report(const struct config *config)
{
	char target[HTTP_CLIENT_NAME_BYTES], now[DATE_BYTES];
	struct utsname host = {0};

	http_client_name(config->bind, config->port, target);
	date_rfc3339(unix_now_ms(), now);
	(void)uname(&host);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:[]}", "mayfly", MAYFLY_VERSION,
			 "started", now, "target", target, "host", host.nodename, "kernel",
			 host.release, "ok", 1, "held", 0, "broken", 0, "attacks");
}

int doctor_attack(const struct config *config, bool as_json, char *const *only, unsigned count)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	_cleanup_json_ json_t *report = new_report(config);
	struct http_client_reply reply = {.body = buf_new(MIB)};
	struct template template;
	struct error err;

	if (registry_names(config, REGISTRY_ATTACKS, &names, &err) < 0 ||
	    template_load(config, SLICE_LITERAL(TEMPLATE_TOOL), &template, &err) < 0)
		return say_error(&err, "");
	if (names.count == 0) {
		(void)error_set(&err, 500, "bad_configuration", "there is no attack.d in %s",
				config->registry[CONFIG_REGISTRY_DIRS - 1]);
		return say_error(&err, "; install mayfly again, or set MAYFLY_DATA_DIR");
	}
	if (!are_known(&names, only, count))
		return DOCTOR_EXIT_USAGE;

	int result = doctor_request(config, "GET", "/health", NULL,
				    deadline_in(DOCTOR_HTTP_DEADLINE_MS), &reply, &err);

	buf_free(&reply.body);
	if (result < 0)
		return say_error(&err, "; start the service, or see mayflyctl doctor");
	run_all(config, &template, &names, only, count, report);
	if (as_json) {
		(void)json_dumpf(report, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else {
		attack_print(report);
	}
	return json_is_true(json_object_get(report, "ok")) ? EXIT_GOOD : EXIT_BAD;
}
