/*
 * The fields of JOB, PREPARE and EXIT frames: what the host asks of mayfly-init and what it hears
 * back. One header for both ends.
 *
 * JOB (order free but for argv and env, which may repeat):
 *   argv=…               one per argument, the first looked up in env's PATH when it has no slash
 *   env=NAME=value       the program's whole environment
 *   cwd=/workspace       absolute; inputs are written and artifacts collected beneath it
 *   folder=…             made beneath cwd before the program starts; may repeat
 *   collect=…            a folder beneath cwd: artifacts are its files, by paths relative to it; without it cwd's
 *   readonly=…           a folder beneath cwd, made before the program starts, which starts in it and can change nothing there, nor in cwd
 *                        itself; what "folder" made stays writable (worker/init_readonly.c)
 *   flat=1               only files directly in that folder, and none after the first that would break a cap
 *   wall_ms=…            1…; from GO to the time-out
 *   cpu_ms=…             0: no budget
 *   stream_bytes=…       of each of stdout and stderr; past it they are drained and marked truncated
 *   artifact_count= artifact_bytes= artifacts_bytes=
 *                        caps of what is collected; count 0: nothing is
 *
 * PREPARE, after JOB: the job's runtime is started ahead and waits before its script.
 *   idle_s=…             init ends when no job has come after this long
 *   env=NAME=value       added to the environment that the runtime starts with, to make it wait (worker/kernels);
 *                        none: nothing is started ahead. Two of them are for init: MAYFLY_STAND_IN=1, a line feed stands in the
 *                        script's place until the runtime waits; MAYFLY_UNLESS=NAME, a job with that input is run by a fresh one
 * READY: it waits, or there is nothing to wait for.
 *   memory_bytes=…       what the container takes now
 *   kernel=0|1           a runtime waits
 * The next connection's JOB is run by the waiting runtime when its argv, env and cwd are those it was started with and it
 * has no standard input; else by a fresh one.
 *
 * EXIT:
 *   reason=exited|signaled|timeout|cpu|oom|cancelled|not_started
 *   code=… signal=…      as wait(2) says
 *   wall_us= cpu_us= max_rss_bytes=
 *   stdout_truncated=0|1 stderr_truncated=0|1
 *   message=…            with not_started: why, one line
 */
#ifndef MAYFLY_JOB_CONTROL_H
#define MAYFLY_JOB_CONTROL_H

#define CONTROL_DIR "/run/mayfly" /* inside the container: the folder's mount */
#define CONTROL_NAME                                                                               \
	"control" /* the socket; init binds CONTROL_NAME_NEW, listens, then renames   \
				*/
#define CONTROL_NAME_NEW  "control.new"
#define CONTROL_INIT_PATH "/run/mayfly-init" /* inside the container: init's own mount */
#define CONTROL_SKIPPED_MORE                                                                       \
	"…more" /* the last SKIPPED: what is past a cap on counts and not named */

#endif
