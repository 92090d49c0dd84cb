/* What claiming and refilling share. Private to spares.c and spares_refill.c. */
#ifndef MAYFLY_JOB_SPARES_PARTS_H
#define MAYFLY_JOB_SPARES_PARTS_H

#include "job/pool.h"

#include <dirent.h>

#define SPARE_DIGITS 24 /* of a container's folder */
#define SPARE_RECORDS_DIR                                                                          \
	"spares" /* beneath the run folder: what is noted of each, and the locks */

/* <run>/jobs, or NULL with errno. */
DIR *spare_open_jobs(const struct config *config);

/* <run>/spares, made when it is missing and make is set. The descriptor, or -1 with errno. */
int spare_open_records(const struct config *config, bool make);

/* Is this folder a spare, of that kind (NULL: of any)? */
bool spare_is_one(const char *folder, const char *kind);

/* The container's digits, which its folder and its record keep whatever else they are called. */
const char *spare_digits(const char *folder);

/* Rule 1: 0 with the folder's new name, or -1 with errno, ENOENT when somebody was quicker. */
int spare_claim_folder(int jobs, const char *spare, char folder[ENGINE_FOLDER_BYTES]);

/* Seconds on CLOCK_BOOTTIME, which no change of the clock moves. */
uint64_t spare_now_s(void);

#endif
