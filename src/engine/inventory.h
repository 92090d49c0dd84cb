/*
 * The inventory: containers of this installation, and job folders and claims without one.
 *
 * Rules:
 *  1. Only containers which carry our instance and our run folder as labels are ever listed or
 *     removed.
 *  2. A row is expired when no process can need it any more:
 *       its deadline has passed, or it was made before this boot;
 *       it does not run, and no live process owns its folder (folder.h, rule 3);
 *       it is a folder without container or owner, or a user's claim without container or folder,
 *       older than making one may take.
 *     A running container whose owner is gone keeps its deadline: init holds it too.
 */
#pragma once

#include "config/config.h"
#include "engine/folder.h"
#include "engine/podman.h"

struct inventory_row {
	const char *folder, *id, *template, *job; /* "" where unknown */
	bool expired;
};

/* Calls row(context, …) for each; it ends the inventory by returning -1. 0, or -1 with *err. */
MUST_USE int inventory_list(struct podman *podman, const struct config *config,
			    const struct job_folders *folders,
			    int (*row)(void *context, const struct inventory_row *row),
			    void *context, struct error *err);

/* Removes the containers of a folder and the folder. folder is any name of it (folder_is_name). 0,
   also when there is nothing; or -1 with *err. */
MUST_USE int inventory_remove(struct podman *podman, const struct config *config,
			      const struct job_folders *folders, const char *folder,
			      struct error *err);
