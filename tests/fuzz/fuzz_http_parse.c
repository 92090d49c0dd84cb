/*
 * The request head. Invariants:
 *  1. What a prefix says, the whole does not contradict: a refusal is final and the same, a whole
 *     head stays the same head.
 *  2. A head that is accepted keeps every rule of http/parse.h that can be seen in its result, and
 *     its slices lie in the input.
 */
#include "fuzz.h"

#include "http/authority.h"
#include "http/parse.h"

#define CUTS_MAX 128

static bool lies_within(struct slice part, const char *data, size_t len)
{
	return part.data >= data && part.data <= data + len &&
	       part.len <= (size_t)(data + len - part.data);
}

static void check_value(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		must((unsigned char)value.data[i] >= ' ' || value.data[i] == '\t');
	must(value.len == 0 || (value.data[0] != ' ' && value.data[value.len - 1] != ' '));
}

static void check_request(const struct http_request *request, const char *data, size_t len)
{
	struct authority authority;
	size_t head = request->head_len;
	unsigned hosts = 0;

	must(head <= len && head <= HTTP_HEAD_MAX_BYTES);
	must(head >= 4 && memcmp(data + head - 4, "\r\n\r\n", 4) == 0);
	must(lies_within(request->method_text, data, head) && request->method_text.len > 0);
	must(lies_within(request->target, data, head) && request->target.len > 0);
	must(slice_eq(request->path, "*") || slice_starts(request->path, "/"));
	must(lies_within(request->path, data, head) || request->path.len == 1);
	must(request->query.len == 0 || lies_within(request->query, data, head));
	must(request->minor_version <= 1);
	must(request->field_count <= HTTP_FIELD_MAX_COUNT);
	for (unsigned i = 0; i < request->field_count; i++) {
		must(lies_within(request->fields[i].name, data, head));
		must(lies_within(request->fields[i].value, data, head));
		must(request->fields[i].name.len > 0);
		check_value(request->fields[i].value);
		hosts += slice_eq_nocase(request->fields[i].name, "Host");
	}
	must(hosts == 1 || (hosts == 0 && request->minor_version == 0));
	must(request->host.len ? authority_parse(request->host, &authority) == 0 : hosts == 0);
	must(!(request->chunked && request->has_content_length));
	must(!(request->chunked && request->minor_version == 0));
	must(request->has_content_length || request->content_length == 0);
	must(request->content_length <= HTTP_CONTENT_LENGTH_MAX_BYTES);
	must(request->has_content_length == (http_field(request, "content-length") != NULL));
	must(request->chunked == (http_field(request, "transfer-encoding") != NULL));
}

static int parse_copy(const uint8_t *data, size_t len, struct http_request *out, struct error *err)
{
	char *copy = malloc(len ? len : 1);

	must(copy);
	memcpy(copy, data, len);

	int got = http_parse_head(copy, len, out, err);

	free(copy);
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole = {0}, part = {0};
	struct error whole_err = {0}, part_err = {0};
	int got = http_parse_head((const char *)data, size, &whole, &whole_err);

	must(got >= -1 && got <= 1);
	must(got != 0 || size <= HTTP_HEAD_MAX_BYTES);
	must(got != -1 || (whole_err.status >= 400 && whole_err.code));
	if (got == 1)
		check_request(&whole, (const char *)data, size);
	for (size_t cut = 0; cut < size; cut += size / CUTS_MAX + 1) {
		int got_part = parse_copy(data, cut, &part, &part_err);

		if (got_part == 0) {
			must(got != 1 || whole.head_len > cut);
			continue;
		}
		must(got_part == got);
		must(got == -1 || part.head_len == whole.head_len);
		must(got == 1 || (part_err.status == whole_err.status &&
				  strcmp(part_err.code, whole_err.code) == 0));
	}
	return 0;
}
