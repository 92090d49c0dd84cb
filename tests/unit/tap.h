/* A unit test is a program that prints TAP. ok() and its kin report one result each; done() ends
   main. */
#ifndef MAYFLY_TESTS_TAP_H
#define MAYFLY_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failures;

__attribute__((format(printf, 4, 5), unused)) static bool tap_ok(bool good, const char *file,
								 int line, const char *format, ...)
{
	va_list arguments;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	if (!good) {
		tap_failures++;
		printf("# %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}

#define ok(condition, ...) tap_ok((condition), __FILE__, __LINE__, __VA_ARGS__)

#define is_text(got, want, ...)                                                                    \
	do {                                                                                       \
		const char *tap_got = (got), *tap_want = (want);                                   \
		if (!ok(strcmp(tap_got, tap_want) == 0, __VA_ARGS__))                              \
			printf("#  got: %s\n# want: %s\n", tap_got, tap_want);                     \
	} while (0)

#define is_number(got, want, ...)                                                                  \
	do {                                                                                       \
		long long tap_got = (long long)(got), tap_want = (long long)(want);                \
		if (!ok(tap_got == tap_want, __VA_ARGS__))                                         \
			printf("#  got: %lld\n# want: %lld\n", tap_got, tap_want);                 \
	} while (0)

__attribute__((unused)) static int done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failures ? 1 : 0;
}

#endif
