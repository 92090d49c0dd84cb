/* mayflyctl doctor: how the checks are told, as lines or as JSON. */
#include "ctl/doctor/internal.h"

#include <stdio.h>

static const char *const status_names[] = {"ok", "warn", "fail"};

void doctor_say(struct doctor *doctor, enum doctor_status status, const char *check,
		const char *advice, const char *format, ...)
{
	char message[DOCTOR_MESSAGE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	doctor->failed += status == DOCTOR_FAIL;
	doctor->warned += status == DOCTOR_WARN;
	/* one line each, whatever an engine or a file said */
	for (char *at = message; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	if (doctor->checks) {
		(void)json_array_append_new(doctor->checks,
					    json_pack("{s:s, s:s, s:o, s:s?}", "check", check,
						      "status", status_names[status], "message",
						      json_clean_string(slice_of(message)),
						      "advice", advice));
		return;
	}
	(void)printf("%-4s  %-22s %s%s%s\n", status_names[status], check, message,
		     advice ? " -> " : "", advice ? advice : "");
	(void)fflush(stdout); /* some checks take a while */
}

void doctor_end(struct doctor *doctor)
{
	if (!doctor->checks) {
		(void)printf("%u failed, %u warnings\n", doctor->failed, doctor->warned);
		return;
	}

	_cleanup_json_ json_t *report =
		json_pack("{s:s, s:b, s:i, s:i, s:o}", "mayfly", MAYFLY_VERSION, "ok",
			  doctor->failed == 0, "failed", (int)doctor->failed, "warned",
			  (int)doctor->warned, "checks", doctor->checks);

	(void)json_dumpf(report, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}
