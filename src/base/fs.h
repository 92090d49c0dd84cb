/*
 * The safe file system: paths are opened, not checked.
 *
 * Rules:
 *  1. Every relative path from outside is resolved beneath a folder that we hold open, without
 *     following symbolic links and without crossing mounts (openat2(2)
 *     RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS|RESOLVE_NO_XDEV; on a kernel without openat2 a walk,
 *     component by component, with O_NOFOLLOW).
 *  2. What counts is what fstat(2) says of the opened file, never of its name.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <dirent.h>

#include <stdbool.h>
#include <sys/types.h>

/* True for a name that may be one path component made by us from outside text: 1 to 255 bytes, no
   slash, no NUL, no control bytes, neither "." nor "..". */
bool fs_is_component(struct slice name);

/* True for a relative path of such components, at most max_depth of them, joined by single slashes.
 */
bool fs_is_relative_path(struct slice path, unsigned max_depth);

/* The same path, or one beneath the other: they cannot both be files. */
bool fs_paths_collide(struct slice left, struct slice right);

/* Opens path beneath dirfd (rule 1). Returns the descriptor (O_CLOEXEC), or -1 with errno; ELOOP or
   EXDEV for an attempt to leave. */
int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/* Forces the fallback of rule 1, for the test of it. */
void fs_force_walk(bool on);

/* Syncs the folder at that path, so that the names in it outlive a power cut. 0, or -1 with errno.
 */
int fs_sync_dir(int dirfd, const char *path);

/* Opens the folder name, one component, in dirfd; make_dir: made if missing, and its name synced.
   The descriptor (O_CLOEXEC), or -1 with errno; a link is none. */
int fs_open_dir(int dirfd, const char *name);
int fs_make_dir(int dirfd, const char *name, mode_t mode);

/* Lists the folder of that name in dirfd, which is no link; "." for dirfd itself. The caller closes
   the listing (_cleanup_closedir_). NULL with errno. */
DIR *fs_list(int dirfd, const char *name);

/* The next name of a listing, without "." and ".."; NULL at the end, and of NULL. */
const char *fs_next(DIR *listing);

/* mkdir(2) for every missing folder of path's parents, beneath dirfd. 0, or -1 with errno. */
MUST_USE int fs_make_parents(int dirfd, const char *path, mode_t mode);

/* Opens the folder at path, making it and its parents if missing. The descriptor, or -1 with errno.
 */
int fs_open_or_make_dir(const char *path, mode_t mode);

/* Removes name and everything in it, whatever the modes of what is inside, following nothing. 0, or
   -1 with errno; a name that does not exist is a success. */
MUST_USE int fs_remove_tree(int dirfd, const char *name);
