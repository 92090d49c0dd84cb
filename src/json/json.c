#include "json/json.h"

#include "base/utf8.h"
#include "limits.h"

#include <sys/random.h>

/* jansson would read its hash seed from /dev/urandom, where a confined program cannot go, and fall back to the clock. */
__attribute__((constructor)) static void seed_hashes(void)
{
	size_t seed;

	if (getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
		json_object_seed(seed | 1); /* 0 would mean "choose one" */
}

/* jansson bounds its depth only at 2048; a request has no need of so much, and a shallow bound keeps the stack small. */
static bool is_too_deep(struct slice text)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

int json_parse(struct slice text, json_t **out, struct error *err)
{
	json_error_t where;

	if (is_too_deep(text))
		return error_set(err, 400, "json_too_deep", "JSON is nested deeper than %d levels",
				 JSON_DEPTH_MAX);

	json_t *value =
		json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);

	if (!value)
		return error_set(err, 400, "bad_json", "Invalid JSON at line %d, column %d: %s",
				 where.line, where.column, where.text);
	*out = value;
	return 0;
}

json_t *json_clean_string(struct slice text)
{
	if (utf8_is_valid(text))
		return json_stringn(text.data, text.len);

	_cleanup_buf_ struct buf clean = buf_new(text.len * 3);

	if (utf8_append_clean(&clean, text) < 0)
		return NULL;
	return json_stringn(clean.data, clean.len);
}

static int append(const char *data, size_t len, void *out)
{
	return buf_append(out, data, len);
}

int json_write(const json_t *value, struct buf *out)
{
	size_t before = out->len;

	if (json_dump_callback(value, append, out,
			       JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) == 0)
		return 0;
	if (out->data)
		out->data[before] = '\0';
	out->len = before; /* a refusal changes nothing */
	return -1;
}
