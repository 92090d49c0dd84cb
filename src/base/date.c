#include "base/date.h"

#include "base/clock.h"

#include <stdio.h>

#define DATE_MAX_S 253402300799 /* the last second of the year 9999 */

struct moment {
	unsigned year, month, day; /* month 0 is March */
	unsigned weekday;          /* 0 is the Thursday that 1 January 1970 was */
	unsigned hour, minute, second;
};

/* The proleptic Gregorian calendar in eras of 400 years that begin on 1 March, so that the leap day
   is the last of its year; 719468 days lie between 1 March 0000 and 1 January 1970. */
static struct moment split(uint64_t unix_s)
{
	unsigned second = (unsigned)(unix_s % S_PER_DAY), day = (unsigned)(unix_s / S_PER_DAY);
	unsigned era = (day + 719468) / 146097, of_era = (day + 719468) % 146097;
	unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month = (5 * of_year + 2) / 153;

	return (struct moment){
		.year = (era * 400 + year_of_era + (month >= 10)) % 10000,
		.month = month,
		.day = (of_year - (153 * month + 2) / 5 + 1) % 100,
		.weekday = day % 7,
		.hour = second / 3600,
		.minute = second / 60 % 60,
		.second = second % 60,
	};
}

void date_rfc3339(int64_t unix_ms, char out[DATE_BYTES])
{
	int64_t most = DATE_MAX_S * MS_PER_S + MS_PER_S - 1;
	uint64_t bounded = unix_ms < 0 ? 0 : unix_ms > most ? (uint64_t)most : (uint64_t)unix_ms;
	struct moment at = split(bounded / MS_PER_S);

	(void)snprintf(out, DATE_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", at.year,
		       (at.month < 10 ? at.month + 3 : at.month - 9) % 100, at.day, at.hour,
		       at.minute, at.second, (unsigned)(bounded % MS_PER_S));
}

void date_http(int64_t unix_s, char out[DATE_HTTP_BYTES])
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
	struct moment at = split(unix_s < 0            ? 0
				 : unix_s > DATE_MAX_S ? DATE_MAX_S
						       : (uint64_t)unix_s);

	(void)snprintf(out, DATE_HTTP_BYTES, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		       days + at.weekday * 3, at.day, months + at.month * 3, at.year, at.hour,
		       at.minute, at.second);
}
