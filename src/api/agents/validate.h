/*
 * POST /validate: {"language", "files": {path: text}} → {"language", "valid", "syntax", "security",
 * "size"}, each of the three {"passed", "message", "details"} (api/agents/checks.h). language is
 * one of languages.d that tools have and that names a parser; security is by
 * patterns.d/<language>.json.
 */
#pragma once

#include "server/call.h"

void api_validate(struct call *call);
