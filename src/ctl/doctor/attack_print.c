/* mayflyctl doctor --attack: what came of each act, and the report of them in Markdown, which is
 * plain text as well. */
#include "ctl/doctor/attack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int attack_say(struct attack *attack, bool is_held, const char *what, const char *format, ...)
{
	char happened[DOCTOR_MESSAGE_BYTES], full[2 * REGISTRY_NAME_MAX_BYTES + 256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(happened, sizeof(happened), format, arguments);
	va_end(arguments);
	if (attack->what)
		(void)snprintf(full, sizeof(full), "%s: %s", attack->what, what);
	attack->broken += !is_held;
	(void)json_array_append_new(
		attack->acts,
		json_pack("{s:s, s:o, s:o}", "verdict", is_held ? "held" : "broken", "what",
			  json_clean_string(slice_of(attack->what ? full : what)), "happened",
			  json_clean_string(slice_of(happened))));
	return -1;
}

/* --- the report ------------------------------------------------------------------------------- */

/* A cell of a table: what would end it, or begin something else, is not let through. */
static void print_cell(const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '|':
		case '<':
		case '`':
		case '\\':
			(void)printf("\\%c", *text);
			break;
		default:
			(void)putchar((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
		}
}

static unsigned count_broken(const json_t *attack)
{
	const json_t *act;
	unsigned broken = 0;
	size_t i;

	json_array_foreach (json_object_get(attack, "acts"), i, act)
		broken += json_text_is(act, "verdict", "broken");
	return broken;
}

static void print_summary(const json_t *report)
{
	const json_t *attacks = json_object_get(report, "attacks"), *attack;
	size_t i, acts = 0;
	unsigned broken = 0;

	json_array_foreach ((json_t *)attacks, i, attack) {
		acts += json_array_size(json_object_get(attack, "acts"));
		broken += count_broken(attack);
	}
	(void)printf("# mayfly under attack\n\nmayfly %s at %s on %s (Linux %s), %s.\n\n",
		     ctl_text(report, "mayfly"), ctl_text(report, "target"),
		     ctl_text(report, "host"), ctl_text(report, "kernel"),
		     ctl_text(report, "started"));
	if (broken)
		(void)printf("**%u of %zu acts broke through, in %d of %zu attacks.** They stand "
			     "first in each table.\n\n",
			     broken, acts,
			     (int)json_integer_value(json_object_get(report, "broken")),
			     json_array_size(attacks));
	else
		(void)printf("**All %zu attacks held**: %zu acts, each refused or contained.\n\n",
			     json_array_size(attacks), acts);
	(void)puts("| attack | class | acts | broken | s | verdict |\n|---|---|---|---|---|---|");
	json_array_foreach ((json_t *)attacks, i, attack)
		(void)printf("| %s | %s | %zu | %u | %.1f | %s |\n", ctl_text(attack, "name"),
			     ctl_text(attack, "class"),
			     json_array_size(json_object_get(attack, "acts")), count_broken(attack),
			     (double)json_integer_value(json_object_get(attack, "took_ms")) / 1000,
			     ctl_text(attack, "verdict"));
}

static void print_acts(const json_t *attack, const char *verdict)
{
	const json_t *act;
	size_t i;

	json_array_foreach (json_object_get(attack, "acts"), i, act) {
		if (!json_text_is(act, "verdict", verdict))
			continue;
		(void)fputs("| ", stdout);
		print_cell(ctl_text(act, "what"));
		(void)fputs(" | ", stdout);
		print_cell(ctl_text(act, "happened"));
		(void)printf(" | %s |\n", verdict);
	}
}

void attack_print(const json_t *report)
{
	const json_t *attack;
	size_t i;

	print_summary(report);
	json_array_foreach (json_object_get(report, "attacks"), i, attack) {
		(void)printf("\n## %s: %s\n\n%s.\n\n| what was tried | what happened | verdict |\n"
			     "|---|---|---|\n",
			     ctl_text(attack, "name"), ctl_text(attack, "verdict"),
			     ctl_text(attack, "title"));
		print_acts(attack, "broken");
		print_acts(attack, "held");
	}
}
