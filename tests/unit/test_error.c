/* The error contract: always -1, all fields filled, a message that is cut and never overrun. */
#include "base/error.h"

#include "tap.h"
#include "util.h"

int main(void)
{
	struct error err;
	char text[2 * ERROR_MESSAGE_BYTES], want[ERROR_MESSAGE_BYTES];

	is_number(error_set(&err, 413, "body_too_large", "%d of %s", 7, "them"), -1,
		  "error_set returns -1");
	is_number(err.status, 413, "with its status");
	is_text(err.code, "body_too_large", "its word");
	is_text(err.message, "7 of them", "and its message");

	errno = ENOSPC;
	is_number(error_set_errno(&err, 500, "w", "storing %s", "x"), -1,
		  "error_set_errno returns -1");
	is_text(err.message, "storing x: No space left on device", "with what errno means");

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(want, 'a', sizeof(want) - 1);
	want[sizeof(want) - 1] = '\0';
	is_number(error_set(&err, 500, "w", "%s", text), -1, "a long message");
	is_text(err.message, want, "is cut");
	errno = EPERM;
	is_number(error_set_errno(&err, 500, "w", "%s", text), -1, "a long message with errno");
	is_text(err.message, want, "is cut as well");
	errno = EPERM;
	is_number(error_set_errno(&err, 500, "w", "%.*s", ERROR_MESSAGE_BYTES - 5, text), -1,
		  "one that leaves little room");
	ok(strlen(err.message) == ERROR_MESSAGE_BYTES - 1 &&
		   strcmp(err.message + ERROR_MESSAGE_BYTES - 5, ": Op") == 0,
	   "is filled to its last byte");
	return done();
}
