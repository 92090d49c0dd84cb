#include "api/sandbox/paths.h"
#include "base/ascii.h"
#include "base/utf8.h"

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

/* Blocks beyond ASCII without letters, digits and their marks: controls, blanks, punctuation,
   symbols, private use. */
static const struct {
	uint32_t first, last;
} no_letters[] = {
	{0x80, 0xa9},       {0xab, 0xb1},       {0xb4, 0xb4},       {0xb6, 0xb8},
	{0xbb, 0xbf},       {0xd7, 0xd7},       {0xf7, 0xf7},       {0x1680, 0x1680},
	{0x2000, 0x206f},   {0x20a0, 0x20cf},   {0x2190, 0x2bff},   {0x2e00, 0x2e7f},
	{0x3000, 0x3004},   {0x3008, 0x3020},   {0x3030, 0x3030},   {0xe000, 0xf8ff},
	{0xfd3e, 0xfd3f},   {0xfe10, 0xfe1f},   {0xfe30, 0xfe6f},   {0xfeff, 0xff0f},
	{0xff1a, 0xff20},   {0xff3b, 0xff40},   {0xff5b, 0xff65},   {0xffe0, 0xffff},
	{0x1d000, 0x1d1ff}, {0x1f000, 0x1faff}, {0xe0000, 0xe00ff}, {0xf0000, 0x10ffff},
};

/* Takes the next character off valid UTF-8. */
static uint32_t next_character(struct slice *text)
{
	unsigned char lead = (unsigned char)text->data[0];
	unsigned more = lead < 0xc0 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
	uint32_t character = more ? lead & (0x3fU >> more) : lead;

	for (unsigned i = 1; i <= more; i++)
		character = character << 6 | ((unsigned char)text->data[i] & 0x3f);
	slice_skip(text, more + 1);
	return character;
}

/* Letters and digits of any script, and what joins them. */
static bool is_plain(struct slice name)
{
	if (!utf8_is_valid(name))
		return false;
	while (name.len) {
		struct slice ascii = {name.data, 1};
		uint32_t character = next_character(&name);

		if (character < 0x80 && !ascii_is_of(ascii, ASCII_ALNUM "_-."))
			return false;
		for (size_t i = 0; i < COUNT_OF(no_letters); i++)
			if (character >= no_letters[i].first && character <= no_letters[i].last)
				return false;
	}
	return true;
}

static int check_component(struct slice component, bool is_strict, struct error *err)
{
	if (is_strict ? !is_plain(component) : ascii_has_control(component))
		return error_set(err, 400, "path_characters",
				 "Invalid characters in path component: %.*s", shown(component),
				 component.data);
	if (component.len > JOB_NAME_MAX_BYTES)
		return error_set(err, 400, "path_too_long", "Path component exceeds %d bytes",
				 JOB_NAME_MAX_BYTES);
	return 0;
}

static int write_path(struct slice path, bool is_strict, char out[SANDBOX_PATH_BYTES],
		      struct error *err)
{
	unsigned depth = 0;
	struct slice component;
	size_t len = 0;

	while (next_component(&path, &component)) {
		if (component.len == 0 || slice_eq(component, "."))
			continue;
		if (check_component(component, is_strict, err) < 0)
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

static int take_path(struct slice path, bool is_strict, char out[SANDBOX_PATH_BYTES],
		     struct error *err)
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
	return write_path(path, is_strict, out, err);
}

int sandbox_session_path(struct slice path, char out[SANDBOX_PATH_BYTES], struct error *err)
{
	return take_path(path, false, out, err);
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

	if (take_path(path, true, good, err) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(extensions); i++)
		if (strcasecmp(extension_of(good), extensions[i]) == 0)
			return error_set(err, 400, "extension_not_allowed",
					 "Dangerous file extension not allowed: %s", extensions[i]);
	memcpy(out, good, strlen(good) + 1);
	return 0;
}

int sandbox_add_size(uint64_t size_bytes, uint64_t max_bytes, uint64_t *total_bytes,
		     struct error *err)
{
	if (size_bytes > max_bytes)
		return error_set(err, 400, "file_too_large",
				 "File size %" PRIu64 " exceeds limit %" PRIu64, size_bytes,
				 max_bytes);
	*total_bytes += size_bytes;
	if (*total_bytes > SANDBOX_FILES_MAX_BYTES)
		return error_set(err, 400, "files_too_large",
				 "Total storage would exceed limit %llu", SANDBOX_FILES_MAX_BYTES);
	return 0;
}
