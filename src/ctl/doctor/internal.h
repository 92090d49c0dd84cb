/* What the parts of mayflyctl doctor share. Private to src/ctl/doctor*.c. */
#pragma once

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "bounds.h"
#include "ctl/child.h"
#include "ctl/command.h"
#include "http/client.h"

#include <stdarg.h>

enum doctor_status { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	const struct config *config;
	json_t *checks;     /* owned; NULL when lines are printed as they come */
	json_t *advisories; /* owned; the table of known escapes, NULL where there is none */
	unsigned failed, warned;
	bool has_engine; /* it has answered */
	bool has_image;
};

/* One line of the report. advice: what to do, or NULL. */
void doctor_say(struct doctor *doctor, enum doctor_status status, const char *check,
		const char *advice, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same for the usual ones. */
#define doctor_ok(doctor, check, ...) doctor_say(doctor, DOCTOR_OK, check, NULL, __VA_ARGS__)
#define doctor_warn(doctor, check, advice, ...)                                                    \
	doctor_say(doctor, DOCTOR_WARN, check, advice, __VA_ARGS__)
#define doctor_fail(doctor, check, advice, ...)                                                    \
	doctor_say(doctor, DOCTOR_FAIL, check, advice, __VA_ARGS__)

/* Appends to a list with commas between, as much as fits. */
void doctor_list(char *list, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What another program says in lines NAME=VALUE: a text by each name. The caller's. */
json_t *doctor_lines(struct slice output);

/* The last line of the report, or all of it as JSON, which takes doctor->checks. */
void doctor_end(struct doctor *doctor);

/* The parts; each says at least one line. doctor_engine comes after doctor_advisories, whose table
   it needs, and before doctor_probe, which needs to know whether there is an engine. */
void doctor_advisories(struct doctor *doctor);
void doctor_engine(struct doctor *doctor);
void doctor_host(struct doctor *doctor);
void doctor_users(struct doctor *doctor);
void doctor_files(struct doctor *doctor);
void doctor_units(struct doctor *doctor);
void doctor_service(struct doctor *doctor);
void doctor_probe(struct doctor *doctor);

/* One component of the engine, as the engine calls it ("OCI Runtime (crun)",
   "crun_1.8.1-1+deb12u1_amd64"), against the table of known escapes; nothing is said where there is
   none. */
void doctor_component(struct doctor *doctor, const char *name, const char *version);

/* The same for a runtime that is installed, but not the one in use. */
void doctor_unused_runtime(struct doctor *doctor, const char *used);

/* Less than, equal to or greater than 0, as Debian orders upstream versions and revisions
 * (deb-version(7)). */
int doctor_version_compare(const char *a, const char *b);

/* Reads a data file of ours, such as "doctor.d/probe.py", from the first folder that has it. The
 * caller frees *text. 0, or -1 with *err. */
MUST_USE int doctor_data(const struct config *config, const char *name, char **text, size_t *len,
			 struct error *err);

/* A request to the service at BIND and PORT with a JSON body (or NULL), and the keys that are
 * configured. As http_client_send. */
MUST_USE int doctor_request(const struct config *config, const char *method, const char *path,
			    const json_t *body, deadline_ms deadline, struct http_client_reply *out,
			    struct error *err);

/* mayflyctl doctor --attack. The exit status. */
int doctor_attack(const struct config *config, const struct ctl_arguments *arguments);
