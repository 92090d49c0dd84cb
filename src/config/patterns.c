#include "config/patterns.h"

#include "config/registry.h"

#include <ctype.h>
#include <stdio.h>

static const char *const pattern_fields[] = {"pattern", "message", "word"};

void patterns_free(struct patterns *patterns)
{
	json_decref(patterns->definition);
	patterns->definition = NULL;
}

/* What is wrong with an entry of the list, or NULL. */
static const char *problem_of(const json_t *entry)
{
	const json_t *pattern = json_object_get(entry, "pattern"),
		     *word = json_object_get(entry, "word");
	size_t len = json_string_length(pattern), known = 0;

	if (len == 0 || len > PATTERN_MAX_BYTES)
		return "pattern must be text of 1 to 128 bytes";
	if (isspace((unsigned char)json_string_value(pattern)[0]))
		return "pattern must not begin with a blank";
	if (json_string_length(json_object_get(entry, "message")) == 0)
		return "message must be text";
	if (word && !json_is_boolean(word))
		return "word must be true or false";
	for (size_t i = 0; i < sizeof(pattern_fields) / sizeof(pattern_fields[0]); i++)
		known += json_object_get(entry, pattern_fields[i]) != NULL;
	return known == json_object_size(entry) ? NULL : "unknown field";
}

static int check(const char *path, const json_t *definition, struct error *err)
{
	const json_t *list = json_object_get(definition, "patterns"), *entry;
	size_t i;

	if (!json_is_string(json_object_get(definition, "description")) || !json_is_array(list) ||
	    json_object_size(definition) != 2)
		return error_set(
			err, 500, "bad_patterns",
			"%.256s: \"description\" (text) and \"patterns\" (array) are needed, and nothing else",
			path);
	if (json_array_size(list) > PATTERNS_MAX_COUNT)
		return error_set(err, 500, "bad_patterns", "%.256s: more than %d patterns", path,
				 PATTERNS_MAX_COUNT);
	json_array_foreach ((json_t *)list, i, entry) {
		const char *problem = problem_of(entry);

		if (problem)
			return error_set(err, 500, "bad_patterns", "%.256s: patterns[%zu]: %s",
					 path, i, problem);
	}
	return 0;
}

int patterns_load(const struct config *config, const char *name, struct patterns *out,
		  struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_json_ json_t *definition = NULL;
	struct error why;

	if (registry_open(config, REGISTRY_PATTERNS, slice_of(name), &file, err) < 0)
		return err->status == 404 ? error_set(err, 404, "no_patterns",
						      "patterns.d/%s.json is not there", name)
					  : -1;
	if (json_parse((struct slice){file.data, file.len}, &definition, &why) < 0)
		return error_set(err, 500, "bad_patterns", "%.256s: %.200s", file.path,
				 why.message);
	if (check(file.path, definition, err) < 0)
		return -1;
	out->definition = definition;
	out->list = json_object_get(definition, "patterns");
	definition = NULL;
	return 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
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
		if (at == text.len || lower(text.data[at]) != lower(pattern.data[i]))
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
	if (lower(text.data[at]) != lower(entry->pattern.data[0]) ||
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
