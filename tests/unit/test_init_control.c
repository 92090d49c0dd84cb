/* The socket that mayfly-init listens on: its name, its rights, and which of those that connect it
   takes. */
#include "init/init.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "protocol/control.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[] = "/tmp/mayfly-init-control-XXXXXX";
static int root_fd;

/* -1 with errno when nobody listens. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -1
										   : steal_fd(&fd);
}

static void test_control(void)
{
	char name[256], before[256], byte;
	struct stat status = {0};
	struct error err;
	int stranger = -1, ready[2];
	int listener = init_control_listen(root, &err);

	snprintf(name, sizeof(name), "%s/%s", root, CONTROL_NAME);
	snprintf(before, sizeof(before), "%s/%s", root, CONTROL_NAME_NEW);
	ok(listener >= 0 && stat(name, &status) == 0 && S_ISSOCK(status.st_mode),
	   "the socket has its name");
	is_number(status.st_mode & 0777, 0777, "any user may connect");
	ok(stat(before, &status) < 0, "and the name it was bound to is gone");
	ok(fcntl(listener, F_GETFD) == FD_CLOEXEC, "close-on-exec");

	if (pipe2(ready, O_CLOEXEC) < 0)
		abort();

	pid_t pid = fork();

	if (pid == 0) {
		int fd = connect_to(name);

		if (write(ready[1], "r", 1) != 1)
			_exit(2);
		_exit(read(fd, &byte, 1) == 0 ? 0 : 1);
	}
	ok(read(ready[0], &byte, 1) == 1, "another process connects first");

	_cleanup_close_ int mine = connect_to(name);
	_cleanup_close_ int accepted =
		init_control_accept(listener, getpid(), deadline_in(10000), &err);

	ok(accepted >= 0 && write(mine, "x", 1) == 1 && read(accepted, &byte, 1) == 1,
	   "the one that is asked for is accepted");
	ok(fcntl(accepted, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	ok(waitpid(pid, &stranger, 0) == pid && stranger == 0, "the other was closed");
	ok(init_control_accept(listener, 0, deadline_in(10), &err) == -1 &&
		   strcmp(err.code, "no_job") == 0,
	   "nobody comes: no_job at the deadline");
	ok(connect_to(name) == -1 && errno == ECONNREFUSED, "then nobody can come any more");
	ok(init_control_listen("/nonexistent", &err) == -1 &&
		   strcmp(err.code, "control_listen") == 0,
	   "no folder: control_listen");
	close(listener);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	int folder = -1;

	if (!mkdtemp(root) || (root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	(void)umask(022);
	test_control();
	folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(fs_remove_tree(folder, root + strlen("/tmp/")) == 0, "nothing is left");
	close(folder);
	close(root_fd);
	return done();
}
