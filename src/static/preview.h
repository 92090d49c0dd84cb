/* Looking into results: what of /artifacts is there only when DEBUG_UI is on. */
#ifndef MAYFLY_API_STATIC_PREVIEW_H
#define MAYFLY_API_STATIC_PREVIEW_H

#include "static/static.h"

/* A place beneath the storage folder that a path of /artifacts names; every part is checked. */
struct static_place {
	struct slice session, job, path; /* decoded; job and path may be empty */
	const char *beneath;             /* the same as one path */
};

/* Answers ?view and ?list. False when that is not what was asked for, or there is nothing to show: then nothing was answered. */
bool static_preview(struct static_call *call, const struct static_place *place);

#endif
