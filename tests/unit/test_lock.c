/* Locks on bytes and on whole files, and the wait for one. */
#include "tap.h"
#include "util.h"

#include "base/lock.h"
#include "http/watch.h"

#include <errno.h>
#include <fcntl.h>

static int open_file(void)
{
	int fd = open(in_scratch("lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	must(fd >= 0);
	return fd;
}

static void bytes(void)
{
	_cleanup_close_ int mine = open_file(), theirs = open_file();

	ok(lock_take(mine, 3) == 0 && lock_take(mine, 1LL << 60) == 0, "bytes that are not there");
	ok(lock_take(theirs, 3) < 0 && errno == EAGAIN, "one has a byte");
	ok(lock_take(theirs, 4) == 0, "another the next");
	is_number(lock_count(mine, 0, 100, 1), 1, "others' are counted");
	is_number(lock_count(theirs, 0, INT64_MAX, 1), 2, "each side of one that is found");
	for (int64_t at = 1; at < 40; at += 2)
		must(lock_take(mine, 100 + at) == 0);
	is_number(lock_count(theirs, 100, 140, 1), 20, "many");
	is_number(lock_count(theirs, 100, 140, 10), 4, "by blocks of ten");
	is_number(lock_count(theirs, 100, 200, 64), 1, "in one block");
	is_number(lock_count(theirs, 99, 101, 1), 0, "beside them");
	lock_release(mine, 3);
	ok(lock_take(theirs, 3) == 0, "a byte that was given back");
	close(mine);
	mine = -1;
	is_number(lock_count(theirs, 0, INT64_MAX, 1), 0, "all at once, with the file");
}

/* In a child: holds the file for some time. */
static int hold(void *context)
{
	int fd = open_file();

	if (!lock_file(fd, false, deadline_in(0)))
		return 1;
	must(write(*(const int *)context, "x", 1) == 1);
	(void)poll(NULL, 0, 200);
	return 0;
}

static void whole(void)
{
	_cleanup_close_ int fd = open_file();
	int ends[2];
	char byte;

	must(pipe(ends) == 0);

	pid_t child = start_child(hold, &ends[1]);

	must(read(ends[0], &byte, 1) == 1);
	ok(!lock_file(fd, true, deadline_in(1)),
	   "a file that another has is given up at the deadline");
	ok(lock_file(fd, true, deadline_in(20000)), "and had when its holder has ended");
	lock_file_release(fd);
	is_number(wait_child(child), 0, "who held it");
	close(ends[0]);
	close(ends[1]);
}

struct wanted {
	int fd;
	unsigned looks;
};

static int take(void *context)
{
	struct wanted *wanted = context;

	wanted->looks++;
	return lock_take(wanted->fd, 0);
}

static void waits(void)
{
	_cleanup_close_ int mine = open_file(), theirs = open_file();
	struct http_watch nobody = {.fd = -1};
	struct wanted wanted = {.fd = theirs};

	must(lock_take(mine, 0) == 0);
	ok(http_watch_lock(&nobody, deadline_in(10), take, &wanted) < 0 && errno == ETIMEDOUT,
	   "a wait ends at its deadline");
	ok(wanted.looks >= 3, "with looks in between");
	lock_release(mine, 0);
	ok(http_watch_lock(&nobody, deadline_in(0), take, &wanted) == 0,
	   "what is free is had at once");
}

int main(void)
{
	bytes();
	whole();
	waits();
	return done();
}
