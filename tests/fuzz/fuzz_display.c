/*
 * The payload of a DISPLAY frame, as a hostile kernel or container sends it. Invariants:
 *  1. What is taken lies within the payload, in the alphabets and lengths that the header promises.
 *  2. Content is the rest of the payload behind the first empty field.
 *  3. A payload cut before its content is not taken.
 */
#include "fuzz.h"

#include "base/display.h"
#include "bounds.h"

#include <string.h>

static void check_text(struct slice text, struct slice fields, size_t max)
{
	must(text.len <= max);
	must(text.len == 0 ||
	     (text.data >= fields.data && text.data + text.len <= fields.data + fields.len));
	for (size_t i = 0; i < text.len; i++)
		must((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice payload = {(const char *)data, size};
	struct display display, cut;
	struct error err = {0};

	if (size == 0)
		return 0;
	if (display_parse(payload, &display, &err) < 0) {
		must(err.status == 502 && strcmp(err.code, "display_bad") == 0);
		return 0;
	}

	struct slice fields = {payload.data, size - display.content.len};

	must(display.content.data == payload.data + fields.len && fields.len <= size);
	must(fields.data[fields.len - 1] == '\0' && fields.data[fields.len - 2] == '\0');
	check_text(display.type, fields, DISPLAY_TYPE_MAX_BYTES);
	check_text(display.name, fields, DISPLAY_WORD_MAX_BYTES);
	check_text(display.source, fields, DISPLAY_WORD_MAX_BYTES);
	check_text(display.message, fields, DISPLAY_MESSAGE_MAX_BYTES);
	must(display.type.len && display.name.len && display.source.len);
	must(memchr(display.type.data, '/', display.type.len) &&
	     !memchr(display.name.data, '/', display.name.len));
	must(display_parse((struct slice){payload.data, fields.len - 1}, &cut, &err) < 0);
	return 0;
}
