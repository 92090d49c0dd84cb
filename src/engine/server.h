/*
 * The verbs of protocol/engine.h, served on one connection.
 *
 * Rules:
 *  1. One connection makes at most one container; it is removed when the connection ends, or its
 *     life does, or we are told to end.
 *  2. A refusal is sent before anything is cleaned up: the caller does not wait for that.
 *  3. A frame that is no verb ends the connection.
 *  4. One that has no container and says nothing for ENGINE_IDLE_DEADLINE_MS is hung up; the
 * process that started us is not: it ends our connection itself, and could not start another
 * engine.
 */
#pragma once

#include "config/config.h"

/* Serves fd (not owned) until it ends or ending (a descriptor which gets readable, not owned) says
   so. config_error, unless NULL, is the answer to every verb. 0, or -1 when something of ours was
   left to the reaper. Logs refusals. */
int engine_serve(const struct config *config, const struct error *config_error, int fd, int ending);
