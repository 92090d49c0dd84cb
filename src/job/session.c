#include "job/session.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/lock.h"
#include "base/num.h"
#include "base/random.h"
#include "store/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define LOCK_NAME     "lock"
#define MAKING_OFFSET (1LL << 60) /* far behind every id */
#define ID_TRIES      8

static int64_t offset_of(const char *id)
{
	uint64_t offset = 0;

	/* an id is checked before it gets here */
	return num_parse(slice_of(id), 16, INT64_MAX, &offset) == 0 ? (int64_t)offset : 0;
}

static int open_locks(const struct config *config)
{
	_cleanup_close_ int folder = session_open_folder(config);

	return folder < 0
		       ? -1
		       : openat(folder, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

static int failed(const struct config *config, struct error *err)
{
	return error_set_errno(err, 500, "run_folder", "%s/" SESSIONS_DIR " cannot be used",
			       config->run);
}

struct wanted {
	int fd;
	int64_t offset;
};

static int take_wanted(void *context)
{
	const struct wanted *wanted = context;

	return lock_take(wanted->fd, wanted->offset);
}

/* Takes one lock, waiting for it. 0, or -1 with *err. */
static int wait_lock(const struct config *config, int fd, int64_t offset, struct http_watch *watch,
		     struct error *err)
{
	struct wanted wanted = {fd, offset};

	if (http_watch_lock(watch, deadline_in(SESSION_WAIT_MS), take_wanted, &wanted) == 0)
		return 0;
	if (errno == ETIMEDOUT)
		return error_set(err, 409, "session_busy",
				 "The session is busy with another request; try again");
	if (errno == ECONNRESET)
		return error_set(err, 0, "client_gone",
				 "the client hung up while waiting for the session");
	return failed(config, err);
}

void session_release(struct session *session)
{
	if (session->lock >= 0)
		close(steal_fd(&session->lock));
}

/* --- one that is there ------------------------------------------------------------------------ */

static bool is_id(struct slice id)
{
	return id.len == SESSION_ID_DIGITS && ascii_is_of(id, ASCII_HEX);
}

/* How much of an id is said back. */
static int shown(struct slice id)
{
	return (int)(id.len < SANDBOX_NAME_MAX_BYTES ? id.len : SANDBOX_NAME_MAX_BYTES);
}

int session_gone(struct slice id, struct error *err)
{
	return error_set(err, 404, "session_not_found", "Session %.*s not found or expired",
			 shown(id), id.data);
}

/* A session of the requester's, if there is one. */
static bool look(const struct config *config, struct slice id,
		 const struct session_requester *requester, struct session *out)
{
	struct session session = {.lock = -1};
	char text[SESSION_ID_BYTES];

	if (!is_id(id))
		return false;
	memcpy(text, id.data, id.len);
	text[id.len] = '\0';
	if (session_read(config, text, &session) < 0 || !session_is_of(&session, requester))
		return false;
	*out = session;
	return true;
}

int session_find(const struct config *config, struct slice id,
		 const struct session_requester *requester, struct session *out, struct error *err)
{
	return look(config, id, requester, out)
		       ? 0
		       : error_set(err, 404, "session_not_found", "Session %.*s not found",
				   shown(id), id.data);
}

int session_take(const struct config *config, struct slice id,
		 const struct session_requester *requester, struct http_watch *watch,
		 struct session *out, struct error *err)
{
	struct session session;

	/* no one waits for what is not there, or is another's */
	if (!look(config, id, requester, &session))
		return session_gone(id, err);

	_cleanup_close_ int lock = open_locks(config);

	if (lock < 0)
		return failed(config, err);
	if (wait_lock(config, lock, offset_of(session.id), watch, err) < 0)
		return -1;
	/* rule 2 */
	if (!look(config, id, requester, &session) || session_is_expired(&session))
		return session_gone(id, err);
	session.lock = steal_fd(&lock);
	*out = session;
	return 0;
}

int session_save(const struct config *config, struct session *session, struct error *err)
{
	session->used_ms = boot_now_ms();
	return session_write(config, session, false) < 0 && errno != ENOENT ? failed(config, err)
									    : 0;
}

/* --- a new one -------------------------------------------------------------------------------- */

struct census {
	struct slice tenant_id;
	const char *owner;
	uint64_t caller, all, of_tenant, of_caller;
};

static void count(void *context, const struct session *session)
{
	struct census *census = context;

	census->all++;
	census->of_caller += session->caller == census->caller;
	census->of_tenant += slice_eq(census->tenant_id, session->tenant_id) &&
			     strcmp(census->owner, session->owner) == 0;
}

/* Rule 4, under the lock of who makes one. */
static int check_room(const struct config *config, const struct session *session, struct error *err)
{
	struct census census = {.tenant_id = slice_of(session->tenant_id),
				.owner = session->owner,
				.caller = session->caller};
	const struct session_requester all = {0};

	if (session_list(config, &all, count, &census, err) < 0)
		return -1;
	if (census.all >= config->sessions)
		return error_set(err, 400, "too_many_sessions",
				 "Maximum session limit reached (%llu). Destroy existing sessions "
				 "or increase limit.",
				 (unsigned long long)config->sessions);
	if (session->caller_max && census.of_caller >= session->caller_max)
		return error_set(err, 400, "too_many_sessions",
				 "Maximum session limit of the key reached (%llu). Destroy "
				 "existing sessions or increase limit.",
				 (unsigned long long)session->caller_max);
	if (census.of_tenant >= config->sessions_of_tenant)
		return error_set(
			err, 400, "too_many_sessions",
			"Maximum session limit of the tenant reached (%llu). Destroy existing "
			"sessions or increase limit.",
			(unsigned long long)config->sessions_of_tenant);
	return 0;
}

/* A name that no session has. It is locked before its record is there, so that no sweep takes it
   for one that is no longer being made. */
static int take_name(const struct config *config, struct session *session)
{
	struct session other;

	for (int tries = 0; tries < ID_TRIES; tries++) {
		random_hex(session->id, SESSION_ID_DIGITS);
		if (session_read(config, session->id, &other) < 0 &&
		    lock_take(session->lock, offset_of(session->id)) == 0)
			return 0;
	}
	errno = EEXIST;
	return -1;
}

int session_reserve(const struct config *config, struct session *session, struct error *err)
{
	struct http_watch no_client = {.fd = -1};
	_cleanup_close_ int making = open_locks(config), own = open_locks(config);
	int reserved = -1;

	if (making < 0 || own < 0)
		return failed(config, err);
	if (wait_lock(config, making, MAKING_OFFSET, &no_client, err) < 0)
		return -1;
	session->lock = own;
	session->created_ms = session->used_ms = boot_now_ms();
	if (check_room(config, session, err) == 0) {
		reserved =
			take_name(config, session) < 0 || session_write(config, session, true) < 0
				? failed(config, err)
				: 0;
	}
	lock_release(making, MAKING_OFFSET);
	session->lock = reserved == 0 ? steal_fd(&own) : -1;
	return reserved;
}

/* --- the sweep -------------------------------------------------------------------------------- */

struct sweep {
	const struct config *config;
	struct engine *engine;
	int locks;
	uint64_t removed;
};

/* What the reaper has removed has no folder any more. */
static bool has_container(const struct config *config, const struct session *session)
{
	char path[PATH_MAX + sizeof(JOBS_DIR_NAME) + ENGINE_FOLDER_BYTES + 2];
	struct stat status;

	(void)snprintf(path, sizeof(path), "%s/" JOBS_DIR_NAME "/%s", config->run, session->folder);
	return fstatat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static void sweep_one(void *context, const struct session *found)
{
	struct sweep *sweep = context;
	struct session session;
	struct error ignored;

	/* one whose lock is held is in use, or being made */
	if (lock_take(sweep->locks, offset_of(found->id)) < 0)
		return;
	if (session_read(sweep->config, found->id, &session) == 0 &&
	    (session_is_expired(&session) || !has_container(sweep->config, &session))) {
		if (session_remove(sweep->config, &session))
			metric_add(sweep->config, METRIC_SESSIONS_EXPIRED, 1);
		sweep->removed++;
		/* should it fail: the container has a deadline of its own */
		if (sweep->engine && *session.folder)
			(void)!engine_remove(sweep->engine, session.folder,
					     deadline_in(ENGINE_CALL_DEADLINE_MS), &ignored);
	}
	lock_release(sweep->locks, offset_of(found->id));
}

uint64_t session_sweep(const struct config *config, struct engine *engine)
{
	_cleanup_close_ int locks = open_locks(config);
	struct sweep sweep = {.config = config, .engine = engine, .locks = locks};
	const struct session_requester all = {0};
	struct error ignored;

	if (locks >= 0)
		(void)!session_list(config, &all, sweep_one, &sweep, &ignored);
	return sweep.removed;
}
