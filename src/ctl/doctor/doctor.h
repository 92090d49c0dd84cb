/* mayflyctl doctor: is this installation sound, and what is to be done where it is not? */
#pragma once

#include "ctl/command.h"

#define DOCTOR_EXIT_USAGE 2

/*
 * mayflyctl doctor [--json]
 *     One line for each check: ok, warn or fail, its name, what was seen, what to do. --json:
 *     {"mayfly": version, "ok": true when nothing failed,
 *     "failed": N, "warned": N, "checks": [{"check", "status", "message", "advice" (or null)}]}.
 * mayflyctl doctor --attack [--json] [--only NAME]...
 *     Runs the attacks of attack.d as jobs and requests of the service that listens at BIND and
 *     PORT, and writes a report in Markdown. --json: {"mayfly",
 *     "started", "target", "host", "kernel", "ok", "held": N, "broken": N, "attacks": [{"name",
 *     "class", "title", "verdict": "held"|"broken", "took_ms",
 *     "acts": [{"verdict", "what", "happened"}]}]}.
 *
 * Reads the settings itself, since they may be what is wrong. Everything it asks has a deadline
 * (bounds.h), so it ends whatever does not answer. Returns the program's exit status: 0 nothing
 * failed (no attack broke anything), 1 something did, 2 usage.
 */
int ctl_doctor(const struct config *unread, struct ctl_arguments *arguments);
