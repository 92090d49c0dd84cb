/* mayflyctl run and mayflyctl tool: jobs from the shell, and what tools there are. */
#pragma once

#include "config/config.h"

/*
 * mayflyctl run [--language L] [-o DIR] [--timeout S] FILE [-- ARGUMENT...]
 *     Runs a file as POST /run would; "-" is standard input.
 * mayflyctl tool NAME [-o DIR] [--timeout S] [KEY=VALUE]...
 *     Runs a tool. VALUE "@FILE" is what the file holds (as base64 where the parameter takes that),
 *     "@-" standard input, "@@x" the text "@x".
 * mayflyctl tool check FILE...
 *     Says what is wrong with tool files: file, line, field.
 * mayflyctl tool list [--json]
 *     The tools there are; a broken one with what is wrong with it.
 *
 * Each returns the program's exit status: the job's (124 after a time-out), or one of
 * sysexits.h.
 */
int ctl_run(const struct config *config, int argc, char **argv);
int ctl_tool(const struct config *config, int argc, char **argv);
