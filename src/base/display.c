#include "base/display.h"

#include "base/frame.h"
#include "base/num.h"
#include "bounds.h"

static bool is_lower(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

static bool is_word(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.data[i];

		if (!is_lower(byte) && !(byte >= 'A' && byte <= 'Z') && byte != '_' && byte != '-')
			return false;
	}
	return text.len && text.len <= DISPLAY_WORD_MAX_BYTES;
}

/* type "/" subtype (RFC 6838 section 4.2), lower case, without parameters. */
static bool is_type(struct slice text)
{
	unsigned slashes = 0;

	for (size_t i = 0; i < text.len; i++) {
		char byte = text.data[i];

		slashes += byte == '/';
		if (!is_lower(byte) && (i == 0 || !strchr("/+.-_", byte))) /* fields hold no NUL */
			return false;
	}
	return slashes == 1 && text.len <= DISPLAY_TYPE_MAX_BYTES && text.data[text.len - 1] != '/';
}

static bool is_line(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F)
			return false;
	return text.len <= DISPLAY_MESSAGE_MAX_BYTES;
}

static bool take_field(struct display *display, struct slice key, struct slice value)
{
	if (slice_eq(key, "type")) {
		display->type = value;
		return is_type(value);
	}
	if (slice_eq(key, "name")) {
		display->name = value;
		return is_word(value);
	}
	if (slice_eq(key, "source")) {
		display->source = value;
		return is_word(value);
	}
	if (slice_eq(key, "message")) {
		display->message = value;
		return is_line(value);
	}
	return slice_eq(key, "index") && num_parse(value, 10, INT64_MAX, &display->index) == 0;
}

int display_parse(struct slice payload, struct display *out, struct error *err)
{
	struct display display = {.message = SLICE_LITERAL("")};
	struct slice rest = payload, key, value;
	bool is_good = true;

	while (is_good && rest.len && rest.data[0] != '\0')
		is_good = field_next(&rest, &key, &value) && take_field(&display, key, value);
	if (!is_good || rest.len == 0 || !display.type.data || !display.name.data ||
	    !display.source.data)
		return error_set(err, 502, "display_bad", "a malformed display");
	display.content = (struct slice){rest.data + 1, rest.len - 1};
	*out = display;
	return 0;
}
