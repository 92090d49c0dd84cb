/*
 * mayflyctl doctor: which container escapes are open in the engine's components.
 *
 * Rules:
 *  1. In the table are escapes that code running in a container of mayfly's might use: not those of building images, of cp, exec, kube play or of
 *     checkpoints, which mayfly never asks for (CVE-2024-1753, -9407, -9675, -11218, CVE-2025-9566 and CVE-2026-44517 of Podman; CVE-2019-14271,
 *     CVE-2026-41567, -41568 and -42306 of Docker; CVE-2026-53488, -53489 and -53492 of containerd's CRI), nor those of a kind of container that it never makes
 *     (CVE-2025-24965: crun with krun; CVE-2026-88264 and -88265: crun without a /dev of its own).
 *  2. A version is open when it lies in a row's range of upstream versions, unless its Debian package is the one with the backport, or a later one of the
 *     same upstream version, or its changelog names the CVE.
 *  3. The table is as old as its date says. What came later is not in it, and the report says so.
 *
 * Sources: github.com/opencontainers/runc/security/advisories GHSA-c3xm-pvg7-gh7r, GHSA-xr7r-f8xq-vfvv, GHSA-9493-h29p-rfm2, GHSA-qw9x-cqr3-wc7r,
 * GHSA-cgrx-mc8f-2prm; oss-security 2025/q4/138; runc's releases 1.3.6 and 1.4.3 (CVE-2026-41579); github.com/containers/crun/issues/1906 (crun is not
 * affected by those of November 2025); nvd.nist.gov for CVE-2019-5736 and CVE-2019-18837; NCC Group on CVE-2020-15257 (for containers with
 * the host's network only); changelog.Debian of runc 1.1.5+ds1-1+deb12u1; Debian's list debian-bugs-rc of February 2026 (no runc with the fixes of
 * November 2025 in Debian 12 and 13); github.com/flatcar/Flatcar/issues 2418 (crun, September 2026), 2182 (containerd), 2142 (docker).
 */
#include "ctl/doctor/internal.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TABLE_DATE    "2026-09-11"
#define VERSION_BYTES 128
#define LIST_BYTES    256
#define NO_VERSION    "0"

static const struct hole {
	const char *component, *cve;
	const char *since, *fixed; /* upstream versions: since <= open < fixed; rc as ~rc */
	const char *debian;        /* the package with the backport, or NULL */
} holes[] = {
	{"runc", "CVE-2019-5736", NO_VERSION, "1.0.0~rc7", NULL},
	{"runc", "CVE-2021-30465", NO_VERSION, "1.0.0~rc95", NULL},
	{"runc", "CVE-2024-21626", "1.0.0~rc93", "1.1.12", "1.1.5+ds1-1+deb12u1"},
	{"runc", "CVE-2025-31133", NO_VERSION, "1.2.8", NULL},
	{"runc", "CVE-2025-31133", "1.3.0~rc.1", "1.3.3", NULL},
	{"runc", "CVE-2025-31133", "1.4.0~rc.1", "1.4.0~rc.3", NULL},
	{"runc", "CVE-2025-52565", "1.0.0~rc3", "1.2.8", NULL},
	{"runc", "CVE-2025-52565", "1.3.0~rc.1", "1.3.3", NULL},
	{"runc", "CVE-2025-52565", "1.4.0~rc.1", "1.4.0~rc.3", NULL},
	{"runc", "CVE-2025-52881", NO_VERSION, "1.2.8", NULL},
	{"runc", "CVE-2025-52881", "1.3.0~rc.1", "1.3.3", NULL},
	{"runc", "CVE-2025-52881", "1.4.0~rc.1", "1.4.0~rc.3", NULL},
	/* what it allows is not said where its fix is announced: taken for the worst */
	{"runc", "CVE-2026-41579", NO_VERSION, "1.3.6", NULL},
	{"runc", "CVE-2026-41579", "1.4.0~rc.1", "1.4.3", NULL},
	{"crun", "CVE-2019-18837", NO_VERSION, "0.10.5", NULL},
	{"containerd", "CVE-2020-15257", NO_VERSION, "1.3.9", NULL},
	{"containerd", "CVE-2020-15257", "1.4.0~beta.0", "1.4.3", NULL},
};

/* What the engines call their components, and the Debian package of each; the first whose words occur in the name. */
static const struct component {
	const char *words, *name, *package;
} components[] = {
	{"crun", "crun", "crun"},      {"runc", "runc", "runc"},
	{"onmon", "conmon", "conmon"}, {"containerd", "containerd", "containerd"},
	{"odman", "podman", "podman"}, {"docker", "docker", "docker.io"},
};

static int order_of(char character)
{
	if (character == '~')
		return -1;
	if (character == '\0' || isdigit((unsigned char)character))
		return 0;
	return isalpha((unsigned char)character) ? (unsigned char)character
						 : (unsigned char)character + 256;
}

int doctor_version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		while ((*a && !isdigit((unsigned char)*a)) || (*b && !isdigit((unsigned char)*b))) {
			int difference = order_of(*a) - order_of(*b);

			if (difference)
				return difference;
			a++;
			b++;
		}
		a += strspn(a, "0");
		b += strspn(b, "0");

		size_t digits_a = strspn(a, "0123456789"), digits_b = strspn(b, "0123456789");
		int difference = digits_a != digits_b ? (digits_a < digits_b ? -1 : 1)
						      : memcmp(a, b, digits_a);

		if (difference)
			return difference;
		a += digits_a;
		b += digits_b;
	}
	return 0;
}

/* "crun_1.8.1-1+deb12u1_amd64" and "v1.8.1" are versions with something around them. */
static void take_version(const char *text, char out[VERSION_BYTES])
{
	const char *first = strchr(text, '_');

	text = first ? first + 1 : text;
	text += *text == 'v';
	(void)snprintf(out, VERSION_BYTES, "%.*s", (int)strcspn(text, "_"), text);
}

/* Without epoch, Debian revision and what says that files were left out; rc as ~rc, which comes before the release: "1.1.5+ds1-1+deb12u1" is 1.1.5. */
static void take_upstream(const char *version, char out[VERSION_BYTES])
{
	static const char *const repacked[] = {"+ds", "~ds", "+dfsg", "~dfsg", "-ce"};
	const char *colon = strchr(version, ':');

	(void)snprintf(out, VERSION_BYTES, "%s", colon ? colon + 1 : version);

	char *candidate = strstr(out, "-rc"), *revision = strrchr(out, '-');

	if (candidate)
		*candidate = '~';
	if (revision && revision != candidate)
		*revision = '\0';
	for (size_t i = 0; i < sizeof(repacked) / sizeof(repacked[0]); i++) {
		char *at = strstr(out, repacked[i]);

		if (at)
			*at = '\0';
	}
}

/* The version of an installed Debian package; false where there is none. */
static bool package_version(const char *package, char out[VERSION_BYTES])
{
	_cleanup_buf_ struct buf said = buf_new(VERSION_BYTES - 1);
	const char *const argv[] = {"dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}",
				    package,      NULL};
	static const char installed[] = "installed ";

	if (doctor_command(argv, false, deadline_in(DOCTOR_COMMAND_DEADLINE_MS), &said) != 0 ||
	    !slice_starts(buf_slice(&said), installed))
		return false;
	(void)snprintf(out, VERSION_BYTES, "%s", said.data + strlen(installed));
	return true;
}

static bool changelog_names(const char *package, const char *cve)
{
	_cleanup_buf_ struct buf said = buf_new(DOCTOR_OUTPUT_MAX_BYTES);
	char path[VERSION_BYTES];
	const char *const argv[] = {"zgrep", "-q", "-F", "-e", cve, path, NULL};

	(void)snprintf(path, sizeof(path), "/usr/share/doc/%s/changelog.Debian.gz", package);
	return doctor_command(argv, true, deadline_in(DOCTOR_COMMAND_DEADLINE_MS), &said) == 0;
}

/* Rule 2. debian: of the package, "" when it is from none. */
static bool is_open(const struct hole *hole, const char *package, const char *upstream,
		    const char *debian)
{
	char fixed_upstream[VERSION_BYTES];

	if (doctor_version_compare(upstream, hole->since) < 0 ||
	    doctor_version_compare(upstream, hole->fixed) >= 0)
		return false;
	if (!*debian)
		return true;
	if (hole->debian) {
		take_upstream(hole->debian, fixed_upstream);
		if (strcmp(fixed_upstream, upstream) == 0 &&
		    doctor_version_compare(debian, hole->debian) >= 0)
			return false;
	}
	return !changelog_names(package, hole->cve);
}

/* The ids of what is open, with commas between; "" for nothing. */
static void list_open(const struct component *component, const char *upstream, const char *debian,
		      char out[LIST_BYTES])
{
	size_t used = 0;

	*out = '\0';
	for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++)
		if (strcmp(holes[i].component, component->name) == 0 && used < LIST_BYTES &&
		    is_open(&holes[i], component->package, upstream, debian))
			used += (size_t)snprintf(out + used, LIST_BYTES - used, "%s%s",
						 used ? ", " : "", holes[i].cve);
}

static const struct component *find_component(const char *name)
{
	/* tini or catatonit, which mayfly-init stands in for */
	if (strstr(name, "docker-init"))
		return NULL;
	for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++)
		if (strstr(name, components[i].words))
			return &components[i];
	return NULL;
}

void doctor_component(struct doctor *doctor, const char *name, const char *version)
{
	const struct component *component = find_component(name);
	char found[VERSION_BYTES], upstream[VERSION_BYTES], debian[VERSION_BYTES] = "",
							    packaged[VERSION_BYTES];
	char check[VERSION_BYTES], open[LIST_BYTES];

	if (!component)
		return;
	take_version(version, found);
	take_upstream(found, upstream);
	/* the engine's own word, unless the package has that very version and more to say */
	if (package_version(component->package, debian)) {
		take_upstream(debian, packaged);
		if (strcmp(packaged, upstream) != 0)
			*debian = '\0';
	}
	list_open(component, upstream, debian, open);
	(void)snprintf(check, sizeof(check), "engine.%s", component->name);
	if (*open)
		doctor_say(doctor, DOCTOR_FAIL, check,
			   strcmp(component->name, "runc") == 0
				   ? "install a later one, or let the engine use crun: in "
				     "containers.conf, [engine] runtime = \"crun\""
				   : "install a later one",
			   "%s %s is open to %s (as of " TABLE_DATE ")", component->name,
			   *debian ? debian : found, open);
	else
		doctor_say(doctor, DOCTOR_OK, check, NULL,
			   "%s %s: no escape open to a job is known (as of " TABLE_DATE ")",
			   component->name, *debian ? debian : found);
}

void doctor_unused_runtime(struct doctor *doctor, const char *used)
{
	const struct component *runc = find_component("runc");
	char debian[VERSION_BYTES], upstream[VERSION_BYTES], open[LIST_BYTES];

	if (!*used || strcmp(used, "runc") == 0 || strstr(used, "io.containerd.runc") ||
	    !package_version(runc->package, debian))
		return;
	take_upstream(debian, upstream);
	list_open(runc, upstream, debian, open);
	if (*open)
		doctor_say(
			doctor, DOCTOR_WARN, "engine.unused_runtime",
			"keep the engine on its runtime, or remove the package runc",
			"runc %s is installed and not used (%s is): it is open to %s (as of " TABLE_DATE
			")",
			debian, used, open);
}
