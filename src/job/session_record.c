#include "job/session_record.h"

#include "base/atomic_file.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "json/json.h"

#include <fcntl.h>
#include <stdio.h>

#define NEW_PREFIX "new-" /* of a record that is being written */

static const struct {
	const char *name;
	size_t offset, size; /* bytes, with the NUL */
} texts[] = {
#define TEXT(field)                                                                                \
	{                                                                                          \
#field, offsetof(struct session, field), sizeof(((struct session *)0)->field)      \
	}
	TEXT(id), TEXT(tenant_id), TEXT(scope), TEXT(template), TEXT(owner), TEXT(folder),
#undef TEXT
};

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
#define NUMBER(field)                                                                              \
	{                                                                                          \
#field, offsetof(struct session, field)                                            \
	}
	NUMBER(ttl_s), NUMBER(use_count), NUMBER(caller), NUMBER(created_ms), NUMBER(used_ms),
#undef NUMBER
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

int session_open_folder(const struct config *config)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/" SESSIONS_DIR, config->run);
	return fs_open_or_make_dir(path, 0700);
}

static int parse(struct slice text, const char *id, struct session *out)
{
	_cleanup_json_ json_t *record = NULL;
	struct session session = {.lock = out->lock};
	struct error ignored;

	if (json_parse(text, &record, &ignored) < 0)
		return -1;
	for (size_t i = 0; i < COUNT(texts); i++) {
		const json_t *value = json_object_get(record, texts[i].name);

		if (!json_is_string(value) || json_string_length(value) >= texts[i].size)
			return -1;
		memcpy((char *)&session + texts[i].offset, json_string_value(value),
		       json_string_length(value) + 1);
	}
	for (size_t i = 0; i < COUNT(numbers); i++) {
		const json_t *value = json_object_get(record, numbers[i].name);
		int64_t number = json_integer_value(value);

		if (!json_is_integer(value) || number < 0)
			return -1;
		memcpy((char *)&session + numbers[i].offset, &number, sizeof(number));
	}
	if (strcmp(session.id, id) != 0)
		return -1;
	*out = session;
	return 0;
}

int session_read(const struct config *config, const char *id, struct session *out)
{
	_cleanup_close_ int folder = session_open_folder(config);
	_cleanup_close_ int fd =
		folder < 0 ? -1 : openat(folder, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (fd < 0 || io_read_file(fd, SESSION_RECORD_MAX_BYTES, &text, &len) < 0)
		return -1;
	return parse((struct slice){text, len}, id, out);
}

static json_t *describe(const struct session *session)
{
	json_t *record = json_object();

	for (size_t i = 0; i < COUNT(texts); i++)
		(void)json_object_set_new(record, texts[i].name,
					  json_string((const char *)session + texts[i].offset));
	for (size_t i = 0; i < COUNT(numbers); i++) {
		int64_t number;

		memcpy(&number, (const char *)session + numbers[i].offset, sizeof(number));
		(void)json_object_set_new(record, numbers[i].name, json_integer(number));
	}
	return record;
}

int session_write(const struct config *config, const struct session *session, bool is_new)
{
	_cleanup_buf_ struct buf text = buf_new(SESSION_RECORD_MAX_BYTES);
	_cleanup_json_ json_t *record = describe(session);
	_cleanup_close_ int folder = session_open_folder(config);
	char aside[sizeof(NEW_PREFIX) + SESSION_ID_DIGITS];

	if (folder < 0 || json_write(record, &text) < 0)
		return -1;
	(void)snprintf(aside, sizeof(aside), NEW_PREFIX "%s", session->id);
	/* rule 1 */
	return atomic_file_write(folder, aside, session->id, 0640,
				 ATOMIC_LOCKED | (is_new ? 0 : ATOMIC_OLD), buf_slice(&text));
}

bool session_remove(const struct config *config, const struct session *session)
{
	_cleanup_close_ int folder = session_open_folder(config);

	return folder >= 0 && unlinkat(folder, session->id, 0) == 0;
}

bool session_is_of(const struct session *session, const struct session_requester *requester)
{
	return (!requester->owner || strcmp(requester->owner, session->owner) == 0) &&
	       (requester->tenant_id.len == 0 ||
		slice_eq(requester->tenant_id, session->tenant_id));
}

bool session_is_expired(const struct session *session)
{
	/* a clock that has gone back is another boot's: its container is gone */
	return !*session->folder || session->used_ms > boot_now_ms() ||
	       session_idle_s(session) > (double)session->ttl_s;
}

double session_age_s(const struct session *session)
{
	return (double)(boot_now_ms() - session->created_ms) / MS_PER_S;
}

double session_idle_s(const struct session *session)
{
	return (double)(boot_now_ms() - session->used_ms) / MS_PER_S;
}

int session_list(const struct config *config, const struct session_requester *requester,
		 void (*row)(void *, const struct session *), void *context, struct error *err)
{
	int fd = session_open_folder(config);
	_cleanup_closedir_ DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct session session = {.lock = -1};

	if (!folder)
		return error_set_errno(err, 500, "run_folder", "%s/" SESSIONS_DIR " cannot be read",
				       config->run);
	for (const struct dirent *entry; (entry = readdir(folder));)
		if (strlen(entry->d_name) == SESSION_ID_DIGITS &&
		    session_read(config, entry->d_name, &session) == 0 &&
		    session_is_of(&session, requester))
			row(context, &session);
	return 0;
}
