/* What a program of mayfly-init's inherits: no descriptor above the first ones, by close_range(2)
   and without. */
#include "init/init.h"

#include "tap.h"

#include <fcntl.h>
#include <unistd.h>

static void test_close_on_exec(bool walk)
{
	int low = fcntl(STDIN_FILENO, F_DUPFD, 100), high = fcntl(STDIN_FILENO, F_DUPFD, 200);

	init_close_on_exec_from((unsigned)low + 1, walk);
	ok(fcntl(low, F_GETFD) == 0, "below the first: untouched");
	ok(fcntl(high, F_GETFD) == FD_CLOEXEC, "above: close-on-exec, %s",
	   walk ? "one by one" : "all at once");
	close(low);
	close(high);
}

int main(void)
{
	test_close_on_exec(false);
	test_close_on_exec(true);
	return done();
}
