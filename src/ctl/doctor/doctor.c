/* mayflyctl doctor: options, the order of the checks, and how they are told. */
#include "ctl/doctor/doctor.h"

#include "base/cleanup.h"
#include "ctl/doctor/internal.h"
#include "ctl/settings.h"

#include <unistd.h>

#define EXIT_GOOD 0
#define EXIT_BAD  1

static void say_settings(struct doctor *doctor)
{
	doctor_ok(doctor, "settings",
		  "mayfly " MAYFLY_VERSION " for uid %u: run folder %s, results %s, instance %s",
		  geteuid(), doctor->config->run, doctor->config->storage,
		  doctor->config->instance);
}

static int examine(bool as_json)
{
	static void (*const parts[])(struct doctor *) = {
		say_settings, doctor_advisories, doctor_engine, doctor_host,    doctor_users,
		doctor_files, doctor_units,      doctor_probe,  doctor_service,
	};
	struct doctor doctor = {.checks = as_json ? json_array() : NULL};
	struct config config;
	struct error err;

	doctor.config = &config;
	if (ctl_settings(&err) < 0 || config_read(&config, &err) < 0)
		doctor_fail(
			&doctor, "settings",
			"correct it in mayfly.conf or the environment; nothing else was looked at",
			"%s", err.message);
	else
		for (size_t i = 0; i < COUNT_OF(parts); i++)
			parts[i](&doctor);
	json_decref(doctor.advisories);
	doctor_end(&doctor);
	return doctor.failed ? EXIT_BAD : EXIT_GOOD;
}

static int attack(const struct ctl_arguments *arguments)
{
	struct config config;
	struct error err;

	if (ctl_settings(&err) < 0 || config_read(&config, &err) < 0)
		return ctl_fail("doctor", EXIT_BAD, "%s", err.message);
	return doctor_attack(&config, arguments);
}

int ctl_doctor(const struct config *unread, struct ctl_arguments *arguments)
{
	(void)unread;
	if (ctl_option(arguments, "--attack"))
		return attack(arguments);
	return ctl_option(arguments, "--only") ? CTL_USAGE
					       : examine(ctl_option(arguments, "--json"));
}
