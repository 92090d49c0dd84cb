/* Dates as RFC 3339 has them. */
#ifndef MAYFLY_BASE_DATE_H
#define MAYFLY_BASE_DATE_H

#include <stdint.h>

#define DATE_BYTES sizeof("2026-11-20T11:20:40.123Z")

/* Writes a time, in milliseconds since 1970, in UTC; what lies before 1970 or after 9999 becomes
   the nearest time that does not. Reads no time zone file, as gmtime(3) would. */
void date_rfc3339(int64_t unix_ms, char out[DATE_BYTES]);

/* Now, in milliseconds since 1970, on the real clock. */
int64_t date_now_ms(void);

#endif
