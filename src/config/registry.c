/* The drop-in registries; the rules are in the header. */
#include "config/registry.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "json/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define SUFFIX ".json"

bool registry_is_name(struct slice name)
{
	return name.len > 0 && name.len <= REGISTRY_NAME_MAX_BYTES &&
	       ascii_is_of(name, ASCII_LOWER ASCII_DIGITS "_-");
}

/* The entry's name of a file's name; false when it is no entry. */
static bool entry_name(const char *file_name, struct slice *name)
{
	struct slice text = slice_of(file_name);

	if (text.len <= strlen(SUFFIX) ||
	    strcmp(file_name + text.len - strlen(SUFFIX), SUFFIX) != 0)
		return false;
	*name = (struct slice){file_name, text.len - strlen(SUFFIX)};
	return registry_is_name(*name);
}

static int add_name(struct registry_names *names, struct slice name, struct error *err)
{
	for (size_t i = 0; i < names->count; i++)
		if (slice_eq(name, names->names[i]))
			return 0;
	if (names->count == REGISTRY_MAX_COUNT)
		return error_set(err, 500, "registry_too_large",
				 "A registry holds at most %d entries", REGISTRY_MAX_COUNT);
	names->names =
		memory_checked(reallocarray(names->names, names->count + 1, sizeof(*names->names)));
	(void)slice_copy(name, names->names[names->count++], sizeof(*names->names));
	return 0;
}

/* Rule 2: what is not there holds nothing. */
static bool is_missing(int error_number)
{
	return error_number == ENOENT || error_number == ENOTDIR;
}

int registry_add_names(const char *path, struct registry_names *names, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	const struct dirent *entry;
	struct slice name;

	if (!dir)
		return is_missing(errno) ? 0
					 : error_set_errno(err, 500, "registry_unreadable",
							   "Cannot open %.256s", path);
	while ((entry = readdir(dir)))
		if (entry_name(entry->d_name, &name) && add_name(names, name, err) < 0)
			return -1;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

int registry_names(const struct config *config, const char *kind, struct registry_names *out,
		   struct error *err)
{
	_cleanup_registry_names_ struct registry_names found = {0};
	char path[PATH_MAX];

	for (unsigned i = 0; i < CONFIG_REGISTRY_DIRS; i++) {
		if (!config->registry[i][0])
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", config->registry[i], kind) >=
		    sizeof(path))
			return error_set(err, 500, "registry_unreadable",
					 "The folder's path is too long");
		if (registry_add_names(path, &found, err) < 0)
			return -1;
	}
	if (found.count > 0)
		qsort(found.names, found.count, sizeof(*found.names), compare_names);
	*out = found;
	found = (struct registry_names){0};
	return 0;
}

void registry_names_free(struct registry_names *names)
{
	free(names->names);
	*names = (struct registry_names){0};
}

/* Reads the file at out->path. */
static int read_entry(int fd, struct registry_file *out, struct error *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return error_set(err, 500, "registry_unreadable", "%.256s is not a regular file",
				 out->path);
	if (io_read_file(fd, REGISTRY_FILE_MAX_BYTES, &out->data, &out->len) < 0)
		return error_set_errno(err, 500, "registry_unreadable", "Cannot read %.256s",
				       out->path);
	return 0;
}

int registry_read_path(const char *path, const char *kind, struct registry_file *out,
		       struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct registry_file file = {.kind = kind};

	(void)snprintf(file.path, sizeof(file.path), "%s", path);
	if (fd < 0)
		return error_set_errno(err, is_missing(errno) ? 404 : 500, "registry_unreadable",
				       "Cannot open %.256s", path);
	if (read_entry(fd, &file, err) < 0)
		return -1;
	*out = file;
	return 0;
}

int registry_open(const struct config *config, const char *kind, struct slice name,
		  struct registry_file *out, struct error *err)
{
	char path[PATH_MAX];

	if (!registry_is_name(name))
		return error_set(err, 404, "registry_no_entry", "Not a name for an entry of %s",
				 kind);
	for (unsigned i = 0; i < CONFIG_REGISTRY_DIRS; i++) {
		if (!config->registry[i][0] ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s/%.*s" SUFFIX, config->registry[i],
				     kind, (int)name.len, name.data) >= sizeof(path))
			continue;
		if (registry_read_path(path, kind, out, err) == 0)
			return 0;
		if (err->status != 404)
			return -1;
	}
	return error_set(err, 404, "registry_no_entry", "No %.*s in %s", (int)name.len, name.data,
			 kind);
}

void registry_file_free(struct registry_file *file)
{
	free(file->data);
	*file = (struct registry_file){0};
}

static const struct {
	const char *kind, *code;
	bool may_hold_nul; /* in its texts */
} kinds[] = {
	{REGISTRY_LANGUAGES, "bad_language", false}, {REGISTRY_TEMPLATES, "bad_template", false},
	{REGISTRY_TOOLS, "bad_tool", false},         {REGISTRY_PATTERNS, "bad_patterns", false},
	{REGISTRY_ATTACKS, "bad_attack", true},      {REGISTRY_ADVISORIES, "bad_advisories", false},
};

static size_t kind_of(const struct registry_file *file)
{
	size_t i = 0;

	while (i < COUNT_OF(kinds) - 1 && strcmp(kinds[i].kind, file->kind) != 0)
		i++;
	return i;
}

int registry_bad_field(const struct registry_file *file, const char *field, struct error *err,
		       const char *format, ...)
{
	char what[256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return error_set(err, 500, kinds[kind_of(file)].code, "%.192s:%u: \"%.128s\" %s",
			 file->path, json_line_of((struct slice){file->data, file->len}, field),
			 field, what);
}

int registry_parse(const struct registry_file *file, json_t **out, struct error *err)
{
	const struct slice text = {file->data, file->len};
	size_t kind = kind_of(file);
	_cleanup_json_ json_t *value = NULL;
	unsigned line = 1;
	struct error why;

	if (json_parse_lines(text, kinds[kind].may_hold_nul, &value, &line, &why) < 0)
		return error_set(err, 500, kinds[kind].code, "%.192s:%u: %.200s", file->path, line,
				 why.message);
	if (!json_is_object(value))
		return error_set(err, 500, kinds[kind].code, "%.192s:1: must hold one object",
				 file->path);
	*out = value;
	value = NULL;
	return 0;
}

static int refuse(const struct registry_file *file, const char *at,
		  const struct json_refusal *refusal, struct error *err)
{
	static const struct {
		const char *what, *unit; /* what: NULL for kinds without bounds */
	} bounded[] = {
		[READ_SLICE] = {"text of", " bytes"},
		[READ_TEXT] = {"text of", " bytes"},
		[READ_COPY] = {"text of", " bytes"},
		[READ_NUMBER] = {"whole number from", ""},
		[READ_TEXTS] = {"list of", " texts"},
		[READ_LIST] = {"list of", " entries"},
		[READ_ANY] = {NULL, NULL},
	};
	const struct json_field *field = refusal->field;
	char place[REGISTRY_FIELD_BYTES];

	(void)snprintf(place, sizeof(place), "%s%s%.64s", at, *at ? "." : "", refusal->name);
	if (refusal->mistake == JSON_UNKNOWN)
		return registry_bad_field(file, place, err, "is not a known field");
	if (refusal->mistake == JSON_MISSING)
		return registry_bad_field(file, place, err, "is missing");
	if (!field->most || !bounded[field->kind].what)
		return registry_bad_field(file, place, err, "must be %s", json_wanted(field));
	return registry_bad_field(file, place, err, "takes a %s %" PRIu64 " to %" PRIu64 "%s",
				  bounded[field->kind].what, field->least, field->most,
				  bounded[field->kind].unit);
}

int registry_read(const struct registry_file *file, const char *at, const json_t *object,
		  const struct json_field *fields, size_t count, void *out, struct error *err)
{
	struct json_refusal refusal;

	if (!object)
		return 0;
	if (!json_is_object(object))
		return registry_bad_field(file, at, err, "must be an object");
	return json_read(object, fields, count, JSON_KNOWN_ONLY, out, &refusal) < 0
		       ? refuse(file, at, &refusal, err)
		       : 0;
}
