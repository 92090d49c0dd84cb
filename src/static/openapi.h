/*
 * The description of this service (OpenAPI 3.1.1): openapi.json, which stands beside the routes,
 * and what is not a constant.
 *
 * Rules:
 *  1. What the code holds as data is taken from there and written nowhere else: the six limits of a
 *     run, what every tool takes, the parameters of the installed tools, the languages that are
 *     installed.
 *  2. A route without a description, or a description without a route, fails
 *     tests/unit/test_openapi.c.
 *  3. HEAD stands beside every GET: the same without its content.
 */
#pragma once

#include "config/config.h"
#include "json/json.h"

/* The whole description; the caller's. A tool whose file is broken is left out, and so are the
 * debug pages where they are off. 0, or -1 with *err: 500. */
MUST_USE int openapi_document(const struct config *config, json_t **out, struct error *err);
