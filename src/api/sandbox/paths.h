/*
 * Where files of a sandbox may lie (src/api/sandbox/README.md): relative paths beneath /workspace,
 * of plain names. Pure.
 *
 * Rules:
 *  1. The checks come in the order of src/api/sandbox/README.md, each with its own message.
 *  2. "." and doubled slashes mean nothing and are left out; what is then left is what the file is
 *     called.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "bounds.h"

#include <stdint.h>

#define SANDBOX_PATH_BYTES (JOB_PATH_MAX_BYTES + 1) /* with the NUL */

/* Checks the path of a file that a client brings, and writes it as rule 2 has it. 0, or -1
   with *err, 400: "path_empty", "path_nul", "path_traversal", "path_absolute", "path_characters",
   "path_too_long", "extension_not_allowed". */
MUST_USE int sandbox_path(struct slice path, char out[SANDBOX_PATH_BYTES], struct error *err);

/* The same for a session's file, where a name may be any without control characters. */
MUST_USE int sandbox_session_path(struct slice path, char out[SANDBOX_PATH_BYTES],
				  struct error *err);

/* Adds a file's size, max_bytes at most, to those before. 0, or -1 with *err, 400:
   "file_too_large", "files_too_large". */
MUST_USE int sandbox_add_size(uint64_t size_bytes, uint64_t max_bytes, uint64_t *total_bytes,
			      struct error *err);
