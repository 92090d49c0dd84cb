/* Where in a text of JSON a value stands: jansson keeps no positions, and the author of the text
   wants to know the line. */
#pragma once

#include "base/slice.h"

/* The line, from 1, of the value at path in a text that json_parse has taken: names joined by dots,
   and [index] for places in an array, as in "files[0].path". As far as the path can be followed; 1
   for "". A name that holds a dot or a bracket is not found. */
unsigned json_line_of(struct slice text, const char *path);
