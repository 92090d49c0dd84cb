/* Settings; the rules are in the header. */
#include "ctl/settings.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/slice.h"
#include "bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>

/* What the system units say, and nothing else knows. */
static const struct {
	const char *name, *path;
} system_places[] = {
	{"AA_STORAGE_PATH", "/var/lib/mayfly/artifacts"},
	{"MAYFLY_TEMPLATES_DIR", "/var/lib/mayfly/templates"},
	{"MAYFLY_IMAGE_STAMP", "/run/mayfly/images"}, /* mayfly-images.path touches it */
};

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static int give(const char *name, const char *value, struct error *err)
{
	return setenv(name, value, 0) < 0
		       ? error_set_errno(err, 500, "bad_configuration", "%s cannot be set", name)
		       : 0;
}

/* One line as in systemd's EnvironmentFile= (systemd.exec(5)): NAME=value, the value perhaps in one
   pair of quotes. */
static int take_line(char *line, struct error *err)
{
	line += strspn(line, " \t");

	char *value = strchr(line, '=');
	size_t len;

	if (*line == '#' || *line == ';' || !value || value == line)
		return 0;
	*value++ = '\0';
	value += strspn(value, " \t");
	len = strlen(value);
	while (len && strchr(" \t\r", value[len - 1]))
		value[--len] = '\0';
	if (len >= 2 && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
		value[len - 1] = '\0';
		value++;
	}
	return give(line, value, err);
}

static int take_file(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || io_read_file(fd, SETTINGS_FILE_MAX_BYTES, &text, &len) < 0)
		return error_set_errno(err, 500, "bad_configuration", "%.256s cannot be read",
				       path);
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));)
		if (take_line(line, err) < 0)
			return -1;
	return 0;
}

/* Rule 2: PREFIX/bin/mayflyctl knows where the rest was installed. */
static int take_places(struct error *err)
{
	char self[PATH_MAX] = "", libexec[PATH_MAX + 32], share[PATH_MAX + 32];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash = len > 0 ? strrchr(self, '/') : NULL;

	if (!slash)
		return 0;
	*slash = '\0';
	slash = strrchr(self, '/');
	if (!slash || strcmp(slash, "/bin") != 0)
		return 0;
	*slash = '\0';
	(void)snprintf(libexec, sizeof(libexec), "%s/libexec/mayfly", self);
	(void)snprintf(share, sizeof(share), "%s/share/mayfly", self);
	if (is_there(libexec) && give("MAYFLY_LIBEXEC_DIR", libexec, err) < 0)
		return -1;
	return is_there(share) ? give("MAYFLY_DATA_DIR", share, err) : 0;
}

int ctl_settings(struct error *err)
{
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
	char path[PATH_MAX];

	if (getenv("MAYFLY_RUN_DIR"))
		return 0;
	if (geteuid() == 0)
		(void)snprintf(path, sizeof(path), "/etc/mayfly/mayfly.conf");
	else if (config && *config)
		(void)snprintf(path, sizeof(path), "%s/mayfly/mayfly.conf", config);
	else
		(void)snprintf(path, sizeof(path), "%s/.config/mayfly/mayfly.conf",
			       home ? home : "");
	if (take_file(path, err) < 0 || take_places(err) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(system_places); i++)
		if (geteuid() == 0 && is_there(system_places[i].path) &&
		    give(system_places[i].name, system_places[i].path, err) < 0)
			return -1;
	return 0;
}

bool ctl_service_user(const struct config *config, uid_t *uid, gid_t *gid)
{
	char path[PATH_MAX + 16];
	struct stat status;

	(void)snprintf(path, sizeof(path), "%s/pool", config->run);
	if (geteuid() != 0 || stat(path, &status) < 0 || status.st_uid == 0)
		return false;
	*uid = status.st_uid;
	*gid = status.st_gid;
	return true;
}

int ctl_become_service(const struct config *config, struct error *err)
{
	uid_t uid;
	gid_t gid;

	if (!ctl_service_user(config, &uid, &gid))
		return 0;
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return error_set_errno(err, 500, "bad_configuration",
				       "Cannot become the service's user (uid %u)", uid);
	return 0;
}
