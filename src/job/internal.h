/* What claiming and refilling share. Private to pool.c and pool_refill.c. */
#pragma once

#include "job/pool.h"

#include <dirent.h>

#define POOL_DIGITS      24     /* of a container's folder */
#define POOL_RECORDS_DIR "pool" /* beneath the run folder: what is noted of each, and the locks */

/* <run>/jobs, or NULL with errno. */
DIR *pool_open_jobs(const struct config *config);

/* <run>/pool, made when it is missing and make is set. The descriptor, or -1 with errno. */
int pool_open_records(const struct config *config, bool make);

/* Is this folder a pooled container, of that kind (NULL: of any)? */
bool pool_has_name(const char *folder, const char *kind);

/* The container's digits, which its folder and its record keep whatever else they are called. */
const char *pool_digits(const char *folder);

/* Rule 1: 0 with the folder's new name, or -1 with errno, ENOENT when another process was
   quicker. */
int pool_claim_folder(int jobs, const char *pooled, char folder[ENGINE_FOLDER_BYTES]);
