/* What a container is made with; the rules are in the header. */
#include "engine/spec.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "protocol/control.h"
#include "protocol/engine.h"
#include "json/json.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#define SECCOMP_MAX_BYTES     (256 * KIB)
#define NANO_CPUS_PER_PERCENT 10000000
#define KERNELS_PATH          "/usr/lib/mayfly" /* inside the container: worker/kernels */

/*
 * Where the two engines differ, measured with Podman 4.3 and Docker 20.10 (API v1.41): Podman adds
 * a tmpfs of no size on /run and /var/tmp of a read-only root, takes mount options with a bind,
 * gives a tmpfs to the user with "U" (Docker: uid= and gid=), seccomp as a path, masks as a
 * security option, "private" for the PID and UTS namespaces, and copies the image's files into a
 * tmpfs unless told not to. Docker takes none of those words; its runc gives a tmpfs the mode that
 * the folder has in the image, whatever is asked for. Z: the folder gets the container's own
 * SELinux label, where there is SELinux.
 */
static const struct dialect {
	const char *tmpfs; /* an option of every tmpfs */
	const char *owner; /* the option which gives a tmpfs to the user, or NULL: uid= and gid= */
	/* options of the binds: the socket's folder; what is ours; what is this container's alone
	 */
	const char *control, *data, *own_data;
	const char *own; /* a PID or UTS namespace of its own */
	/* for MAYFLY_NETWORK=allow: without a bridge where that can be, so that no container sees
	   another */
	const char *network;
	bool seccomp_is_path, mask_is_option;
} dialects[] = {
	[ENGINE_PODMAN] = {"nosuid,nodev,notmpcopyup", "U", "rw,nosuid,nodev,noexec,rprivate,Z",
			   "ro,nosuid,nodev,rprivate", "ro,nosuid,nodev,rprivate,Z", "private",
			   "slirp4netns", true, true},
	[ENGINE_DOCKER] = {"nosuid,nodev", NULL, "rw,rprivate", "ro,rprivate", "ro,rprivate", "",
			   "bridge", false, false},
};

/* Masked on top of what the engine masks itself; Docker's list replaces its own, so it holds that,
 * too. */
static const char *const masks_added[] = {"/proc/asound",    "/proc/interrupts",
					  "/proc/kallsyms",  "/proc/modules",
					  "/proc/key-users", "/sys/devices/virtual/powercap"};
static const char *const masks_usual[] = {
	"/proc/acpi",          "/proc/kcore",      "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
	"/proc/sched_debug",   "/proc/scsi",       "/sys/firmware"};
/* with /dev/ptmx, which is a link into it: the kernel counts pseudo-terminals for the whole host */
static const char terminals[] = "/dev/pts";

/* Adds a new value to an object; value is given away. 0, or -1 when memory is out. */
static int set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

static int set_number(json_t *object, const char *key, uint64_t value)
{
	return set(object, key, json_integer((json_int_t)value));
}

/* What a program may write to. Its working directory is its own: git, ssh and others insist on
 * that. */
static json_t *workspace_options(const struct spec *spec, const struct dialect *dialect)
{
	uint64_t size_mb = spec->template.workspace_mb;

	if (dialect->owner)
		return json_sprintf("rw,exec,%s,mode=0700,size=%" PRIu64 "m,%s", dialect->tmpfs,
				    size_mb, dialect->owner);
	return json_sprintf("rw,exec,%s,mode=0700,size=%" PRIu64 "m,uid=%u,gid=%u", dialect->tmpfs,
			    size_mb, spec->user.id, spec->user.id);
}

/* /run and /var/tmp: the engine would add them without a size. */
static json_t *small_options(const struct dialect *dialect)
{
	return json_sprintf("ro,noexec,%s,mode=0755,size=%uk", dialect->tmpfs,
			    (unsigned)(SMALL_TMPFS_BYTES / KIB));
}

static int set_mounts(const struct spec *spec, const struct dialect *dialect, json_t *host)
{
	const struct template *template = &spec->template;
	const struct {
		const char *path, *inside, *options;
	} files[] = {
		{spec->init, CONTROL_INIT_PATH, dialect->data},
		{spec->hosts, "/etc/hosts", dialect->data},
		{spec->kernels, KERNELS_PATH, dialect->data},
		{spec->resolv, "/etc/resolv.conf", dialect->data},
		{spec->user.passwd, "/etc/passwd", dialect->own_data},
		{spec->user.group, "/etc/group", dialect->own_data},
	};
	json_t *tmpfs = json_object(), *binds = json_array();
	int failed;

	if (set(host, "Tmpfs", tmpfs) < 0 || set(host, "Binds", binds) < 0)
		return -1;
	failed = set(tmpfs, template->workdir, workspace_options(spec, dialect));
	failed |= set(tmpfs, "/tmp",
		      json_sprintf("rw,noexec,%s,mode=1777,size=%" PRIu64 "m", dialect->tmpfs,
				   template->tmp_mb));
	failed |= set(tmpfs, "/run", small_options(dialect));
	failed |= set(tmpfs, "/var/tmp", small_options(dialect));
	failed |= set_number(host, "ShmSize", template->shm_mb * MIB);
	failed |= json_array_append_new(
		binds, json_sprintf("%s/" MAKING_DIR_NAME "/%s:" CONTROL_DIR ":%s",
				    spec->config->run, spec->folder, dialect->control));
	for (size_t i = 0; i < COUNT_OF(files); i++)
		if (files[i].path[0])
			failed |= json_array_append_new(
				binds, json_sprintf("%s:%s:%s", files[i].path, files[i].inside,
						    files[i].options));
	return failed;
}

/* nofile and nproc go together: given one, Podman raises the other. A limit above our own hard one
   cannot be set without CAP_SYS_RESOURCE. */
static int set_ulimits(const struct template *template, json_t *host)
{
	const struct {
		const char *name;
		__rlimit_resource_t resource;
		uint64_t value;
	} limits[] = {
		{"nofile", RLIMIT_NOFILE, template->nofile},
		{"nproc", RLIMIT_NPROC, template->nproc},
		{"core", RLIMIT_CORE, 0},
		{"fsize", RLIMIT_FSIZE, template->fsize_mb * MIB},
		{"msgqueue", RLIMIT_MSGQUEUE, 0},
		{"sigpending", RLIMIT_SIGPENDING, CONTAINER_SIGPENDING},
		{"memlock", RLIMIT_MEMLOCK, CONTAINER_MEMLOCK_KB * KIB},
	};
	json_t *list = json_array();

	if (set(host, "Ulimits", list) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		uint64_t value = limits[i].value;
		struct rlimit own;

		if (getrlimit(limits[i].resource, &own) == 0 && own.rlim_max < value)
			value = own.rlim_max;
		if (json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "Name", limits[i].name,
							  "Soft", (json_int_t)value, "Hard",
							  (json_int_t)value)) < 0)
			return -1;
	}
	return 0;
}

/* Docker's client reads the profile, Podman's service does. */
static json_t *seccomp_option(const struct spec *spec, const struct dialect *dialect)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (dialect->seccomp_is_path)
		return json_sprintf("seccomp=%s", spec->seccomp);
	fd = open(spec->seccomp, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || io_read_file(fd, SECCOMP_MAX_BYTES, &text, &len) < 0)
		return NULL;
	return json_sprintf("seccomp=%s", text);
}

/* 0, or not when memory is out. */
static int add_mask(const struct dialect *dialect, const char *path, json_t *masks, json_t *options)
{
	return json_array_append_new(masks, json_string(path)) |
	       (dialect->mask_is_option
			? json_array_append_new(options, json_sprintf("mask=%s", path))
			: 0);
}

static int set_security(const struct spec *spec, const struct dialect *dialect, json_t *host)
{
	json_t *options = json_array(), *masks = json_array();

	int failed;

	if (set(host, "SecurityOpt", options) < 0 || set(host, "MaskedPaths", masks) < 0)
		return -1;
	failed = json_array_append_new(options, json_string("no-new-privileges"));
	failed |= json_array_append_new(options, seccomp_option(spec, dialect));
	if (spec->apparmor)
		failed |=
			json_array_append_new(options, json_sprintf("apparmor=%s", spec->apparmor));
	if (spec->selinux)
		failed |= json_array_append_new(options,
						json_sprintf("label=type:%s", spec->selinux));
	for (size_t i = 0; i < COUNT_OF(masks_usual); i++)
		failed |= json_array_append_new(masks, json_string(masks_usual[i]));
	for (size_t i = 0; i < COUNT_OF(masks_added); i++)
		failed |= add_mask(dialect, masks_added[i], masks, options);
	if (!spec->template.pty)
		failed |= add_mask(dialect, terminals, masks, options);
	return failed;
}

static const char *network_of(const struct spec *spec, const struct dialect *dialect)
{
	if (!spec->template.network)
		return "none";
	return strcmp(spec->config->network, NETWORK_ALLOW) == 0 ? dialect->network
								 : spec->config->network;
}

void spec_limits(const struct spec *spec, struct spec_limit out[SPEC_LIMITS])
{
	const struct template *template = &spec->template;
	const struct {
		unsigned limit;
		struct spec_limit is;
	} limits[SPEC_LIMITS] = {
		{LIMIT_MEMORY, {"Memory", template->memory_mb * MIB}},
		{LIMIT_MEMORY, {"MemorySwap", template->memory_mb * MIB}},
		{LIMIT_CPU, {SPEC_CPUS, template->cpu_percent * NANO_CPUS_PER_PERCENT}},
		{LIMIT_PIDS, {"PidsLimit", template->pids}},
	};

	for (size_t i = 0; i < SPEC_LIMITS; i++) {
		out[i] = limits[i].is;
		if (spec->engine.missing & limits[i].limit)
			out[i].value = 0;
	}
}

/* Limits that are none are said, too: for pids that are left out Podman would take a default of its
   own, and the runtime refuse it. */
static int set_limits(const struct spec *spec, json_t *host)
{
	struct spec_limit limits[SPEC_LIMITS];

	spec_limits(spec, limits);
	for (size_t i = 0; i < SPEC_LIMITS; i++)
		if (set_number(host, limits[i].field, limits[i].value) < 0)
			return -1;
	return 0;
}

static json_t *host_config(const struct spec *spec, const struct dialect *dialect)
{
	json_t *host = json_pack("{s:s, s:b, s:b, s:[s], s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s}}",
				 "NetworkMode", network_of(spec, dialect), "ReadonlyRootfs", 1,
				 "AutoRemove", 0, "CapDrop", "ALL", "IpcMode", "private", "PidMode",
				 dialect->own, "UTSMode", dialect->own, "CgroupnsMode", "private",
				 "LogConfig", "Type", "none", "RestartPolicy", "Name", "no");

	if (host && spec->lifetime_s >= SESSION_LIFETIME_S && !(spec->engine.missing & LIMIT_CPU) &&
	    set_number(host, "CpuShares", SESSION_CPU_SHARES) < 0) {
		json_decref(host);
		return NULL;
	}
	/* a user's containers.conf may name another user namespace than the user's own: each image
	   would be copied for it, at its first run */
	if (host && (!spec->engine.rootless || set(host, "UsernsMode", json_string("host")) == 0) &&
	    set_limits(spec, host) == 0 && set_mounts(spec, dialect, host) == 0 &&
	    set_ulimits(&spec->template, host) == 0 && set_security(spec, dialect, host) == 0)
		return host;
	json_decref(host);
	return NULL;
}

static json_t *labels(const struct spec *spec, const char *boot)
{
	json_t *deadline = json_sprintf("%" PRIu64, boot_now_s() + spec->lifetime_s);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", LABEL_KIND,
			 spec->container_kind, LABEL_INSTANCE, spec->config->instance, LABEL_RUN,
			 spec->config->run, LABEL_TEMPLATE, spec->template.name, LABEL_FOLDER,
			 spec->folder, LABEL_JOB, spec->job, LABEL_BOOT, boot, LABEL_DEADLINE,
			 deadline);
}

int spec_write(const struct spec *spec, struct buf *out, struct error *err)
{
	const struct template *template = &spec->template;
	_cleanup_json_ json_t *root = NULL;
	char boot[BOOT_ID_BYTES];

	if (boot_id(boot) < 0)
		return error_set_errno(err, 500, "engine_failed",
				       "The kernel's boot_id cannot be read");
	root = json_pack("{s:s, s:s, s:o, s:[s], s:[o], s:s, s:[], s:o, s:o}", "Image",
			 template->image, "Hostname", "sandbox", "User",
			 json_sprintf("%u:%u", spec->user.id, spec->user.id), "Entrypoint",
			 CONTROL_INIT_PATH, "Cmd", json_sprintf("%" PRIu64, spec->lifetime_s),
			 "WorkingDir", "/", "Env", "Labels", labels(spec, boot), "HostConfig",
			 host_config(spec, &dialects[spec->kind]));
	if (!root || json_write(root, out) < 0)
		return error_set(err, 500, "engine_failed",
				 "The request for a container cannot be written");
	return 0;
}
