/*
 * A file that is there whole or not at all: written aside in its folder, then put in its place by
 * rename(2).
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <sys/types.h>

enum atomic_flags {
	ATOMIC_SYNC = 1,   /* it outlives a power cut: the file is synced, then the folder */
	ATOMIC_NEW = 2,    /* where none of that name is, else EEXIST */
	ATOMIC_OLD = 4,    /* where one of that name is, else ENOENT */
	ATOMIC_LOCKED = 8, /* no other process writes here: what lies aside is a crash's */
	ATOMIC_MODE = 16,  /* the mode is the file's whatever the umask says */
};

struct atomic_file {
	int folder;      /* not owned */
	int fd;          /* owned: to write to */
	char aside[256]; /* its name */
	unsigned flags;
};

#define _cleanup_atomic_ __attribute__((cleanup(atomic_file_close)))

/* Opens an empty file aside, under that name or, where that is NULL, one of its own that begins
   with a dot. 0, or -1 with errno: EEXIST unless ATOMIC_LOCKED. Close in any case. */
MUST_USE int atomic_file_open(int folder, const char *aside, mode_t mode, unsigned flags,
			      struct atomic_file *out);

/* Puts it in its place. 0, or -1 with errno. */
MUST_USE int atomic_file_commit(struct atomic_file *file, const char *name);

/* Closes it; removes it unless it is in its place. errno stays. */
void atomic_file_close(struct atomic_file *file);

/* All of that, with data in it. */
MUST_USE int atomic_file_write(int folder, const char *aside, const char *name, mode_t mode,
			       unsigned flags, struct slice data);
