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
#include <sys/resource.h>

#define EXIT_OOM     137
#define REFUSE_BYTES 300

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

	return doctor_apart(run_probe, &probe, deadline_in(DOCTOR_PROBE_DEADLINE_MS), output,
			    errors);
}

/* The value of a line NAME=VALUE; "" when there is none. */
static const char *value_of(const struct buf *output, const char *name, char out[REFUSE_BYTES])
{
	size_t len = strlen(name);

	*out = '\0';
	for (const char *line = buf_slice(output).data; line && *line;) {
		const char *end = strchr(line, '\n');

		if (strncmp(line, name, len) == 0 && line[len] == '=')
			(void)snprintf(out, REFUSE_BYTES, "%.*s",
				       (int)strcspn(line + len + 1, "\n"), line + len + 1);
		line = end ? end + 1 : NULL;
	}
	return out;
}

/* --- what was found against what was meant ---------------------------------------------------- */

static void say_text(struct doctor *doctor, const struct buf *output, const char *name,
		     const char *check, const char *want, const char *good, const char *advice)
{
	char found[REFUSE_BYTES];

	if (strcmp(value_of(output, name, found), want) == 0)
		doctor_say(doctor, DOCTOR_OK, check, NULL, "%s", good);
	else
		doctor_say(doctor, DOCTOR_FAIL, check, advice, "a job sees %s \"%s\", not \"%s\"",
			   name, found, want);
}

/* A limit of a cgroup by its file; what the file says must be what the template says, to the page.
 */
static bool is_limit(const char *found, uint64_t want, uint64_t tolerance)
{
	uint64_t number;

	return num_parse(slice_of(found), 10, UINT64_MAX, &number) == 0 &&
	       number <= want + tolerance && number + tolerance >= want;
}

#define LIMIT_ADVICE                                                                               \
	"the engine does not enforce it: see cgroup.controllers above, and do not serve "          \
	"until it does"

static void say_memory(struct doctor *doctor, const struct buf *output,
		       const struct template *template)
{
	char before[64], found[REFUSE_BYTES], swap[REFUSE_BYTES];
	_cleanup_buf_ struct buf said = buf_new(DOCTOR_OUTPUT_MAX_BYTES),
				 errors = buf_new(DOCTOR_OUTPUT_MAX_BYTES);
	struct error err;

	(void)value_of(output, "memory", found);
	(void)value_of(output, "swap", swap);
	if (!is_limit(found, template->memory_mb * MIB, 64 * KIB)) {
		doctor_say(doctor, DOCTOR_FAIL, "probe.memory", LIMIT_ADVICE,
			   "a job's cgroup has memory limit \"%s\", not %" PRIu64 " bytes", found,
			   (uint64_t)(template->memory_mb * MIB));
		return;
	}
	(void)snprintf(before, sizeof(before), "memory_mb=%" PRIu64 "\n", template->memory_mb);

	int status = run_file(doctor, "doctor.d/memory.py", before, &said, &errors, &err);

	if (status == EXIT_OOM)
		doctor_say(doctor, DOCTOR_OK, "probe.memory", NULL,
			   "a job that took more than %" PRIu64 " MiB was stopped%s",
			   template->memory_mb, strcmp(swap, "0") == 0 ? "; it has no swap" : "");
	else
		doctor_say(doctor, DOCTOR_FAIL, "probe.memory", LIMIT_ADVICE,
			   "a job took twice its %" PRIu64 " MiB and ended with status %d: %.200s",
			   template->memory_mb, status,
			   said.len ? said.data : buf_slice(&errors).data);
}

static void say_pids(struct doctor *doctor, const struct buf *output,
		     const struct template *template)
{
	char limit[REFUSE_BYTES], forked[REFUSE_BYTES], refused[REFUSE_BYTES];
	uint64_t count = UINT64_MAX;

	(void)value_of(output, "pids", limit);
	(void)value_of(output, "fork_refused", refused);
	if (num_parse(slice_of(value_of(output, "forked", forked)), 10, UINT32_MAX, &count) == 0 &&
	    count <= template->pids && strcmp(refused, "EAGAIN") == 0 &&
	    is_limit(limit, template->pids, 0))
		doctor_say(doctor, DOCTOR_OK, "probe.pids", NULL,
			   "after %s processes fork is refused; the limit is %s", forked, limit);
	else
		doctor_say(
			doctor, DOCTOR_FAIL, "probe.pids", LIMIT_ADVICE,
			"a job made %s processes (then: %s); its cgroup says \"%s\", the template "
			"%" PRIu64,
			forked, *refused ? refused : "not refused", limit, template->pids);
}

static void say_cpu(struct doctor *doctor, const struct buf *output,
		    const struct template *template)
{
	char quota[REFUSE_BYTES], used[REFUSE_BYTES];
	uint64_t percent = UINT64_MAX;
	/* one thread cannot use more than one CPU */
	uint64_t most = template->cpu_percent * DOCTOR_CPU_TOLERANCE_PERCENT / 100;

	(void)value_of(output, "cpu", quota);
	if (num_parse(slice_of(value_of(output, "cpu_used", used)), 10, UINT32_MAX, &percent) ==
		    0 &&
	    percent <= most && is_limit(quota, template->cpu_percent, 0))
		doctor_say(doctor, DOCTOR_OK, "probe.cpu", NULL,
			   "a busy loop got %s %% of a CPU; the limit is %s %%", used, quota);
	else
		doctor_say(
			doctor, DOCTOR_FAIL, "probe.cpu", LIMIT_ADVICE,
			"a busy loop got %s %% of a CPU; its cgroup says \"%s\" %%, the template "
			"%" PRIu64 " %%",
			used, quota, template->cpu_percent);
}

static void say_user(struct doctor *doctor, const struct buf *output,
		     const struct template *template)
{
	char want[64], good[128];

	if (template->uid == template->gid)
		(void)snprintf(want, sizeof(want), "%" PRIu64, template->uid);
	else
		(void)snprintf(want, sizeof(want), "%" PRIu64 ",%" PRIu64,
			       template->uid < template->gid ? template->uid : template->gid,
			       template->uid < template->gid ? template->gid : template->uid);
	(void)snprintf(good, sizeof(good), "a job runs as %s, with no other group", want);
	say_text(doctor, output, "ids", "probe.user", want, good,
		 "the engine gives it another user: do not serve");
}

/* An rlimit may be lower than the template's where the engine's own hard limit is (engine/spec.c),
 * never higher. */
static void say_ulimits(struct doctor *doctor, const struct buf *output,
			const struct template *template)
{
	const struct {
		const char *name;
		uint64_t most;
	} limits[] = {{"nofile", template->nofile},
		      {"nproc", template->nproc},
		      {"core", 0},
		      {"fsize", template->fsize_mb * MIB},
		      {"msgqueue", 0}};
	char wrong[REFUSE_BYTES] = "", found[REFUSE_BYTES];
	uint64_t number;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (num_parse(slice_of(value_of(output, limits[i].name, found)), 10, UINT64_MAX,
			      &number) < 0 ||
		    number > limits[i].most)
			(void)snprintf(wrong + strlen(wrong), sizeof(wrong) - strlen(wrong),
				       "%s%s %.32s (at most %" PRIu64 ")", *wrong ? ", " : "",
				       limits[i].name, found, limits[i].most);
	if (*wrong)
		doctor_say(
			doctor, DOCTOR_FAIL, "probe.ulimits",
			"see default_ulimits in containers.conf, and LimitNOFILE= of the engine's "
			"unit",
			"%s", wrong);
	else
		doctor_say(doctor, DOCTOR_OK, "probe.ulimits", NULL,
			   "files %" PRIu64 ", processes %" PRIu64 ", file size %" PRIu64
			   " MiB, no core, at most",
			   template->nofile, template->nproc, template->fsize_mb);
}

static void say_isolation(struct doctor *doctor, const struct buf *output,
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

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		say_text(doctor, output, rows[i].name, rows[i].check, rows[i].want, rows[i].good,
			 rows[i].advice);
	if (!template->network || !doctor->config->network)
		say_text(doctor, output, "interfaces", "probe.network", "lo",
			 "no interface but a loopback of its own",
			 "the engine gives it a network: do not serve");
}

static void say_no_probe(struct doctor *doctor, int status, const struct buf *errors,
			 const struct error *err)
{
	doctor_say(doctor, DOCTOR_FAIL, "probe",
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
	char before[96], found[REFUSE_BYTES];
	struct error err;

	if (!doctor->has_engine || !doctor->has_image) {
		doctor_say(doctor, DOCTOR_WARN, "probe", "see above",
			   "no job was run: there is no %s",
			   doctor->has_engine ? "image" : "engine");
		return;
	}
	if (template_load(doctor->config, slice_of(TEMPLATE_TOOL), &template, &err) < 0) {
		doctor_say(doctor, DOCTOR_FAIL, "probe", NULL, "%s", err.message);
		return;
	}
	(void)snprintf(before, sizeof(before), "pids=%" PRIu64 "\nFORKS_BEYOND=%d\n", template.pids,
		       DOCTOR_FORKS_BEYOND);

	int status = run_file(doctor, "doctor.d/probe.py", before, &output, &errors, &err);

	/* the last thing that it says */
	if (status != 0 || !*value_of(&output, "forked", found)) {
		say_no_probe(doctor, status, &errors, &err);
		return;
	}
	say_memory(doctor, &output, &template);
	say_pids(doctor, &output, &template);
	say_cpu(doctor, &output, &template);
	say_user(doctor, &output, &template);
	say_isolation(doctor, &output, &template);
	say_ulimits(doctor, &output, &template);
}
