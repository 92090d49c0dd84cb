/* A lifecycle; states and rules are in the header. */
#include "engine/lifecycle.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "engine/verify.h"
#include "json/json.h"

#include <stdio.h>
#include <sys/syscall.h>

struct lifecycle lifecycle_new(void)
{
	return (struct lifecycle){.folder = FOLDER_NONE, .pidfd = -1};
}

static deadline_ms call_deadline(deadline_ms deadline)
{
	return deadline_earlier(deadline, deadline_in(ENGINE_CALL_DEADLINE_MS));
}

/* Leaves the descriptors open: closing one that inotify(7) watches with takes tens of ms, and
 * lifecycle_free is in no hurry. */
static void remove_folder(struct lifecycle *lifecycle, const struct job_folders *jobs)
{
	if (lifecycle->folder.name[0])
		(void)!folder_remove(
			jobs, lifecycle->folder.name); /* what stays is a row for the reaper */
	lifecycle->folder.name[0] = '\0';
}

/* Makes folder and container under one new name. 0; 1 when that name is taken; -1 with *err. */
static int create(struct lifecycle *lifecycle, struct podman *podman,
		  const struct job_folders *jobs, struct spec *spec, deadline_ms deadline,
		  struct error *err)
{
	_cleanup_buf_ struct buf body = buf_new(ENGINE_REQUEST_MAX_BYTES);
	struct container_made made;
	int result;

	folder_close(&lifecycle->folder);
	if (folder_make(jobs, &lifecycle->folder, err) < 0)
		return -1;
	spec->folder = lifecycle->folder.name;
	if (spec_write(spec, &body, err) < 0)
		return -1;
	(void)snprintf(lifecycle->name, sizeof(lifecycle->name), "%s-%s", spec->config->instance,
		       lifecycle->folder.name);
	result = container_create(podman, lifecycle->name, spec->template.image, buf_slice(&body),
				  call_deadline(deadline), &made, err);
	if (result == 0) {
		memcpy(lifecycle->id, made.id, sizeof(lifecycle->id));
		memcpy(lifecycle->warning, made.warning, sizeof(lifecycle->warning));
	} else if (result == 1) {
		lifecycle->name[0] = '\0'; /* it is another container's */
	} else if (strcmp(err->code, "image_missing") == 0 && spec->template.is_built) {
		return error_set(
			err, 500, "image_missing",
			"The image %s is missing; build it with: mayflyctl template build %s",
			spec->template.image, spec->template.name);
	}
	return result;
}

/* A name that is taken is tried once more under another. */
static int create_any(struct lifecycle *lifecycle, struct podman *podman,
		      const struct job_folders *jobs, struct spec *spec, deadline_ms deadline,
		      struct error *err)
{
	int result = create(lifecycle, podman, jobs, spec, deadline, err);

	if (result == 1) {
		remove_folder(lifecycle, jobs);
		result = create(lifecycle, podman, jobs, spec, deadline, err);
	}
	if (result == 1)
		return error_set(err, 502, "engine_bad_reply",
				 "%s says that every container's name is taken",
				 podman_name(podman));
	return result;
}

static int verify(struct lifecycle *lifecycle, struct podman *podman, const struct spec *spec,
		  deadline_ms deadline, struct error *err)
{
	_cleanup_json_ json_t *created = NULL;
	int result =
		container_inspect(podman, lifecycle->id, call_deadline(deadline), &created, err);
	const char *image;

	if (result == 1)
		return error_set(err, 502, "engine_bad_reply", "%s has lost the container it made",
				 podman_name(podman));
	if (result < 0 || verify_container(spec, created, err) < 0)
		return -1;
	image = json_text(created, "Image");
	(void)snprintf(lifecycle->image, sizeof(lifecycle->image), "%s", image ? image : "");
	return 0;
}

static int begin_start(struct lifecycle *lifecycle, struct podman *podman, deadline_ms deadline,
		       struct error *err)
{
	char path[CONTAINER_ID_BYTES + 32];

	(void)snprintf(path, sizeof(path), "/containers/%s/start", lifecycle->id);
	if (podman_begin(podman, "POST", path, SLICE_LITERAL(""), call_deadline(deadline), err) < 0)
		return -1;
	lifecycle->starting = true;
	return 0;
}

static int finish_start(struct lifecycle *lifecycle, struct podman *podman, struct error *err)
{
	struct podman_reply reply;

	lifecycle->starting = false;
	if (podman_finish(podman, &reply, err) < 0)
		return -1;
	if (reply.status != 204 && reply.status != 304)
		return podman_unexpected(podman, &reply, "told to start a container", err);
	return 0;
}

/* Started, and init does not listen: does it live at all? */
static int check_alive(const struct lifecycle *lifecycle, struct podman *podman,
		       deadline_ms deadline, struct error *err)
{
	_cleanup_json_ json_t *now = NULL;
	const json_t *state;
	int result = container_inspect(podman, lifecycle->id, call_deadline(deadline), &now, err);

	if (result < 0)
		return -1;
	state = json_object_get(now, "State");
	if (json_is_true(json_object_get(state, "Running")))
		return 0;
	return error_set(err, 502, "container_died",
			 "The container ended before it listened (exit code %lld)",
			 (long long)json_integer_value(json_object_get(state, "ExitCode")));
}

/* Waits until init listens (rule 1). */
static int wait_listening(struct lifecycle *lifecycle, struct podman *podman,
			  const struct job_folders *jobs, deadline_ms deadline, struct error *err)
{
	struct pollfd notify = {.fd = lifecycle->folder.notify, .events = POLLIN};

	while (!folder_is_listening(&lifecycle->folder)) {
		if (deadline_left_ms(deadline) == 0)
			return error_set(err, 504, "engine_timeout",
					 "The container did not listen in time");
		if (lifecycle->starting) {
			if (podman_wait(podman, &notify, 1, deadline) &&
			    finish_start(lifecycle, podman, err) < 0)
				return -1;
			continue;
		}

		deadline_ms look = deadline_earlier(deadline, deadline_in(ENGINE_DEATH_CHECK_MS));

		if (io_wait(lifecycle->folder.notify, POLLIN, look) == 0 &&
		    check_alive(lifecycle, podman, deadline, err) < 0)
			return -1;
	}
	return folder_publish(&lifecycle->folder, jobs, err);
}

int lifecycle_make(struct lifecycle *lifecycle, struct podman *podman, const struct config *config,
		   const struct job_folders *jobs, const struct prepare_request *request,
		   struct error *err)
{
	deadline_ms deadline = deadline_in(ENGINE_MAKE_DEADLINE_MS);
	struct spec spec;

	if (prepare_spec(config, podman->kind, request, &spec, err) < 0 ||
	    host_limits_learn(podman, config, call_deadline(deadline), &spec.engine, err) < 0 ||
	    create_any(lifecycle, podman, jobs, &spec, deadline, err) < 0 ||
	    verify(lifecycle, podman, &spec, deadline, err) < 0 ||
	    begin_start(lifecycle, podman, deadline, err) < 0 ||
	    wait_listening(lifecycle, podman, jobs, deadline, err) < 0)
		return -1;
	if (spec.engine.note[0])
		memcpy(lifecycle->warning, spec.engine.note, sizeof(lifecycle->warning));
	lifecycle->deadline = deadline_in((int64_t)spec.lifetime_s * MS_PER_S + JOB_GRACE_MS);
	return 0;
}

void lifecycle_started(struct lifecycle *lifecycle, struct podman *podman)
{
	_cleanup_json_ json_t *now = NULL;
	struct error ignored;
	json_int_t pid;

	if ((lifecycle->starting && finish_start(lifecycle, podman, &ignored) < 0) ||
	    container_inspect(podman, lifecycle->id, deadline_in(ENGINE_CALL_DEADLINE_MS), &now,
			      &ignored) != 0)
		return;
	pid = json_integer_value(json_object_get(json_object_get(now, "State"), "Pid"));
	if (pid > 0 && pid <= INT32_MAX)
		lifecycle->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

/* init ends by itself when its control connection does. Removing it in that moment makes Podman
   kill a process that is gone, wait for 100 ms, or fail; so it gets a moment. */
static void wait_exit(struct lifecycle *lifecycle)
{
	if (lifecycle->pidfd < 0)
		return;
	(void)io_wait(lifecycle->pidfd, POLLIN, deadline_in(ENGINE_EXIT_GRACE_MS));
	close(steal_fd(&lifecycle->pidfd));
}

int lifecycle_end(struct lifecycle *lifecycle, struct podman *podman,
		  const struct job_folders *jobs, struct error *err)
{
	if (podman->busy)
		podman_abandon(podman);
	lifecycle->starting = false;
	wait_exit(lifecycle);
	if (lifecycle->name[0] &&
	    container_remove(podman, lifecycle->id[0] ? lifecycle->id : lifecycle->name,
			     deadline_in(ENGINE_REMOVE_DEADLINE_MS), err) < 0) {
		folder_close(&lifecycle->folder);
		return -1;
	}
	remove_folder(lifecycle, jobs);
	lifecycle->name[0] = lifecycle->id[0] = lifecycle->warning[0] = '\0';
	lifecycle->deadline = 0;
	return 0;
}

void lifecycle_free(struct lifecycle *lifecycle)
{
	folder_close(&lifecycle->folder);
	cleanup_close(&lifecycle->pidfd);
	*lifecycle = lifecycle_new();
}
