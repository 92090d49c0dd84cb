/*
 * A container's end of the control socket, played by a child: the job goes down to it as to
 * mayfly-init, and up comes whatever a scene says, which need not be what the protocol allows.
 */
#ifndef MAYFLY_TESTS_FAKE_INIT_H
#define MAYFLY_TESTS_FAKE_INIT_H

#include "base/frame.h"
#include "job/run.h"
#include "util.h"

#include <sys/socket.h>

#define SCENE_DEADLINE_MS 20000

/* What a scene leaves: the result of job_run, what was heard, and the storage, still open. */
struct scene {
	int returned;
	struct error err;
	struct job_result result;
	struct storage storage;
	struct buf heard[2];
	int child_status;
};

static struct config scene_config;

__attribute__((unused)) static struct job small_job(void)
{
	return (struct job){
		.argv = {SLICE_LITERAL("true")},
		.argc = 1,
		.cwd = "/workspace",
		.wall_ms = 600000,
		.stream_bytes = 1000,
		.artifact_count = 10,
		.artifact_bytes = 1000,
		.artifacts_bytes = 1000,
	};
}

/* In the child: takes everything up to GO. */
__attribute__((unused)) static void await_go(int fd)
{
	struct frame_reader reader = frame_reader_new(fd);
	struct frame frame = {0};
	struct error err;

	while (frame.type != FRAME_GO)
		must(frame_read(&reader, &frame, deadline_in(SCENE_DEADLINE_MS), &err) == 0);
	frame_reader_free(&reader);
}

/* Sends one frame up; a host that has hung up is no concern of a container. */
__attribute__((unused)) static void up(int fd, uint8_t type, struct slice payload)
{
	(void)!frame_send(fd, type, payload, deadline_in(SCENE_DEADLINE_MS));
}

#define UP(fd, type, text) up(fd, type, SLICE_LITERAL(text))

static void scene_hear(void *context, bool is_stderr, struct slice data)
{
	struct scene *scene = context;

	must(buf_append(&scene->heard[is_stderr], data.data, data.len) == 0);
}

/* Runs job against act, which the child does with its end and with context. */
__attribute__((unused)) static struct scene play(const struct job *job, struct http_watch *watch,
						 void (*act)(int, const void *),
						 const void *context)
{
	struct scene scene = {.heard = {buf_new(MIB), buf_new(MIB)}};
	struct http_watch nobody = {.fd = -1};
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	fflush(stdout);

	pid_t child = fork();

	must(child >= 0);
	if (child == 0) {
		close(pair[0]);
		act(pair[1], context);
		_exit(0);
	}
	close(pair[1]);
	must(storage_open(&scene_config, &scene.storage, &scene.err) == 0);

	const struct job_listener listener = {.context = &scene, .on_output = scene_hear};

	scene.returned = job_run(job, pair[0], &scene.storage, &listener, watch ? watch : &nobody,
				 &scene.result, &scene.err);
	close(pair[0]);
	scene.child_status = wait_child(child);
	return scene;
}

__attribute__((unused)) static void scene_free(struct scene *scene)
{
	storage_close(&scene->storage);
	buf_free(&scene->heard[0]);
	buf_free(&scene->heard[1]);
}

#endif
