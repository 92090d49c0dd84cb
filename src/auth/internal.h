/* The keys file as text, for the two who read it: keys.c, which wants its keys, and keys_edit.c,
   which changes its lines. */
#pragma once

#include "auth/keys.h"

/* What stands in the place of a key that is revoked: REVOKED id label. A file with one had a key.
 */
#define KEY_REVOKED "revoked"

/* One line, without its end: id hash rate burst scopes expires label, and maybe
   jobs=N, sessions=N, cpu=N. 1 and *out; 0 for a blank
   line or a comment (#); 2 for a key that is revoked; -1 for what is none of these. */
MUST_USE int key_line_parse(struct slice line, struct key *out);

/* The whole file, owned by the caller; NULL when there is none. 0, or -1 with *err: 500
   "keys_unreadable". */
MUST_USE int keys_read_file(const struct config *config, char **text, size_t *len,
			    struct error *err);
