/*
 * The keys of callers: those of API_KEYS (token:label:rps:burst,…) and those of the keys file that
 * mayflyctl edits.
 *
 * Rules:
 *  1. The file holds no token, only SHA-256 of it. That is enough because mayflyctl makes tokens of
 *     256 random bits: there is nothing to guess, so a slow password hash would cost every request
 *     and protect nothing.
 *  2. A token is compared by its hash, with every key there is, in constant time. It is never
 *     logged, and no message quotes it.
 *  3. The file is replaced whole: written aside, synced, renamed. A reader sees the old one or the
 *     new one.
 *  4. A malformed line admits no caller and harms no other line. Yet a file with any line in it
 *     means that keys are configured: a mistake closes, it does not open.
 *  5. So does a key that is revoked: its line says so and stays. The last one leaves no door open.
 */
#pragma once

#include "base/sha256.h"
#include "bounds.h"
#include "config/config.h"

/* What a key may do. KEY_ADMIN includes the others. */
enum key_scope {
	KEY_RUN = 1,   /* run code, upload files */
	KEY_READ = 2,  /* read records and what is stored */
	KEY_ADMIN = 4, /* see what is not one caller's */
};

struct key {
	/* [a-z0-9]+, stable, not secret: owner of files and records, name of the bucket */
	char id[KEY_ID_BYTES];
	char label[KEY_LABEL_BYTES]; /* for people: the log, lists */
	unsigned char hash[SHA256_BYTES];
	uint64_t rate_micro; /* tokens a second, times 10^6; at least KEY_RATE_MIN_MICRO */
	uint64_t burst;      /* tokens the bucket holds; at least 1 */
	unsigned scopes;     /* of enum key_scope */
	int64_t expires_s;   /* on the real clock; 0: never */
	uint64_t jobs;       /* at once; 0: as many as there are slots */
	uint64_t sessions;   /* of all its tenants; 0: as many as there may be */
	uint64_t cpu_s;      /* CPU seconds an hour; 0: without a limit */
	bool is_from_file;   /* else of API_KEYS */
};

struct keys {
	struct key *list; /* owned */
	size_t count;
	size_t bad_lines;    /* lines of the file that are no keys */
	size_t short_tokens; /* of API_KEYS: shorter than SECRET_MIN_BYTES */
	bool is_configured;  /* there is or was a key, or a line that was meant to be one */
};

#define _cleanup_keys_ __attribute__((cleanup(keys_free)))

/* Every key. 0, or -1 with *err: 500 "bad_configuration" (API_KEYS; its entry by number, never by
   its text; a short token where others reach BIND), "keys_unreadable" (the file exists and cannot
   be read: closed, not open). */
MUST_USE int keys_load(const struct config *config, struct keys *out, struct error *err);
void keys_free(struct keys *keys);

/* The key that token belongs to and that has not expired at now_s, or NULL. Rule 2. */
const struct key *keys_find(const struct keys *keys, struct slice token, int64_t now_s);

/* The bit of a scope's name, 0 when there is none of that name; and the names of scopes, joined by
   commas. */
unsigned key_scope_of(struct slice name);
void key_scope_names(unsigned scopes, char out[KEY_SCOPES_BYTES]);

/* A rate as text, "0.5", "10", to and from millionths. -1 for what is no number or out of the range
   of bounds.h. */
MUST_USE int key_rate_parse(struct slice text, uint64_t *out_micro);
void key_rate_print(uint64_t rate_micro, char out[KEY_RATE_BYTES]);

/* True for what may be a label: 1 to KEY_LABEL_BYTES - 1 bytes of A-Za-z0-9 and "._@-". */
bool key_is_label(struct slice text);

/* Adds a key to the file, making the file if needed: *key says everything but id and hash, which
   are filled in. token receives the new token and a NUL; it exists nowhere else. 0, or -1
   with *err: 500 "keys_not_written", "too_many_keys". */
MUST_USE int keys_add(const struct config *config, struct key *key, char token[KEY_TOKEN_BYTES],
		      struct error *err);

/* Revokes the key of that id, or the only one of that label; *out says which it was (rule 5).
   404 "no_such_key", 409 "label_not_unique", 500 "keys_not_written". */
MUST_USE int keys_revoke(const struct config *config, const char *id_or_label, struct key *out,
			 struct error *err);
