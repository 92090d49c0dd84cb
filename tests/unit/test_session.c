/*
 * Sessions without containers: records, who may see one, how many there may be, expiry, one at a
 * time, what the sweep takes. Holders are processes, as they are in earnest; they tell by a pipe
 * when they hold.
 */
#include "tap.h"
#include "util.h"

#include "job/session.h"
#include "store/metrics.h"

#include <sys/socket.h>

static struct config config;
static struct error err;
static struct http_watch nobody = {.fd = -1};
static const struct session_requester anybody = {0};

/* A session with a folder for its container, whose lock is given back. */
static struct session make(const char *tenant_id, const char *owner, uint64_t ttl_s)
{
	struct session session = {.lock = -1, .ttl_s = ttl_s};

	(void)snprintf(session.tenant_id, sizeof(session.tenant_id), "%s", tenant_id);
	(void)snprintf(session.owner, sizeof(session.owner), "%s", owner);
	(void)snprintf(session.template, sizeof(session.template), "default");
	must(session_reserve(&config, &session, &err) == 0);
	(void)snprintf(session.folder, sizeof(session.folder), "c-%s", session.id);
	make_folder(in_scratch("run/jobs/%s", session.folder));
	must(session_save(&config, &session, &err) == 0);
	session_release(&session);
	return session;
}

static void remove_all(void)
{
	must(fs_remove_tree(AT_FDCWD, in_scratch("run/sessions")) == 0);
	must(fs_remove_tree(AT_FDCWD, in_scratch("run/jobs")) == 0);
}

static void count_one(void *context, const struct session *session)
{
	(void)session;
	++*(unsigned *)context;
}

static unsigned count(const struct session_requester *requester)
{
	unsigned found = 0;

	must(session_list(&config, requester, count_one, &found, &err) == 0);
	return found;
}

static int find(const struct session *session, const char *owner, const char *tenant_id)
{
	const struct session_requester requester = {owner, slice_of(tenant_id)};
	struct session found;

	return session_find(&config, slice_of(session->id), &requester, &found, &err);
}

static void test_records(void)
{
	struct session session = make("tenant \"1\"", "key", 60), found;

	is_number(strlen(session.id), 12, "an id has 12 digits");
	is_number(strspn(session.id, "0123456789abcdef"), 12, "all of them hex");
	must(session_take(&config, slice_of(session.id), &anybody, &nobody, &found, &err) == 0);
	is_text(found.tenant_id, "tenant \"1\"", "what was written is read");
	is_number(found.ttl_s, 60, "numbers, too");
	found.use_count = 7;
	must(session_save(&config, &found, &err) == 0);
	session_release(&found);
	must(session_take(&config, slice_of(session.id), &anybody, &nobody, &found, &err) == 0);
	is_number(found.use_count, 7, "and what was saved");
	ok(session_age_s(&found) >= session_idle_s(&found) && session_idle_s(&found) < 60,
	   "it is as old as it is");
	ok(session_remove(&config, &found), "it is removed");
	ok(!session_remove(&config, &found), "once");
	is_number(session_save(&config, &found, &err), 0, "who used it does not mind");
	is_number(count(&anybody), 0, "and does not bring it back");
	session_release(&found);
	is_number(session_take(&config, slice_of(session.id), &anybody, &nobody, &found, &err), -1,
		  "it is not there any more");
	is_text(err.code, "session_not_found", "by its word");
	write_file(in_scratch("run/sessions/0123456789ab"), SLICE_LITERAL("{\"id\":"));
	is_number(count(&anybody), 0, "a broken record is none");
	remove_all();
}

static void test_ids(void)
{
	static const char *const bad[] = {
		"",     "0123456789a",   "0123456789abc", "0123456789aB",
		"lock", "../sessions/x", "0123456789a/",  "new-012345678"};
	struct session found;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_number(session_find(&config, slice_of(bad[i]), &anybody, &found, &err), -1,
			  "\"%s\" is no id", bad[i]);
}

static void test_owners(void)
{
	struct session session = make("t1", "k1", 60);
	const struct session_requester same = {"k1", SLICE_LITERAL("t1")}, key = {"k1", {"", 0}},
				       other = {"k2", {"", 0}},
				       tenant = {"k1", SLICE_LITERAL("t2")};

	is_number(find(&session, "k1", "t1"), 0, "found by its key and tenant");
	is_number(find(&session, "k1", ""), 0, "by its key alone");
	is_number(find(&session, "k2", "t1"), -1, "not by another key");
	is_number(find(&session, "k1", "t2"), -1, "not for another tenant");
	is_number(find(&session, "k1", "t"), -1, "nor for the beginning of its own");
	is_number(count(&same), 1, "listed for its tenant");
	is_number(count(&key), 1, "and for its key");
	is_number(count(&other), 0, "not for another key");
	is_number(count(&tenant), 0, "not for another tenant");
	remove_all();
}

static void test_maximum(void)
{
	struct session one_more = {.lock = -1, .ttl_s = 1, .tenant_id = "t", .owner = "k"};

	config.sessions = 3;
	config.sessions_of_tenant = 2;
	(void)make("t", "k", 60);
	(void)make("t", "k", 60);
	is_number(session_reserve(&config, &one_more, &err), -1, "a tenant has a maximum");
	is_text(err.message,
		"Maximum session limit of the tenant reached (2). Destroy existing sessions or increase limit.",
		"which the message says");
	(void)make("u", "k", 60);
	(void)snprintf(one_more.tenant_id, sizeof(one_more.tenant_id), "v");
	is_number(session_reserve(&config, &one_more, &err), -1, "so have all of them");
	is_text(err.message,
		"Maximum session limit reached (3). Destroy existing sessions or increase limit.",
		"with the message of src/api/sandbox/README.md");
	is_number(err.status, 400, "and status");
	is_number(one_more.lock, -1, "no lock is left");
	config.sessions = config.sessions_of_tenant = 10;
	remove_all();
}

/* In the children: each tries to reserve one, and keeps it. */
static int reserve_one(void *context)
{
	struct session session = {.lock = -1, .ttl_s = 60, .tenant_id = "t", .owner = "k"};

	(void)context;
	return session_reserve(&config, &session, &err) == 0 ? 10 : 20;
}

static void test_maximum_under_concurrency(void)
{
	pid_t children[24];
	unsigned made = 0;

	for (size_t i = 0; i < 24; i++)
		children[i] = start_child(reserve_one, NULL);
	for (size_t i = 0; i < 24; i++)
		made += wait_child(children[i]) == 10;
	is_number(made, 10, "24 at once make 10");
	is_number(count(&anybody), 10, "and 10 there are");
	is_number(session_sweep(&config, NULL), 10,
		  "those whose makers died before there was a container are swept");
	remove_all();
}

/* In the child: holds the session until it is told to stop. */
static int hold(void *context)
{
	const struct session *session = context;
	struct session mine;
	char byte;

	if (session_take(&config, slice_of(session->id), &anybody, &nobody, &mine, &err) < 0)
		return 1;
	if (write(session->lock, "h", 1) != 1)
		return 2;
	(void)!read(session->lock, &byte, 1);
	session_release(&mine);
	return 0;
}

static void test_one_at_a_time(bool is_killed)
{
	struct session session = make("t", "k", 60), mine;
	int pair[2];
	pid_t child;
	char byte;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	session.lock = pair[1];
	child = start_child(hold, &session);
	close(pair[1]);
	must(read(pair[0], &byte, 1) == 1);

	session.ttl_s = 0;
	session.lock = -1;
	while (!session_is_expired(&session))
		continue; /* a TTL of 0 is over after any time at all */
	ok(session_is_expired(&session), "nobody would think it in use");
	is_number(session_sweep(&config, NULL), 0, "but one in use is not swept");
	if (is_killed)
		must(kill(child, SIGKILL) == 0);
	else
		must(write(pair[0], "g", 1) == 1);
	is_number(session_take(&config, slice_of(session.id), &anybody, &nobody, &mine, &err), 0,
		  is_killed ? "who dies gives it back" : "the next one waits and gets it");
	session_release(&mine);
	close(pair[0]);
	(void)wait_child(child);
	remove_all();
}

static uint64_t expired(void)
{
	_cleanup_metrics_ struct metrics metrics = {0};

	must(metrics_read(&config, &metrics, &err) == 0);
	return metrics.values[METRIC_SESSIONS_EXPIRED];
}

static void test_sweep(void)
{
	struct session good = make("t", "k", 60), dead = make("t", "k", 60),
		       old = make("t", "k", 0);
	uint64_t before = expired();

	while (!session_is_expired(&old))
		continue;
	must(rmdir(in_scratch("run/jobs/%s", dead.folder)) == 0);
	is_number(session_sweep(&config, NULL), 2,
		  "one that has expired and one without a container are swept");
	is_number(expired() - before, 2, "and counted");
	is_number(find(&good, "k", "t"), 0, "the other stays");
	is_number(find(&old, "k", "t"), -1, "the old one does not");
	is_number(session_sweep(&config, NULL), 0, "there is nothing more");
	remove_all();
}

int main(void)
{
	config = test_config();
	(void)snprintf(config.run, sizeof(config.run), "%s", in_scratch("run"));
	config.sessions = config.sessions_of_tenant = 10;
	test_records();
	test_ids();
	test_owners();
	test_maximum();
	test_maximum_under_concurrency();
	test_one_at_a_time(false);
	test_one_at_a_time(true);
	test_sweep();
	return done();
}
