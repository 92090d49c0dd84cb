#include "api/sandbox/paths.h"
#include "base/ascii.h"

#include <inttypes.h>
#include <string.h>

#define SHOWN_MAX 200 /* bytes of a path in a message */

static const char *const extensions[] = {".exe",  ".dll", ".so",  ".dylib", ".sh",
					 ".bash", ".zsh", ".pyo", ".pyc"};

static int shown(struct slice text)
{
	return text.len < SHOWN_MAX ? (int)text.len : SHOWN_MAX;
}

/* Takes the next component off *path, which may be empty between two slashes. False at the end. */
static bool next_component(struct slice *path, struct slice *out)
{
	if (path->len == 0)
		return false;
	*out = slice_take(path, '/');
	return true;
}

static bool climbs(struct slice path)
{
	struct slice component;

	while (next_component(&path, &component))
		if (slice_eq(component, ".."))
			return true;
	return false;
}

static int check_component(struct slice component, struct error *err)
{
	if (!ascii_is_of(component, ASCII_ALNUM "_-."))
		return error_set(err, 400, "path_characters",
				 "Invalid characters in path component: %.*s", shown(component),
				 component.data);
	if (component.len > JOB_NAME_MAX_BYTES)
		return error_set(err, 400, "path_too_long", "Path component exceeds %d bytes",
				 JOB_NAME_MAX_BYTES);
	return 0;
}

static int write_path(struct slice path, char out[SANDBOX_PATH_BYTES], struct error *err)
{
	unsigned depth = 0;
	struct slice component;
	size_t len = 0;

	while (next_component(&path, &component)) {
		if (component.len == 0 || slice_eq(component, "."))
			continue;
		if (check_component(component, err) < 0)
			return -1;
		if (len + component.len + 2 > SANDBOX_PATH_BYTES ||
		    ++depth > JOB_ARTIFACT_DEPTH_MAX)
			return error_set(err, 400, "path_too_long",
					 "Path exceeds %d bytes or %d folders", JOB_PATH_MAX_BYTES,
					 JOB_ARTIFACT_DEPTH_MAX);
		if (len)
			out[len++] = '/';
		memcpy(out + len, component.data, component.len);
		len += component.len;
	}
	out[len] = '\0';
	return len ? 0 : error_set(err, 400, "path_empty", "Empty path");
}

int sandbox_path_to_read(struct slice path, char out[SANDBOX_PATH_BYTES], struct error *err)
{
	if (path.len == 0)
		return error_set(err, 400, "path_empty", "Empty path");
	if (memchr(path.data, '\0', path.len))
		return error_set(err, 400, "path_nul", "Path contains null bytes");
	if (climbs(path))
		return error_set(err, 400, "path_traversal", "Path traversal detected: %.*s",
				 shown(path), path.data);
	if (path.data[0] == '/')
		return error_set(err, 400, "path_absolute", "Absolute paths not allowed: %.*s",
				 shown(path), path.data);
	return write_path(path, out, err);
}

/* The extension as splitext of Python has it: dots that a name begins with begin none. */
static const char *extension_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name + strspn(name, "."), '.');

	return dot ? dot : "";
}

int sandbox_path(struct slice path, char out[SANDBOX_PATH_BYTES], struct error *err)
{
	char good[SANDBOX_PATH_BYTES];

	if (sandbox_path_to_read(path, good, err) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(extensions); i++)
		if (strcasecmp(extension_of(good), extensions[i]) == 0)
			return error_set(err, 400, "extension_not_allowed",
					 "Dangerous file extension not allowed: %s", extensions[i]);
	memcpy(out, good, strlen(good) + 1);
	return 0;
}

int sandbox_add_size(uint64_t size_bytes, uint64_t *total_bytes, struct error *err)
{
	if (size_bytes > SANDBOX_FILE_MAX_BYTES)
		return error_set(err, 400, "file_too_large",
				 "File size %" PRIu64 " exceeds limit %llu", size_bytes,
				 SANDBOX_FILE_MAX_BYTES);
	*total_bytes += size_bytes;
	if (*total_bytes > SANDBOX_FILES_MAX_BYTES)
		return error_set(err, 400, "files_too_large",
				 "Total storage would exceed limit %llu", SANDBOX_FILES_MAX_BYTES);
	return 0;
}
