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

#include "base/date.h"
#include "ctl/doctor/doctor.h"
#include "job/engine_client.h"
#include "job/pool.h"

#include <poll.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#define EXIT_GOOD    0
#define EXIT_BAD     1
#define GONE_POLL_MS 200

/* --- containers that are left (rule 4) -------------------------------------------------------- */

/* The digits that a folder's name ends in, which stay the same while its container waits in the
   pool and when it is claimed. */
static const char *digits_of(const char *folder)
{
	const char *dash = strrchr(folder, '-');

	return dash ? dash : folder;
}

static void take_row(void *context, const struct engine_row *row)
{
	(void)json_object_set_new(context, digits_of(row->folder), json_string(row->folder));
}

/* Pooled containers are made after jobs, and stay. */
static void leave_out(void *context, const struct pool_row *pooled)
{
	(void)json_object_del(context, digits_of(pooled->folder));
}

/* The folders there are, by their digits. NULL where this user cannot ask. */
static json_t *list_folders(const struct config *config)
{
	_cleanup_json_ json_t *folders = json_object();
	struct engine engine;
	struct error err;

	if (engine_open(config, &engine, &err) < 0)
		return NULL;

	int result = engine_list(&engine, deadline_in(DOCTOR_ENGINE_DEADLINE_MS), take_row, folders,
				 &err);

	engine_close(&engine);
	return result == 0 && pool_list(config, leave_out, folders, &err) == 0
		       ? json_incref(folders)
		       : NULL;
}

/* Takes out of left what is in others, or what is not. */
static void keep(json_t *left, const json_t *others, bool are_kept)
{
	const char *digits;
	json_t *folder;
	void *next;

	json_object_foreach_safe(left, next, digits,
				 folder) if ((json_object_get(others, digits) != NULL) !=
					     are_kept)(void) json_object_del(left, digits);
}

/* Of what is there now and was not before, none may stay; jobs of others that run meanwhile end,
 * too. */
static void look_for_rest(struct attack *attack, const json_t *before)
{
	deadline_ms deadline = deadline_in(ATTACK_GONE_DEADLINE_MS);
	_cleanup_json_ json_t *left = before ? list_folders(attack->config) : NULL;
	json_t *now;

	if (!left) {
		attack_say(attack, true, "containers left behind",
			   "not looked at: this user cannot ask the engine");
		return;
	}
	keep(left, before, false);
	while (json_object_size(left) && deadline_left_ms(deadline) &&
	       (now = list_folders(attack->config))) {
		keep(left, now, true);
		json_decref(now);
		(void)poll(NULL, 0, json_object_size(left) ? GONE_POLL_MS : 0);
	}

	size_t count = json_object_size(left);

	attack_say(attack, count == 0, "containers left behind",
		   count ? "%zu, %s among them" : "none", count,
		   count ? json_string_value(json_object_iter_value(json_object_iter(left))) : "");
}

/* --- one attack, and all ---------------------------------------------------------------------- */

/* Adds what came of it to the report. */
static void add_result(json_t *report, struct attack *attack, int64_t started_us)
{
	const char *class = ctl_text(attack->definition, "class"),
		   *title = ctl_text(attack->definition, "title"),
		   *verdict = attack->broken ? "broken" : "held";
	json_int_t count = json_integer_value(json_object_get(report, verdict));

	if (attack->broken)
		(void)json_object_set_new(report, "ok", json_false());
	(void)json_object_set_new(report, verdict, json_integer(count + 1));
	(void)json_array_append_new(
		json_object_get(report, "attacks"),
		json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "name", attack->name, "class",
			  *class ? class : "-", "title", *title ? title : attack->name, "verdict",
			  verdict, "took_ms", (json_int_t)((monotonic_us() - started_us) / 1000),
			  "acts", attack->acts));
}

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
	if (read_definition(attack, &definition, &err) < 0)
		attack_say(attack, false, "the attack's file", "%s", err.message);
	else
		attack_run(attack);
	add_result(report, attack, started_us);
	registry_file_free(&attack->file);
}

static void run_rest(const struct config *config, const json_t *before, json_t *report)
{
	_cleanup_json_ json_t *definition = json_pack(
		"{s:s, s:s}", "title", "What the attacks have left behind", "class", "persistence");
	struct attack attack = {.config = config,
				.name = "nothing-left",
				.definition = definition,
				.acts = json_array()};
	int64_t started_us = monotonic_us();

	look_for_rest(&attack, before);
	add_result(report, &attack, started_us);
}

/* The names that are asked for: those of --only, else all. NULL when one of them is no attack,
   which is complained of. */
static json_t *choose(const struct registry_names *names, const struct ctl_arguments *arguments)
{
	_cleanup_json_ json_t *all = json_object(), *chosen = json_object();

	for (size_t i = 0; i < names->count; i++)
		(void)json_object_set_new(all, names->names[i], json_true());
	for (int i = 0; i < arguments->option_count; i++) {
		const char *name = arguments->options[i].value;

		if (*name && !json_object_get(all, name)) {
			(void)ctl_fail("doctor", 0, "there is no attack \"%s\" in attack.d", name);
			return NULL;
		}
		if (*name)
			(void)json_object_set_new(chosen, name, json_true());
	}
	return json_incref(json_object_size(chosen) ? chosen : all);
}

static void run_all(const struct config *config, const struct template *template,
		    const json_t *chosen, json_t *report)
{
	_cleanup_json_ json_t *before = list_folders(config);
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)chosen, name, value) {
		struct attack attack = {.config = config, .template = template, .name = name};

		if (isatty(STDERR_FILENO))
			(void)fprintf(stderr, "attack %s\n", name);
		run_one(&attack, report);
	}
	run_rest(config, before, report);
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

int doctor_attack(const struct config *config, const struct ctl_arguments *arguments)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	_cleanup_json_ json_t *report = new_report(config), *chosen = NULL;
	struct http_client_reply reply = {.body = buf_new(MIB)};
	struct template template;
	struct error err;

	if (registry_names(config, REGISTRY_ATTACKS, &names, &err) < 0 ||
	    template_load(config, SLICE_LITERAL(TEMPLATE_TOOL), &template, &err) < 0)
		return ctl_fail("doctor", EXIT_BAD, "%s", err.message);
	if (names.count == 0)
		return ctl_fail("doctor", EXIT_BAD,
				"there is no attack.d in %s; install mayfly again, or set "
				"MAYFLY_DATA_DIR",
				config->registry[CONFIG_REGISTRY_DIRS - 1]);
	chosen = choose(&names, arguments);
	if (!chosen)
		return DOCTOR_EXIT_USAGE;

	int result = doctor_request(config, "GET", "/health", NULL,
				    deadline_in(DOCTOR_HTTP_DEADLINE_MS), &reply, &err);

	buf_free(&reply.body);
	if (result < 0)
		return ctl_fail("doctor", EXIT_BAD,
				"%s; start the service, or see mayflyctl doctor", err.message);
	run_all(config, &template, chosen, report);
	if (ctl_option(arguments, "--json"))
		(void)ctl_print_json(json_incref(report), JSON_INDENT(2));
	else
		attack_print(report);
	return json_is_true(json_object_get(report, "ok")) ? EXIT_GOOD : EXIT_BAD;
}
