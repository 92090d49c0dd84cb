/*
 * Admission: a slot per running job, a bounded wait, then 503.
 *
 * Slots are bytes of the file <run>/slots, taken by a lock on the open file (fcntl(2), OFD locks),
 * so a process that dies gives its slot back. Waiters hold a lock on a byte of their own far behind
 * the slots, so that their number can be counted, and sleep on inotify: a slot is given back by
 * unlocking and then closing the file, and closing is the event.
 */
#pragma once

#include "config/config.h"
#include "http/watch.h"

/* Takes a slot, waiting at most config->slot_wait_ms. *out holds it until slot_release (or the
   process's end). 0, or -1 with *err: 503 "busy"; status 0 "client_gone". */
MUST_USE int slot_take(const struct config *config, struct http_watch *watch, int *out,
		       struct error *err);

void slot_release(int slot);

/* How many jobs run, and how many wait. 0, or -1 with *err. */
MUST_USE int slot_count(const struct config *config, uint64_t *running, uint64_t *waiting,
			struct error *err);
