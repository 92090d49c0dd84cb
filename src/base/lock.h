/*
 * Locks on files, between processes that share nothing else: the kernel takes a lock back from one
 * that ends.
 *
 * A byte's lock belongs to the open file (fcntl(2), OFD locks), so to every holder of the
 * descriptor; the byte need not be there. How to wait for one: http/watch.h.
 */
#pragma once

#include "base/deadline.h"
#include "base/error.h"

#include <stdbool.h>

/* Locks the byte at offset. 0, or -1 with errno: EAGAIN when another has it. */
MUST_USE int lock_take(int fd, int64_t offset);

void lock_release(int fd, int64_t offset);

/* Has another one locked a byte from first up to end? */
bool lock_is_held(int fd, int64_t first, int64_t end);

/* In how many blocks of so many bytes, from first up to end, others have locked one; block 1: how
   many bytes. */
uint64_t lock_count(int fd, int64_t first, int64_t end, int64_t block);

/* Locks the whole file for this process (fcntl(2), not OFD: a program that only reads may do so,
   base/confine.h), for a moment: one that was stopped meanwhile must not stop all others. False at
   the deadline. Given back with the first descriptor of that file that is closed. */
bool lock_file(int fd, bool is_shared, deadline_ms deadline);
void lock_file_release(int fd);
