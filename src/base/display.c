#include "base/display.h"

#include "base/ascii.h"
#include "base/frame.h"
#include "base/num.h"
#include "bounds.h"

static bool is_word(struct slice text)
{
	return text.len && text.len <= DISPLAY_WORD_MAX_BYTES &&
	       ascii_is_of(text, ASCII_ALNUM "_-");
}

/* type "/" subtype (RFC 6838 section 4.2), lower case, without parameters. */
static bool is_type(struct slice text)
{
	static const char characters[] = ASCII_LOWER ASCII_DIGITS "+.-_";
	struct slice rest = text, type = slice_take(&rest, '/');

	return text.len <= DISPLAY_TYPE_MAX_BYTES && type.len && !strchr("+.-_", type.data[0]) &&
	       rest.len && ascii_is_of(type, characters) && ascii_is_of(rest, characters);
}

static bool is_message(struct slice text)
{
	return text.len <= DISPLAY_MESSAGE_MAX_BYTES && !ascii_has_control(text);
}

static bool take_field(struct display *display, struct slice key, struct slice value)
{
	const struct {
		const char *key;
		bool (*is_good)(struct slice value);
		struct slice *place;
	} texts[] = {
		{"type", is_type, &display->type},
		{"name", is_word, &display->name},
		{"source", is_word, &display->source},
		{"message", is_message, &display->message},
	};

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (slice_eq(key, texts[i].key)) {
			*texts[i].place = value;
			return texts[i].is_good(value);
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
