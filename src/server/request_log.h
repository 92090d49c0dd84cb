/* The log line of a request. */
#pragma once

#include "server/call.h"

/* Writes the line: what was asked, by whom, what came of it, how long each part took. program: its
   name; count: of lines that no job has paid for (store/log_limit.h). Allocates nothing. */
void request_log(const struct call *call, const char *program, int count);
