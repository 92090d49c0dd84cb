/*
 * The user of a container: a uid, and a gid of the same number, which no other living container of
 * this run folder has, because the kernel counts many things by user.
 *
 * Rules:
 *  1. A claim is the file <run>/users/UID, which rename(2) makes: there whole or not at all. It
 *     names the container's folder, and is /etc/passwd inside; UID.group beside it is /etc/group.
 *  2. It is given back by the process that removes the container, after the engine has said that
 *     the container is gone and before the folder goes. So what a crash leaves is found by the
 *     folder; no lock of a living process stands for a claim.
 *  3. A claim that has neither a container nor a folder is the reaper's.
 */
#pragma once

#include "base/error.h"
#include "config/template.h"
#include "engine/folder.h"

struct user {
	uint32_t id;                            /* uid and gid */
	char passwd[PATH_MAX], group[PATH_MAX]; /* on the host: what the container has as these */
};

/* Claims one out of the operator's range (MAYFLY_UIDS), else the default one: USER_FIRST where this
   namespace has such ids and the engine is not rootless. template says name and home. 0, or -1
   with *err: 500 "bad_configuration" when every one is taken. */
MUST_USE int user_claim(const struct config *config, const struct job_folders *folders,
			bool is_rootless, const struct template *template, const char *folder,
			struct user *out, struct error *err);

/* Gives back the claim of the folder of that first name, if there is one. user: the container's,
   "UID:GID", where it is known, which saves the search; or "". 0, or -1 with errno. */
MUST_USE int user_release(const struct job_folders *folders, const char *first_name,
			  const char *user);

struct claim {
	const char *name; /* of its file */
	char folder[FOLDER_NAME_BYTES];
};

/* Calls each(context, claim) for every claim, until it returns -1. 0, or -1 with errno. */
MUST_USE int users_each(const struct job_folders *folders,
			int (*each)(void *context, const struct claim *claim), void *context);
