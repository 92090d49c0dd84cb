/*
 * What is dangerous in a source text: drop-in lists, patterns.d/NAME.json (config/registry.h), and
 * the search for what they hold.
 *
 *   description   text
 *   patterns      [{"pattern", "message", "word"}]
 *     pattern     text that is looked for without regard to the case of a-z; a blank in it stands
 *                 for any number of blanks and line ends, also none
 *     message     what was found, for people: "eval()"
 *     word        true: not where a letter, a digit, '_' or '$' stands before it
 *
 * Rules:
 *  1. A list says what to look at, never what a program means: what is meant to hide from it can.
 *     What protects is the container.
 *  2. The search takes a time that grows with the text times the patterns, whatever they are.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "bounds.h"
#include "config/config.h"
#include "json/json.h"

#include <stdbool.h>

struct patterns {
	json_t *definition; /* owned: the whole file */
	const json_t *list;
};

#define _cleanup_patterns_ __attribute__((cleanup(patterns_free)))

/* Reads a list; the caller frees *out. 0, or -1 with *err: 404 "no_patterns"; 500 "bad_patterns",
   naming file, line and field. */
MUST_USE int patterns_load(const struct config *config, const char *name, struct patterns *out,
			   struct error *err);
void patterns_free(struct patterns *patterns);

/* The length of what the pattern matches at the beginning of text; 0 when it does not. */
size_t pattern_match(struct slice pattern, struct slice text);

/* Appends a hit {"file","line","pattern","message"} to hits for every place in the text, until
   there are PATTERN_HITS_MAX_COUNT of them; lines count from 1. *count grows by what was found,
   named or not. */
void patterns_find(const struct patterns *patterns, struct slice file, struct slice text,
		   json_t *hits, uint64_t *count);
