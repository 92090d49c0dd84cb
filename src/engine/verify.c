#include "engine/verify.h"

#include "protocol/control.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>

static int check_number(const json_t *host, const char *field, uint64_t want, struct error *err)
{
	json_int_t got = json_integer_value(json_object_get(host, field));

	if (got < 0 || (uint64_t)got != want)
		return error_set(
			err, 500, "limit_ignored",
			"The engine ignores %s: asked for %" PRIu64 ", it says %" PRId64
			". It needs cgroup v2 with the memory, pids and cpu controllers delegated, "
			"or root",
			field, want, (int64_t)got);
	return 0;
}

/* NanoCpus may come back as the quota that they stand for. */
static bool is_quota(const json_t *host, const struct spec_limit *limit)
{
	json_int_t quota = json_integer_value(json_object_get(host, "CpuQuota"));
	json_int_t period = json_integer_value(json_object_get(host, "CpuPeriod"));

	return strcmp(limit->field, SPEC_CPUS) == 0 && period > 0 &&
	       (uint64_t)quota * NS_PER_S == (uint64_t)period * limit->value;
}

/* Nothing of the host is writable but the control folder. */
static int check_mounts(const json_t *created, struct error *err)
{
	const json_t *mounts = json_object_get(created, "Mounts"), *mount;
	size_t i;

	json_array_foreach (mounts, i, mount) {
		const char *path = json_text(mount, "Destination");
		const char *type = json_text(mount, "Type");

		if (!path || !type)
			return error_set(err, 502, "engine_bad_reply",
					 "The engine describes a mount without a destination");
		if (strcmp(path, CONTROL_DIR) == 0 || strcmp(type, "tmpfs") == 0 ||
		    json_is_false(json_object_get(mount, "RW")))
			continue;
		return error_set(
			err, 500, "limit_ignored",
			"The image makes %.128s writable on the host (a VOLUME of it): build one "
			"without",
			path);
	}
	return 0;
}

/* Without network there is none; with one it is never the host's or another container's. */
static int check_network(const struct spec *spec, const json_t *host, struct error *err)
{
	const char *got = json_text(host, "NetworkMode"), *wanted = spec->config->network;

	if (!spec->template.network)
		wanted = "none";
	if (got && (spec->template.network ? strcmp(got, "host") != 0 && !strchr(got, ':')
					   : strcmp(got, wanted) == 0))
		return 0;
	return error_set(err, 500, "limit_ignored",
			 "The engine ignores NetworkMode: asked for %.64s, it says %.64s", wanted,
			 got ? got : "nothing");
}

/* Those that the engine was asked for. */
static int check_limits(const struct spec *spec, const json_t *host, struct error *err)
{
	struct spec_limit limits[SPEC_LIMITS];

	spec_limits(spec, limits);
	for (size_t i = 0; i < SPEC_LIMITS; i++)
		if (limits[i].value && !is_quota(host, &limits[i]) &&
		    check_number(host, limits[i].field, limits[i].value, err) < 0)
			return -1;
	return 0;
}

/* The kernel counts by user: an image's own would be shared. */
static int check_user(const struct spec *spec, const json_t *created, struct error *err)
{
	const char *got = json_text(json_object_get(created, "Config"), "User");
	char want[32];

	(void)snprintf(want, sizeof(want), "%u:%u", spec->user.id, spec->user.id);
	if (got && strcmp(got, want) == 0)
		return 0;
	return error_set(err, 500, "limit_ignored",
			 "The engine ignores User: asked for %s, it says %.64s", want,
			 got ? got : "nothing");
}

int verify_container(const struct spec *spec, const json_t *created, struct error *err)
{
	const json_t *host = json_object_get(created, "HostConfig");

	if (!json_is_object(host))
		return error_set(err, 502, "engine_bad_reply",
				 "The engine does not describe the container it made");
	if (!json_is_true(json_object_get(host, "ReadonlyRootfs")) ||
	    json_is_true(json_object_get(host, "Privileged")))
		return error_set(err, 500, "limit_ignored",
				 "The engine ignores ReadonlyRootfs or adds privileges");
	return check_user(spec, created, err) < 0 || check_limits(spec, host, err) < 0 ||
			       check_network(spec, host, err) < 0 || check_mounts(created, err) < 0
		       ? -1
		       : 0;
}
