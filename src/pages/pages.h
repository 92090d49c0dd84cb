/*
 * The pages, embedded at build time: HTML, CSS and JavaScript without anything from
 * elsewhere.
 */
#pragma once

#include "base/slice.h"

#define PAGE_ADMIN   "admin.html"
#define PAGE_LANDING "landing.html"
#define PAGE_TOOL    "tool.html"
#define PAGE_VIEW    "view.html"

/* The bytes and the media type (static storage) of the file of that name in src/pages; false when
 * there is none. */
bool page_find(struct slice name, struct slice *bytes, const char **type);
