/*
 * The drop-in registries: languages, templates, tools, lists of patterns and attacks are files, one
 * per entry, in up to CONFIG_REGISTRY_DIRS folders.
 *
 * Rules:
 *  1. The first folder that has a file NAME.json wins whole; nothing is merged.
 *  2. A missing folder is an empty one. A broken file harms no other, and what is wrong with it is
 *     told with file, line and field by registry_bad_field alone.
 *  3. A name is 1 to REGISTRY_NAME_MAX_BYTES bytes of a-z, 0-9, '_' and '-': no other file is an
 *     entry.
 */
#pragma once

#include "base/slice.h"
#include "bounds.h"
#include "config/config.h"
#include "json/read.h"

/* Kinds of entries, by their folders. */
#define REGISTRY_LANGUAGES  "languages.d"  /* config/language.h */
#define REGISTRY_TEMPLATES  "templates.d"  /* config/template.h */
#define REGISTRY_TOOLS      "tools.d"      /* config/tool.h */
#define REGISTRY_PATTERNS   "patterns.d"   /* config/patterns.h */
#define REGISTRY_ATTACKS    "attack.d"     /* ctl/doctor/attack.h */
#define REGISTRY_ADVISORIES "advisories.d" /* ctl/doctor/advisories.c */

/* of a field's place in a file, as "files[0].path", with its NUL */
#define REGISTRY_FIELD_BYTES 160

struct registry_names {
	char (*names)[REGISTRY_NAME_MAX_BYTES + 1]; /* sorted by bytes, each once */
	size_t count;
};

struct registry_file {
	const char *kind;    /* REGISTRY_… */
	char path[PATH_MAX]; /* where it was found, for messages */
	char *data;          /* owned, NUL-terminated */
	size_t len;          /* bytes, without the NUL */
};

#define _cleanup_registry_names_ __attribute__((cleanup(registry_names_free)))
#define _cleanup_registry_file_  __attribute__((cleanup(registry_file_free)))

/* True for a name by rule 3. */
bool registry_is_name(struct slice name);

/* The names of all entries of a kind (REGISTRY_TOOLS…). The caller frees *out. 0, or -1 with *err:
   500 "registry_unreadable", "registry_too_large" (more than REGISTRY_MAX_COUNT).
 */
MUST_USE int registry_names(const struct config *config, const char *kind,
			    struct registry_names *out, struct error *err);
void registry_names_free(struct registry_names *names);

/* Adds the names of the entries in one folder, unsorted. As registry_names. */
MUST_USE int registry_add_names(const char *path, struct registry_names *names, struct error *err);

/* Reads the entry of that name. The caller frees *out. 0, or -1 with *err: 404 "registry_no_entry";
   500 "registry_unreadable", also for what is not a regular file or larger than
   REGISTRY_FILE_MAX_BYTES. */
MUST_USE int registry_open(const struct config *config, const char *kind, struct slice name,
			   struct registry_file *out, struct error *err);
void registry_file_free(struct registry_file *file);

/* Reads a file that is in no registry, as one of that kind, as registry_open does. 404 where it is
   not there. */
MUST_USE int registry_read_path(const char *path, const char *kind, struct registry_file *out,
				struct error *err);

/* Parses the one object that a file holds; the caller owns *out. 0, or -1 as registry_bad_field. */
MUST_USE int registry_parse(const struct registry_file *file, json_t **out, struct error *err);

/* Reads the fields of an object of the file (json/read.h): the whole with at "", else what is at
   that place, as "files[0]"; NULL has none. An unknown field is refused. 0, or -1 as
   registry_bad_field. */
MUST_USE int registry_read(const struct registry_file *file, const char *at, const json_t *object,
			   const struct json_field *fields, size_t count, void *out,
			   struct error *err);

/* The same for a table whose size is known. */
#define REGISTRY_READ(file, at, object, fields, out, err)                                          \
	registry_read(file, at, object, fields, COUNT_OF(fields), out, err)

/* What is wrong with a field of a file: 500, the code of its kind ("bad_tool", "bad_template"…),
   and "PATH:LINE: "FIELD" what". field is as json_line_of takes it. Returns -1. */
__attribute__((format(printf, 4, 5))) int registry_bad_field(const struct registry_file *file,
							     const char *field, struct error *err,
							     const char *format, ...);
