/* Comparing secrets: equal is equal byte for byte, whatever the lengths. */
#include "base/secret.h"

#include "tap.h"

static void differs(struct slice given, const char *wanted, const char *what)
{
	ok(!secret_equal(given, wanted), "refused: %s", what);
}

int main(void)
{
	ok(secret_equal(SLICE_LITERAL("key"), "key"), "the key");
	ok(secret_equal(SLICE_LITERAL("\xff\x80"), "\xff\x80"), "any bytes");
	differs(SLICE_LITERAL("Key"), "key", "another case");
	differs(SLICE_LITERAL("kez"), "key", "the last byte");
	differs(SLICE_LITERAL("xey"), "key", "the first byte");
	differs(SLICE_LITERAL("ke"), "key", "too short");
	differs(SLICE_LITERAL(""), "key", "nothing");
	differs(SLICE_LITERAL("keykey"), "key", "the key twice");
	differs(SLICE_LITERAL("key\0"), "key", "the key and a NUL");
	differs(SLICE_LITERAL("key "), "key", "the key and a blank");
	differs(SLICE_LITERAL("x"), "", "something for an empty key");

	char given[257];

	memset(given, 'a', sizeof(given));
	differs((struct slice){given, 257}, "a", "256 bytes more, which a byte cannot count");
	return done();
}
