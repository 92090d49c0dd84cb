/*
 * Percent-encoding, query parameters, authorities. Invariants:
 *  1. decode(encode(x)) is x, for every x without NUL; with one it is refused.
 *  2. What decode yields is no longer than its input, holds no NUL, and survives encode and decode.
 *  3. A query's value lies in the query, and an authority's host in the authority.
 */
#include "fuzz.h"

#include "http/authority.h"
#include "http/uri.h"

static void check_round_trip(struct slice text, bool keep_slash)
{
	_cleanup_buf_ struct buf encoded = buf_new(3 * text.len), decoded = buf_new(text.len);
	struct error err = {0};

	must(uri_encode(&encoded, text, keep_slash) == 0);
	must(encoded.len >= text.len);
	for (size_t i = 0; i < encoded.len; i++)
		must(encoded.data[i] > ' ' && encoded.data[i] < 0x7f);

	int got = uri_decode(buf_slice(&encoded), &decoded, &err);

	if (memchr(text.data, '\0', text.len)) {
		must(got == -1 && strcmp(err.code, "nul_in_path") == 0 && decoded.len == 0);
		return;
	}
	must(got == 0 && decoded.len == text.len);
	must(memcmp(buf_slice(&decoded).data, text.data, text.len) == 0);
}

static void check_decode(struct slice text)
{
	_cleanup_buf_ struct buf decoded = buf_new(text.len), small = buf_new(text.len / 2);
	struct error err = {0}, small_err = {0};
	int got = uri_decode(text, &decoded, &err);

	must(got == 0 || (err.status == 400 && err.code && decoded.len == 0));
	if (got == 0) {
		must(decoded.len <= text.len);
		must(!memchr(buf_slice(&decoded).data, '\0', decoded.len));
		check_round_trip(buf_slice(&decoded), true);
	}
	if (uri_decode(text, &small, &small_err) == 0)
		must(got == 0 && small.len == decoded.len);
	else
		must(got == -1 ? small_err.status >= 400 : small_err.status == 414);
}

static void check_query(struct slice text)
{
	struct slice value = {NULL, 0};

	if (uri_query(text, "a", &value))
		must(value.data > text.data && value.data + value.len <= text.data + text.len);
	else
		must(!value.data);
}

static void check_authority(struct slice text)
{
	struct authority authority;

	if (authority_parse(text, &authority) < 0)
		return;
	must(authority.host.len > 0 && authority.port >= -1 && authority.port <= 65535);
	must(authority.host.data >= text.data);
	must(authority.host.data + authority.host.len <= text.data + text.len);
	must(authority_same_host(&authority, &authority));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};

	if (size == 0)
		return 0;
	check_round_trip(text, true);
	check_round_trip(text, false);
	check_decode(text);
	check_query(text);
	check_authority(text);
	return 0;
}
