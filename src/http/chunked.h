/*
 * The chunked coding (RFC 9112 section 7.1), decoded in place from whatever pieces arrive. Pure.
 * Strict: CRLF only, size without sign or blank, at most 16 hex digits, extensions bounded (each
 * chunk's and all together) and ignored. A trailer field is refused: nothing here reads one, and a
 * body that ends in one is not run.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunked {
	int state;         /* private */
	uint64_t left;     /* private: bytes left of the chunk */
	uint64_t room;     /* private: bytes that may still be announced */
	size_t digits;     /* private: of this chunk's size */
	size_t extension;  /* private: bytes of this chunk's extensions */
	size_t extensions; /* private: bytes of all extensions so far */
	bool done;         /* the last chunk was read, and the empty line after it */
};

/* The start of a body of at most max bytes, decoded. */
struct chunked chunked_new(uint64_t max);

/* Consumes data[0..len), writing decoded bytes to the front of data itself. On return *decoded is
   their number and *consumed the number of bytes eaten (less than len only when done). 0, or -1
   with *err: 400, or 413 "body_too_large" at the size of a chunk that would pass the maximum; after
   a refusal the state is of no more use. */
MUST_USE int chunked_decode(struct chunked *state, char *data, size_t len, size_t *decoded,
			    size_t *consumed, struct error *err);
