#include "base/random.h"

#include "base/ascii.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void fill(unsigned char *bytes, size_t len)
{
	while (len) {
		ssize_t got = getrandom(bytes, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* a predictable name would be worse than no answer */
		bytes += got;
		len -= (size_t)got;
	}
}

static void draw(char *out, size_t length, const char *alphabet, unsigned mask)
{
	unsigned char bytes[64];

	for (size_t i = 0; i < length; i++) {
		if (i % sizeof(bytes) == 0)
			fill(bytes, sizeof(bytes));
		out[i] = alphabet[bytes[i % sizeof(bytes)] & mask];
	}
	out[length] = '\0';
}

void random_id(char *out, size_t length)
{
	draw(out, length, ASCII_ALNUM "_-", 63);
}

void random_alnum(char *out, size_t length)
{
	for (size_t i = 0; i < length; i++)
		do {
			random_id(out + i, 1);
		} while (out[i] == '-' || out[i] == '_');
	out[length] = '\0';
}

void random_hex(char *out, size_t length)
{
	draw(out, length, ASCII_HEX, 15);
}
