/*
 * Changing the keys file. Under a lock on its folder the new text is written aside, synced and
 * renamed; lines that are not concerned stay as they are, comments and mistakes too. Owner, group
 * and mode of the file stay; a new one is 0600: systemd opens it for the service.
 */
#include "auth/internal.h"
#include "base/atomic_file.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/random.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define TOKEN_PREFIX       "mf_"
#define TOKEN_RANDOM_CHARS 43 /* of 6 bits: 258 */
#define ID_PREFIX          "k"
#define ID_RANDOM_CHARS    16
#define HEADER                                                                                     \
	"# Keys of mayfly, edited by mayflyctl keys. Only hashes of the tokens are here.\n"        \
	"# id  sha256(token)  rate  burst  scopes  expires  label  [jobs=N]  [sessions=N]  [cpu=SECONDS]\n"

_Static_assert(KEY_TOKEN_BYTES == sizeof(TOKEN_PREFIX) + TOKEN_RANDOM_CHARS, "a token fits");

/* The file while it is being changed. */
struct edit {
	const struct config *config;
	int folder; /* owned, locked */
	char *text; /* owned */
	size_t len;
	struct buf changed; /* owned */
};

static int not_written(const struct config *config, struct error *err)
{
	return error_set_errno(err, 500, "keys_not_written", "%.256s cannot be written",
			       config->keys_file);
}

static const char *name_of(const struct config *config)
{
	return strrchr(config->keys_file, '/') + 1;
}

static void edit_end(struct edit *edit)
{
	cleanup_close(&edit->folder);
	free(edit->text);
	buf_free(&edit->changed);
}

/* Whatever it returns, edit_end is due. */
static int edit_begin(const struct config *config, struct edit *out, struct error *err)
{
	char folder[PATH_MAX];

	*out = (struct edit){
		.config = config, .folder = -1, .changed = buf_new(KEYS_FILE_MAX_BYTES)};
	if (!*config->keys_file)
		return error_set(err, 500, "keys_not_written", "set MAYFLY_KEYS_FILE");
	(void)snprintf(folder, sizeof(folder), "%.*s",
		       (int)(name_of(config) - 1 - config->keys_file), config->keys_file);
	out->folder = fs_open_or_make_dir(*folder ? folder : "/", 0755);
	if (out->folder < 0 || flock(out->folder, LOCK_EX) < 0)
		return not_written(config, err);
	return keys_read_file(config, &out->text, &out->len, err);
}

/* The new file's owner and mode, those of the old one. */
static int set_access(const struct edit *edit, int fd)
{
	struct stat old;

	if (fstatat(edit->folder, name_of(edit->config), &old, 0) < 0)
		return 0;
	/* who is not root can only keep his own */
	if (fchown(fd, old.st_uid, old.st_gid) < 0 && geteuid() == 0)
		return -1;
	return fchmod(fd, old.st_mode & 0660);
}

static int edit_commit(const struct edit *edit, struct error *err)
{
	char aside[PATH_MAX];
	_cleanup_atomic_ struct atomic_file file;

	(void)snprintf(aside, sizeof(aside), "%s.new", name_of(edit->config));
	/* with the lock */
	if (atomic_file_open(edit->folder, aside, 0600, ATOMIC_SYNC | ATOMIC_LOCKED, &file) < 0 ||
	    io_write_all(file.fd, edit->changed.data, edit->changed.len) < 0 ||
	    set_access(edit, file.fd) < 0 || atomic_file_commit(&file, name_of(edit->config)) < 0)
		return not_written(edit->config, err);
	return 0;
}

static int add_line(struct edit *edit, const struct key *key)
{
	char hash[SHA256_HEX_BYTES], rate[KEY_RATE_BYTES], scopes[KEY_SCOPES_BYTES], expires[24],
		jobs[32] = "", sessions[32] = "", cpu[32] = "";
	bool is_cut = edit->len && edit->text[edit->len - 1] != '\n';

	sha256_hex(key->hash, hash);
	key_rate_print(key->rate_micro, rate);
	key_scope_names(key->scopes, scopes);
	(void)snprintf(expires, sizeof(expires), key->expires_s ? "%" PRId64 : "-", key->expires_s);
	if (key->jobs)
		(void)snprintf(jobs, sizeof(jobs), " jobs=%" PRIu64, key->jobs);
	if (key->sessions)
		(void)snprintf(sessions, sizeof(sessions), " sessions=%" PRIu64, key->sessions);
	if (key->cpu_s)
		(void)snprintf(cpu, sizeof(cpu), " cpu=%" PRIu64, key->cpu_s);
	if (!edit->len && buf_append_text(&edit->changed, HEADER) < 0)
		return -1;
	if (edit->len && buf_append(&edit->changed, edit->text, edit->len) < 0)
		return -1;
	return buf_printf(&edit->changed, "%s%s %s %s %" PRIu64 " %s %s %s%s%s%s\n",
			  is_cut ? "\n" : "", key->id, hash, rate, key->burst, scopes, expires,
			  key->label, jobs, sessions, cpu);
}

int keys_add(const struct config *config, struct key *key, char token[KEY_TOKEN_BYTES],
	     struct error *err)
{
	struct sha256 hash = sha256_new();
	struct edit edit;
	int result = -1;

	(void)snprintf(token, KEY_TOKEN_BYTES, TOKEN_PREFIX);
	random_id(token + strlen(TOKEN_PREFIX), TOKEN_RANDOM_CHARS);
	sha256_add(&hash, slice_of(token));
	sha256_end(&hash, key->hash);
	(void)snprintf(key->id, sizeof(key->id), ID_PREFIX);
	random_hex(key->id + strlen(ID_PREFIX), ID_RANDOM_CHARS);
	key->is_from_file = true;
	if (edit_begin(config, &edit, err) == 0) {
		if (add_line(&edit, key) < 0)
			(void)error_set(err, 500, "too_many_keys", "%.256s would become too large",
					config->keys_file);
		else
			result = edit_commit(&edit, err);
	}
	edit_end(&edit);
	return result;
}

/* Copies every line, with a note in the place of the key that is meant. How many notes, or -1. */
static int copy_revoked(struct edit *edit, const char *id_or_label, bool by_label, struct key *out)
{
	struct slice rest = {edit->text, edit->len};
	int removed = 0;

	edit->changed.len = 0;
	while (rest.len) {
		struct slice line = slice_take(&rest, '\n');
		struct key key;
		int failed;

		if (key_line_parse(line, &key) == 1 &&
		    strcmp(by_label ? key.label : key.id, id_or_label) == 0) {
			*out = key;
			removed++;
			failed = buf_printf(&edit->changed, KEY_REVOKED " %s %s\n", key.id,
					    key.label);
		} else {
			failed = buf_append(&edit->changed, line.data, line.len) |
				 buf_append(&edit->changed, "\n", 1);
		}
		if (failed)
			return -1;
	}
	return removed;
}

int keys_revoke(const struct config *config, const char *id_or_label, struct key *out,
		struct error *err)
{
	struct edit edit;
	struct key found = {0};
	int result = -1;

	if (edit_begin(config, &edit, err) == 0) {
		int removed = copy_revoked(&edit, id_or_label, false, &found);

		if (removed == 0)
			removed = copy_revoked(&edit, id_or_label, true, &found);
		if (removed < 0)
			(void)error_set(err, 500, "too_many_keys", "%.256s would become too large",
					config->keys_file);
		else if (removed == 0)
			(void)error_set(err, 404, "no_such_key",
					"%.256s has no key of that id or label", config->keys_file);
		else if (removed > 1)
			(void)error_set(err, 409, "label_not_unique",
					"%d keys have that label: name one by its id", removed);
		else
			result = edit_commit(&edit, err);
	}
	edit_end(&edit);
	if (result == 0)
		*out = found;
	return result;
}
