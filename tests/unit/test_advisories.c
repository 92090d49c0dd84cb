/* The table of known escapes (worker/advisories.d) and what is made of it, with a dpkg-query and a
   changelog of the test's own. */
#include "ctl/doctor/internal.h"
#include "tap.h"
#include "util.h"

static struct config config;

static void write_program(const char *name, const char *text)
{
	const char *path = in_scratch("%s", name);

	write_file(path, slice_of(text));
	must(chmod(path, 0700) == 0);
}

static void remove_program(const char *name)
{
	must(unlink(in_scratch("%s", name)) == 0);
}

static void test_versions(void)
{
	static const struct {
		const char *low, *high;
	} pairs[] = {
		{"1.1.5", "1.1.12"},
		{"1.0.0~rc7", "1.0.0"},
		{"1.0.0~rc93", "1.0.0~rc95"},
		{"1.4.0~rc.2", "1.4.0~rc.3"},
		{"1.4.0~rc.3", "1.4.0"},
		{"1.1.5+ds1-1", "1.1.5+ds1-1+deb12u1"},
		{"1.1.5+ds1-1+deb12u1", "1.1.5+ds1-1+deb12u10"},
		{"0", "0.10"},
		{"0.9", "0.10"},
		{"1", "1a"},
		{"1.2", "1.2.0.1"},
		{"", "1"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		ok(doctor_version_compare(pairs[i].low, pairs[i].high) < 0, "%s is before %s",
		   pairs[i].low, pairs[i].high);
		ok(doctor_version_compare(pairs[i].high, pairs[i].low) > 0, "and not after it");
	}
	ok(doctor_version_compare("1.01", "1.1") == 0, "zeros in front do not count");
	ok(doctor_version_compare("4.3.1", "4.3.1") == 0, "a version is itself");
}

/* What the one line for a component says; its status is written. */
static const char *line_of(const char *name, const char *version, const char **status, json_t **all)
{
	struct doctor doctor = {.config = &config, .checks = json_array()};
	const json_t *line;

	doctor_advisories(&doctor);
	doctor_component(&doctor, name, version);
	json_decref(doctor.advisories);
	line = json_array_get(doctor.checks, 1);
	*status = line ? json_string_value(json_object_get(line, "status")) : "none";
	*all = doctor.checks;
	return line ? json_string_value(json_object_get(line, "message")) : "";
}

static void expect(const char *name, const char *version, const char *status, const char *word)
{
	_cleanup_json_ json_t *all = NULL;
	const char *found, *line = line_of(name, version, &found, &all);

	ok(strcmp(found, status) == 0 && strstr(line, word), "%s %s: %s %s (%s)", name, version,
	   found, line, word);
}

static void test_upstream(void)
{
	expect("OCI Runtime (runc)", "1.0.0-rc6", "fail", "CVE-2019-5736");
	expect("runc", "1.0.0-rc94", "fail", "CVE-2021-30465");
	expect("runc", "1.0.0-rc95", "fail", "runc 1.0.0-rc95 is open to CVE-2024-21626");
	expect("runc", "1.0.0-rc92", "fail", "CVE-2021-30465, CVE-2025-31133");
	expect("runc", "1.1.11", "fail", "CVE-2024-21626, CVE-2025-31133");
	expect("runc", "1.1.12", "fail", "open to CVE-2025-31133, CVE-2025-52565, CVE-2025-52881");
	expect("runc", "v1.2.8", "fail", "runc 1.2.8 is open to CVE-2026-41579 (as of");
	expect("runc", "1.3.2", "fail", "CVE-2025-52881");
	expect("runc", "1.3.3", "fail", "open to CVE-2026-41579 (as of");
	expect("runc", "1.3.6", "ok", "no escape");
	expect("runc", "1.4.0-rc.2", "fail", "CVE-2025-31133");
	expect("runc", "1.4.0-rc.3", "fail", "open to CVE-2026-41579 (as of");
	expect("runc", "1.4.3", "ok", "no escape");
	expect("crun", "0.10.4", "fail", "CVE-2019-18837");
	expect("OCI Runtime (crun)", "1.8.1", "ok", "no escape");
	expect("containerd", "1.3.8", "fail", "CVE-2020-15257");
	expect("containerd", "1.3.9", "ok", "no escape");
	expect("containerd", "v1.4.2", "fail", "CVE-2020-15257");
	expect("containerd", "1.7.29", "ok", "no escape");
	expect("Podman Engine", "4.3.1", "ok", "podman 4.3.1");
	expect("Conmon", "2.1.6,", "ok", "conmon");
	expect("docker", "20.10.24+dfsg1", "ok", "docker 20.10.24+dfsg1");
	expect("docker-init", "0.19.0", "none", "");
	expect("something else", "1", "none", "");
}

static void test_table(void)
{
	static const struct {
		const char *text, *status, *words;
	} rows[] = {
		{"{\"date\": \"2020-02-30\", \"escapes\": []}", "warn", "of 2020-02-30"},
		{"{\"date\": \"2026-9-11\", \"escapes\": []}", "fail",
		 "escapes.json:1: \"date\" must"},
		{"{\"date\": \"2026-13-11\", \"escapes\": []}", "fail", "\"date\" must be a date"},
		{"{\n\"escapes\": []}", "fail", "\"date\" must be a date"},
		{"{\"date\": \"2999-01-01\"}", "fail", "\"escapes\" must be an array"},
		{"{\"date\": \"2999-01-01\", \"escapes\": []}", "ok", "of 2999-01-01"},
		{"{\"date\": \"2999-01-01\",\n\"escapes\": [{\"component\": \"runc\", \"id\": \"x\"}]}",
		 "fail", "\"escapes[0].fixed\" is missing"},
		{"{\"date\": \"2999-01-01\", \"escapes\": [{\"component\": \"runc\", \"id\": \"x\", "
		 "\"fixed\": \"1\", \"sicne\": \"0\"}]}",
		 "fail", "\"escapes[0].sicne\" is not a known field"},
		{"{\"date\"", "fail", "escapes.json"},
	};
	struct config other = config;

	(void)snprintf(other.registry[0], PATH_MAX, "%s", scratch());
	must(mkdir(in_scratch("advisories.d"), 0700) == 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct doctor doctor = {.config = &other, .checks = json_array()};

		write_file(in_scratch("advisories.d/escapes.json"), slice_of(rows[i].text));
		doctor_advisories(&doctor);

		const json_t *line = json_array_get(doctor.checks, 0);
		const char *message = json_string_value(json_object_get(line, "message"));

		ok(strcmp(json_string_value(json_object_get(line, "status")), rows[i].status) ==
				   0 &&
			   strstr(message, rows[i].words),
		   "%s: %s", rows[i].words, message);
		json_decref(doctor.advisories);
		json_decref(doctor.checks);
	}
}

static void test_backports(void)
{
	write_program("zgrep", "#!/bin/sh\nexit 1\n");
	write_program("dpkg-query", "#!/bin/sh\nprintf 'installed 1.1.5+ds1-1+deb12u1'\n");
	expect("runc", "runc_1.1.5+ds1-1+deb12u1_amd64", "fail",
	       "deb12u1 is open to CVE-2025-31133");
	expect("runc", "1.1.5+ds1", "fail", "1.1.5+ds1-1+deb12u1 is open to CVE-2025-31133");
	expect("runc", "1.1.11", "fail", "runc 1.1.11 is open to CVE-2024-21626");
	write_program("dpkg-query", "#!/bin/sh\nprintf 'installed 1.1.5+ds1-1'\n");
	expect("runc", "1.1.5", "fail", "runc 1.1.5+ds1-1 is open to CVE-2024-21626");
	write_program(
		"zgrep",
		"#!/bin/sh\ncase $* in *CVE-2025-31133*usr/share/doc/runc/*) exit 0;; esac\nexit 1\n");
	expect("runc", "1.1.5", "fail", "open to CVE-2024-21626, CVE-2025-52565");
	write_program("zgrep", "#!/bin/sh\nexit 0\n");
	expect("runc", "1.1.5", "ok", "no escape");
	write_program("dpkg-query", "#!/bin/sh\nprintf 'config-files 1.1.5+ds1-1'\n");
	expect("runc", "1.1.5", "fail", "runc 1.1.5 is open to");
	remove_program("zgrep");
	write_program("dpkg-query", "#!/bin/sh\nexec sleep 1000\n");
	expect("runc", "1.4.3", "ok", "runc 1.4.3");
	remove_program("dpkg-query");
}

static int say_much(const void *context)
{
	(void)context;
	for (int i = 0; i < 100000; i++)
		(void)puts("much");
	return 7;
}

__attribute__((noreturn)) static int hang(const void *context)
{
	(void)context;
	(void)puts("before");
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

static void test_apart(void)
{
	_cleanup_buf_ struct buf output = buf_new(100), other = buf_new(100);
	static const char *const missing[] = {"mayfly-is-not-there", NULL};

	ok(child_run(say_much, NULL, deadline_in(60000), &output, NULL) == 7,
	   "a status comes back, though more is said than there is room for");
	ok(output.len == 100, "%zu bytes of it are kept", output.len);
	ok(child_run(hang, NULL, deadline_in(200), &other, NULL) == -1,
	   "what does not end is ended");
	ok(strcmp(buf_slice(&other).data, "before\n") == 0, "what it had said is there");
	ok(child_command(missing, true, deadline_in(60000), &other) == 127,
	   "a program that is not there is none");
}

int main(void)
{
	char path[PATH_MAX];

	/* no programs but its */
	must(setenv("PATH", scratch(), 1) == 0);
	(void)snprintf(config.registry[0], PATH_MAX, "worker");
	test_versions();
	test_upstream();
	test_table();
	/* what is put there are scripts */
	(void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", scratch());
	must(setenv("PATH", path, 1) == 0);
	test_backports();
	test_apart();
	return done();
}
