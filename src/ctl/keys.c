#include "ctl/keys.h"

#include "auth/keys.h"
#include "base/clock.h"
#include "base/num.h"
#include "ctl/command.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define DAYS_MAX         36500
#define TIME_TEXT_BYTES  sizeof("2000-01-31T23:59:59Z")
#define OUTPUT_MAX_BYTES MIB
#define ROW_FORMAT       "%-25s  %-24s  %8s  %8s  %-14s  %-20s  %s\n"

/* no_such_key and its kin are the argument's fault. */
static int fail(const struct error *err)
{
	(void)fprintf(stderr, "mayflyctl keys: %s\n", err->message);
	if (err->status == 404 || err->status == 409)
		return EX_DATAERR;
	return strcmp(err->code, "bad_configuration") == 0 ? EX_CONFIG : EX_OSERR;
}

/* --- add -------------------------------------------------------------------------------------- */

static bool read_scopes(const char *text, struct key *key)
{
	for (key->scopes = 0;; text++) {
		size_t len = strcspn(text, ",");
		unsigned scope = key_scope_of((struct slice){text, len});

		key->scopes |= scope;
		text += len;
		if (!scope || !*text)
			return scope != 0;
	}
}

static bool read_option(const char *name, const char *value, struct key *key)
{
	uint64_t days;

	if (strcmp(name, "--rate") == 0)
		return key_rate_parse(slice_of(value), &key->rate_micro) == 0;
	if (strcmp(name, "--burst") == 0)
		return num_parse(slice_of(value), 10, KEY_BURST_MAX, &key->burst) == 0 &&
		       key->burst > 0;
	if (strcmp(name, "--scopes") == 0)
		return read_scopes(value, key);
	if (strcmp(name, "--days") != 0 || num_parse(slice_of(value), 10, DAYS_MAX, &days) < 0 ||
	    days == 0)
		return false;
	key->expires_s = time(NULL) + (int64_t)days * S_PER_DAY;
	return true;
}

static int add(const struct config *config, int argc, char **argv)
{
	struct key key = {.rate_micro = KEY_RATE_DEFAULT_MICRO,
			  .burst = KEY_BURST_DEFAULT,
			  .scopes = KEY_RUN | KEY_READ};
	char token[KEY_TOKEN_BYTES];
	struct error err;

	if (argc % 2 == 0)
		return CTL_USAGE;
	if (!key_is_label(slice_of(argv[0]))) {
		(void)fprintf(stderr,
			      "mayflyctl keys: a label is 1 to %d of A-Z, a-z, 0-9 and ._@-\n",
			      KEY_LABEL_BYTES - 1);
		return EX_USAGE;
	}
	for (int i = 1; i < argc; i += 2) {
		if (!read_option(argv[i], argv[i + 1], &key)) {
			(void)fprintf(stderr, "mayflyctl keys: %s does not take \"%s\"\n", argv[i],
				      argv[i + 1]);
			return CTL_USAGE;
		}
	}
	(void)snprintf(key.label, sizeof(key.label), "%s", argv[0]);
	if (keys_add(config, &key, token, &err) < 0)
		return fail(&err);
	(void)fprintf(stderr,
		      "The key %s of %s is in %s. Its token is not stored and not shown again:\n",
		      key.id, key.label, config->keys_file);
	(void)puts(token);
	return EX_OK;
}

/* --- list ------------------------------------------------------------------------------------- */

static void print_time(int64_t time_s, char out[TIME_TEXT_BYTES])
{
	struct tm calendar;
	time_t seconds = time_s;

	if (!gmtime_r(&seconds, &calendar) ||
	    strftime(out, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &calendar) == 0)
		(void)snprintf(out, TIME_TEXT_BYTES, "%" PRId64, time_s);
}

static json_t *row_of(const struct key *key)
{
	char rate[KEY_RATE_BYTES], scopes[KEY_SCOPES_BYTES], expires[TIME_TEXT_BYTES] = "never";

	key_rate_print(key->rate_micro, rate);
	key_scope_names(key->scopes, scopes);
	if (key->expires_s)
		print_time(key->expires_s, expires);
	return json_pack("{s:s, s:o, s:s, s:I, s:s, s:s, s:b, s:s}", "id", key->id, "label",
			 json_clean_string(slice_of(key->label)), "rate", rate, "burst",
			 (json_int_t)key->burst, "scopes", scopes, "expires", expires, "expired",
			 key->expires_s && key->expires_s <= time(NULL), "from",
			 key->is_from_file ? "file" : "API_KEYS");
}

static const char *text_of(const json_t *row, const char *name)
{
	return json_string_value(json_object_get(row, name));
}

static void print_table(const json_t *rows)
{
	const json_t *row;
	char burst[24];
	size_t i;

	if (json_array_size(rows))
		(void)printf(ROW_FORMAT, "ID", "LABEL", "RATE/S", "BURST", "SCOPES", "EXPIRES",
			     "FROM");
	json_array_foreach ((json_t *)rows, i, row) {
		(void)snprintf(burst, sizeof(burst), "%" JSON_INTEGER_FORMAT,
			       json_integer_value(json_object_get(row, "burst")));
		(void)printf(ROW_FORMAT, text_of(row, "id"), text_of(row, "label"),
			     text_of(row, "rate"), burst, text_of(row, "scopes"),
			     json_is_true(json_object_get(row, "expired"))
				     ? "expired"
				     : text_of(row, "expires"),
			     text_of(row, "from"));
	}
}

static int print_json(const json_t *rows)
{
	_cleanup_buf_ struct buf text = buf_new(OUTPUT_MAX_BYTES);

	if (json_write(rows, &text) < 0)
		return EX_OSERR;
	(void)puts(text.data);
	return EX_OK;
}

static int list(const struct config *config, bool as_json)
{
	_cleanup_keys_ struct keys keys = {0};
	_cleanup_json_ json_t *rows = json_array();
	struct error err;

	if (keys_load(config, &keys, &err) < 0)
		return fail(&err);
	for (size_t i = 0; i < keys.count; i++)
		if (json_array_append_new(rows, row_of(&keys.list[i])) < 0)
			return EX_OSERR;
	if (keys.bad_lines)
		(void)fprintf(stderr,
			      "mayflyctl keys: %zu lines of %s are malformed and admit no caller\n",
			      keys.bad_lines, config->keys_file);
	if (!keys.is_configured)
		(void)fputs("mayflyctl keys: there are none: only callers on loopback are served\n",
			    stderr);
	if (as_json)
		return print_json(rows);
	print_table(rows);
	return EX_OK;
}

/* --- revoke ----------------------------------------------------------------------------------- */

static int revoke(const struct config *config, const char *id_or_label)
{
	struct key key;
	struct error err;

	if (keys_revoke(config, id_or_label, &key, &err) < 0)
		return fail(&err);
	(void)fprintf(stderr, "The key %s of %s is revoked\n", key.id, key.label);
	return EX_OK;
}

int ctl_keys(const struct config *config, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "add") == 0 && argc > 2)
		return add(config, argc - 2, argv + 2);
	if (strcmp(verb, "list") == 0 && argc == 2)
		return list(config, false);
	if (strcmp(verb, "list") == 0 && argc == 3 && strcmp(argv[2], "--json") == 0)
		return list(config, true);
	if (strcmp(verb, "revoke") == 0 && argc == 3)
		return revoke(config, argv[2]);
	return CTL_USAGE;
}
