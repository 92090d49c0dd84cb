/* mayflyctl doctor: options, the order of the checks, and how they are told. */
#include "ctl/doctor/doctor.h"

#include "base/cleanup.h"
#include "ctl/doctor/internal.h"
#include "ctl/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_GOOD  0
#define EXIT_BAD   1
#define EXIT_USAGE 2

struct options {
	bool as_json, is_attack;
	char *only[ATTACK_MAX_COUNT];
	unsigned only_count;
};

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

static void print_json(const struct doctor *doctor)
{
	_cleanup_json_ json_t *report =
		json_pack("{s:s, s:b, s:i, s:i, s:O}", "mayfly", MAYFLY_VERSION, "ok",
			  doctor->failed == 0, "failed", (int)doctor->failed, "warned",
			  (int)doctor->warned, "checks", doctor->checks);

	(void)json_dumpf(report, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

static void say_settings(struct doctor *doctor)
{
	doctor_say(doctor, DOCTOR_OK, "settings", NULL,
		   "mayfly " MAYFLY_VERSION " for uid %u: run folder %s, results %s, instance %s",
		   geteuid(), doctor->config->run, doctor->config->storage,
		   doctor->config->instance);
}

static int examine(const struct options *options)
{
	static void (*const parts[])(struct doctor *) = {
		say_settings, doctor_engine, doctor_host,    doctor_files,
		doctor_units, doctor_probe,  doctor_service,
	};
	struct doctor doctor = {.checks = options->as_json ? json_array() : NULL};
	struct config config;
	struct error err;

	doctor.config = &config;
	if (ctl_settings(&err) < 0 || config_read(&config, &err) < 0)
		doctor_say(
			&doctor, DOCTOR_FAIL, "settings",
			"correct it in mayfly.conf or the environment; nothing else was looked at",
			"%s", err.message);
	else
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			parts[i](&doctor);
	if (options->as_json)
		print_json(&doctor);
	else
		(void)printf("%u failed, %u to look at\n", doctor.failed, doctor.warned);
	json_decref(doctor.checks);
	return doctor.failed ? EXIT_BAD : EXIT_GOOD;
}

static int attack(const struct options *options)
{
	struct config config;
	struct error err;

	if (ctl_settings(&err) < 0 || config_read(&config, &err) < 0) {
		(void)fprintf(stderr, "mayflyctl doctor: %s\n", err.message);
		return EXIT_BAD;
	}
	return doctor_attack(&config, options->as_json, options->only, options->only_count);
}

static int read_options(int argc, char **argv, struct options *out)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			out->as_json = true;
		else if (strcmp(argv[i], "--attack") == 0)
			out->is_attack = true;
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc &&
			 out->only_count < ATTACK_MAX_COUNT)
			out->only[out->only_count++] = argv[++i];
		else
			return -1;
	}
	return out->only_count && !out->is_attack ? -1 : 0;
}

int ctl_doctor(const struct config *unread, int argc, char **argv)
{
	struct options options = {0};

	(void)unread;
	if (read_options(argc, argv, &options) < 0) {
		(void)fputs("usage: mayflyctl doctor [--json]\n"
			    "       mayflyctl doctor --attack [--json] [--only NAME]...\n",
			    stderr);
		return EXIT_USAGE;
	}
	return options.is_attack ? attack(&options) : examine(&options);
}
