#include "base/date.h"

#include <stdio.h>
#include <time.h>

#define DATE_MAX_S 253402300799 /* the last second of the year 9999 */

void date_rfc3339(int64_t unix_ms, char out[DATE_BYTES])
{
	int64_t most = DATE_MAX_S * 1000 + 999;
	uint64_t moment = unix_ms < 0 ? 0 : unix_ms > most ? (uint64_t)most : (uint64_t)unix_ms;
	unsigned millisecond = (unsigned)(moment % 1000);
	unsigned second = (unsigned)(moment / 1000 % 86400);
	unsigned day = (unsigned)(moment / 1000 / 86400);
	/* The proleptic Gregorian calendar in eras of 400 years that begin on 1 March, so that the
	   leap day is the last of its year; 719468 days lie between 1 March 0000 and 1 January
	   1970. */
	unsigned era = (day + 719468) / 146097, of_era = (day + 719468) % 146097;
	unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month = (5 * of_year + 2) / 153; /* 0 is March */
	unsigned year = era * 400 + year_of_era + (month >= 10);

	(void)snprintf(out, DATE_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year % 10000,
		       (month < 10 ? month + 3 : month - 9) % 100,
		       (of_year - (153 * month + 2) / 5 + 1) % 100, second / 3600, second / 60 % 60,
		       second % 60, millisecond);
}

int64_t date_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
