/*
 * mayflyctl doctor: which container escapes are open in the engine's components.
 *
 * Rules:
 *  1. The table of escapes is a file, advisories.d/escapes.json in a registry (config/registry.h);
 *     a package or an operator puts a newer one in its place. It names escapes that code running in
 *     a container of mayfly's might use, and only those. Its fields: worker/README.md.
 *  2. A version is open when it lies in a row's range of upstream versions, unless its Debian
 *     package is the one with the backport, or a later one of the same upstream version, or its
 *     changelog names the escape.
 *  3. The table is as old as its date says. What came later is not in it, and the report says so.
 */
#include "ctl/doctor/internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/num.h"
#include "config/registry.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TABLE_NAME    "escapes"
#define DAY_MS        (24 * 3600 * INT64_C(1000))
#define VERSION_BYTES 128
#define LIST_BYTES    256
#define FIELD_BYTES   64

/* What the engines call their components, and the Debian package of each; the first whose words
 * occur in the name. */
static const struct component {
	const char *words, *name, *package;
} components[] = {
	{"crun", "crun", "crun"},      {"runc", "runc", "runc"},
	{"onmon", "conmon", "conmon"}, {"containerd", "containerd", "containerd"},
	{"odman", "podman", "podman"}, {"docker", "docker", "docker.io"},
};

/* --- the table -------------------------------------------------------------------------------- */

/* Of "2026-09-11", in days since 1970. False for what is no such date. */
static bool parse_date(const char *text, int64_t *days)
{
	struct tm calendar = {0};
	const char *end = strptime(text, "%Y-%m-%d", &calendar);

	*days = timegm(&calendar) * INT64_C(1000) / DAY_MS;
	return end == text + strlen("2026-09-11") && !*end && *days >= 0;
}

struct escape {
	const char *component, *id, *since, *fixed, *debian;
};

static int check_escape(const struct registry_file *file, size_t at, const json_t *escape,
			struct error *err)
{
	static const struct json_field fields[] = {
		{READ_FIELD(struct escape, component, "component", READ_TEXT), READ_REQUIRED},
		{READ_FIELD(struct escape, id, "id", READ_TEXT), READ_REQUIRED},
		{READ_FIELD(struct escape, since, "since", READ_TEXT)},
		{READ_FIELD(struct escape, fixed, "fixed", READ_TEXT), READ_REQUIRED},
		{READ_FIELD(struct escape, debian, "debian", READ_TEXT)}};
	struct escape read;
	char place[FIELD_BYTES];

	(void)snprintf(place, sizeof(place), "escapes[%zu]", at);
	return registry_read(file, place, escape, fields, COUNT_OF(fields), &read, err);
}

/* The caller owns *out, which has a date and good rows. 0, or -1 with *err. */
static int load_table(const struct config *config, json_t **out, int64_t *days, struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_json_ json_t *table = NULL;
	const json_t *escapes, *escape;
	size_t i;

	if (registry_open(config, REGISTRY_ADVISORIES, SLICE_LITERAL(TABLE_NAME), &file, err) < 0 ||
	    registry_parse(&file, &table, err) < 0)
		return -1;
	if (!parse_date(ctl_text(table, "date"), days))
		return registry_bad_field(&file, "date", err, "must be a date: 2026-09-11");
	escapes = json_object_get(table, "escapes");
	if (!json_is_array(escapes))
		return registry_bad_field(&file, "escapes", err, "must be an array");
	json_array_foreach ((json_t *)escapes, i, escape)
		if (check_escape(&file, i, escape, err) < 0)
			return -1;
	*out = json_incref(table);
	return 0;
}

void doctor_advisories(struct doctor *doctor)
{
	int64_t days = 0;
	struct error err = {0};

	if (load_table(doctor->config, &doctor->advisories, &days, &err) < 0) {
		doctor_fail(doctor, "advisories",
			    "correct it, or install mayfly again, or set MAYFLY_DATA_DIR",
			    "no table of known escapes: %s", err.message);
		return;
	}

	int64_t age = unix_now_ms() / DAY_MS - days;
	bool is_old = age > DOCTOR_ADVISORIES_MAX_DAYS;

	doctor_say(doctor, is_old ? DOCTOR_WARN : DOCTOR_OK, "advisories",
		   is_old ? "install a newer mayfly, or a newer table as "
			    "/etc/mayfly/" REGISTRY_ADVISORIES "/" TABLE_NAME ".json"
			  : NULL,
		   "the table of known escapes is of %s, %d days old",
		   ctl_text(doctor->advisories, "date"), (int)age);
}

/* --- versions --------------------------------------------------------------------------------- */

static int order_of(char character)
{
	if (character == '~')
		return -1;
	if (character == '\0' || isdigit((unsigned char)character))
		return 0;
	return isalpha((unsigned char)character) ? (unsigned char)character
						 : (unsigned char)character + 256;
}

int doctor_version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		while ((*a && !isdigit((unsigned char)*a)) || (*b && !isdigit((unsigned char)*b))) {
			int difference = order_of(*a) - order_of(*b);

			if (difference)
				return difference;
			a++;
			b++;
		}
		a += strspn(a, "0");
		b += strspn(b, "0");

		size_t digits_a = strspn(a, "0123456789"), digits_b = strspn(b, "0123456789");
		int difference = digits_a != digits_b ? (digits_a < digits_b ? -1 : 1)
						      : memcmp(a, b, digits_a);

		if (difference)
			return difference;
		a += digits_a;
		b += digits_b;
	}
	return 0;
}

/* "crun_1.8.1-1+deb12u1_amd64" and "v1.8.1" are versions with something around them. */
static void take_version(const char *text, char out[VERSION_BYTES])
{
	const char *first = strchr(text, '_');

	text = first ? first + 1 : text;
	text += *text == 'v';
	(void)snprintf(out, VERSION_BYTES, "%.*s", (int)strcspn(text, "_"), text);
}

/* Without epoch, Debian revision and what says that files were left out; rc as ~rc, which comes
 * before the release: "1.1.5+ds1-1+deb12u1" is 1.1.5. */
static void take_upstream(const char *version, char out[VERSION_BYTES])
{
	static const char *const repacked[] = {"+ds", "~ds", "+dfsg", "~dfsg", "-ce"};
	const char *colon = strchr(version, ':');

	(void)snprintf(out, VERSION_BYTES, "%s", colon ? colon + 1 : version);

	char *candidate = strstr(out, "-rc"), *revision = strrchr(out, '-');

	if (candidate)
		*candidate = '~';
	if (revision && revision != candidate)
		*revision = '\0';
	for (size_t i = 0; i < COUNT_OF(repacked); i++) {
		char *at = strstr(out, repacked[i]);

		if (at)
			*at = '\0';
	}
}

/* The version of an installed Debian package; false where there is none. */
static bool package_version(const char *package, char out[VERSION_BYTES])
{
	_cleanup_buf_ struct buf said = buf_new(VERSION_BYTES - 1);
	const char *const argv[] = {"dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}",
				    package,      NULL};
	static const char installed[] = "installed ";

	if (child_command(argv, false, deadline_in(DOCTOR_COMMAND_DEADLINE_MS), &said) != 0 ||
	    !slice_starts(buf_slice(&said), installed))
		return false;
	(void)snprintf(out, VERSION_BYTES, "%s", said.data + strlen(installed));
	return true;
}

static bool changelog_names(const char *package, const char *cve)
{
	_cleanup_buf_ struct buf said = buf_new(DOCTOR_OUTPUT_MAX_BYTES);
	char path[VERSION_BYTES];
	const char *const argv[] = {"zgrep", "-q", "-F", "-e", cve, path, NULL};

	(void)snprintf(path, sizeof(path), "/usr/share/doc/%s/changelog.Debian.gz", package);
	return child_command(argv, true, deadline_in(DOCTOR_COMMAND_DEADLINE_MS), &said) == 0;
}

/* --- what is open ----------------------------------------------------------------------------- */

/* Rule 2. debian: of the package, "" when it is from none. */
static bool is_open(const json_t *escape, const char *package, const char *upstream,
		    const char *debian)
{
	const char *backport = ctl_text(escape, "debian");
	char fixed_upstream[VERSION_BYTES];

	/* every version is later than "" */
	if (doctor_version_compare(upstream, ctl_text(escape, "since")) < 0 ||
	    doctor_version_compare(upstream, ctl_text(escape, "fixed")) >= 0)
		return false;
	if (!*debian)
		return true;
	if (*backport) {
		take_upstream(backport, fixed_upstream);
		if (strcmp(fixed_upstream, upstream) == 0 &&
		    doctor_version_compare(debian, backport) >= 0)
			return false;
	}
	return !changelog_names(package, ctl_text(escape, "id"));
}

/* The ids of what is open, with commas between; "" for nothing. */
static void list_open(const struct doctor *doctor, const struct component *component,
		      const char *upstream, const char *debian, char out[LIST_BYTES])
{
	const json_t *escape;
	size_t i;

	*out = '\0';
	json_array_foreach (json_object_get(doctor->advisories, "escapes"), i, escape)
		if (json_text_is(escape, "component", component->name) &&
		    is_open(escape, component->package, upstream, debian))
			doctor_list(out, LIST_BYTES, "%s", ctl_text(escape, "id"));
}

static const struct component *find_component(const char *name)
{
	/* tini or catatonit, which mayfly-init stands in for */
	if (strstr(name, "docker-init"))
		return NULL;
	for (size_t i = 0; i < COUNT_OF(components); i++)
		if (strstr(name, components[i].words))
			return &components[i];
	return NULL;
}

void doctor_component(struct doctor *doctor, const char *name, const char *version)
{
	const struct component *component = find_component(name);
	char found[VERSION_BYTES], upstream[VERSION_BYTES], debian[VERSION_BYTES] = "",
							    packaged[VERSION_BYTES];
	char check[VERSION_BYTES], open[LIST_BYTES];

	if (!component || !doctor->advisories)
		return;
	take_version(version, found);
	take_upstream(found, upstream);
	/* the engine's own word, unless the package has that very version and more to say */
	if (package_version(component->package, debian)) {
		take_upstream(debian, packaged);
		if (strcmp(packaged, upstream) != 0)
			*debian = '\0';
	}
	list_open(doctor, component, upstream, debian, open);
	(void)snprintf(check, sizeof(check), "engine.%s", component->name);
	if (*open)
		doctor_fail(doctor, check,
			    strcmp(component->name, "runc") == 0
				    ? "install a later one, or let the engine use crun: in "
				      "containers.conf, [engine] runtime = \"crun\""
				    : "install a later one",
			    "%s %s is open to %s (as of %s)", component->name,
			    *debian ? debian : found, open, ctl_text(doctor->advisories, "date"));
	else
		doctor_ok(doctor, check, "%s %s: no escape open to a job is known (as of %s)",
			  component->name, *debian ? debian : found,
			  ctl_text(doctor->advisories, "date"));
}

void doctor_unused_runtime(struct doctor *doctor, const char *used)
{
	const struct component *runc = find_component("runc");
	char debian[VERSION_BYTES], upstream[VERSION_BYTES], open[LIST_BYTES];

	if (!doctor->advisories || !*used || strcmp(used, "runc") == 0 ||
	    strstr(used, "io.containerd.runc") || !package_version(runc->package, debian))
		return;
	take_upstream(debian, upstream);
	list_open(doctor, runc, upstream, debian, open);
	if (*open)
		doctor_warn(
			doctor, "engine.unused_runtime",
			"keep the engine on its runtime, or remove the package runc",
			"runc %s is installed and not used (%s is): it is open to %s (as of %s)",
			debian, used, open, ctl_text(doctor->advisories, "date"));
}
