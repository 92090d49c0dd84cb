/* RFC 3339 dates at the borders of days, months, years and centuries. */
#include "base/clock.h"
#include "base/date.h"

#include "tap.h"

#include <stdint.h>
#include <time.h>

int main(void)
{
	static const struct {
		int64_t unix_ms;
		const char *want;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{-1, "1970-01-01T00:00:00.000Z"},
		{INT64_MIN, "1970-01-01T00:00:00.000Z"},
		{999, "1970-01-01T00:00:00.999Z"},
		{86399999, "1970-01-01T23:59:59.999Z"},
		{951782400000, "2000-02-29T00:00:00.000Z"},
		{951868800000, "2000-03-01T00:00:00.000Z"},
		{1735689599001, "2024-12-31T23:59:59.001Z"},
		{1893456000000, "2030-01-01T00:00:00.000Z"},
		{4107542400000, "2100-03-01T00:00:00.000Z"},
		{253402300799999, "9999-12-31T23:59:59.999Z"},
		{253402300800000, "9999-12-31T23:59:59.999Z"},
		{INT64_MAX, "9999-12-31T23:59:59.999Z"},
	};
	char text[DATE_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		date_rfc3339(rows[i].unix_ms, text);
		is_text(text, rows[i].want, "%lld", (long long)rows[i].unix_ms);
	}

	bool good = true;

	for (time_t day = 0; day < 400 * 366; day++) {
		time_t moment = day * 86400 + day % 86400;
		struct tm parts;
		char want[DATE_BYTES];

		if (!gmtime_r(&moment, &parts) ||
		    !strftime(want, sizeof(want), "%FT%T.000Z", &parts))
			return 99;
		date_rfc3339(moment * 1000, text);
		good &= strcmp(text, want) == 0;
	}
	ok(good, "every day of 400 years is gmtime's");
	ok(unix_now_ms() / 1000 - time(NULL) <= 1 && time(NULL) - unix_now_ms() / 1000 <= 1,
	   "now is now");
	return done();
}
