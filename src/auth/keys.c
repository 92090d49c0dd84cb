#include "auth/internal.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/frame.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/num.h"
#include "base/utf8.h"
#include "http/access.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define MICRO           ((uint64_t)1000000)
#define FRACTION_DIGITS 6
#define ENV_ID_PREFIX   "e" /* ids of the file begin with k, see keys_edit.c */
#define ENV_ID_SALT     "mayfly key id:"
#define ENTRY_PARTS     3 /* label rps burst, after the token */
#define LINE_FIELDS     7 /* id hash rate burst scopes expires label */

static const struct {
	const char *name;
	unsigned scope;
} scopes[] = {{"run", KEY_RUN}, {"read", KEY_READ}, {"admin", KEY_ADMIN}};

unsigned key_scope_of(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(scopes); i++)
		if (slice_eq(name, scopes[i].name))
			return scopes[i].scope;
	return 0;
}

void key_scope_names(unsigned bits, char out[KEY_SCOPES_BYTES])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(scopes); i++)
		if (bits & scopes[i].scope)
			len += (size_t)snprintf(out + len, KEY_SCOPES_BYTES - len, "%s%s",
						len ? "," : "", scopes[i].name);
}

int key_rate_parse(struct slice text, uint64_t *out_micro)
{
	const char *dot = memchr(text.data, '.', text.len);
	struct slice whole = {text.data, dot ? (size_t)(dot - text.data) : text.len};
	char digits[FRACTION_DIGITS + 1] = "000000";
	uint64_t rate, fraction;

	if (dot) {
		size_t len = text.len - whole.len - 1;

		if (len == 0 || len > FRACTION_DIGITS)
			return -1;
		memcpy(digits, dot + 1, len);
	}
	if (num_parse(whole, 10, KEY_RATE_MAX_MICRO / MICRO, &rate) < 0 ||
	    num_parse(slice_of(digits), 10, MICRO, &fraction) < 0)
		return -1;
	rate = rate * MICRO + fraction;
	if (rate < KEY_RATE_MIN_MICRO || rate > KEY_RATE_MAX_MICRO)
		return -1;
	*out_micro = rate;
	return 0;
}

void key_rate_print(uint64_t rate_micro, char out[KEY_RATE_BYTES])
{
	int len = snprintf(out, KEY_RATE_BYTES, "%" PRIu64 ".%06" PRIu64, rate_micro / MICRO,
			   rate_micro % MICRO);

	while (out[len - 1] == '0')
		out[--len] = '\0';
	if (out[len - 1] == '.')
		out[len - 1] = '\0';
}

#define BLANKS " \t\r"

/* Takes the next word of a line off it; an empty one at its end. */
static struct slice take_word(struct slice *line)
{
	slice_skip(line, ascii_span(*line, BLANKS));

	struct slice word = *line;

	while (line->len && !strchr(BLANKS, *line->data))
		slice_skip(line, 1);
	word.len -= line->len;
	return word;
}

bool key_is_label(struct slice text)
{
	return text.len > 0 && text.len < KEY_LABEL_BYTES && ascii_is_of(text, ASCII_ALNUM "._@-");
}

/* Labels of API_KEYS are older than ours: any text without control bytes. */
static bool is_old_label(struct slice text)
{
	return text.len > 0 && text.len < KEY_LABEL_BYTES && !ascii_has_control(text) &&
	       utf8_is_valid(text);
}

static void hash_text(struct slice text, const char *salt, unsigned char out[SHA256_BYTES])
{
	struct sha256 hash = sha256_new();

	sha256_add(&hash, slice_of(salt));
	sha256_add(&hash, text);
	sha256_end(&hash, out);
}

static int add_key(struct keys *keys, const struct key *key, struct error *err)
{
	if (keys->count >= KEYS_MAX_COUNT)
		return error_set(err, 500, "too_many_keys", "There are more than %d keys",
				 KEYS_MAX_COUNT);
	keys->list = memory_checked(reallocarray(keys->list, keys->count + 1, sizeof(*keys->list)));
	keys->list[keys->count++] = *key;
	keys->is_configured = true;
	return 0;
}

/* Cuts what stands behind the last mark off *text. False when there is none. */
static bool cut_last(struct slice *text, char mark, struct slice *out)
{
	const char *at = memrchr(text->data, mark, text->len);

	if (!at)
		return false;
	*out = (struct slice){at + 1, text->len - (size_t)(at + 1 - text->data)};
	text->len = (size_t)(at - text->data);
	return true;
}

/* token:label:rps:burst. What is left out at the end, or empty, has its default; with all three
   there the token may have colons in it. */
static int parse_entry(struct slice entry, struct key *out)
{
	enum { LABEL, RATE, BURST, FIELDS };
	struct slice fields[FIELDS] = {0};
	char digest[SHA256_HEX_BYTES];
	unsigned char id[SHA256_BYTES];
	unsigned count = 0;

	for (size_t i = 0; i < entry.len && count < FIELDS; i++)
		count += entry.data[i] == ':';
	while (count > 0)
		(void)cut_last(&entry, ':', &fields[--count]);
	if (fields[LABEL].len == 0)
		fields[LABEL] = SLICE_LITERAL(KEY_ENV_LABEL_DEFAULT);
	out->rate_micro = KEY_RATE_DEFAULT_MICRO;
	out->burst = KEY_ENV_BURST_DEFAULT;
	if (entry.len == 0 || entry.len > KEY_TOKEN_MAX_BYTES || !is_old_label(fields[LABEL]) ||
	    (fields[RATE].len && key_rate_parse(fields[RATE], &out->rate_micro) < 0) ||
	    (fields[BURST].len && num_parse(fields[BURST], 10, KEY_BURST_MAX, &out->burst) < 0) ||
	    out->burst == 0)
		return -1;
	hash_text(entry, "", out->hash);
	/* another hash than the one that is compared: an id is not secret */
	hash_text(entry, ENV_ID_SALT, id);
	sha256_hex(id, digest);
	(void)snprintf(out->id, sizeof(out->id), ENV_ID_PREFIX "%.24s", digest);
	(void)slice_copy(fields[LABEL], out->label, sizeof(out->label));
	out->scopes = KEY_RUN | KEY_READ;
	return 0;
}

static bool is_short(struct slice entry)
{
	struct slice part;

	for (int i = 0; i < ENTRY_PARTS; i++)
		(void)cut_last(&entry, ':', &part);
	return entry.len < SECRET_MIN_BYTES;
}

static int load_entries(const struct config *config, struct keys *keys, struct error *err)
{
	struct slice rest = slice_of(config->api_keys);

	for (unsigned number = 1; rest.len; number++) {
		struct slice entry = ascii_trim(slice_take(&rest, ','));
		struct key key = {0};

		if (entry.len == 0)
			continue;
		if (parse_entry(entry, &key) < 0)
			return error_set(
				err, 500, "bad_configuration",
				"API_KEYS: entry %u is not token[:label[:rps[:burst]]], with rps from "
				"0.001 to 1000000 and burst a whole number from 1",
				number);
		keys->short_tokens += is_short(entry);
		if (keys->short_tokens && !http_is_loopback(slice_of(config->bind)))
			return error_set(err, 500, "bad_configuration",
					 "API_KEYS: the token of entry %u " SECRET_SHORT, number);
		if (add_key(keys, &key, err) < 0)
			return -1;
	}
	return 0;
}

static bool parse_hash(struct slice text, unsigned char out[SHA256_BYTES])
{
	uint64_t byte;

	for (size_t i = 0; i < SHA256_BYTES && text.len == SHA256_HEX_BYTES - 1; i++) {
		if (num_parse((struct slice){text.data + 2 * i, 2}, 16, 255, &byte) < 0)
			return false;
		out[i] = (unsigned char)byte;
	}
	return text.len == SHA256_HEX_BYTES - 1;
}

static bool parse_scopes(struct slice text, unsigned *out)
{
	struct slice name;

	for (*out = 0; cut_last(&text, ',', &name); *out |= key_scope_of(name))
		if (!key_scope_of(name))
			return false;
	*out |= key_scope_of(text);
	return key_scope_of(text) != 0;
}

/* What may follow the label, in any order. */
static int parse_limits(struct slice line, struct key *out)
{
	const struct field_number limits[] = {
		{"jobs", KEY_JOBS_MAX, &out->jobs},
		{"sessions", SESSIONS_MAX, &out->sessions},
		{"cpu", KEY_CPU_MAX_S, &out->cpu_s},
	};

	for (struct slice word; (word = take_word(&line)).len;) {
		struct slice name = slice_take(&word, '=');

		if (field_take_number(limits, COUNT_OF(limits), name, word) != 1)
			return -1;
	}
	return 0;
}

/* id hash rate burst scopes expires label, with blanks between; expires in seconds since 1970, or
   "-". An id becomes a file's name: nothing but letters and digits. */
static int parse_line(struct slice line, struct key *out)
{
	struct slice fields[LINE_FIELDS];
	uint64_t expires = 0;

	for (size_t i = 0; i < LINE_FIELDS; i++)
		fields[i] = take_word(&line);
	if (parse_limits(line, out) < 0 || fields[0].len == 0 ||
	    !ascii_is_of(fields[0], ASCII_ALNUM) ||
	    !slice_copy(fields[0], out->id, sizeof(out->id)) || !parse_hash(fields[1], out->hash) ||
	    key_rate_parse(fields[2], &out->rate_micro) < 0 ||
	    num_parse(fields[3], 10, KEY_BURST_MAX, &out->burst) < 0 || out->burst == 0 ||
	    !parse_scopes(fields[4], &out->scopes) ||
	    (!slice_eq(fields[5], "-") && num_parse(fields[5], 10, INT64_MAX, &expires) < 0) ||
	    !key_is_label(fields[6]) || !slice_copy(fields[6], out->label, sizeof(out->label)))
		return -1;
	out->expires_s = (int64_t)expires;
	out->is_from_file = true;
	return 0;
}

int key_line_parse(struct slice line, struct key *out)
{
	size_t blanks = ascii_span(line, BLANKS);
	struct key key = {0};

	if (blanks == line.len || line.data[blanks] == '#')
		return 0;
	if (slice_starts(line, KEY_REVOKED " "))
		return 2;
	if (memchr(line.data, '\0', line.len) || parse_line(line, &key) < 0)
		return -1;
	*out = key;
	return 1;
}

/* What systemd was to open must be a file: anything else would read as no keys, and no keys admit
   every caller. */
static int read_stdin(const struct config *config, char **text, size_t *len, struct error *err)
{
	struct stat status;

	if (fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode) &&
	    lseek(STDIN_FILENO, 0, SEEK_SET) == 0 &&
	    io_read_file(STDIN_FILENO, KEYS_FILE_MAX_BYTES, text, len) == 0)
		return 0;
	return error_set(
		err, 500, "keys_unreadable",
		"MAYFLY_KEYS_STDIN is set, but standard input cannot be read as the keys file: "
		"mayfly@.service needs StandardInput=file:%.256s",
		config->keys_file);
}

int keys_read_file(const struct config *config, char **text, size_t *len, struct error *err)
{
	const char *path = config->keys_file;
	_cleanup_close_ int fd = -1;

	*text = NULL;
	*len = 0;
	if (config->keys_on_stdin)
		return read_stdin(config, text, len, err);
	if (*path)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (!*path || (fd < 0 && (errno == ENOENT || errno == ENOTDIR)))
		return 0;
	if (fd < 0 || io_read_file(fd, KEYS_FILE_MAX_BYTES, text, len) < 0)
		return error_set_errno(err, 500, "keys_unreadable",
				       "%.256s cannot be read; make it readable for mayfly", path);
	return 0;
}

static int load_file(const struct config *config, struct keys *keys, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct slice rest;
	struct key key;

	if (keys_read_file(config, &text, &rest.len, err) < 0)
		return -1;
	for (rest.data = text; rest.len;) {
		int found = key_line_parse(slice_take(&rest, '\n'), &key);

		if (found == 1 && add_key(keys, &key, err) < 0)
			return -1;
		keys->bad_lines += found < 0;
		keys->is_configured = keys->is_configured || found != 0;
	}
	return 0;
}

int keys_load(const struct config *config, struct keys *out, struct error *err)
{
	struct keys keys = {0};

	if (load_entries(config, &keys, err) < 0 || load_file(config, &keys, err) < 0) {
		keys_free(&keys);
		return -1;
	}
	keys.is_configured = keys.is_configured || *config->api_keys;
	*out = keys;
	return 0;
}

void keys_free(struct keys *keys)
{
	free(keys->list);
	*keys = (struct keys){0};
}

/* Looks at every byte, whatever the first ones say. */
static bool same_hash(const unsigned char *a, const unsigned char *b)
{
	volatile unsigned char difference = 0;

	for (size_t i = 0; i < SHA256_BYTES; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

const struct key *keys_find(const struct keys *keys, struct slice token, int64_t now_s)
{
	const struct key *found = NULL;
	unsigned char hash[SHA256_BYTES];

	hash_text(token, "", hash);
	for (size_t i = 0; i < keys->count; i++)
		if (same_hash(keys->list[i].hash, hash) && !found)
			found = &keys->list[i];
	return found && (found->expires_s == 0 || now_s < found->expires_s) ? found : NULL;
}
