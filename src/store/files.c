#include "store/files.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/random.h"
#include "base/utf8.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define FOLDER_MODE  0750 /* mayfly-static may read through its group */
#define FILE_MODE    0640
#define DATA_NAME    "data"
#define META_NAME    "meta.json"
#define COMMIT_TRIES 8

bool files_is_id(struct slice text)
{
	if (text.len != FILE_ID_BYTES - 1 || !slice_starts(text, FILE_ID_PREFIX))
		return false;
	slice_skip(&text, strlen(FILE_ID_PREFIX));
	return ascii_is_of(text, ASCII_ALNUM);
}

bool files_is_name(struct slice name)
{
	return fs_is_component(name) && utf8_is_valid(name);
}

/* Makes the entry's folder under .incoming, without its data. */
static int begin(const struct config *config, uint64_t max_bytes, struct file_writer *out,
		 struct error *err)
{
	struct file_writer writer = {
		.folder = -1,
		.data = -1,
		.root = fs_open_or_make_dir(config->storage_dir, FOLDER_MODE),
		.hash = sha256_new(),
		.max_bytes = max_bytes,
		.storage_path = config->storage_dir,
	};

	if (writer.root < 0 ||
	    storage_open_incoming(writer.root, writer.incoming_name, &writer.folder) < 0) {
		(void)storage_failed(config->storage_dir, err, "making a folder");
		files_abandon(&writer);
		return -1;
	}
	*out = writer;
	return 0;
}

static int create(int folder, const char *name)
{
	return openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      FILE_MODE);
}

int files_begin(const struct config *config, uint64_t max_bytes, struct file_writer *out,
		struct error *err)
{
	if (begin(config, max_bytes, out, err) < 0)
		return -1;
	out->data = create(out->folder, DATA_NAME);
	if (out->data >= 0)
		return 0;
	(void)storage_failed(config->storage_dir, err, "making a file");
	files_abandon(out);
	return -1;
}

int files_append(struct file_writer *writer, struct slice data, struct error *err)
{
	if (data.len > writer->max_bytes - writer->size_bytes)
		return error_set(err, 413, "file_too_large", "file exceeds %llu MiB",
				 (unsigned long long)(writer->max_bytes / MIB));
	writer->size_bytes += data.len;
	sha256_add(&writer->hash, data);
	if (io_write_all(writer->data, data.data, data.len) < 0)
		return storage_failed(writer->storage_path, err, "writing a file");
	return 0;
}

static int write_meta(const struct file_writer *writer, const struct file_meta *meta)
{
	_cleanup_json_ json_t *value =
		json_pack("{s:s, s:I, s:s, s:s, s:I}", "name", meta->name, "size",
			  (json_int_t)meta->size_bytes, "sha256", meta->sha256, "owner",
			  meta->owner, "created_at", (json_int_t)meta->created_s);
	_cleanup_buf_ struct buf text = buf_new(FILE_META_MAX_BYTES);
	_cleanup_close_ int fd = create(writer->folder, META_NAME);

	if (json_write(value, &text) < 0 || fd < 0 || io_write_all(fd, text.data, text.len) < 0)
		return -1;
	return fsync(fd);
}

/* Moves the entry into place, under an id that is free. */
static int move_into_place(struct file_writer *writer, struct file_meta *meta)
{
	_cleanup_close_ int files = fs_make_dir(writer->root, FILES_FOLDER, FOLDER_MODE);

	for (int tries = 0; files >= 0 && tries < COMMIT_TRIES; tries++) {
		(void)snprintf(meta->id, sizeof(meta->id), FILE_ID_PREFIX);
		random_alnum(meta->id + strlen(FILE_ID_PREFIX), FILE_ID_LENGTH);
		/* onto an entry, a folder that is not empty, rename fails */
		if (storage_move_incoming(writer->root, writer->incoming_name, files, meta->id) ==
		    0)
			return fsync(files);
		if (errno != EEXIST && errno != ENOTEMPTY)
			break;
	}
	return -1;
}

int files_commit(struct file_writer *writer, const char *owner, struct slice name,
		 struct file_meta *out, struct error *err)
{
	struct file_meta meta = {.size_bytes = writer->size_bytes, .created_s = time(NULL)};

	sha256_end_hex(&writer->hash, meta.sha256);
	(void)snprintf(meta.owner, sizeof(meta.owner), "%s", owner);
	memcpy(meta.name, name.data, name.len);
	if ((writer->data >= 0 && fsync(writer->data) < 0) || write_meta(writer, &meta) < 0 ||
	    fsync(writer->folder) < 0 || move_into_place(writer, &meta) < 0)
		return storage_failed(writer->storage_path, err, "writing a file");
	*out = meta;
	return 0;
}

void files_abandon(struct file_writer *writer)
{
	cleanup_close(&writer->data);
	cleanup_close(&writer->folder);
	storage_drop_incoming(writer->root, writer->incoming_name);
	cleanup_close(&writer->root);
	writer->data = writer->folder = writer->root = -1;
}

/* Hashes, and with data open copies, what is left to read of from. 0, or -1 with *err. */
static int take_content(struct file_writer *writer, int from, struct error *err)
{
	char piece[HTTP_BODY_READ_BYTES];
	ssize_t len;

	while ((len = read(from, piece, sizeof(piece))) > 0) {
		struct slice data = {piece, (size_t)len};

		if (writer->data >= 0 && files_append(writer, data, err) < 0)
			return -1;
		if (writer->data >= 0)
			continue;
		sha256_add(&writer->hash, data);
		writer->size_bytes += data.len;
	}
	return len < 0 ? storage_failed(writer->storage_path, err, "reading a file") : 0;
}

/* Moves the file into the entry, or makes an empty one to copy to where that cannot be. */
static int move_content(struct file_writer *writer, int folder, const char *path, struct error *err)
{
	if (renameat(folder, path, writer->folder, DATA_NAME) == 0)
		return 0;
	if (errno == EXDEV)
		writer->data = create(writer->folder, DATA_NAME);
	if (writer->data < 0)
		return storage_failed(writer->storage_path, err, "moving a file");
	return 0;
}

int files_publish(const struct config *config, const char *owner, int folder, const char *path,
		  struct slice name, struct file_meta *out, struct error *err)
{
	_cleanup_close_ int file = fs_open_beneath(folder, path, O_RDONLY | O_NONBLOCK, 0);
	struct file_writer writer;
	struct stat status;
	int result;

	if (file < 0 || fstat(file, &status) < 0)
		return storage_failed(config->storage_dir, err, "opening a file");
	if (!S_ISREG(status.st_mode))
		return error_set(err, 500, "storage_failed", "%.256s is no regular file", path);
	if (begin(config, UINT64_MAX, &writer, err) < 0)
		return -1;
	result = move_content(&writer, folder, path, err);
	if (result == 0)
		result = take_content(&writer, file, err);
	if (result == 0)
		result = files_commit(&writer, owner, name, out, err);
	files_abandon(&writer);
	return result;
}

/* Reads meta.json beneath the entry's folder. 0, or -1. */
static int read_meta(int folder, struct file_meta *out)
{
	_cleanup_close_ int fd =
		openat(folder, META_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *value = NULL;
	const char *name, *sha256, *owner;
	json_int_t size, created;
	struct error ignored;
	size_t len;

	if (fd < 0 || io_read_file(fd, FILE_META_MAX_BYTES, &text, &len) < 0 ||
	    json_parse((struct slice){text, len}, &value, &ignored) < 0 ||
	    json_unpack(value, "{s:s, s:I, s:s, s:s, s:I}", "name", &name, "size", &size, "sha256",
			&sha256, "owner", &owner, "created_at", &created) < 0 ||
	    size < 0 || strlen(name) >= sizeof(out->name) ||
	    strlen(sha256) >= sizeof(out->sha256) || strlen(owner) >= sizeof(out->owner))
		return -1;
	(void)snprintf(out->name, sizeof(out->name), "%s", name);
	(void)snprintf(out->sha256, sizeof(out->sha256), "%s", sha256);
	(void)snprintf(out->owner, sizeof(out->owner), "%s", owner);
	out->size_bytes = (uint64_t)size;
	out->created_s = created;
	return 0;
}

int files_open(const struct config *config, const char *owner, struct slice id, int *fd,
	       struct file_meta *out, struct error *err)
{
	char path[PATH_MAX + sizeof(FILES_FOLDER) + FILE_ID_BYTES + 2];
	struct file_meta meta = {0};

	if (!files_is_id(id))
		return error_set(err, 404, "file_not_found", "uploaded file not found");
	memcpy(meta.id, id.data, id.len);
	(void)snprintf(path, sizeof(path), "%s/" FILES_FOLDER "/%s", config->storage_dir, meta.id);

	_cleanup_close_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int data = openat(
		folder, DATA_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;

	if (data < 0 || fstat(data, &status) < 0 || !S_ISREG(status.st_mode) ||
	    read_meta(folder, &meta) < 0 || (owner && strcmp(owner, meta.owner) != 0))
		return error_set(err, 404, "file_not_found", "uploaded file not found");
	*out = meta;
	*fd = steal_fd(&data);
	return 0;
}

uint64_t files_sweep(const struct config *config)
{
	_cleanup_close_ int root = open(config->storage_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t removed = storage_sweep_incoming(root);

	if (config->retention_days)
		removed += storage_sweep_folder(root, FILES_FOLDER, FILE_ID_PREFIX,
						storage_kept_since(config));
	return removed;
}
