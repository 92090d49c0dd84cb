/* Random names: their alphabet, their length, all of it used, none of it twice. */
#include "base/random.h"

#include "tap.h"
#include "util.h"

#define DRAWN    64000
#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static void test_alphabet(void (*draw)(char *, size_t), const char *alphabet, const char *name)
{
	static char text[DRAWN + 2];
	unsigned counts[256] = {0}, rare = 0;
	size_t letters = strlen(alphabet);

	memset(text, '#', sizeof(text));
	draw(text, DRAWN);
	is_number(strspn(text, alphabet), DRAWN, "%s: nothing but its alphabet, all of its length",
		  name);
	ok(text[DRAWN] == '\0' && text[DRAWN + 1] == '#', "%s: one NUL and no byte more", name);
	for (size_t i = 0; i < DRAWN; i++)
		counts[(unsigned char)text[i]]++;
	/* 20 standard deviations: a fair draw never gets there, a letter left out or favoured
	 * twice does */
	for (size_t i = 0; i < letters; i++) {
		unsigned count = counts[(unsigned char)alphabet[i]];
		size_t mean = DRAWN / letters;

		rare += count < mean * 2 / 5 || count > mean * 8 / 5;
	}
	is_number(rare, 0, "%s: every letter about as often as any other", name);
	memset(text, '#', 4);
	draw(text, 0);
	ok(text[0] == '\0' && text[1] == '#', "%s: length 0 is an empty name", name);
}

int main(void)
{
	enum { NAMES = 1000 };
	static char names[NAMES][25];
	unsigned same = 0;

	test_alphabet(random_id, ALPHABET, "random_id");
	test_alphabet(random_alnum,
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
		      "random_alnum");
	test_alphabet(random_hex, "0123456789abcdef", "random_hex");
	for (size_t i = 0; i < NAMES; i++) {
		random_hex(names[i], 24);
		for (size_t j = 0; j < i; j++)
			same += strcmp(names[i], names[j]) == 0;
	}
	is_number(same, 0, "a thousand names, none twice");
	return done();
}
