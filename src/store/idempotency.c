#include "store/idempotency.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FOLDER_MODE 0700
#define FILE_MODE   0600
#define OPEN_TRIES  8

/* "<fingerprint> <run id>\n" */
#define NOTE_BYTES (SHA256_HEX_BYTES - 1 + 1 + RUN_ID_BYTES - 1 + 1)

bool idempotency_is_key(struct slice key)
{
	for (size_t i = 0; i < key.len; i++)
		if (key.data[i] < ' ' || key.data[i] > '~')
			return false;
	return key.len > 0 && key.len <= IDEMPOTENCY_KEY_MAX_BYTES;
}

static int failed(const struct idempotency *idempotency, struct error *err)
{
	return error_set_errno(err, 500, "storage_failed", "The idempotency key %s failed",
			       idempotency->path);
}

/* Opens the key's file, made if missing; its folder may be swept away while it is empty. */
static int open_file(const struct config *config, const char *owner, const char *name)
{
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		_cleanup_close_ int folder = records_open_owner(config, owner);

		if (folder < 0)
			return -1;
		if (mkdirat(folder, RECORDS_KEYS_FOLDER, FOLDER_MODE) < 0 && errno != EEXIST &&
		    errno != ENOENT)
			return -1;

		int fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

		if (fd >= 0 || errno != ENOENT)
			return fd;
	}
	return -1;
}

/* What the file says; false when that is nothing, or not all of it was written. */
static bool read_note(int fd, char fingerprint[SHA256_HEX_BYTES], char run_id[RUN_ID_BYTES])
{
	char note[NOTE_BYTES + 1];

	if (pread(fd, note, sizeof(note), 0) != NOTE_BYTES || note[NOTE_BYTES - 1] != '\n')
		return false;
	memcpy(fingerprint, note, SHA256_HEX_BYTES - 1);
	fingerprint[SHA256_HEX_BYTES - 1] = '\0';
	memcpy(run_id, note + SHA256_HEX_BYTES, RUN_ID_BYTES - 1);
	run_id[RUN_ID_BYTES - 1] = '\0';
	return record_is_id(slice_of(run_id));
}

/* True when the file belongs to another request, so that there is nothing to wait for. */
static bool is_of_another(const struct idempotency *idempotency)
{
	char fingerprint[SHA256_HEX_BYTES], run_id[RUN_ID_BYTES];

	return read_note(idempotency->fd, fingerprint, run_id) &&
	       strcmp(fingerprint, idempotency->fingerprint) != 0;
}

static int reused(struct error *err)
{
	return error_set(err, 422, "idempotency_key_reused",
			 "this X-Idempotency-Key was used for another request");
}

/* EEXIST when there is nothing to wait for. */
static int take_lock(void *context)
{
	const struct idempotency *idempotency = context;

	if (flock(idempotency->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		errno = is_of_another(idempotency) ? EEXIST : EAGAIN;
	return -1;
}

static int lock(struct idempotency *idempotency, struct http_watch *watch, int64_t wait_ms,
		struct error *err)
{
	if (http_watch_lock(watch, deadline_in(wait_ms), take_lock, idempotency) == 0)
		return 0;
	if (errno == EEXIST)
		return reused(err);
	if (errno == ETIMEDOUT)
		return error_set(err, 409, "idempotency_key_busy",
				 "the first request with this X-Idempotency-Key is still "
				 "running; try again");
	if (errno == ECONNRESET)
		return error_set(err, 0, "client_gone",
				 "the client hung up while waiting for the first run");
	return failed(idempotency, err);
}

int idempotency_take(const struct config *config, const char *owner, struct slice key,
		     struct slice request, struct http_watch *watch, int64_t wait_ms,
		     struct idempotency *out, char run_id[RUN_ID_BYTES], struct error *err)
{
	char hash[SHA256_HEX_BYTES], name[SHA256_HEX_BYTES + sizeof(RECORDS_KEYS_FOLDER)],
		fingerprint[SHA256_HEX_BYTES];
	struct stat status;

	sha256_hex_of(key, hash);
	sha256_hex_of(request, out->fingerprint);
	(void)snprintf(name, sizeof(name), RECORDS_KEYS_FOLDER "/%s", hash);
	(void)snprintf(out->path, sizeof(out->path), "%s/" RECORDS_FOLDER "/%s/%s",
		       config->storage_dir, owner, name);
	do {
		idempotency_close(out);
		out->fd = open_file(config, owner, name);
		if (out->fd < 0)
			return failed(out, err);
		if (lock(out, watch, wait_ms, err) < 0)
			return -1;
		/* one that the sweep has removed between our open and our lock protects nothing */
	} while (fstat(out->fd, &status) == 0 && status.st_nlink == 0);

	if (read_note(out->fd, fingerprint, run_id) && record_exists(config, owner, run_id))
		return strcmp(fingerprint, out->fingerprint) == 0 ? 0 : reused(err);
	run_id[0] = '\0';
	return 0;
}

int idempotency_note(struct idempotency *idempotency, const char *run_id, struct error *err)
{
	char note[NOTE_BYTES + 1];
	char folder[sizeof(idempotency->path)];

	(void)snprintf(note, sizeof(note), "%s %s\n", idempotency->fingerprint, run_id);
	(void)snprintf(folder, sizeof(folder), "%s", idempotency->path);
	*strrchr(folder, '/') = '\0';

	_cleanup_close_ int parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0 || pwrite(idempotency->fd, note, NOTE_BYTES, 0) != (ssize_t)NOTE_BYTES ||
	    fsync(idempotency->fd) < 0 || fsync(parent) < 0)
		return failed(idempotency, err);
	return 0;
}

void idempotency_close(struct idempotency *idempotency)
{
	if (idempotency->fd < 0)
		return;
	(void)flock(idempotency->fd, LOCK_UN); /* before the close that wakes who waits */
	close(steal_fd(&idempotency->fd));
}
