/* mayflyctl doctor: the units of systemd, the system's or this user's. */
#include "ctl/doctor/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Those that are to be active; system: of the system units only. */
static const struct unit {
	const char *name;
	bool system_only, is_needed;
	const char *without; /* what is not done while it is not active */
} units[] = {
	{"mayfly.socket", false, true, "nothing listens"},
	{"mayfly-engine.socket", true, true, "no job runs"},
	{"mayfly-podman.socket", true, false, "mayfly-engine has no Podman of its own"},
	{"mayfly-images.path", true, false,
	 "pooled containers of an image that has changed stay in use"},
	{"mayfly-reap.timer", false, true, "what a crash left behind and old results stay"},
	{"mayfly-health.timer", false, false, "a failure goes unnoticed"},
};

/* LoadState, ActiveState and UnitFileState, the caller's; NULL when systemctl does not answer. */
static json_t *read_state(const struct unit *unit, bool is_user)
{
	_cleanup_buf_ struct buf said = buf_new(DOCTOR_OUTPUT_MAX_BYTES);
	const char *const argv[] = {"systemctl", is_user ? "--user" : "--system",
				    "show",      "--property=LoadState,ActiveState,UnitFileState",
				    "--",        unit->name,
				    NULL};

	if (child_command(argv, true, deadline_in(DOCTOR_COMMAND_DEADLINE_MS), &said) != 0 ||
	    !said.len)
		return NULL;
	return doctor_lines(buf_slice(&said));
}

static void say_unit(struct doctor *doctor, const struct unit *unit, bool is_user,
		     const json_t *state)
{
	const char *active = ctl_text(state, "ActiveState"),
		   *file = ctl_text(state, "UnitFileState");
	char check[64], advice[128];
	bool is_active = strcmp(active, "active") == 0;
	bool is_enabled = strcmp(file, "enabled") == 0 || strcmp(file, "static") == 0 ||
			  strcmp(file, "indirect") == 0;
	bool is_failed = strcmp(active, "failed") == 0;
	/* others are started by mayfly.socket, which wants them */
	bool survives = is_enabled || strcmp(unit->name, "mayfly.socket") != 0;

	(void)snprintf(check, sizeof(check), "unit.%s", unit->name);
	(void)snprintf(advice, sizeof(advice), "systemctl %s%s %s", is_user ? "--user " : "",
		       is_failed ? "status" : "enable --now", unit->name);
	if (is_active && survives)
		doctor_ok(doctor, check, "active, %s", file);
	else if (is_active)
		doctor_warn(doctor, check, advice, "active, but %s: gone with the next boot", file);
	else
		doctor_say(doctor, unit->is_needed || is_failed ? DOCTOR_FAIL : DOCTOR_WARN, check,
			   advice, "%s: %s", active, unit->without);
}

void doctor_units(struct doctor *doctor)
{
	bool is_user = geteuid() != 0;

	if (access("/run/systemd/system", F_OK) < 0) {
		doctor_warn(doctor, "units",
			    "see that something listens (scripts/run, systemd-socket-activate) and "
			    "runs mayfly-reap every minute",
			    "systemd is not PID 1 here: there are no units to look at");
		return;
	}

	_cleanup_json_ json_t *first = read_state(&units[0], is_user);

	if (!first) {
		doctor_fail(doctor, "units",
			    is_user ? "log in through systemd (machinectl shell, ssh), or set "
				      "XDG_RUNTIME_DIR"
				    : "see systemctl status",
			    "systemctl%s does not answer", is_user ? " --user" : "");
		return;
	}
	if (json_text_is(first, "LoadState", "not-found")) {
		doctor_warn(doctor, "units", "make install; see systemd/README.md",
			    "the units of mayfly are not installed");
		return;
	}
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		_cleanup_json_ json_t *state =
			is_user && units[i].system_only ? NULL : read_state(&units[i], is_user);

		if (state && (units[i].is_needed || !json_text_is(state, "LoadState", "not-found")))
			say_unit(doctor, &units[i], is_user, state);
	}
}
