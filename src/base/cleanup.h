/*
 * Resources leave by the door they came: attributes that close and free at the end of a scope, and
 * steal_fd()/steal_ptr() to hand one over.
 */
#pragma once

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_close_    __attribute__((cleanup(cleanup_close)))
#define _cleanup_free_     __attribute__((cleanup(cleanup_free)))
#define _cleanup_closedir_ __attribute__((cleanup(cleanup_closedir)))

/* Returns the descriptor and leaves -1 behind, so that the cleanup attribute does nothing. */
static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* The same for memory. */
static inline void *steal_ptr(void *pointer)
{
	void *taken = *(void **)pointer;

	*(void **)pointer = NULL;
	return taken;
}
