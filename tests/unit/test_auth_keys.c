/* auth/keys.h: API_KEYS, the keys file and what edits it; no token in any message or file. */
#include "tap.h"
#include "util.h"

#include "auth/keys.h"

#include <sys/stat.h>

#define ADDERS 16
#define HASH   "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" /* of "test" */

static struct config keys_config(const char *api_keys, const char *file)
{
	struct config config = test_config();

	(void)snprintf(config.api_keys, sizeof(config.api_keys), "%s", api_keys);
	(void)snprintf(config.keys_file, sizeof(config.keys_file), "%s/config/keys", scratch());
	(void)mkdir(scratch(), 0755);

	char folder[PATH_MAX];

	(void)snprintf(folder, sizeof(folder), "%s/config", scratch());
	(void)mkdir(folder, 0755);
	(void)unlink(config.keys_file);
	if (file) {
		_cleanup_close_ int fd =
			open(config.keys_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		must(fd >= 0 && io_write_all(fd, file, strlen(file)) == 0);
	}
	return config;
}

static char *read_keys(const struct config *config)
{
	_cleanup_close_ int fd = open(config->keys_file, O_RDONLY | O_CLOEXEC);
	char *text;
	size_t len;

	must(fd >= 0 && io_read_file(fd, KEYS_FILE_MAX_BYTES, &text, &len) == 0);
	return text;
}

static void test_environment(void)
{
	struct config config = keys_config("s3cret:alice:5:20, b:c:d:bob smith:0.5:1 ,,", NULL);
	_cleanup_keys_ struct keys keys = {0};
	struct error err;
	const struct key *key;

	is_number(keys_load(&config, &keys, &err), 0, "API_KEYS is read");
	is_number(keys.count, 2, "two keys; blanks and empty entries do not count");
	ok(keys.is_configured, "keys are configured");
	key = keys_find(&keys, SLICE_LITERAL("s3cret"), 0);
	must(key);
	is_text(key->label, "alice", "the label");
	is_number(key->rate_micro, 5000000, "the rate");
	is_number(key->burst, 20, "the burst");
	is_number(key->scopes, KEY_RUN | KEY_READ, "it may run and read");
	key = keys_find(&keys, SLICE_LITERAL("b:c:d"), INT64_MAX);
	ok(key != NULL, "a token with colons");
	is_text(key ? key->label : "", "bob smith", "an old label");
	is_number(key ? key->rate_micro : 0, 500000, "half a token a second");
	ok(key && strcmp(key->id, keys.list[0].id) != 0 &&
		   strspn(key->id, "abcdef0123456789") == strlen(key->id),
	   "ids differ, and are fit for a file's name");
	ok(!keys_find(&keys, SLICE_LITERAL("S3cret"), 0) &&
		   !keys_find(&keys, SLICE_LITERAL("s3cre"), 0) &&
		   !keys_find(&keys, SLICE_LITERAL("s3crets"), 0) &&
		   !keys_find(&keys, SLICE_LITERAL(""), 0) &&
		   !keys_find(&keys, (struct slice){"s3cret\0x", 8}, 0),
	   "another case, a part, more, nothing, a NUL: no key");
}

static void test_left_out(void)
{
	static const struct {
		const char *entry, *label;
		uint64_t rate_micro, burst;
	} cases[] = {
		{"token", "default", 5000000, 10},    {"token:", "default", 5000000, 10},
		{"token:ann", "ann", 5000000, 10},    {"token:ann:2", "ann", 2000000, 10},
		{"token:ann:2:", "ann", 2000000, 10}, {"token::2:3", "default", 2000000, 3},
		{"token:ann::3", "ann", 5000000, 3},
	};
	struct error err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config config = keys_config(cases[i].entry, NULL);
		_cleanup_keys_ struct keys keys = {0};
		const struct key *key;

		is_number(keys_load(&config, &keys, &err), 0, "%s", cases[i].entry);
		key = keys_find(&keys, SLICE_LITERAL("token"), 0);
		must(key);
		is_text(key->label, cases[i].label, "its label");
		is_number(key->rate_micro, cases[i].rate_micro, "its rate");
		is_number(key->burst, cases[i].burst, "its burst");
	}
}

static void test_bad_environment(void)
{
	static const char *const bad[] = {"good:a:1:1,hidden:x:y",
					  "good:a:1:1,hidden:x:0:1",
					  "good:a:1:1,hidden:x:1:0",
					  "good:a:1:1,hidden:x:-1:1",
					  "good:a:1:1,:x:1:1",
					  "good:a:1:1,:x",
					  "good:a:1:1,hidden:x:1.:1",
					  "good:a:1:1,hidden:x:1e3:1",
					  "good:a:1:1,hidden:x:1:1.5",
					  "good:a:1:1,hidden:x: 1:1",
					  "good:a:1:1,hidden:x\ny:1:1",
					  "good:a:1:1,hidden:x:1.0000001:1",
					  "good:a:1:1,hidden:x:1000001:1"};
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config config = keys_config(bad[i], NULL);
		_cleanup_keys_ struct keys keys = {0};

		err = (struct error){0};
		is_number(keys_load(&config, &keys, &err), -1, "refused: %.40s", bad[i]);
		is_text(err.code, "bad_configuration", "is a mistake of the operator's");
		ok(strstr(err.message, "entry 2") && !strstr(err.message, "hidden") &&
			   !strstr(err.message, "good"),
		   "the message names the entry, and quotes no token");
	}
}

static void test_file(void)
{
	struct config config = keys_config("", "# comment\n\n"
					       "k1 " HASH " 10 20 run,read - carol\n"
					       "  k2\t" HASH " 1 1 admin 1000 dora  \r\n"
					       "nonsense\n"
					       "k3 " HASH " 1 1 run,fly - eve\n"
					       "k/4 " HASH " 1 1 run - eve\n"
					       "k5 " HASH "0 1 1 run - eve\n"
					       "k6 " HASH " 1 1 run - e:e\n"
					       "k8 " HASH " 1 1 run - frank cpu=60 jobs=4\n"
					       "k9 " HASH " 1 1 run - eve jobs=x\n"
					       "k7 " HASH " 1 1 run - eve more");
	_cleanup_keys_ struct keys keys = {0};
	struct error err;
	const struct key *key;

	is_number(keys_load(&config, &keys, &err), 0, "the file is read");
	is_number(keys.count, 3, "three lines are keys");
	is_number(keys.bad_lines, 7, "seven are mistakes, and harm the others not");
	key = keys_find(&keys, SLICE_LITERAL("test"), 0);
	must(key);
	is_text(key->label, "carol", "found by the token's hash");
	is_number(key->scopes, KEY_RUN | KEY_READ, "scopes");
	is_number(keys.list[1].expires_s, 1000, "expiry");
	is_number(keys.list[1].scopes, KEY_ADMIN, "admin");
	ok(keys.list[2].jobs == 4 && keys.list[2].cpu_s == 60 && !key->jobs && !key->cpu_s,
	   "limits");
	ok(key->is_from_file, "it says where it is from");
}

static void test_expiry(void)
{
	struct config config = keys_config("", "k1 " HASH " 10 20 run 1000 carol\n");
	_cleanup_keys_ struct keys keys = {0};
	struct error err;

	must(keys_load(&config, &keys, &err) == 0);
	ok(keys_find(&keys, SLICE_LITERAL("test"), 999) != NULL, "valid until");
	ok(keys_find(&keys, SLICE_LITERAL("test"), 1000) == NULL, "and not from then on");
}

static void test_closed_by_mistakes(void)
{
	struct config config = keys_config("", "one line, and it is wrong\n");
	_cleanup_keys_ struct keys wrong = {0}, none = {0}, commas = {0}, zeros = {0};
	struct error err = {0};

	is_number(keys_load(&config, &wrong, &err), 0, "a file of mistakes is read");
	ok(wrong.is_configured && wrong.count == 0, "and closes: configured, no key");
	config = keys_config("", "# nothing but a comment\n");
	is_number(keys_load(&config, &none, &err), 0, "a file of comments");
	ok(!none.is_configured, "is no configuration");
	config = keys_config(",", NULL);
	is_number(keys_load(&config, &commas, &err), 0, "API_KEYS of commas");
	ok(commas.is_configured, "is set, so it closes");
	config = keys_config("", NULL);
	must(mkdir(config.keys_file, 0700) == 0);
	is_number(keys_load(&config, &zeros, &err), -1, "what cannot be read");
	is_text(err.code, "keys_unreadable", "is an error, and not an open door");
	must(rmdir(config.keys_file) == 0);
	config = keys_config("", NULL);
	must(truncate(config.keys_file, 0) < 0);
	{
		_cleanup_close_ int fd =
			open(config.keys_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		must(fd >= 0 && ftruncate(fd, 64) == 0);
	}
	is_number(keys_load(&config, &zeros, &err), 0, "a file of zeros, as a crash may leave one");
	ok(zeros.is_configured, "closes");
}

/* Loads the keys with this as standard input; -1 where that is refused. */
static int count_on_stdin(struct config *config, int fd)
{
	_cleanup_keys_ struct keys keys = {0};
	struct error err = {0};
	int loaded;

	must(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	loaded = keys_load(config, &keys, &err);
	if (loaded < 0)
		is_text(err.code, "keys_unreadable", "refused: %.40s", err.message);
	return loaded < 0 ? -1 : (int)keys.count;
}

static void test_stdin(void)
{
	struct config config = keys_config("", "k1 " HASH " 10 20 run - carol\n");
	_cleanup_close_ int before = dup(STDIN_FILENO), file = open(config.keys_file, O_RDONLY),
			    null = open("/dev/null", O_RDONLY),
			    writable = open(config.keys_file, O_RDWR);
	struct error err;
	struct stat status;
	int pair[2];

	must(pipe(pair) == 0);
	config.keys_on_stdin = true;
	must(unlink(config.keys_file) == 0);
	is_number(count_on_stdin(&config, file), 1, "the file that systemd opened");
	is_number(count_on_stdin(&config, file), 1, "once more, from its beginning");
	is_number(config_forget_keys(&config, &err), 0, "it is closed");
	ok(fstat(STDIN_FILENO, &status) == 0 && S_ISCHR(status.st_mode),
	   "and its number stays taken");
	is_number(count_on_stdin(&config, null), -1, "/dev/null is not an empty list of keys");
	is_number(count_on_stdin(&config, pair[0]), -1, "nor is a pipe");
	must(ftruncate(writable, KEYS_FILE_MAX_BYTES + 1) == 0);
	is_number(count_on_stdin(&config, writable), -1, "a file that is too large");
	must(ftruncate(writable, 0) == 0);
	is_number(count_on_stdin(&config, writable), 0, "an empty file is");
	must(dup2(before, STDIN_FILENO) == STDIN_FILENO && close(pair[0]) == 0 &&
	     close(pair[1]) == 0);
}

static void test_rates(void)
{
	static const struct {
		const char *text;
		uint64_t micro;
		const char *printed;
	} rows[] = {{"1", 1000000, "1"},        {"0.5", 500000, "0.5"},
		    {"0.001", 1000, "0.001"},   {"10.25", 10250000, "10.25"},
		    {"1.000000", 1000000, "1"}, {"1000000", KEY_RATE_MAX_MICRO, "1000000"},
		    {"100", 100000000, "100"}};
	static const char *const bad[] = {"",   "0",  "0.0", "0.0009", ".5",  "5.",  "1000000.1",
					  "-1", "+1", "1 ",  "1e1",    "0x1", "1,5", "nan"};
	char text[KEY_RATE_BYTES];
	uint64_t micro;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_number(key_rate_parse(slice_of(rows[i].text), &micro), 0, "%s is a rate",
			  rows[i].text);
		is_number(micro, rows[i].micro, "in millionths");
		key_rate_print(micro, text);
		is_text(text, rows[i].printed, "and back");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_number(key_rate_parse(slice_of(bad[i]), &micro), -1, "\"%s\" is none", bad[i]);
}

static struct key new_key(const char *label)
{
	struct key key = {.rate_micro = 500000,
			  .burst = 3,
			  .scopes = KEY_RUN | KEY_ADMIN,
			  .expires_s = 5000,
			  .jobs = 2,
			  .cpu_s = 9};

	(void)snprintf(key.label, sizeof(key.label), "%s", label);
	return key;
}

static void test_add_and_revoke(void)
{
	struct config config = keys_config("", "# mine\nnonsense\nk1 " HASH " 10 20 run - carol");
	struct key key = new_key("dave"), second = new_key("dave"), gone;
	_cleanup_keys_ struct keys keys = {0};
	char token[KEY_TOKEN_BYTES], other[KEY_TOKEN_BYTES], folder[PATH_MAX];
	struct error err = {0};
	struct stat status;

	is_number(keys_add(&config, &key, token, &err), 0, "a key is added");
	is_number(keys_add(&config, &second, other, &err), 0, "and another of the same label");
	ok(strcmp(token, other) != 0 && strlen(token) == KEY_TOKEN_BYTES - 1,
	   "each has a token of its own: %zu", strlen(token));

	_cleanup_free_ char *text = read_keys(&config);

	ok(!strstr(text, token) && !strstr(text, token + 3), "the file does not hold it");
	ok(strstr(text, "# mine\nnonsense\nk1 ") == text, "what was there stays");
	is_number(keys_load(&config, &keys, &err), 0, "it is read");
	is_number(keys.count, 3, "three keys: the line without an end as well");

	const struct key *found = keys_find(&keys, slice_of(token), 4999);

	must(found);
	ok(found->jobs == 2 && found->cpu_s == 9, "with its limits");
	is_text(found->id, key.id, "found by its token");
	ok(found->rate_micro == 500000 && found->burst == 3 &&
		   found->scopes == (KEY_RUN | KEY_ADMIN) && found->expires_s == 5000,
	   "with all that was said of it");
	is_number(keys_revoke(&config, "dave", &gone, &err), -1, "a label that two have");
	is_number(err.status, 409, "is not enough");
	is_number(keys_revoke(&config, key.id, &gone, &err), 0, "an id is");
	is_text(gone.label, "dave", "it says which key it was");
	is_number(keys_revoke(&config, "dave", &gone, &err), 0, "now the label is unique");
	is_text(gone.id, second.id, "the other one");
	is_number(keys_revoke(&config, "dave", &gone, &err), -1, "now there is none");
	is_number(err.status, 404, "which is said");
	must(stat(config.keys_file, &status) == 0);
	is_number(status.st_mode & 07777, 0600, "the mode stays");
	(void)snprintf(folder, sizeof(folder), "%s/config", scratch());
	is_number(count_entries(folder), 1, "nothing is left aside");
}

static int add_one(void *context)
{
	const struct config *config = context;
	struct key key = new_key("many");
	char token[KEY_TOKEN_BYTES];
	struct error err;

	return keys_add(config, &key, token, &err) == 0 ? 0 : 1;
}

static void test_together(void)
{
	struct config config = keys_config("", NULL);
	_cleanup_keys_ struct keys keys = {0};
	pid_t children[ADDERS];
	struct error err;
	struct stat status;
	int bad = 0;

	for (int i = 0; i < ADDERS; i++)
		children[i] = start_child(add_one, &config);
	for (int i = 0; i < ADDERS; i++)
		bad += wait_child(children[i]) != 0;
	is_number(bad, 0, "%d at once add a key to a file that is not there", ADDERS);
	is_number(keys_load(&config, &keys, &err), 0, "it is read");
	is_number(keys.count, ADDERS, "none is lost");
	must(stat(config.keys_file, &status) == 0);
	is_number(status.st_mode & 07007, 0, "it is nobody else's");
}

static void test_names(void)
{
	char text[KEY_SCOPES_BYTES];

	is_number(key_scope_of(SLICE_LITERAL("read")), KEY_READ, "a scope by its name");
	is_number(key_scope_of(SLICE_LITERAL("Read")), 0, "names have a case");
	key_scope_names(KEY_RUN | KEY_READ | KEY_ADMIN, text);
	is_text(text, "run,read,admin", "all of them");
	ok(key_is_label(SLICE_LITERAL("a.b_C@d-1")) && !key_is_label(SLICE_LITERAL("")) &&
		   !key_is_label(SLICE_LITERAL("a b")) && !key_is_label(SLICE_LITERAL("a\nb")) &&
		   !key_is_label((struct slice){"a\0b", 3}),
	   "labels");
}

/* Where config.c looks for them: the variables are of this issue, the rest of config.c has
   test_config.c. */
static void read_config(struct config *config, const char *const *variables)
{
	struct error err = {.message = ""};

	must(clearenv() == 0 && setenv("MAYFLY_RUN_DIR", "/r", 1) == 0 &&
	     setenv("AA_STORAGE_PATH", "/s", 1) == 0);
	for (; *variables; variables += 2)
		must(setenv(variables[0], variables[1], 1) == 0);
	is_number(config_read(config, &err), 0, "a configuration %s", err.message);
}

static void test_places(void)
{
	static struct config config;

	read_config(&config, (const char *const[]){"HOME", "/", "API_KEYS", "t:l:1:1",
						   "SIGNING_KEY", "s", NULL});
	is_text(config.keys_file, "/etc/mayfly/keys", "the system's own file");
	is_text(config.storage_dir, "/s", "STORAGE_DIR is AA_STORAGE_PATH");
	is_text(config.api_keys, "t:l:1:1", "API_KEYS is taken");
	is_text(config.signing_key, "s", "SIGNING_KEY is taken");
	read_config(&config,
		    (const char *const[]){"MAYFLY_CONFIG_DIR", "/c", "STORAGE_DIR", "/d", NULL});
	is_text(config.keys_file, "/c/keys", "MAYFLY_CONFIG_DIR's file");
	is_text(config.storage_dir, "/d", "STORAGE_DIR is taken");
	is_text(config.api_keys, "", "no API_KEYS");
	read_config(&config, (const char *const[]){"MAYFLY_KEYS_FILE", "/k", "MAYFLY_CONFIG_DIR",
						   "/c", NULL});
	is_text(config.keys_file, "/k", "MAYFLY_KEYS_FILE goes before");
	must(geteuid() != 0 || seteuid(NOBODY_ID) == 0);
	read_config(&config, (const char *const[]){"HOME", "/home/x", NULL});
	is_text(config.keys_file, "/home/x/.config/mayfly/keys", "a user's own");
	read_config(&config, (const char *const[]){"HOME", "/", NULL});
	is_text(config.keys_file, "/etc/mayfly/keys",
		"the service's user has no home: the system's");
	must(getuid() != 0 || seteuid(0) == 0);
}

int main(void)
{
	test_environment();
	test_left_out();
	test_bad_environment();
	test_file();
	test_expiry();
	test_closed_by_mistakes();
	test_stdin();
	test_rates();
	test_add_and_revoke();
	test_together();
	test_names();
	test_places();
	return done();
}
