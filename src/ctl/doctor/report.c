/* mayflyctl doctor: how the checks are told, as lines or as JSON. */
#include "ctl/doctor/internal.h"

#include "base/ascii.h"

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
	ascii_mask_control(message, strlen(message), ' ');
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

void doctor_list(char *list, size_t size, const char *format, ...)
{
	size_t used = strlen(list);
	va_list arguments;

	used += (size_t)snprintf(list + used, size - used, "%s", used ? ", " : "");
	va_start(arguments, format);
	if (used < size)
		(void)vsnprintf(list + used, size - used, format, arguments);
	va_end(arguments);
}

json_t *doctor_lines(struct slice output)
{
	json_t *said = json_object();

	while (output.len) {
		struct slice value = slice_take(&output, '\n'), name = slice_take(&value, '=');

		(void)json_object_setn_new(said, name.data, name.len, json_clean_string(value));
	}
	return said;
}

void doctor_end(struct doctor *doctor)
{
	if (!doctor->checks) {
		(void)printf("%u failed, %u warnings\n", doctor->failed, doctor->warned);
		return;
	}
	(void)ctl_print_json(json_pack("{s:s, s:b, s:i, s:i, s:o}", "mayfly", MAYFLY_VERSION, "ok",
				       doctor->failed == 0, "failed", (int)doctor->failed, "warned",
				       (int)doctor->warned, "checks", doctor->checks),
			     JSON_INDENT(2));
}
