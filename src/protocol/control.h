/*
 * The fields of JOB, PREPARE and EXIT frames: what the host asks of mayfly-init and what it hears
 * back. One header for both ends.
 *
 * JOB (order free but for argv and env, which may repeat):
 *   argv=…               one per argument, the first looked up in env's PATH when it has no slash
 *   env=NAME=value       the program's whole environment
 *   cwd=/workspace       absolute; inputs are written and artifacts collected beneath it
 *   folder=…             made beneath cwd before the program starts; may repeat
 *   collect=…            a folder beneath cwd: artifacts are its files, by paths relative to it,
 *                        then the inputs that the program changed, by absolute paths. An absolute
 *                        one is made: artifacts are cwd's files, then its own by absolute paths.
 *                        Without it they are cwd's. Of cwd's an input is one when it was changed
 *   ignore=…             a name: what is called so, in any folder, is neither collected nor
 *                        entered; may repeat
 *   readonly=…           a folder beneath cwd, made before the program starts, which starts in it
 *                        and can change nothing there, nor in cwd itself; what "folder" made stays
 *                        writable (src/init/readonly.c)
 *   flat=1               only files directly in that folder, and none after the first that would
 *                        break a cap
 *   wall_ms=…            1…; from GO to the time-out
 *   cpu_ms=…             0: no budget
 *   stream_bytes=…       of each of stdout and stderr; past it they are drained and marked
 *                        truncated
 *   artifact_count= artifact_bytes= artifacts_bytes=
 *                        caps of what is collected; count 0: nothing is
 *
 * PREPARE, after JOB: the job's runtime is started ahead and waits before its script.
 *   idle_s=…             init ends when no job has come after this long
 *   env=NAME=value       added to the environment that the runtime starts with, to make it wait
 *                        (worker/kernels); none: nothing is started ahead. Two of them are for
 *                        init: MAYFLY_STAND_IN=1, a line feed stands in the script's place until
 *                        the runtime waits; MAYFLY_UNLESS=NAME, a job with that input is run by a
 *                        fresh one
 * READY: it waits, or there is nothing to wait for.
 *   memory_bytes=…       what the container takes now
 *   prebooted=0|1        a runtime waits
 * The next connection's JOB is run by the waiting runtime when its argv, env and cwd are those it
 * was started with and it has no standard input; else by a fresh one.
 *
 * EXIT:
 *   reason=exited|signaled|timeout|cpu|oom|cancelled|not_started
 *   code=… signal=…      as wait(2) says
 *   wall_us= cpu_us= max_rss_bytes=
 *   stdout_truncated=0|1 stderr_truncated=0|1
 *   message=…            with not_started: why, one line
 *   idle_cpu_us=…        of a session: what ran since its last job ended
 *   ended=1              of a session: nothing runs in it any more, init ends after END
 *   kernel=kept|lost|ended   of a cell: it runs the next one; it is gone and the next one starts
 *                        another; it has ended as last=1 wants
 *
 * Sessions. A container may serve many connections, one after the other, one job each. Those jobs
 * have more fields:
 *   kernel=NAME          (languages.d field "kernel") the job is a cell, run by the container's
 *                        kernel of that name: an interpreter that stays. argv, env and cwd start
 *                        that kernel when it does not run yet; they are compared only with a kernel
 *                        that waits unused (PREPARE), and another is started when they differ.
 *                        STDIN frames carry the cell's code. wall_ms and cpu_ms end in an interrupt
 *                        (SIGINT to the kernel's process group) and, CELL_GRACE_MS later, in
 *                        SIGKILL to the kernel and all that it has started; so do CANCEL and a host
 *                        that hangs up. reason says why whatever the cell then did
 *   script=NAME          the code is the input NAME (a FILE frame, directly in cwd) instead:
 *                        tracebacks and __file__ name it
 *   echo=1               the value of a last expression is shown as a notebook would
 *   last=1               after the cell the kernel ends as its interpreter does at the end of a
 *                        program, everything is killed, init ends after END. With python,
 *                        script=main.py (the last argv) and without echo, an unused kernel becomes
 *                        `python3 main.py`
 *   idle_s=…             without last: init waits so long for the next connection, and then ends;
 *                        every connection that brings it renews it
 *   idle_cpu_ms=…        with idle_s: what may run until the next connection; when it has used so
 *                        much CPU time, all of it is killed, and the next job is not started:
 *                        ended=1. 0: it is not counted
 *   Without last, only files are sent that were changed since the tick (4 ms) in which the job
 *   began.
 * A job with idle_s but neither argv nor kernel is a file operation: FILE frames are written, and
 * then EXIT, what was asked for, END.
 *   list=1               one LISTED frame for each regular file beneath cwd (or collect), within
 *                        the caps
 *   fetch=PATH           that file beneath cwd comes up as an artifact; SKIPPED when it is past a
 *                        cap or cannot be read, nothing when there is none
 *   remove=PATH          that file beneath cwd is removed; code=1 when there is none
 * FILE frames of a session's jobs replace an existing file. A file operation needs no wall_ms.
 * PREPARE kernel=NAME: that kernel is booted and waits, for cells or for a last one with its
 * script; MAYFLY_PRELOAD=module,… in its environment names what python imports meanwhile. READY
 * prebooted=1 says that it waits.
 *
 * DISPLAY (base/display.h): type=<MIME type>,
 * name=<plot_0|plotly_chart_0|image_0|table_0|display_0|error…>,
 * source=<matplotlib|plotly|pillow|pandas|repr|node|python|display>, index=<number of the cell in
 * its kernel, from 0>; message=… with type DISPLAY_ERROR_TYPE, whose content is the traceback (not
 * when python runs a script natively: stderr has it). Then an empty field, then the content.
 * LISTED: path= (relative), size= (bytes), mtime_ms= (Unix time).
 *
 * A kernel is a process with two more descriptors, named in MAYFLY_CELL=<channel>,<code>. Down the
 * channel comes one line for each cell, "index=N echo=0|1 last=0|1 script=NAME\n" (script empty:
 * the code is what the other descriptor gives from its present offset); a closed channel means the
 * end. Up go frames: READY (empty) once it waits, DISPLAY, EXIT (code=…) when the cell has ended
 * and its output is written. With last=1 it need not send EXIT: it ends.
 */
#pragma once

#define CONTROL_DIR "/run/mayfly" /* inside the container: the folder's mount */
/* the socket; init binds CONTROL_NAME_NEW, listens, then renames */
#define CONTROL_NAME      "control"
#define CONTROL_NAME_NEW  "control.new"
#define CONTROL_INIT_PATH "/run/mayfly-init" /* inside the container: init's own mount */
/* the last SKIPPED: what is past a cap on counts and not named */
#define CONTROL_SKIPPED_MORE "…more"
