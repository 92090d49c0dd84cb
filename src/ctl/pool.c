#include "ctl/commands.h"

#include "base/ascii.h"
#include "ctl/cgroup.h"
#include "job/pool.h"
#include "store/metrics.h"

#include <stdio.h>
#include <sysexits.h>

#define ROW_FORMAT "%-16s  %8s  %10s  %-9s  %s\n"

static json_int_t number_of(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

/* --- the list --------------------------------------------------------------------------------- */

static void add_row(void *context, const struct pool_row *row)
{
	json_t *rows = context;

	(void)json_array_append_new(rows, json_pack("{s:s, s:s, s:o, s:I, s:I, s:s, s:b}", "kind",
						    row->kind, "folder", row->folder, "label",
						    json_clean_string(slice_of(row->label)),
						    "age_s", (json_int_t)row->age_s, "memory_bytes",
						    (json_int_t)row->memory_bytes, "memory_from",
						    "preparation", "prebooted", row->is_prebooted));
}

/* Is the container with that folder the one that waits in the pool under the other? Both end in
   its digits. */
static bool is_same(const char *pooled_folder, const char *engine_folder)
{
	const char *pooled = strrchr(pooled_folder, '-'), *digits = strrchr(engine_folder, '-');

	return pooled && digits && strcmp(pooled, digits) == 0;
}

/* The engine knows which container is which; its cgroup knows the memory. */
static void note_row(void *context, const struct engine_row *container)
{
	size_t i;
	json_t *row;

	json_array_foreach ((json_t *)context, i, row) {
		uint64_t bytes;

		if (!is_same(ctl_text(row, "folder"), container->folder) || !*container->id ||
		    !cgroup_memory(container->id, &bytes))
			continue;
		(void)json_object_set_new(row, "memory_bytes", json_integer((json_int_t)bytes));
		(void)json_object_set_new(row, "memory_from", json_string("cgroup"));
	}
}

/* An engine that does not answer costs the list nothing but what it takes now. */
static void measure(const struct config *config, json_t *rows)
{
	struct engine engine;
	struct error err;

	if (json_array_size(rows) == 0 || engine_open(config, &engine, &err) < 0)
		return;
	if (engine_list(&engine, deadline_in(ENGINE_CALL_DEADLINE_MS), note_row, rows, &err) < 0)
		(void)ctl_fail("pool", 0,
			       "memory is as it was when they were prepared, because no container "
			       "engine answers: %s",
			       err.message);
	engine_close(&engine);
}

/* NULL, with *err, when they cannot be read. */
static json_t *counters(const struct config *config, struct error *err)
{
	_cleanup_metrics_ struct metrics metrics = {0};

	if (metrics_read(config, &metrics, err) < 0)
		return NULL;

	uint64_t refills = metrics.values[METRIC_POOL_REFILLS];
	uint64_t refill_us = metrics.values[METRIC_POOL_REFILL_US];

	return json_pack("{s:I, s:I, s:I, s:f}", "claims",
			 (json_int_t)metrics.values[METRIC_POOL_CLAIMS], "misses",
			 (json_int_t)metrics.values[METRIC_POOL_MISSES], "refills",
			 (json_int_t)refills, "refill_mean_ms",
			 refills ? (double)refill_us / 1000 / (double)refills : 0.0);
}

/* A terminal is shown nothing that could move its cursor or turn its writing round. */
static void print_label(const char *label)
{
	for (; *label; label++)
		(void)putchar((unsigned char)*label >= 0x20 && (unsigned char)*label < 0x7F ? *label
											    : '?');
	(void)putchar('\n');
}

static void print_table(const json_t *rows, const json_t *counted)
{
	size_t i;
	json_t *row;

	if (json_array_size(rows))
		(void)printf(ROW_FORMAT, "KIND", "AGE", "MEMORY", "PREBOOTED", "FOR");
	json_array_foreach ((json_t *)rows, i, row) {
		char age[32], memory[32];

		(void)snprintf(age, sizeof(age), "%" JSON_INTEGER_FORMAT " s",
			       number_of(row, "age_s"));
		(void)snprintf(memory, sizeof(memory), "%.1f MiB",
			       (double)number_of(row, "memory_bytes") / (double)MIB);
		(void)printf("%-16s  %8s  %10s  %-6s  ", ctl_text(row, "kind"), age, memory,
			     json_is_true(json_object_get(row, "prebooted")) ? "yes" : "no");
		print_label(ctl_text(row, "label"));
	}
	(void)printf("%zu waiting; claims %" JSON_INTEGER_FORMAT ", misses %" JSON_INTEGER_FORMAT
		     ", refills %" JSON_INTEGER_FORMAT ", %.0f ms each\n",
		     json_array_size(rows), number_of(counted, "claims"),
		     number_of(counted, "misses"), number_of(counted, "refills"),
		     json_real_value(json_object_get(counted, "refill_mean_ms")));
}

int ctl_pool_list(const struct config *config, struct ctl_arguments *arguments)
{
	struct error err = {0};
	_cleanup_json_ json_t *rows = json_array(), *counted = counters(config, &err);

	if (!counted || pool_list(config, add_row, rows, &err) < 0)
		return ctl_error("pool", &err);
	measure(config, rows);
	if (ctl_option(arguments, "--json"))
		return ctl_print_json(json_pack("{s:O, s:O}", "pool", rows, "counters", counted),
				      JSON_COMPACT);
	print_table(rows, counted);
	return EX_OK;
}

/* --- dropping --------------------------------------------------------------------------------- */

static bool is_wanted(const char *kind, const struct ctl_arguments *arguments)
{
	for (int i = 0; i < arguments->count; i++)
		if (strcmp(arguments->words[i], "all") == 0 ||
		    strcmp(arguments->words[i], kind) == 0)
			return true;
	return false;
}

static bool is_kind(const char *word)
{
	return strcmp(word, "all") == 0 ||
	       (strlen(word) == POOL_KIND_DIGITS && ascii_is_of(slice_of(word), ASCII_HEX));
}

int ctl_pool_drop(const struct config *config, struct ctl_arguments *arguments)
{
	_cleanup_json_ json_t *rows = json_array();
	struct engine engine;
	struct error err;
	int status = EX_OK;
	unsigned dropped = 0;
	size_t i;
	json_t *row;

	for (int word = 0; word < arguments->count; word++)
		if (!is_kind(arguments->words[word]))
			return ctl_fail("pool", EX_USAGE,
					"a kind is the %d digits that the list shows; or say all",
					POOL_KIND_DIGITS);
	if (pool_list(config, add_row, rows, &err) < 0 || engine_open(config, &engine, &err) < 0)
		return ctl_error("pool", &err);
	json_array_foreach (rows, i, row) {
		if (status != EX_OK || !is_wanted(ctl_text(row, "kind"), arguments))
			continue;

		int result = pool_drop(config, &engine, ctl_text(row, "folder"), &err);

		dropped += result == 0;
		if (result < 0)
			status = ctl_fail("pool", EX_UNAVAILABLE, "%s", err.message);
	}
	engine_close(&engine);
	(void)printf("%u removed\n", dropped);
	return status;
}
