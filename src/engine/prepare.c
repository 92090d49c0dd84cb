#include "engine/prepare.h"

#include "base/ascii.h"
#include "config/template_find.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is asked for, but never more than the template has; the template's when nothing is. */
static void clamp(uint64_t asked, uint64_t least, uint64_t *limit)
{
	if (asked == 0 || asked > *limit)
		return;
	*limit = asked < least ? least : asked;
}

/* type: of stat(2), S_IFREG or S_IFDIR. */
static bool is_there(const char *path, mode_t type)
{
	struct stat status;

	return stat(path, &status) == 0 && (status.st_mode & S_IFMT) == type;
}

/* Finds what lies beneath the first registry folder that has it. False, with out empty, when none
   does. */
static bool find_data(const struct config *config, const char *name, mode_t type,
		      char out[PATH_MAX])
{
	for (unsigned i = 0; i < CONFIG_REGISTRY_DIRS; i++)
		if (config->registry[i][0] &&
		    (size_t)snprintf(out, PATH_MAX, "%s/%s", config->registry[i], name) <
			    PATH_MAX &&
		    is_there(out, type))
			return true;
	out[0] = '\0';
	return false;
}

/* settings: beside which one of ours it can be set by. */
static int find_file(const struct config *config, const char *name, const char *settings,
		     char out[PATH_MAX], struct error *err)
{
	if (find_data(config, name, S_IFREG, out))
		return 0;
	return error_set(err, 500, "bad_configuration",
			 "No %s in %s; install it there, or set %sMAYFLY_DATA_DIR", name,
			 config->registry[CONFIG_REGISTRY_DIRS - 1], settings);
}

static int find_init(const struct config *config, struct spec *out, struct error *err)
{
	if ((size_t)snprintf(out->init, sizeof(out->init), "%s/mayfly-init", config->libexec) >=
		    sizeof(out->init) ||
	    !is_there(out->init, S_IFREG))
		return error_set(
			err, 500, "bad_configuration",
			"mayfly-init is missing in %s; set MAYFLY_LIBEXEC_DIR to the folder of "
			"mayfly's programs",
			config->libexec);
	return 0;
}

/* SECCOMP_PROFILE, else seccomp.json of the first registry folder that has one. There is no way to
 * go without. */
static int find_seccomp(const struct config *config, struct spec *out, struct error *err)
{
	const char *named = getenv("SECCOMP_PROFILE");

	if (named && *named) {
		if (*named != '/' || strlen(named) >= sizeof(out->seccomp) ||
		    !is_there(named, S_IFREG))
			return error_set(
				err, 500, "bad_configuration",
				"SECCOMP_PROFILE is \"%.200s\", but takes the absolute path of a "
				"file",
				named);
		memcpy(out->seccomp, named, strlen(named) + 1);
		return 0;
	}
	return find_file(config, "seccomp.json", "SECCOMP_PROFILE or ", out->seccomp, err);
}

/* The engine would put the host's own list of names and addresses into every container, and Docker
   its name servers into one without network. */
static int find_names(const struct config *config, struct spec *out, struct error *err)
{
	if (find_file(config, "hosts", "", out->hosts, err) < 0)
		return -1;
	if (out->kind == ENGINE_PODMAN || out->template.network)
		return 0;
	return find_file(config, "resolv.conf", "", out->resolv, err);
}

static int find_apparmor(struct spec *out, struct error *err)
{
	const char *name = getenv("APPARMOR_PROFILE");

	out->apparmor = name && *name ? name : NULL;
	if (out->apparmor && strcmp(out->apparmor, "unconfined") == 0)
		return error_set(
			err, 500, "bad_configuration",
			"APPARMOR_PROFILE takes a profile's name; leave it unset to go without "
			"one");
	return 0;
}

/* SELinux confines a container by the policy's own type for them; where it is off, the engine
   leaves a label out. */
static int find_selinux(struct spec *out, struct error *err)
{
	const char *name = getenv("MAYFLY_SELINUX_TYPE");

	out->selinux = name && *name ? name : NULL;
	if (out->selinux && (strlen(name) > SELINUX_TYPE_MAX_BYTES ||
			     !ascii_is_of(slice_of(name), ASCII_ALNUM "_") ||
			     strcmp(name, "spc_t") == 0 || strncmp(name, "unconfined_", 11) == 0))
		return error_set(
			err, 500, "bad_configuration",
			"MAYFLY_SELINUX_TYPE is \"%.64s\", but takes the name of a type that "
			"confines, such as container_t",
			name);
	return 0;
}

/* The binds are texts of the form host:container:options. */
static int check_paths(const struct config *config, const struct spec *spec, struct error *err)
{
	if (strchr(config->run, ':') || strchr(spec->init, ':') || strchr(spec->kernels, ':') ||
	    strchr(spec->hosts, ':') || strchr(spec->resolv, ':'))
		return error_set(
			err, 500, "bad_configuration",
			"MAYFLY_RUN_DIR, MAYFLY_LIBEXEC_DIR and MAYFLY_DATA_DIR must not contain a "
			"colon");
	return 0;
}

int prepare_spec(const struct config *config, enum engine_kind kind,
		 const struct prepare_request *request, struct spec *out, struct error *err)
{
	struct spec spec = {.config = config, .kind = kind, .job = request->job};
	struct template *template = &spec.template;

	if (template_find(config, request->template, template, err) < 0)
		return -1;
	/* both must say so: the template and the operator */
	template->network = template->network && config->network;
	if (find_init(config, &spec, err) < 0 || find_seccomp(config, &spec, err) < 0 ||
	    find_names(config, &spec, err) < 0 || find_apparmor(&spec, err) < 0 ||
	    find_selinux(&spec, err) < 0)
		return -1;
	/* without them every job starts its runtime anew */
	(void)find_data(config, "kernels", S_IFDIR, spec.kernels);
	if (check_paths(config, &spec, err) < 0)
		return -1;
	clamp(request->memory_mb, MEMORY_MIN_MB, &template->memory_mb);
	clamp(request->pids, PIDS_MIN, &template->pids);
	clamp(request->cpu_percent, 1, &template->cpu_percent);
	spec.lifetime_s =
		template->timeout_max_s + CONTAINER_START_ALLOWANCE_S + JOB_GRACE_MS / MS_PER_S;
	spec.container_kind = request->pooled ? "pool" : request->session ? "session" : "job";
	if (request->pooled || request->session)
		spec.lifetime_s += POOL_TTL_MAX_S + SESSION_LIFETIME_S;
	clamp(request->lifetime_s, 1, &spec.lifetime_s);
	*out = spec;
	return 0;
}
