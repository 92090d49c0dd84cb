/*
 * The settings that an operator's command has in common with the service: typed in a shell it finds
 * none of the environment that the units give.
 *
 * Rules:
 *  1. Where MAYFLY_RUN_DIR is set the environment is taken as whole, as in a unit or a test:
 *     nothing is added.
 *  2. Else what is not set comes from the operator's file (/etc/mayfly/mayfly.conf for root,
 *     ~/.config/mayfly/mayfly.conf), then from where this program lies: PREFIX/bin beside
 *     PREFIX/libexec/mayfly and PREFIX/share/mayfly.
 */
#pragma once

#include "config/config.h"

#include <sys/types.h>

/* Completes the environment. 0, or -1 with *err: 500 "bad_configuration" (a file that cannot be
   read; a missing one is none). */
MUST_USE int ctl_settings(struct error *err);

/* Which user the service's state in the run folder belongs to. False where that is root or not
   known yet, or we are not root. */
bool ctl_service_user(const struct config *config, uid_t *uid, gid_t *gid);

/* Root becomes the user whom the service's state in the run folder belongs to, so that what is
   written there stays that user's. Nothing happens where that is root, or not known yet. 0, or -1
   with *err. */
MUST_USE int ctl_become_service(const struct config *config, struct error *err);
