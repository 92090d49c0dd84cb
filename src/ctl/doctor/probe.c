/*
 * mayflyctl doctor: the limits that really hold. Two jobs go the way that every job goes; one looks
 * around where it is and tries what it may not, the other takes memory until it is stopped. Their
 * words are compared with the template they are made from.
 */
#include "ctl/doctor/internal.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "config/template.h"
#include "ctl/shell_job.h"
#include "job/defaults.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXIT_OOM       137
#define REFUSE_BYTES   300
#define PAGE_MAX_BYTES (64 * KIB)

struct probe {
	const struct config *config;
	json_t *request; /* owned by who runs it */
};

static int run_probe(const void *context)
{
	const struct probe *probe = context;
	const struct shell_job job = {.command = "doctor",
				      .tool = DEFAULT_TOOL,
				      .request = probe->request,
				      .timeout_s = DOCTOR_PROBE_TIMEOUT_S};

	return shell_job_run(probe->config, &job);
}

/* Runs the data file of that name, with before put before its text. The job's exit status, -1 when
 * it did not end; or -2 with *err. */
static int run_file(struct doctor *doctor, const char *name, const char *before, struct buf *output,
		    struct buf *errors, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_buf_ struct buf code = buf_new(ATTACK_CODE_MAX_BYTES + KIB);
	size_t len;

	if (doctor_data(doctor->config, name, &text, &len, err) < 0)
		return -2;
	if (buf_append_text(&code, before) < 0 || buf_append(&code, text, len) < 0)
		return error_set(err, 500, "too_long", "%s is too long", name) - 1;

	_cleanup_json_ json_t *request = json_pack("{s:s%, s:s, s:s}", "code", code.data, code.len,
						   "language", "python", "filename", "doctor.py");
	const struct probe probe = {doctor->config, request};

	return child_run(run_probe, &probe, deadline_in(DOCTOR_PROBE_DEADLINE_MS), output, errors);
}

/* --- what was found against what was meant ---------------------------------------------------- */

static void say_text(struct doctor *doctor, const json_t *said, const char *name, const char *check,
		     const char *want, const char *good, const char *advice)
{
	const char *found = ctl_text(said, name);

	if (strcmp(found, want) == 0)
		doctor_ok(doctor, check, "%s", good);
	else
		doctor_fail(doctor, check, advice, "a job sees %s \"%s\", not \"%s\"", name, found,
			    want);
}

/* UINT64_MAX where it says no number. */
static uint64_t number_of(const json_t *said, const char *name)
{
	uint64_t number;

	return num_parse(slice_of(ctl_text(said, name)), 10, UINT64_MAX, &number) == 0 ? number
										       : UINT64_MAX;
}

#define LIMIT_ADVICE                                                                               \
	"the engine does not enforce it: see cgroup.controllers above, and do not serve "          \
	"until it does"

static void say_memory(struct doctor *doctor, const json_t *said, const struct template *template)
{
	uint64_t limit = number_of(said, "memory"), most = template->memory_mb * MIB;
	_cleanup_buf_ struct buf output = buf_new(DOCTOR_OUTPUT_MAX_BYTES),
				 errors = buf_new(DOCTOR_OUTPUT_MAX_BYTES);
	char before[64];
	struct error err;

	/* what the cgroup's file says must be what the template says, to the page */
	if (limit > most + PAGE_MAX_BYTES || limit + PAGE_MAX_BYTES < most) {
		doctor_fail(doctor, "probe.memory", LIMIT_ADVICE,
			    "a job's cgroup has memory limit \"%s\", not %" PRIu64 " bytes",
			    ctl_text(said, "memory"), most);
		return;
	}
	(void)snprintf(before, sizeof(before), "memory_mb=%" PRIu64 "\n", template->memory_mb);

	int status = run_file(doctor, "doctor.d/memory.py", before, &output, &errors, &err);

	if (status == EXIT_OOM)
		doctor_ok(doctor, "probe.memory",
			  "a job that took more than %" PRIu64 " MiB was stopped%s",
			  template->memory_mb,
			  json_text_is(said, "swap", "0") ? "; it has no swap" : "");
	else
		doctor_fail(doctor, "probe.memory", LIMIT_ADVICE,
			    "a job took twice its %" PRIu64 " MiB and ended with status %d: %.200s",
			    template->memory_mb, status,
			    output.len ? output.data : buf_slice(&errors).data);
}

static void say_pids(struct doctor *doctor, const json_t *said, const struct template *template)
{
	const char *refused = ctl_text(said, "fork_refused"), *limit = ctl_text(said, "pids"),
		   *forked = ctl_text(said, "forked");

	if (number_of(said, "forked") <= template->pids && strcmp(refused, "EAGAIN") == 0 &&
	    number_of(said, "pids") == template->pids)
		doctor_ok(doctor, "probe.pids",
			  "after %s processes fork is refused; the limit is %s", forked, limit);
	else
		doctor_fail(doctor, "probe.pids", LIMIT_ADVICE,
			    "a job made %s processes (then: %s); its cgroup says \"%s\", the "
			    "template %" PRIu64,
			    forked, *refused ? refused : "not refused", limit, template->pids);
}

static void say_cpu(struct doctor *doctor, const json_t *said, const struct template *template)
{
	const char *used = ctl_text(said, "cpu_used"), *quota = ctl_text(said, "cpu");

	/* one thread cannot use more than one CPU */
	if (number_of(said, "cpu_used") <=
		    template->cpu_percent * DOCTOR_CPU_TOLERANCE_PERCENT / 100 &&
	    number_of(said, "cpu") == template->cpu_percent)
		doctor_ok(doctor, "probe.cpu", "a busy loop got %s %% of a CPU; the limit is %s %%",
			  used, quota);
	else
		doctor_fail(doctor, "probe.cpu", LIMIT_ADVICE,
			    "a busy loop got %s %% of a CPU; its cgroup says \"%s\" %%, the "
			    "template %" PRIu64 " %%",
			    used, quota, template->cpu_percent);
}

/* One number is its user and its only group: the ids of its container (engine/user.h). */
static void say_user(struct doctor *doctor, const json_t *said)
{
	const struct config *config = doctor->config;
	uint64_t id = number_of(said, "ids");
	bool is_in = config->uids_first ? id >= config->uids_first && id <= config->uids_last
					: (id >= USER_FIRST && id < USER_FIRST + USER_COUNT) ||
						  (id >= USER_FIRST_INSIDE &&
						   id < USER_FIRST_INSIDE + USER_COUNT);

	if (is_in)
		doctor_ok(doctor, "probe.user", "a job runs as %s, with no other group",
			  ctl_text(said, "ids"));
	else
		doctor_fail(doctor, "probe.user", "the engine gives it another user: do not serve",
			    "a job's users and groups are %s, not one id of MAYFLY_UIDS",
			    ctl_text(said, "ids"));
}

/* An rlimit may be lower than the template's where the engine's own hard limit is (engine/spec.c),
 * never higher. */
static void say_ulimits(struct doctor *doctor, const json_t *said, const struct template *template)
{
	const struct {
		const char *name;
		uint64_t most;
	} limits[] = {{"nofile", template->nofile},
		      {"nproc", template->nproc},
		      {"core", 0},
		      {"fsize", template->fsize_mb * MIB},
		      {"msgqueue", 0},
		      {"sigpending", CONTAINER_SIGPENDING},
		      {"memlock", CONTAINER_MEMLOCK_KB * KIB}};
	char wrong[REFUSE_BYTES] = "";

	for (size_t i = 0; i < COUNT_OF(limits); i++)
		if (number_of(said, limits[i].name) > limits[i].most)
			doctor_list(wrong, sizeof(wrong), "%s %.32s (at most %" PRIu64 ")",
				    limits[i].name, ctl_text(said, limits[i].name), limits[i].most);
	if (*wrong)
		doctor_fail(
			doctor, "probe.ulimits",
			"see default_ulimits in containers.conf, and LimitNOFILE= of the engine's "
			"unit",
			"%s", wrong);
	else
		doctor_ok(doctor, "probe.ulimits",
			  "files %" PRIu64 ", processes %" PRIu64 ", file size %" PRIu64
			  " MiB, no core, at most",
			  template->nofile, template->nproc, template->fsize_mb);
}

static void say_isolation(struct doctor *doctor, const json_t *said,
			  const struct template *template)
{
	static const struct {
		const char *name, *check, *want, *good, *advice;
	} rows[] = {
		{"capabilities", "probe.capabilities", "", "all five sets are empty",
		 "the engine leaves capabilities: do not serve"},
		{"no_new_privileges", "probe.no_new_privs", "1", "no new privileges",
		 "the engine ignores no-new-privileges: do not serve"},
		{"seccomp", "probe.seccomp", "2", "a seccomp filter is on",
		 "the kernel or the engine has no seccomp: do not serve"},
		{"writable", "probe.root", "", "the root and the host's folders are read-only",
		 "the engine ignores ReadonlyRootfs: do not serve"},
		{"unmasked", "probe.masks", "", "what /proc and /sys tell of the host is masked",
		 "the engine ignores MaskedPaths: do not serve"},
		{"devices", "probe.devices", "", "no device of the host",
		 "see devices in containers.conf"},
		{"environment", "probe.environment", "", "nothing of ours in its environment",
		 "see env in containers.conf"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		say_text(doctor, said, rows[i].name, rows[i].check, rows[i].want, rows[i].good,
			 rows[i].advice);
	if (!template->network || !doctor->config->network)
		say_text(doctor, said, "interfaces", "probe.network", "lo",
			 "no interface but a loopback of its own",
			 "the engine gives it a network: do not serve");
}

static void say_no_probe(struct doctor *doctor, int status, const struct buf *errors,
			 const struct error *err)
{
	doctor_fail(doctor, "probe",
		    status == -1 ? "see mayfly-engine's log; mayflyctl run tells more" : NULL,
		    "a probe job did not run: %.400s",
		    status == -2   ? err->message
		    : errors->len  ? errors->data
		    : status == -1 ? "it did not end in time"
				   : "it said nothing");
}

void doctor_probe(struct doctor *doctor)
{
	_cleanup_buf_ struct buf output = buf_new(DOCTOR_OUTPUT_MAX_BYTES),
				 errors = buf_new(DOCTOR_OUTPUT_MAX_BYTES);
	struct template template;
	char before[96];
	struct error err;

	if (!doctor->has_engine || !doctor->has_image) {
		doctor_warn(doctor, "probe", "see above", "no job was run: there is no %s",
			    doctor->has_engine ? "image" : "engine");
		return;
	}
	if (template_load(doctor->config, slice_of(TEMPLATE_TOOL), &template, &err) < 0) {
		doctor_fail(doctor, "probe", NULL, "%s", err.message);
		return;
	}
	(void)snprintf(before, sizeof(before), "pids=%" PRIu64 "\nFORKS_BEYOND=%d\n", template.pids,
		       DOCTOR_FORKS_BEYOND);

	int status = run_file(doctor, "doctor.d/probe.py", before, &output, &errors, &err);

	_cleanup_json_ json_t *said = doctor_lines(buf_slice(&output));

	/* the last thing that it says */
	if (status != 0 || !*ctl_text(said, "forked")) {
		say_no_probe(doctor, status, &errors, &err);
		return;
	}
	say_memory(doctor, said, &template);
	say_pids(doctor, said, &template);
	say_cpu(doctor, said, &template);
	say_user(doctor, said);
	say_isolation(doctor, said, &template);
	say_ulimits(doctor, said, &template);
}
