/* Records of results: what a job of the tools API was answered with, beside the folder that clients
   know. */
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "store/storage.h"

#include <fcntl.h>
#include <stdio.h>

#define FOLDER_MODE 0750
#define FILE_MODE   0640

void storage_write_record(const struct storage *storage, const char *session_id, const char *id,
			  struct slice record)
{
	char path[sizeof(STORAGE_RECORDS) + SESSION_ID_MAX_BYTES + JOB_ID_LENGTH + 3];

	(void)snprintf(path, sizeof(path), STORAGE_RECORDS "/%s/%s", session_id, id);
	if (fs_make_parents(storage->root, path, FOLDER_MODE) < 0)
		return;

	_cleanup_close_ int fd =
		fs_open_beneath(storage->root, path, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE);

	if (fd >= 0 && io_write_all(fd, record.data, record.len) < 0)
		(void)!ftruncate(fd, 0); /* the disk is full: half a record is none */
}

int storage_read_record(int root, const char *session_id, const char *id, char **data, size_t *len)
{
	char path[sizeof(STORAGE_RECORDS) + SESSION_ID_MAX_BYTES + JOB_ID_LENGTH + 3];

	if ((size_t)snprintf(path, sizeof(path), STORAGE_RECORDS "/%s/%s", session_id, id) >=
	    sizeof(path))
		return -1;

	_cleanup_close_ int fd = fs_open_beneath(root, path, O_RDONLY | O_NOFOLLOW, 0);

	return fd < 0 ? -1 : io_read_file(fd, STORAGE_RECORD_MAX_BYTES, data, len);
}
