#include "config/patterns.h"

#include "base/ascii.h"
#include "config/registry.h"

#include <ctype.h>
#include <stdio.h>

/* What is read of the whole, and of an entry of its list. */
struct whole {
	const char *description;
	const json_t *patterns;
};

struct pattern {
	const char *pattern, *message;
	bool is_word;
};

static const struct json_field whole_fields[] = {
	{READ_FIELD(struct whole, description, "description", READ_TEXT), READ_REQUIRED},
	{READ_FIELD(struct whole, patterns, "patterns", READ_LIST),
	 READ_BOUNDS(0, PATTERNS_MAX_COUNT), READ_REQUIRED},
};

static const struct json_field pattern_fields[] = {
	{READ_FIELD(struct pattern, pattern, "pattern", READ_TEXT),
	 READ_BOUNDS(1, PATTERN_MAX_BYTES), READ_REQUIRED},
	{READ_FIELD(struct pattern, message, "message", READ_TEXT),
	 READ_BOUNDS(1, PATTERN_MESSAGE_MAX_BYTES), READ_REQUIRED},
	{READ_FIELD(struct pattern, is_word, "word", READ_FLAG)},
};

void patterns_free(struct patterns *patterns)
{
	json_decref(patterns->definition);
	patterns->definition = NULL;
}

static int check(const struct registry_file *file, const json_t *list, struct error *err)
{
	char at[32], field[48];
	const json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)list, i, entry) {
		struct pattern pattern;

		(void)snprintf(at, sizeof(at), "patterns[%zu]", i);
		if (REGISTRY_READ(file, at, entry, pattern_fields, &pattern, err) < 0)
			return -1;
		(void)snprintf(field, sizeof(field), "%s.pattern", at);
		if (isspace((unsigned char)pattern.pattern[0]))
			return registry_bad_field(file, field, err, "must not begin with a blank");
	}
	return 0;
}

int patterns_load(const struct config *config, const char *name, struct patterns *out,
		  struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_json_ json_t *definition = NULL;
	struct whole whole;

	if (registry_open(config, REGISTRY_PATTERNS, slice_of(name), &file, err) < 0)
		return err->status == 404 ? error_set(err, 404, "no_patterns",
						      "patterns.d/%s.json is not there", name)
					  : -1;
	if (registry_parse(&file, &definition, err) < 0 ||
	    REGISTRY_READ(&file, "", definition, whole_fields, &whole, err) < 0 ||
	    check(&file, whole.patterns, err) < 0)
		return -1;
	*out = (struct patterns){definition, whole.patterns};
	definition = NULL;
	return 0;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$';
}

size_t pattern_match(struct slice pattern, struct slice text)
{
	size_t at = 0;

	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.data[i] == ' ') {
			while (at < text.len && isspace((unsigned char)text.data[at]))
				at++;
			continue;
		}
		if (at == text.len || ascii_lower(text.data[at]) != ascii_lower(pattern.data[i]))
			return 0;
		at++;
	}
	return at;
}

/* A list's entry, ready to be looked for. */
struct entry {
	const json_t *json;
	struct slice pattern;
	bool is_word;
};

static bool is_at(const struct entry *entry, struct slice text, size_t at)
{
	if (ascii_lower(text.data[at]) != ascii_lower(entry->pattern.data[0]) ||
	    (entry->is_word && at > 0 && is_word(text.data[at - 1])))
		return false;
	return pattern_match(entry->pattern, (struct slice){text.data + at, text.len - at}) > 0;
}

static void add_hit(json_t *hits, struct slice file, json_int_t line, const struct entry *entry)
{
	(void)json_array_append_new(
		hits, json_pack("{s:o, s:I, s:O, s:O}", "file", json_clean_string(file), "line",
				line, "pattern", json_object_get(entry->json, "pattern"), "message",
				json_object_get(entry->json, "message")));
}

void patterns_find(const struct patterns *patterns, struct slice file, struct slice text,
		   json_t *hits, uint64_t *count)
{
	struct entry entries[PATTERNS_MAX_COUNT];
	const json_t *json;
	json_int_t line = 1;
	size_t entry_count = 0, i;

	json_array_foreach ((json_t *)patterns->list, i, json) {
		const json_t *pattern = json_object_get(json, "pattern");

		entries[entry_count++] = (struct entry){
			json,
			{json_string_value(pattern), json_string_length(pattern)},
			json_is_true(json_object_get(json, "word")),
		};
	}
	for (size_t at = 0; at < text.len; line += text.data[at++] == '\n')
		for (i = 0; i < entry_count; i++) {
			if (!is_at(&entries[i], text, at))
				continue;
			++*count;
			if (json_array_size(hits) < PATTERN_HITS_MAX_COUNT)
				add_hit(hits, file, line, &entries[i]);
		}
}
