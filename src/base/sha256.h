/*
 * SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104). Ours, because loading libcrypto costs a start
 * more than everything else mayfly does.
 */
#pragma once

#include "base/slice.h"

#include <stdint.h>

#define SHA256_BYTES     32
#define SHA256_HEX_BYTES (2 * SHA256_BYTES + 1) /* with the NUL */

struct sha256 {
	uint32_t state[8];
	uint64_t len; /* bytes hashed so far */
	unsigned char block[64];
};

/* Hashes in pieces: new, any number of add, end. */
struct sha256 sha256_new(void);
void sha256_add(struct sha256 *hash, struct slice data);
void sha256_end(struct sha256 *hash, unsigned char out[SHA256_BYTES]);

/* HMAC-SHA256 of data with key, of any length. */
void sha256_hmac(struct slice key, struct slice data, unsigned char out[SHA256_BYTES]);

/* Adds data with its length: "ab" and "c" are not "a" and "bc". */
void sha256_add_counted(struct sha256 *hash, struct slice data);

/* As lower-case hex: a digest; the end of a hash; a whole one of data. */
void sha256_hex(const unsigned char digest[SHA256_BYTES], char out[SHA256_HEX_BYTES]);
void sha256_end_hex(struct sha256 *hash, char out[SHA256_HEX_BYTES]);
void sha256_hex_of(struct slice data, char out[SHA256_HEX_BYTES]);
