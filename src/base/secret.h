/* Comparing secrets. */
#pragma once

#include "base/slice.h"

/* Equal? In a time that depends on the length of given only, never on where the two differ. */
static inline bool secret_equal(struct slice given, const char *wanted)
{
	size_t len = strlen(wanted);
	volatile unsigned char difference = given.len != len;

	for (size_t i = 0; i < given.len; i++)
		difference |= (unsigned char)((unsigned char)given.data[i] ^
					      (unsigned char)wanted[len ? i % len : 0]);
	return difference == 0;
}
