/* Conditional requests and byte ranges; the rules are in the header. */
#include "http/range.h"

#include "base/ascii.h"
#include "base/num.h"

#include <stdio.h>

#define UNIT            "bytes="
#define DATE_TEXT_BYTES 64

struct static_validators static_validators_of(const struct stat *file)
{
	struct static_validators out = {0};

	out.modified_s = file->st_mtim.tv_sec;
	out.size_bytes = (uint64_t)file->st_size;
	snprintf(out.etag, sizeof(out.etag), "\"%jx-%jx-%jx.%jx\"", (uintmax_t)file->st_ino,
		 (uintmax_t)file->st_size, (uintmax_t)file->st_mtim.tv_sec,
		 (uintmax_t)file->st_mtim.tv_nsec);
	date_http(out.modified_s, out.modified);
	return out;
}

/* The three forms a recipient must accept (RFC 9110 section 5.6.7). */
static bool parse_date(struct slice text, time_t *out)
{
	static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT",
					    "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};
	char copy[DATE_TEXT_BYTES];

	if (memchr(text.data, '\0', text.len) || !slice_copy(text, copy, sizeof(copy)))
		return false;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct tm calendar = {0};
		const char *end = strptime(copy, forms[i], &calendar);

		if (end && *end == '\0') {
			*out = timegm(&calendar);
			return true;
		}
	}
	return false;
}

static void skip_blanks(struct slice *text)
{
	slice_skip(text, ascii_span(*text, " \t"));
}

/* True when a list of entity tags (RFC 9110 section 8.8.3) holds etag. A weak tag equals it only in
   the weak comparison. What is malformed ends the list. */
static bool list_holds(struct slice list, const char *etag, bool weak_comparison)
{
	for (;;) {
		bool weak = slice_starts(list, "W/");
		struct slice tag;
		const char *end;

		if (weak)
			slice_skip(&list, strlen("W/"));
		if (list.len < 2 || list.data[0] != '"')
			return false;
		end = memchr(list.data + 1, '"', list.len - 1);
		if (!end)
			return false;
		tag = (struct slice){list.data, (size_t)(end + 1 - list.data)};
		if (slice_eq(tag, etag) && (weak_comparison || !weak))
			return true;
		slice_skip(&list, tag.len);
		skip_blanks(&list);
		while (list.len > 0 && list.data[0] == ',') {
			slice_skip(&list, 1);
			skip_blanks(&list);
		}
	}
}

/* True when any field of that name is "*" or holds etag; *present tells whether there is one at
 * all. */
static bool tag_matches(const struct http_request *request, const char *name, const char *etag,
			bool weak_comparison, bool *present)
{
	bool matches = false;

	*present = false;
	for (unsigned i = 0; i < request->field_count; i++) {
		if (!slice_eq_nocase(request->fields[i].name, name))
			continue;
		*present = true;
		matches = matches || slice_eq(request->fields[i].value, "*") ||
			  list_holds(request->fields[i].value, etag, weak_comparison);
	}
	return matches;
}

static bool date_field(const struct http_request *request, const char *name, time_t *out)
{
	const struct slice *value = http_field(request, name);

	return value && parse_date(*value, out);
}

/* RFC 9110 section 13.2.2, steps 1 to 4. */
static enum static_outcome judge_preconditions(const struct http_request *request,
					       const struct static_validators *file)
{
	bool present, matches;
	time_t date;

	matches = tag_matches(request, "If-Match", file->etag, false, &present);
	if (present && !matches)
		return STATIC_PRECONDITION_FAILED;
	if (!present && date_field(request, "If-Unmodified-Since", &date) &&
	    file->modified_s > date)
		return STATIC_PRECONDITION_FAILED;
	matches = tag_matches(request, "If-None-Match", file->etag, true, &present);
	if (present)
		return matches ? STATIC_NOT_MODIFIED : STATIC_WHOLE;
	if (date_field(request, "If-Modified-Since", &date) && file->modified_s <= date)
		return STATIC_NOT_MODIFIED;
	return STATIC_WHOLE;
}

/* Step 5: without If-Range, or when it names exactly this representation. Artifacts are written
   once, so the date is a strong validator (section 8.8.2.2); a weak tag never is. */
static bool range_applies(const struct http_request *request, const struct static_validators *file)
{
	const struct slice *condition = http_field(request, "If-Range");
	time_t date;

	if (!condition)
		return true;
	if (condition->len > 0 && (condition->data[0] == '"' || condition->data[0] == 'W'))
		return slice_eq(*condition, file->etag);
	return parse_date(*condition, &date) && date == file->modified_s;
}

/* The only Range field; NULL when there is none or more than one. */
static const struct slice *only_range(const struct http_request *request)
{
	const struct slice *found = NULL;

	for (unsigned i = 0; i < request->field_count; i++) {
		if (!slice_eq_nocase(request->fields[i].name, "Range"))
			continue;
		if (found)
			return NULL;
		found = &request->fields[i].value;
	}
	return found;
}

/* A position: digits alone. One that is larger than any file is as good as the largest number. */
static bool parse_position(struct slice text, uint64_t *out)
{
	if (text.len == 0 || !ascii_is_of(text, ASCII_DIGITS))
		return false;
	if (num_parse(text, 10, UINT64_MAX, out) < 0)
		*out = UINT64_MAX;
	return true;
}

/* RFC 9110 section 14.1.2: "first-last", "first-" or "-length". */
static enum static_outcome judge_range(struct slice range, uint64_t size, struct static_part *part)
{
	struct slice first_text, last_text;
	const char *dash;
	uint64_t first, last;

	dash = memchr(range.data, '-', range.len);
	if (!dash)
		return STATIC_WHOLE;
	first_text = (struct slice){range.data, (size_t)(dash - range.data)};
	last_text = (struct slice){dash + 1, range.len - first_text.len - 1};
	if (first_text.len == 0) {
		if (!parse_position(last_text, &last))
			return STATIC_WHOLE;
		part->length = last < size ? last : size;
		part->first = size - part->length;
		return last == 0 ? STATIC_NOT_SATISFIABLE : STATIC_PART;
	}
	if (!parse_position(first_text, &first))
		return STATIC_WHOLE;
	last = UINT64_MAX;
	if (last_text.len > 0 && (!parse_position(last_text, &last) || last < first))
		return STATIC_WHOLE;
	if (first >= size)
		return STATIC_NOT_SATISFIABLE;
	part->first = first;
	part->length = (last < size ? last + 1 : size) - first;
	return STATIC_PART;
}

enum static_outcome static_evaluate(const struct http_request *request,
				    const struct static_validators *file, struct static_part *part)
{
	enum static_outcome outcome = judge_preconditions(request, file);
	const struct slice *field = only_range(request);
	struct slice range;

	*part = (struct static_part){0, file->size_bytes};
	if (outcome != STATIC_WHOLE || !field || request->method != HTTP_GET ||
	    file->size_bytes == 0 || !range_applies(request, file))
		return outcome;
	range = *field;
	if (!slice_starts_nocase(range, UNIT))
		return STATIC_WHOLE;
	slice_skip(&range, strlen(UNIT));
	skip_blanks(&range);
	return judge_range(range, file->size_bytes, part);
}
