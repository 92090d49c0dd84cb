/* A lease; states and rules are in the header. */
#include "engine/lifecycle.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "json/json.h"

#include <stdio.h>
#include <sys/syscall.h>

struct lease lease_new(void)
{
	return (struct lease){.folder = FOLDER_NONE, .pidfd = -1};
}

static deadline_ms call_deadline(deadline_ms deadline)
{
	return deadline_earlier(deadline, deadline_in(ENGINE_CALL_DEADLINE_MS));
}

/* Leaves the descriptors open: closing one that inotify(7) watches with takes tens of ms, and
 * lease_free is in no hurry. */
static void remove_folder(struct lease *lease, const struct job_folders *jobs)
{
	if (lease->folder.name[0])
		(void)!folder_remove(jobs,
				     lease->folder.name); /* what stays is a row for the reaper */
	lease->folder.name[0] = '\0';
}

/* Makes folder and container under one new name. 0; 1 when that name is taken; -1 with *err. */
static int create(struct lease *lease, struct backend *backend, const struct job_folders *jobs,
		  struct isolation *isolation, deadline_ms deadline, struct error *err)
{
	_cleanup_buf_ struct buf body = buf_new(ENGINE_REQUEST_MAX_BYTES);
	struct container_made made;
	int result;

	folder_close(&lease->folder);
	if (folder_make(jobs, &lease->folder, err) < 0)
		return -1;
	isolation->folder = lease->folder.name;
	if (isolation_write(isolation, &body, err) < 0)
		return -1;
	(void)snprintf(lease->name, sizeof(lease->name), "%s-%s", isolation->config->instance,
		       lease->folder.name);
	result = container_create(backend, lease->name, isolation->template.image, buf_slice(&body),
				  call_deadline(deadline), &made, err);
	if (result == 0) {
		memcpy(lease->id, made.id, sizeof(lease->id));
		memcpy(lease->warning, made.warning, sizeof(lease->warning));
	} else if (result == 1) {
		lease->name[0] = '\0'; /* it is somebody else's */
	} else if (strcmp(err->word, "image_missing") == 0 && isolation->template.is_built) {
		return error_set(
			err, 500, "image_missing",
			"The image %s is missing; build it with: mayflyctl template build %s",
			isolation->template.image, isolation->template.name);
	}
	return result;
}

/* A name that is taken is tried once more under another. */
static int create_any(struct lease *lease, struct backend *backend, const struct job_folders *jobs,
		      struct isolation *isolation, deadline_ms deadline, struct error *err)
{
	int result = create(lease, backend, jobs, isolation, deadline, err);

	if (result == 1) {
		remove_folder(lease, jobs);
		result = create(lease, backend, jobs, isolation, deadline, err);
	}
	if (result == 1)
		return error_set(err, 502, "engine_bad_reply",
				 "%s calls every container's name taken", backend_name(backend));
	return result;
}

static int verify(struct lease *lease, struct backend *backend, const struct isolation *isolation,
		  deadline_ms deadline, struct error *err)
{
	_cleanup_json_ json_t *created = NULL;
	int result = container_inspect(backend, lease->id, call_deadline(deadline), &created, err);
	const char *image;

	if (result == 1)
		return error_set(err, 502, "engine_bad_reply", "%s has lost the container it made",
				 backend_name(backend));
	if (result < 0 || isolation_verify(isolation, created, err) < 0)
		return -1;
	image = json_string_value(json_object_get(created, "Image"));
	(void)snprintf(lease->image, sizeof(lease->image), "%s", image ? image : "");
	return 0;
}

static int begin_start(struct lease *lease, struct backend *backend, deadline_ms deadline,
		       struct error *err)
{
	char path[CONTAINER_ID_BYTES + 32];

	(void)snprintf(path, sizeof(path), "/containers/%s/start", lease->id);
	if (backend_begin(backend, "POST", path, SLICE_LITERAL(""), call_deadline(deadline), err) <
	    0)
		return -1;
	lease->starting = true;
	return 0;
}

static int finish_start(struct lease *lease, struct backend *backend, struct error *err)
{
	struct backend_reply reply;

	lease->starting = false;
	if (backend_finish(backend, &reply, err) < 0)
		return -1;
	if (reply.status != 204 && reply.status != 304)
		return backend_unexpected(backend, &reply, "told to start a container", err);
	return 0;
}

/* Started, and init does not listen: does it live at all? */
static int check_alive(const struct lease *lease, struct backend *backend, deadline_ms deadline,
		       struct error *err)
{
	_cleanup_json_ json_t *now = NULL;
	const json_t *state;
	int result = container_inspect(backend, lease->id, call_deadline(deadline), &now, err);

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
static int wait_listening(struct lease *lease, struct backend *backend,
			  const struct job_folders *jobs, deadline_ms deadline, struct error *err)
{
	struct pollfd notify = {.fd = lease->folder.notify, .events = POLLIN};

	while (!folder_is_listening(&lease->folder)) {
		if (deadline_left_ms(deadline) == 0)
			return error_set(err, 504, "engine_timeout",
					 "The container did not listen in time");
		if (lease->starting) {
			if (backend_wait(backend, &notify, 1, deadline) &&
			    finish_start(lease, backend, err) < 0)
				return -1;
			continue;
		}

		deadline_ms look = deadline_earlier(deadline, deadline_in(ENGINE_DEATH_CHECK_MS));

		if (io_wait(lease->folder.notify, POLLIN, look) == 0 &&
		    check_alive(lease, backend, deadline, err) < 0)
			return -1;
	}
	return folder_publish(&lease->folder, jobs, err);
}

int lease_make(struct lease *lease, struct backend *backend, const struct config *config,
	       const struct job_folders *jobs, const struct isolation_request *request,
	       struct error *err)
{
	deadline_ms deadline = deadline_in(ENGINE_MAKE_DEADLINE_MS);
	struct isolation isolation;

	if (isolation_prepare(config, backend->kind, request, &isolation, err) < 0 ||
	    enforcement_learn(backend, config, call_deadline(deadline), &isolation.engine, err) <
		    0 ||
	    create_any(lease, backend, jobs, &isolation, deadline, err) < 0 ||
	    verify(lease, backend, &isolation, deadline, err) < 0 ||
	    begin_start(lease, backend, deadline, err) < 0 ||
	    wait_listening(lease, backend, jobs, deadline, err) < 0)
		return -1;
	if (isolation.engine.note[0])
		memcpy(lease->warning, isolation.engine.note, sizeof(lease->warning));
	lease->deadline = deadline_in((int64_t)isolation.lifetime_s * 1000 + JOB_GRACE_MS);
	return 0;
}

void lease_started(struct lease *lease, struct backend *backend)
{
	_cleanup_json_ json_t *now = NULL;
	struct error ignored;
	json_int_t pid;

	if ((lease->starting && finish_start(lease, backend, &ignored) < 0) ||
	    container_inspect(backend, lease->id, deadline_in(ENGINE_CALL_DEADLINE_MS), &now,
			      &ignored) != 0)
		return;
	pid = json_integer_value(json_object_get(json_object_get(now, "State"), "Pid"));
	if (pid > 0 && pid <= INT32_MAX)
		lease->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

/* init ends by itself when its control connection does. Removing it in that moment makes Podman
   kill a process that is gone, wait for 100 ms, or fail; so it gets a moment. */
static void wait_exit(struct lease *lease)
{
	if (lease->pidfd < 0)
		return;
	(void)io_wait(lease->pidfd, POLLIN, deadline_in(ENGINE_EXIT_GRACE_MS));
	close(steal_fd(&lease->pidfd));
}

int lease_end(struct lease *lease, struct backend *backend, const struct job_folders *jobs,
	      struct error *err)
{
	if (backend->busy)
		backend_abandon(backend);
	lease->starting = false;
	wait_exit(lease);
	if (lease->name[0] && container_remove(backend, lease->id[0] ? lease->id : lease->name,
					       deadline_in(ENGINE_REMOVE_DEADLINE_MS), err) < 0) {
		folder_close(&lease->folder);
		return -1;
	}
	remove_folder(lease, jobs);
	lease->name[0] = lease->id[0] = lease->warning[0] = '\0';
	lease->deadline = 0;
	return 0;
}

void lease_detach(struct lease *lease)
{
	lease_free(lease);
}

void lease_free(struct lease *lease)
{
	folder_close(&lease->folder);
	cleanup_close(&lease->pidfd);
	*lease = lease_new();
}
