/*
 * POST /validate: {"language", "files": {path: text}} → {"language", "valid", "syntax", "security",
 * "size"}, each of the three {"passed", "message", "details"} (api/agents/checks.h). language is
 * one of languages.d that tools have and that names a parser; security is by
 * patterns.d/<language>.json.
 */
#ifndef MAYFLY_API_VALIDATE_H
#define MAYFLY_API_VALIDATE_H

#include "server/call.h"

void api_validate(struct call *call);

#endif
