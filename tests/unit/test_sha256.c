/* SHA-256 against the vectors of FIPS 180-4 and HMAC against those of RFC 4231. */
#include "base/sha256.h"
#include "tap.h"

static void check_hash(const char *what, struct slice text, unsigned repeat, const char *want)
{
	unsigned char digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES];
	struct sha256 hash = sha256_new();

	for (unsigned i = 0; i < repeat; i++)
		sha256_add(&hash, text);
	sha256_end(&hash, digest);
	sha256_hex(digest, hex);
	is_text(hex, want, "%s", what);
}

static void check_hmac(const char *what, struct slice key, struct slice data, const char *want)
{
	unsigned char digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES];

	sha256_hmac(key, data, digest);
	sha256_hex(digest, hex);
	is_text(hex, want, "%s", what);
}

int main(void)
{
	char many[131];

	check_hash("empty", SLICE_LITERAL(""), 1,
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_hash("abc", SLICE_LITERAL("abc"), 1,
		   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check_hash("two blocks",
		   SLICE_LITERAL("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), 1,
		   "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check_hash("a million", SLICE_LITERAL("aaaaaaaaaa"), 100000,
		   "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	memset(many, 0x0b, sizeof(many));
	check_hmac("RFC 4231 case 1", (struct slice){many, 20}, SLICE_LITERAL("Hi There"),
		   "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	check_hmac("RFC 4231 case 2", SLICE_LITERAL("Jefe"),
		   SLICE_LITERAL("what do ya want for nothing?"),
		   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(many, 0xaa, sizeof(many));
	check_hmac("RFC 4231 case 6: a key longer than a block", (struct slice){many, 131},
		   SLICE_LITERAL("Test Using Larger Than Block-Size Key - Hash Key First"),
		   "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	check_hmac(
		"the signed link of src/api/README.md", SLICE_LITERAL("changeme-signing-key"),
		SLICE_LITERAL(
			"{\"path\":\"/v1/files/file_0123456789ab\",\"exp\":1893456000,\"method\":\"GET\"}"),
		"121131c0e32d6d3a86374ed8c885c7687a044f1722060e68564410cd5b0b417c");
	return done();
}
