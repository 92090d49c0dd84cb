/*
 * The inventory: containers of this installation, and job folders and claims without one.
 *
 * Rules:
 *  1. Only containers which carry our instance and our run folder as labels are ever listed or
 *     removed. A container that the engine cannot describe is known by its name: the instance, and
 *     the digits of its folder, which no other has.
 *  2. A row is expired when no process can need it any more:
 *       its deadline has passed, or it was made before this boot;
 *       it does not run, and no live process owns its folder (folder.h, rule 3);
 *       it is a folder without container or owner, or a user's claim without container or folder.
 *     A running container whose owner is gone keeps its deadline: init holds it too.
 *  3. One container whose data is broken (Podman: "container not known") makes every list fail that
 *     it belongs to, and thousands make one that is too large. Then the engine is asked by the
 *     beginnings of names, each a digit longer, until the broken ones are named; all others are
 *     listed as ever.
 *  4. Claims are looked at first, then folders, then containers. What a container that lives has is
 *     there before it and goes after it; so what is found without one has lost it, however young it
 *     is.
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
