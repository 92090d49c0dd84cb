/*
 * Records of runs and idempotency keys: whole or not at all, each its owner's alone, the newest
 * first, swept when they are old; of many who come with one key, one runs, whatever becomes of it.
 */
#include "store/records.h"

#include "base/random.h"
#include "base/sha256.h"
#include "store/idempotency.h"
#include "tap.h"
#include "util.h"

#include <sys/socket.h>
#include <time.h>

static struct config config;
static struct error err;

static const char *make(const char *owner, int64_t now_ms, const char *text)
{
	static char ids[8][RUN_ID_BYTES];
	static unsigned next;
	char *id = ids[next++ % 8], summary[128];

	record_make_id(now_ms, id);
	(void)snprintf(summary, sizeof(summary), "{\"id\":\"%s\"}", id);
	must(record_write(&config, owner, id, slice_of(summary), slice_of(text), &err) == 0);
	return id;
}

static void test_ids(void)
{
	char early[RUN_ID_BYTES], late[RUN_ID_BYTES], other[RUN_ID_BYTES];

	record_make_id(1900000000000, early);
	record_make_id(1900000000001, late);
	record_make_id(1900000000001, other);
	ok(record_is_id(slice_of(early)) && strlen(early) == 16, "%s", early);
	ok(strcmp(early, late) < 0, "a later run's name comes later: %s", late);
	ok(strcmp(other, late) != 0, "two runs of one moment have two names: %s", other);
	record_make_id(-5, other);
	ok(record_is_id(slice_of(other)), "a clock before 1970: %s", other);
	record_make_id(INT64_MAX, other);
	ok(record_is_id(slice_of(other)), "a clock in the far future: %s", other);
	static const char *const bad[] = {"",
					  "run_",
					  "run_0123456789a",
					  "run_0123456789abc",
					  "run_0123456789a/",
					  "run_0123456789a.",
					  "RUN_0123456789ab",
					  "../0123456789abc",
					  "file0123456789ab"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!record_is_id(slice_of(bad[i])), "no id: \"%s\"", bad[i]);
	ok(!record_is_id((struct slice){"run_01234567\0abc", 16}), "no id: with a NUL");
}

static void test_read(void)
{
	const char *id = make("alice", 1900000000000, "{\"stdout\":\"\\n\"}");
	struct record record = {0};

	is_number(record_read(&config, "alice", slice_of(id), &record, &err), 0,
		  "what was written can be read");
	ok(slice_eq(record.text, "{\"stdout\":\"\\n\"}"), "byte for byte");
	ok(record.written_s > 1700000000, "with its time");
	free(record.data);
	ok(record_exists(&config, "alice", id) && !record_exists(&config, "bob", id),
	   "it exists for its owner");
	is_number(record_read(&config, "bob", slice_of(id), &record, &err), -1, "for another");
	ok(err.status == 404 && strcmp(err.message, "run not found") == 0, "it does not");
	is_number(record_read(&config, "alice", SLICE_LITERAL("../alice/run_x"), &record, &err), -1,
		  "what is no id");
	is_number(err.status, 404, "is not there either");
	ok(count_entries(in_scratch("storage/.runs/alice")) == 1, "nothing else was left");

	write_file(in_scratch("storage/.runs/alice/run_0000000damag"), SLICE_LITERAL("no newline"));
	is_number(record_read(&config, "alice", SLICE_LITERAL("run_0000000damag"), &record, &err),
		  -1, "one that is damaged");
	is_text(err.code, "storage_failed", "is said to be");
	must(unlink(in_scratch("storage/.runs/alice/run_0000000damag")) == 0);
	must(symlink("/etc/passwd", in_scratch("storage/.runs/alice/run_00000000link")) == 0);
	is_number(record_read(&config, "alice", SLICE_LITERAL("run_00000000link"), &record, &err),
		  -1, "a link is not followed");
	must(unlink(in_scratch("storage/.runs/alice/run_00000000link")) == 0);
}

struct rows {
	char text[4096];
};

static void add_row(void *context, const char *id, struct slice summary)
{
	struct rows *rows = context;
	char wanted[64];

	(void)snprintf(wanted, sizeof(wanted), "{\"id\":\"%s\"}", id);
	must(slice_eq(summary, wanted));
	(void)snprintf(rows->text + strlen(rows->text), sizeof(rows->text) - strlen(rows->text),
		       "%s ", id);
}

static void note_row(void *context, const char *id, struct slice summary)
{
	struct rows *rows = context;

	(void)id;
	(void)snprintf(rows->text, sizeof(rows->text), "%.*s ", (int)summary.len, summary.data);
}

static void test_list(void)
{
	char ids[150][RUN_ID_BYTES];
	struct rows rows = {""};
	bool more = true;

	is_number(
		records_list(&config, "carol", SLICE_LITERAL(""), 10, add_row, &rows, &more, &err),
		0, "a list of nothing");
	ok(!*rows.text && !more, "is empty");
	/* written in no order */
	for (unsigned i = 0; i < 150; i++) {
		unsigned n = i * 77 % 150;

		(void)snprintf(ids[n], RUN_ID_BYTES, "%s", make("carol", 1900000000000 + n, "{}"));
	}
	write_file(in_scratch("storage/.runs/carol/.new-run_000000000000"),
		   SLICE_LITERAL("{}\n{}"));
	write_file(in_scratch("storage/.runs/carol/other"), SLICE_LITERAL("{}\n{}"));

	struct slice before = SLICE_LITERAL("");
	unsigned next = 150, pages = 0;
	bool good = true;

	do {
		char wanted[sizeof(rows.text)] = "";

		rows.text[0] = '\0';
		must(records_list(&config, "carol", before, 40, add_row, &rows, &more, &err) == 0);
		for (unsigned i = 0; i < 40 && next > 0; i++) {
			next--;
			(void)snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted),
				       "%s ", ids[next]);
		}
		good &= strcmp(rows.text, wanted) == 0 && more == (next > 0);
		before = slice_of(ids[next]);
		pages++;
	} while (more && pages < 10);
	ok(good && pages == 4, "150 records in 4 pages, the newest first, each once");
	must(records_list(&config, "carol", SLICE_LITERAL(""), 100000, add_row, &rows, &more,
			  &err) == 0);
	ok(more, "a page is never larger than %d", RUN_LIST_MAX);
}

static void age(const char *path, int days)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - days * 86400L},
				    {.tv_sec = time(NULL) - days * 86400L}};

	must(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static void test_sweep(void)
{
	const char *old = make("dave", 1900000000000, "{}"),
		   *fresh = make("dave", 1900000000001, "{}");
	const char *last = make("erin", 1900000000000, "{}");

	age(in_scratch("storage/.runs/dave/%s", old), RETENTION_DEFAULT_DAYS + 1);
	age(in_scratch("storage/.runs/erin/%s", last), RETENTION_DEFAULT_DAYS + 1);
	make_folder(in_scratch("storage/.runs/erin/.keys"));
	write_file(in_scratch("storage/.runs/erin/.keys/x"), SLICE_LITERAL(""));
	age(in_scratch("storage/.runs/erin/.keys/x"), RETENTION_DEFAULT_DAYS + 1);
	write_file(in_scratch("storage/.runs/dave/.new-run_a"), SLICE_LITERAL(""));
	age(in_scratch("storage/.runs/dave/.new-run_a"), 1);
	write_file(in_scratch("storage/.runs/dave/.new-run_b"), SLICE_LITERAL(""));
	config.retention_days = 0;
	is_number(records_sweep(&config), 1,
		  "without a retention, only what a crash left half-written goes");
	ok(!exists(in_scratch("storage/.runs/dave/.new-run_a")) &&
		   exists(in_scratch("storage/.runs/dave/.new-run_b")),
	   "not what is being written now");
	config.retention_days = RETENTION_DEFAULT_DAYS;
	is_number(records_sweep(&config), 2, "with one, old records go");
	ok(!exists(in_scratch("storage/.runs/dave/%s", old)) &&
		   exists(in_scratch("storage/.runs/dave/%s", fresh)),
	   "not the others");
	ok(!exists(in_scratch("storage/.runs/erin")),
	   "with an owner's last record goes its folder");
	(void)make("erin", 1900000000005, "{}");
	ok(exists(in_scratch("storage/.runs/erin")), "and comes back with the next");
}

static void test_full(void)
{
	_cleanup_free_ char *kept = strdup(config.storage_dir);

	must(kept);
	write_file(in_scratch("file"), SLICE_LITERAL(""));
	(void)snprintf(config.storage_dir, PATH_MAX, "%s", in_scratch("file"));
	is_number(record_write(&config, "alice", "run_000000000000", SLICE_LITERAL("{}"),
			       SLICE_LITERAL("{}"), &err),
		  -1, "where there is no folder nothing is written");
	is_text(err.code, "storage_failed", "which is said");
	(void)snprintf(config.storage_dir, PATH_MAX, "%s", kept);
}

/* --- a place reserved ------------------------------------------------------------------------- */

static const struct record_text running = {SLICE_LITERAL("{\"s\":\"running\"}"),
					   SLICE_LITERAL("{\"r\":\"running\"}")},
				lost = {SLICE_LITERAL("{\"s\":\"lost\"}"),
					SLICE_LITERAL("{\"r\":\"lost\"}")};

/* Is that what a reader finds in the record and in the list? */
static bool reads(const char *owner, const char *id, const char *word)
{
	struct rows rows = {""};
	struct record record = {0};
	char wanted[32];
	bool more, same;

	(void)snprintf(wanted, sizeof(wanted), "{\"r\":\"%s\"}", word);
	must(record_read(&config, owner, slice_of(id), &record, &err) == 0);
	same = slice_eq(record.text, wanted);
	free(record.data);
	(void)snprintf(wanted, sizeof(wanted), "{\"s\":\"%s\"} ", word);
	must(records_list(&config, owner, SLICE_LITERAL(""), 9, note_row, &rows, &more, &err) == 0);
	return same && strcmp(rows.text, wanted) == 0;
}

static int reserve(struct record_place *place, uint64_t room_bytes)
{
	return record_reserve(&config, "frank", "run_000000000000", running, lost, room_bytes,
			      place, &err);
}

static int reserve_and_die(void *context)
{
	struct record_place place;

	(void)context;
	must(reserve(&place, 4096) == 0);
	return 0;
}

static void test_place(void)
{
	static const char id[] = "run_000000000000";
	struct record_place place;

	must(reserve(&place, 65536) == 0);
	ok(reads("frank", id, "running"), "what was reserved says that the run goes on");
	must(record_fill(&config, &place, SLICE_LITERAL("{\"s\":\"done\"}"),
			 SLICE_LITERAL("{\"r\":\"done\"}"), &err) == 0);
	ok(reads("frank", id, "done"), "the record comes in its place");
	record_leave(&place, true);
	ok(reads("frank", id, "done"), "and stays");
	is_number(count_entries(in_scratch("storage/.runs/frank")), 1, "nothing else was left");

	must(reserve(&place, 65536) == 0);
	record_leave(&place, true);
	ok(reads("frank", id, "lost"), "one that ran without a record: lost");
	must(reserve(&place, 65536) == 0);
	record_leave(&place, false);
	is_number(count_entries(in_scratch("storage/.runs/frank")), 0,
		  "one that did not run: gone");
	is_number(reserve(&place, INT64_MAX), -1, "more than a disk has is refused");
	is_number(count_entries(in_scratch("storage/.runs/frank")), 0, "and leaves nothing");
	is_number(in_child(reserve_and_die, NULL), 0, "one dies in the middle of its run");
	ok(reads("frank", id, "lost"), "lost");
	must(unlink(in_scratch("storage/.runs/frank/%s", id)) == 0);
}

/* --- idempotency keys ------------------------------------------------------------------------- */

static struct http_watch nobody = {.fd = -1};

static int take(const char *owner, const char *key, const char *request, int64_t wait_ms,
		struct idempotency *out, char id[RUN_ID_BYTES])
{
	*out = (struct idempotency){.fd = -1};
	return idempotency_take(&config, owner, slice_of(key), slice_of(request), &nobody, wait_ms,
				out, id, &err);
}

static void test_keys(void)
{
	struct idempotency first, second;
	char id[RUN_ID_BYTES], again[RUN_ID_BYTES];

	ok(idempotency_is_key(SLICE_LITERAL("a b~")) && !idempotency_is_key(SLICE_LITERAL("")) &&
		   !idempotency_is_key(SLICE_LITERAL("a\tb")) &&
		   !idempotency_is_key(SLICE_LITERAL("\xc3\xa9")),
	   "keys are printable ASCII");
	must(take("alice", "k", "request", 0, &first, id) == 0);
	is_text(id, "", "the first is to run");
	is_number(take("alice", "k", "request", 0, &second, again), -1, "while it runs, a repeat");
	ok(err.status == 409 && strcmp(err.code, "idempotency_key_busy") == 0,
	   "gets a 409 in bounded time");
	idempotency_close(&second);

	const char *run = make("alice", 1900000000100, "{}");

	must(idempotency_note(&first, run, &err) == 0);
	is_number(take("alice", "k", "another", 60000, &second, again), -1,
		  "another request with the key");
	is_number(err.status, 422, "is refused at once, while the first runs");
	idempotency_close(&second);
	idempotency_close(&first);
	is_number(take("alice", "k", "request", 0, &second, again), 0, "when it has run");
	is_text(again, run, "a repeat gets its run");
	idempotency_close(&second);
	is_number(take("alice", "k", "another", 0, &second, again), -1, "another request");
	is_text(err.code, "idempotency_key_reused", "is refused then, too");
	idempotency_close(&second);
	is_number(take("bob", "k", "another", 0, &second, again), 0, "another owner's key");
	is_text(again, "", "is another");
	idempotency_close(&second);
}

/* One that notes its run and dies before there is a record. */
static int note_and_die(void *context)
{
	struct idempotency idempotency;
	char id[RUN_ID_BYTES];

	(void)context;
	must(take("alice", "crash", "request", 0, &idempotency, id) == 0 && !*id);
	must(idempotency_note(&idempotency, "run_000000000000", &err) == 0);
	return 0;
}

static void test_crash(void)
{
	struct idempotency idempotency;
	char id[RUN_ID_BYTES];

	is_number(in_child(note_and_die, NULL), 0, "one dies in the middle of its run");
	is_number(take("alice", "crash", "request", 0, &idempotency, id), 0,
		  "the next does not wait for it");
	is_text(id, "", "and is to run");
	must(idempotency_note(&idempotency, make("alice", 1900000000200, "{}"), &err) == 0);
	idempotency_close(&idempotency);
	must(take("alice", "crash", "request", 0, &idempotency, id) == 0);
	ok(*id, "its run is the key's: %s", id);
	idempotency_close(&idempotency);
}

static void test_swept_key(void)
{
	struct idempotency idempotency, second;
	char id[RUN_ID_BYTES];

	must(take("alice", "swept", "request", 0, &idempotency, id) == 0);
	must(unlink(idempotency.path) == 0);
	is_number(take("alice", "swept", "request", 0, &second, id), 0,
		  "a file that was swept away is not waited for");
	ok(exists(second.path), "there is a new one");
	idempotency_close(&second);
	idempotency_close(&idempotency);
}

/* Comes with one key, waits, and runs if it is the one: a run is a line in a file. */
static int compete(void *context)
{
	struct idempotency idempotency;
	char id[RUN_ID_BYTES];

	(void)context;
	must(take("alice", "race", "request", 60000, &idempotency, id) == 0);
	if (!*id) {
		_cleanup_close_ int log =
			open(in_scratch("runs"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
		char made[RUN_ID_BYTES];

		record_make_id(1900000000300, made);
		must(idempotency_note(&idempotency, made, &err) == 0);
		must(log >= 0 && write(log, "x", 1) == 1);
		must(record_write(&config, "alice", made, SLICE_LITERAL("{}"), SLICE_LITERAL("{}"),
				  &err) == 0);
	}
	idempotency_close(&idempotency);
	return 0;
}

static void test_race(void)
{
	pid_t children[16];
	int failed = 0;

	for (unsigned i = 0; i < 16; i++)
		children[i] = start_child(compete, NULL);
	for (unsigned i = 0; i < 16; i++)
		failed += wait_child(children[i]) != 0;
	is_number(failed, 0, "16 at once with one key: all are served");
	ok(file_is(in_scratch("runs"), SLICE_LITERAL("x")), "and one has run");
}

/* The client goes while we wait for another's run. */
static void test_gone(void)
{
	struct idempotency first, second = {.fd = -1};
	char id[RUN_ID_BYTES];
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	must(take("alice", "gone", "request", 0, &first, id) == 0);
	close(pair[1]);

	struct http_watch watch = {.fd = pair[0]};

	is_number(idempotency_take(&config, "alice", SLICE_LITERAL("gone"),
				   SLICE_LITERAL("request"), &watch, 60000, &second, id, &err),
		  -1, "a client that hangs up");
	is_text(err.code, "client_gone", "is not waited for");
	idempotency_close(&second);
	idempotency_close(&first);
	close(pair[0]);
}

int main(void)
{
	config = test_config();
	(void)snprintf(config.storage_dir, PATH_MAX, "%s/storage", scratch());
	test_ids();
	test_read();
	test_list();
	test_sweep();
	test_full();
	test_place();
	test_keys();
	test_crash();
	test_swept_key();
	test_race();
	test_gone();
	return done();
}
