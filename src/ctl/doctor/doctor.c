/* mayflyctl doctor: options, the order of the checks, and how they are told. */
#include "ctl/doctor/doctor.h"

#include "base/cleanup.h"
#include "ctl/command.h"
#include "ctl/doctor/internal.h"
#include "ctl/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_GOOD 0
#define EXIT_BAD  1

struct options {
	bool as_json, is_attack;
	char *only[ATTACK_MAX_COUNT];
	unsigned only_count;
};

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
		say_settings, doctor_advisories, doctor_engine, doctor_host,
		doctor_files, doctor_units,      doctor_probe,  doctor_service,
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
	json_decref(doctor.advisories);
	doctor_end(&doctor);
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
	if (read_options(argc, argv, &options) < 0)
		return CTL_USAGE;
	return options.is_attack ? attack(&options) : examine(&options);
}
