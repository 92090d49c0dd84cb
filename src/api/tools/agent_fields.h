/* What every tool takes beside its own parameters. Apart from what runs tools, because others
   describe it (openapi.h). */
#pragma once

#include "base/slice.h"

/* The schemas of sessionId, timeout and cache by field, as JSON, in the words of tools.d. */
extern const struct slice agent_parameters;
