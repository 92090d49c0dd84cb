#include "ctl/commands.h"

#include "auth/rate_limit.h"
#include "base/clock.h"
#include "base/date.h"
#include "job/slots.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#define DAYS_MAX   36500
#define ROW_FORMAT "%-25s  %-24s  %8s  %8s  %8s  %14s  %-14s  %-20s  %s\n"

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

static int refuse(const char *name, const char *value)
{
	return ctl_fail("keys", -1, "%s does not take \"%s\"", name, value);
}

static int read_options(const struct ctl_arguments *arguments, struct key *key)
{
	const char *rate = ctl_option(arguments, "--rate"),
		   *scopes = ctl_option(arguments, "--scopes");
	uint64_t days = 0;

	if (rate && key_rate_parse(slice_of(rate), &key->rate_micro) < 0)
		return refuse("--rate", rate);
	if (scopes && !read_scopes(scopes, key))
		return refuse("--scopes", scopes);
	if (ctl_number(arguments, "keys", "--burst", 1, KEY_BURST_MAX, &key->burst) < 0 ||
	    ctl_number(arguments, "keys", "--jobs", 1, KEY_JOBS_MAX, &key->jobs) < 0 ||
	    ctl_number(arguments, "keys", "--sessions", 1, SESSIONS_MAX, &key->sessions) < 0 ||
	    ctl_number(arguments, "keys", "--cpu", 1, KEY_CPU_MAX_S, &key->cpu_s) < 0 ||
	    ctl_number(arguments, "keys", "--days", 1, DAYS_MAX, &days) < 0)
		return -1;
	if (days)
		key->expires_s = time(NULL) + (int64_t)days * S_PER_DAY;
	return 0;
}

int ctl_keys_add(const struct config *config, struct ctl_arguments *arguments)
{
	const char *label = arguments->words[0];
	struct key key = {.rate_micro = KEY_RATE_DEFAULT_MICRO,
			  .burst = KEY_BURST_DEFAULT,
			  .scopes = KEY_RUN | KEY_READ};
	char token[KEY_TOKEN_BYTES];
	struct error err;

	if (!key_is_label(slice_of(label)))
		return ctl_fail("keys", EX_USAGE, "a label is 1 to %d of A-Z, a-z, 0-9 and ._@-",
				KEY_LABEL_BYTES - 1);
	if (read_options(arguments, &key) < 0)
		return CTL_USAGE;
	(void)snprintf(key.label, sizeof(key.label), "%s", label);
	if (keys_add(config, &key, token, &err) < 0)
		return ctl_error("keys", &err);
	(void)fprintf(stderr,
		      "The key %s of %s is in %s. Its token is not stored and not shown again:\n",
		      key.id, key.label, config->keys_file);
	(void)puts(token);
	return EX_OK;
}

/* --- list ------------------------------------------------------------------------------------- */

static json_t *row_of(const struct config *config, const struct key *key)
{
	char rate[KEY_RATE_BYTES], scopes[KEY_SCOPES_BYTES], expires[DATE_BYTES] = "never";

	key_rate_print(key->rate_micro, rate);
	key_scope_names(key->scopes, scopes);
	if (key->expires_s) {
		date_rfc3339(key->expires_s * MS_PER_S, expires);
		memcpy(strchr(expires, '.'), "Z", sizeof("Z"));
	}
	return json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:s, s:s, s:b, s:s}", "id",
			 key->id, "label", json_clean_string(slice_of(key->label)), "rate", rate,
			 "burst", (json_int_t)key->burst, "jobs", (json_int_t)key->jobs, "running",
			 (json_int_t)slot_count_of(config, slot_caller_id(slice_of(key->id))),
			 "sessions", (json_int_t)key->sessions, "cpu", (json_int_t)key->cpu_s,
			 "cpu_used", (double)cpu_used_us(config, key->id) / US_PER_S, "scopes",
			 scopes, "expires", expires, "expired",
			 key->expires_s && key->expires_s <= time(NULL), "from",
			 key->is_from_file ? "file" : "API_KEYS");
}

/* "1 of 4", or "1" where there is no limit. */
static void print_use(char *out, size_t size, const json_t *row, const char *used,
		      const char *limit)
{
	int64_t most = json_integer_value(json_object_get(row, limit));
	int len = snprintf(out, size, "%.*f", json_is_real(json_object_get(row, used)),
			   json_number_value(json_object_get(row, used)));

	if (most)
		(void)snprintf(out + len, size - (size_t)len, " of %" PRId64, most);
}

static void print_table(const json_t *rows)
{
	const json_t *row;
	char burst[24], jobs[48], cpu[64];
	size_t i;

	if (json_array_size(rows))
		(void)printf(ROW_FORMAT, "ID", "LABEL", "RATE/S", "BURST", "JOBS", "CPU S/HOUR",
			     "SCOPES", "EXPIRES", "FROM");
	json_array_foreach ((json_t *)rows, i, row) {
		(void)snprintf(burst, sizeof(burst), "%" JSON_INTEGER_FORMAT,
			       json_integer_value(json_object_get(row, "burst")));
		print_use(jobs, sizeof(jobs), row, "running", "jobs");
		print_use(cpu, sizeof(cpu), row, "cpu_used", "cpu");
		(void)printf(ROW_FORMAT, ctl_text(row, "id"), ctl_text(row, "label"),
			     ctl_text(row, "rate"), burst, jobs, cpu, ctl_text(row, "scopes"),
			     json_is_true(json_object_get(row, "expired"))
				     ? "expired"
				     : ctl_text(row, "expires"),
			     ctl_text(row, "from"));
	}
}

int ctl_keys_list(const struct config *config, struct ctl_arguments *arguments)
{
	_cleanup_keys_ struct keys keys = {0};
	_cleanup_json_ json_t *rows = json_array();
	struct error err;

	if (keys_load(config, &keys, &err) < 0)
		return ctl_error("keys", &err);
	for (size_t i = 0; i < keys.count; i++)
		(void)json_array_append_new(rows, row_of(config, &keys.list[i]));
	if (keys.bad_lines)
		(void)ctl_fail("keys", 0, "%zu lines of %s are malformed and admit no caller",
			       keys.bad_lines, config->keys_file);
	if (!keys.is_configured)
		(void)ctl_fail("keys", 0, "there are none: only callers on loopback are served");
	if (ctl_option(arguments, "--json"))
		return ctl_print_json(json_incref(rows), JSON_COMPACT);
	print_table(rows);
	return EX_OK;
}

/* --- revoke ----------------------------------------------------------------------------------- */

int ctl_keys_revoke(const struct config *config, struct ctl_arguments *arguments)
{
	_cleanup_keys_ struct keys left = {0};
	struct key key;
	struct error err;

	if (keys_revoke(config, arguments->words[0], &key, &err) < 0 ||
	    keys_load(config, &left, &err) < 0)
		return ctl_error("keys", &err);
	(void)fprintf(stderr, "The key %s of %s is revoked\n", key.id, key.label);
	if (left.count == 0)
		(void)fprintf(stderr,
			      "It was the last one. What asks for a key serves no caller, until "
			      "mayflyctl keys add makes one. To serve callers on loopback without "
			      "a key again, remove %s\n",
			      config->keys_file);
	return EX_OK;
}
