/* What MAKE asks for (protocol/engine.h): read strictly, for the caller may be one that has been
   taken over. */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "engine/prepare.h"
#include "protocol/engine.h"

/* Sets 400 "bad_request", saying what is wrong with a verb's fields; -1. */
int request_refuse(struct error *err, const char *what);

/* The fields of MAKE. out points into fields and at job, where the id of the job that the container
   is for goes, or "". 0, or -1 with *err: 400 "bad_request". */
MUST_USE int request_parse_make(struct slice fields, struct prepare_request *out,
				char job[ENGINE_JOB_BYTES], struct error *err);
