/* Deadlines: absolute, on CLOCK_MONOTONIC, in milliseconds, handed down. A clock step does not move
 * them. */
#pragma once

#include "base/clock.h"

typedef int64_t deadline_ms;

static inline deadline_ms deadline_in(int64_t ms)
{
	return monotonic_us() / US_PER_MS + ms;
}

/* What is left, for poll(2): never negative, never more than an int holds. */
static inline int deadline_left_ms(deadline_ms deadline)
{
	int64_t left = deadline - monotonic_us() / US_PER_MS;

	return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static inline deadline_ms deadline_earlier(deadline_ms a, deadline_ms b)
{
	return a < b ? a : b;
}
