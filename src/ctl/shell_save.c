#include "ctl/shell_save.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "bounds.h"
#include "ctl/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>

#define COPY_BYTES (64 * KIB)

static int copy_file(int from, int to)
{
	ssize_t copied;

	while ((copied = sendfile(to, from, NULL, COPY_BYTES)) > 0)
		continue;
	return (int)copied;
}

/* Copies one artifact. Its name came from the job: it is opened beneath both folders. */
static int save(int result, int folder, const char *name)
{
	_cleanup_close_ int from = fs_open_beneath(result, name, O_RDONLY | O_NOFOLLOW, 0);

	if (from < 0 || fs_make_parents(folder, name, 0777) < 0)
		return -1;

	_cleanup_close_ int to =
		fs_open_beneath(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666);

	return to < 0 ? -1 : copy_file(from, to);
}

unsigned shell_save(const struct shell_job *job, int storage, const char *names, size_t len)
{
	char path[sizeof(SHELL_SESSION "/job-") + JOB_ID_LENGTH];
	unsigned failed = 0;

	if (len == 0)
		return 0;
	(void)snprintf(path, sizeof(path), SHELL_SESSION "/job-%s", names);

	_cleanup_close_ int result = fs_open_beneath(storage, path, O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int folder = fs_open_or_make_dir(job->folder, 0777);

	for (size_t at = strlen(names) + 1; at < len; at += strlen(names + at) + 1) {
		if (folder >= 0 && save(result, folder, names + at) == 0)
			continue;
		(void)ctl_fail(job->command, 0, "an artifact cannot be written to %s: %s",
			       job->folder, strerror(errno));
		failed++;
	}
	return failed;
}
