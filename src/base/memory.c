#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static bool ends_when_out;
static void (*words)(void);

void memory_end_when_out(void (*last_words)(void))
{
	ends_when_out = true;
	words = last_words;
}

void *memory_checked(void *block)
{
	if (block || !ends_when_out)
		return block;
	if (words)
		words();
	_exit(EX_OSERR);
}

void *memory_array(size_t count, size_t size_bytes)
{
	return memory_checked(calloc(count, size_bytes));
}

char *memory_text(const char *text, size_t len)
{
	return memory_checked(strndup(text, len));
}
