/* A lifecycle; states and rules are in the header. */
#include "engine/lifecycle.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "engine/user.h"
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
	/* what stays is a row for the reaper */
	if (lifecycle->folder.name[0] && user_release(jobs, lifecycle->folder.name, "") == 0)
		(void)!folder_remove(jobs, lifecycle->folder.name);
	lifecycle->folder.name[0] = '\0';
}

/* Makes folder and container under one new name. As container_create. */
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
	if (user_claim(spec->config, jobs, spec->engine.rootless, &spec->template, spec->folder,
		       &spec->user, err) < 0 ||
	    spec_write(spec, &body, err) < 0)
		return -1;
	(void)snprintf(lifecycle->name, sizeof(lifecycle->name), "%s-%s", spec->config->instance,
		       lifecycle->folder.name);
	result = container_create(podman, lifecycle->name, spec->template.image, buf_slice(&body),
				  call_deadline(deadline), &made, err);
	if (result == 0) {
		memcpy(lifecycle->id, made.id, sizeof(lifecycle->id));
		memcpy(lifecycle->warning, made.warning, sizeof(lifecycle->warning));
	} else if (result == CONTAINER_TAKEN) {
		lifecycle->name[0] = '\0'; /* it is another container's */
	} else if (result < 0 && strcmp(err->code, "image_missing") == 0 &&
		   spec->template.is_built) {
		return error_set(
			err, 500, "image_missing",
			"The image %s is missing; build it with: mayflyctl template build %s",
			spec->template.image, spec->template.name);
	}
	return result;
}

/* Once more under another name, when the first is taken, or it is open whether it stands for a
   container: that one, if it is there, is removed now or by the reaper. */
static int create_any(struct lifecycle *lifecycle, struct podman *podman,
		      const struct job_folders *jobs, struct spec *spec, deadline_ms deadline,
		      struct error *err)
{
	int result = create(lifecycle, podman, jobs, spec, deadline, err);
	struct error ignored;

	if (result == CONTAINER_UNCERTAIN) {
		podman_again(podman, err, ENGINE_AGAIN_MS);
		(void)!container_remove(podman, lifecycle->name,
					deadline_in(ENGINE_AGAIN_PATIENCE_MS), &ignored);
	}
	if (result > 0) {
		remove_folder(lifecycle, jobs);
		result = create(lifecycle, podman, jobs, spec, deadline, err);
	}
	if (result == CONTAINER_TAKEN)
		return error_set(err, 502, "engine_bad_reply",
				 "%s says that every container's name is taken",
				 podman_name(podman));
	return result == 0 ? 0 : -1;
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

/* 0; 1 with *err when it is open whether it was started; or -1 with *err. */
static int finish_start(struct lifecycle *lifecycle, struct podman *podman, struct error *err)
{
	static const char what[] = "told to start a container";
	struct podman_reply reply;
	int done = podman_finish(podman, &reply, err);

	lifecycle->starting = false;
	if (podman_is_uncertain(podman, done, &reply, what, err))
		return 1;
	if (done == 0 && reply.status != 204 && reply.status != 304)
		return podman_unexpected(podman, &reply, what, err);
	return done;
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

/* Takes the answer to start. What does not say whether it was started is asked once more: to start
   what runs is harmless. */
static int take_start(struct lifecycle *lifecycle, struct podman *podman, bool *was_asked_again,
		      deadline_ms deadline, struct error *err)
{
	int started = finish_start(lifecycle, podman, err);

	if (started == 0 || folder_is_listening(&lifecycle->folder))
		return 0;
	if (started < 0 || *was_asked_again)
		return -1;
	*was_asked_again = true;
	podman_again(podman, err, ENGINE_AGAIN_MS);
	return begin_start(lifecycle, podman, deadline, err);
}

/* Waits until init listens (rule 1). */
static int wait_listening(struct lifecycle *lifecycle, struct podman *podman,
			  const struct job_folders *jobs, deadline_ms deadline, struct error *err)
{
	struct pollfd notify = {.fd = lifecycle->folder.notify, .events = POLLIN};
	bool was_asked_again = false;

	while (!folder_is_listening(&lifecycle->folder)) {
		if (deadline_left_ms(deadline) == 0)
			return error_set(err, 504, "engine_timeout",
					 "The container did not listen in time");
		if (lifecycle->starting) {
			if (podman_wait(podman, &notify, 1, deadline) &&
			    take_start(lifecycle, podman, &was_asked_again, deadline, err) < 0)
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

	if ((lifecycle->starting && finish_start(lifecycle, podman, &ignored) != 0) ||
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
