/* Records of results: what a job of the tools API was answered with, beside the folder that clients
   know. */
#include "base/atomic_file.h"
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
	_cleanup_close_ int records = fs_make_dir(storage->root, STORAGE_RECORDS, FOLDER_MODE);
	_cleanup_close_ int session = fs_make_dir(records, session_id, FOLDER_MODE);

	/* the disk is full: half a record is none */
	(void)!atomic_file_write(session, NULL, id, FILE_MODE, ATOMIC_SYNC | ATOMIC_NEW, record);
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
