/* POST /v1/files: an upload, streamed to the file store. GET is mayfly-static's
   (static_signed.c). */
#pragma once

#include "server/call.h"

/* Reads the body itself: a route with STREAMS_BODY. */
void api_upload(struct call *call);
