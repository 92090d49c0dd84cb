/*
 * The cache of results: what a job was answered with, for the same caller and the same job
 * again.
 *
 *     <STORAGE_DIR>/.cache/<hash>     where the result is, in the words of the API that put it
 *                                     there
 *
 * Rules:
 *  1. A caller gets a cached result only when it asks for one, and never another's: the caller is
 *     part of the hash, and so is everything that decides what a job does: command, environment,
 *     files, input, limits, template, image, isolation.
 *  2. Only a program that came to its own end is put here: no time-out, nothing that ran out of
 *     memory or was killed.
 *  3. An entry is written aside and renamed: it is there whole or not at all, and the last of two
 *     writers wins. One that leads nowhere is a miss.
 *  4. Entries never take more than MAYFLY_CACHE_MB, nor are there more than CACHE_MAX_COUNT: the
 *     least recently used go first. Results themselves are kept and swept as ever
 *     (ARTIFACT_RETENTION_DAYS).
 */
#pragma once

#include "base/sha256.h"
#include "job/run.h"

#define CACHE_FOLDER ".cache"

/* The name of a job's entry. owner: a caller's id; api: whose words the entry is in. 0, or -1
   with *err, as pool_plan. */
MUST_USE int cache_key(const struct config *config, const char *owner, const char *api,
		       const struct job *job, char out[SHA256_HEX_BYTES], struct error *err);

/* Reads an entry and notes that it was used. True with *out, CACHE_ENTRY_MAX_BYTES and a NUL at
   most. */
bool cache_get(const struct config *config, const char *key, char out[CACHE_ENTRY_MAX_BYTES + 1]);

/* Puts an entry of at most CACHE_ENTRY_MAX_BYTES there, and removes what is too much (rule 4). A
   failure is not worth failing a request for. */
void cache_put(const struct config *config, const char *key, const char *entry);

/* Removes an entry that leads nowhere. */
void cache_drop(const struct config *config, const char *key);

/* Rule 2. */
bool cache_may_keep(const struct job_result *result);
