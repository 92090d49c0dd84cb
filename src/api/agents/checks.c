/* The validators that only look at bytes. */
#include "api/agents/checks.h"

#include <inttypes.h>
#include <stdio.h>

void check_free(struct check *check)
{
	json_decref(check->details);
	check->details = NULL;
}

json_t *check_json(const struct check *check)
{
	return json_pack("{s:b, s:o, s:O}", "passed", check->passed, "message",
			 json_clean_string(slice_of(check->message)), "details", check->details);
}

/* --- security --------------------------------------------------------------------------------- */

/* What the hits are of, each once. */
static json_t *kinds_of(const json_t *hits)
{
	json_t *kinds = json_array();
	const json_t *hit, *kind;
	size_t i, j;

	json_array_foreach ((json_t *)hits, i, hit) {
		json_t *message = json_object_get(hit, "message");

		json_array_foreach (kinds, j, kind)
			if (json_equal(kind, message))
				break;
		if (j == json_array_size(kinds))
			(void)json_array_append(kinds, message);
	}
	return kinds;
}

void check_security(const struct patterns *patterns, const struct job_input *files, unsigned count,
		    struct check *out)
{
	json_t *hits = json_array();
	uint64_t found = 0;

	for (unsigned file = 0; file < count; file++)
		patterns_find(patterns, files[file].path, files[file].data, hits, &found);
	out->passed = found == 0;
	(void)snprintf(out->message, sizeof(out->message), "%s",
		       found ? "Security: Issues found" : "Security: No issues found");
	out->details = json_pack("{s:b, s:o, s:I, s:o}", "hasDangerousPatterns", found > 0, "found",
				 kinds_of(hits), "count", (json_int_t)found, "hits", hits);
}

/* --- size ------------------------------------------------------------------------------------- */

/* UTF-16 code units of UTF-8: a character of four bytes is two of them. */
static uint64_t characters(struct slice text)
{
	uint64_t count = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.data[i];

		count += ((byte & 0xC0) != 0x80) + (byte >= 0xF0);
	}
	return count;
}

void check_size(const struct job_input *files, unsigned count, struct check *out)
{
	json_t *sizes = json_object();
	uint64_t total = 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t size = characters(files[i].data);

		total += size;
		(void)json_object_setn_new(sizes, files[i].path.data, files[i].path.len,
					   json_integer((json_int_t)size));
	}
	out->passed = total < AGENT_PERFORMANCE_MAX_CHARS;
	(void)snprintf(out->message, sizeof(out->message),
		       "Performance: %" PRIu64 " characters, %s %d", total,
		       out->passed ? "less than" : "not less than", AGENT_PERFORMANCE_MAX_CHARS);
	out->details = json_pack("{s:I, s:i, s:o}", "total", (json_int_t)total, "maximum",
				 AGENT_PERFORMANCE_MAX_CHARS - 1, "sizes", sizes);
}

/* --- structure -------------------------------------------------------------------------------- */

static bool has_html(struct slice html)
{
	static const struct slice tag = SLICE_LITERAL("<html");

	for (size_t i = 0; i < html.len; i++)
		if (pattern_match(tag, (struct slice){html.data + i, html.len - i}) > 0)
			return true;
	return false;
}

void check_structure(struct slice html, struct slice css, struct slice script, struct check *out)
{
	const struct {
		const char *name, *missing;
		bool is_there;
	} parts[] = {
		{"hasHtml", "no <html> in the page", has_html(html)},
		{"hasScript", "the script is too short",
		 characters(script) > AGENT_STRUCTURE_SCRIPT_LEAST},
		{"hasCss", "no rule in the style sheet", memchr(css.data, '{', css.len) != NULL},
	};

	out->passed = true;
	(void)snprintf(out->message, sizeof(out->message), "Structure: ");
	out->details = json_object();
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		size_t len = strlen(out->message);

		(void)json_object_set_new(out->details, parts[i].name,
					  json_boolean(parts[i].is_there));
		if (parts[i].is_there)
			continue;
		(void)snprintf(out->message + len, sizeof(out->message) - len, "%s%s",
			       out->passed ? "" : ", ", parts[i].missing);
		out->passed = false;
	}
	if (out->passed)
		(void)snprintf(out->message, sizeof(out->message),
			       "Structure: Page, script and style sheet");
}
