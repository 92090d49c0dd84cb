/* Random names, from getrandom(2). */
#pragma once

#include <stddef.h>

/* Writes length characters of A-Za-z0-9_- and a NUL. out holds length + 1 bytes. Never fails: a
   kernel that gives no random bytes ends the process. */
void random_id(char *out, size_t length);

/* Writes length characters of A-Za-z0-9 and a NUL. */
void random_alnum(char *out, size_t length);

/* Writes length lower-case hex digits and a NUL. */
void random_hex(char *out, size_t length);
