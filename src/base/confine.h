/*
 * A program confines itself as soon as it knows what it will still need: what systemd's sandboxing
 * options do with a mount namespace for milliseconds a connection, this does in some tens of
 * microseconds.
 *
 * Rules:
 *  1. It only ever takes away, for good, for this process: no new privileges, no capability, no
 *     execve, no new process.
 *  2. Landlock decides on paths, TCP and signals; seccomp on system calls. Each refuses what is not
 *     listed (EACCES, EPERM).
 *  3. A kernel without Landlock is no error, so that old hosts work; confine_support tells, and a
 *     program may log it. A step that the kernel knows and refuses is an error: the caller must not
 *     go on.
 *  4. What is open already stays usable: descriptors are taken before, paths are listed for what is
 *     opened after.
 *
 * Sources: landlock(7), seccomp(2), capabilities(7), Linux
 * Documentation/userspace-api/{landlock,seccomp_filter}.rst.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum confine_access {
	CONFINE_READ,       /* read files and list folders */
	CONFINE_READ_WRITE, /* and make, write, rename, move and remove files and folders; no links,
			       no devices */
	CONFINE_REMOVE,     /* read, remove, and move folders: what fs_remove_tree needs; nothing is
			       written */
};

struct confine_path {
	const char *path; /* a folder, with all beneath it, or a file; one that does not exist is
			     skipped */
	enum confine_access access;
};

enum confine_profile {
	CONFINE_JOB, /* mayfly with a job: files, Unix sockets, waiting; no other socket, no execve
		      */
	CONFINE_STATIC, /* mayfly-static: opens to read, sends on what is open; makes no socket,
			   writes no file */
	CONFINE_REAP, /* mayfly-reap: removes files, speaks on what is open; makes no socket, writes
			 no file */
};

/* Confines the calling process, which must have one thread. Capabilities are dropped even by root:
   afterwards it reaches what its user owns or its group may, and no more. 0, or -1 with *err: 500
   "confine_failed". */
MUST_USE int confine(const struct confine_path *paths, size_t count, enum confine_profile profile,
		     struct error *err);

struct confine_support {
	int landlock_abi; /* 0: none. From 1 paths, 4 TCP, 6 signals and abstract sockets */
	bool seccomp;     /* false: another architecture, or a build with AddressSanitizer */
};

/* What confine() will enforce here, for the log and for a doctor. Below ABI 2 moving a file to
   another folder cannot be allowed, so there Landlock is left out for a program that lists a path
   with more than CONFINE_READ. */
struct confine_support confine_support(void);

/* Behaves as on a kernel whose Landlock has at most this ABI (0: none), for the test of it. */
void confine_limit_landlock(int abi);
