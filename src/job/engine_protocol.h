/*
 * The verbs of mayfly-engine, spoken as frames (base/frame.h) over its connection: fd 0 of
 * mayfly-engine.
 *
 * Rule: there are no words for anything but these. Isolation is decided inside the engine, from
 * files the operator owns; a limit asked for is clamped to the template's.
 *
 * MAKE    template=NAME  lifetime_s=N  [memory_mb=N] [pids=N] [cpu_percent=N]     (missing: the
 * template's) OK   folder=NAME  id=HEX                   folder is beneath <run>/jobs and holds the
 * control socket, already listening The container belongs to the connection: when it ends, for
 * whatever reason, the engine removes container and folder. REMOVE  folder=NAME the container of
 * that folder, and the folder OK LIST                                          containers of this
 * installation, and folders without one ROW  folder= id= template= expired=0|1     any number of
 * them OK PING OK   engine=podman|docker version=…        the socket answers ERROR   status=…
 * word=… message=…             instead of OK, ROW
 */
#ifndef MAYFLY_JOB_ENGINE_PROTOCOL_H
#define MAYFLY_JOB_ENGINE_PROTOCOL_H

#define ENGINE_SOCKET_NAME "engine.sock" /* beneath the run folder, where systemd holds it */
#define JOBS_DIR_NAME      "jobs"        /* beneath the run folder: a folder per container */

#endif
