/* The clocks of the machine, and the units that times are counted in. */
#pragma once

#include <stdint.h>
#include <time.h>

#define MS_PER_S  1000
#define US_PER_MS 1000
#define US_PER_S  1000000
#define NS_PER_US 1000
#define NS_PER_MS 1000000
#define NS_PER_S  1000000000
#define S_PER_DAY 86400

static inline int64_t timespec_ms(struct timespec time)
{
	return (int64_t)time.tv_sec * MS_PER_S + time.tv_nsec / NS_PER_MS;
}

static inline int64_t timespec_us(struct timespec time)
{
	return (int64_t)time.tv_sec * US_PER_S + time.tv_nsec / NS_PER_US;
}

static inline struct timespec clock_read(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return now;
}

/* Since 1970, on the clock that an operator may set. */
static inline int64_t unix_now_ms(void)
{
	return timespec_ms(clock_read(CLOCK_REALTIME));
}

/* Since some moment, on the clock that no one sets. */
static inline int64_t monotonic_us(void)
{
	return timespec_us(clock_read(CLOCK_MONOTONIC));
}

/* Since the machine started, its sleep included: for what one process writes down and another
   reads. */
static inline int64_t boot_now_ms(void)
{
	return timespec_ms(clock_read(CLOCK_BOOTTIME));
}

static inline uint64_t boot_now_s(void)
{
	return (uint64_t)clock_read(CLOCK_BOOTTIME).tv_sec;
}

#define BOOT_ID_BYTES 37 /* with the NUL */

/* Which start of the machine the boot clock counts from. 0, or -1 when that cannot be read. */
int boot_id(char out[BOOT_ID_BYTES]);
