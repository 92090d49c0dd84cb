#include "json/locate.h"

#include "base/num.h"

/* A cursor in a text that is known to be good JSON, so nothing but its end needs to be looked out
   for. */
struct cursor {
	const char *at, *end;
};

static void skip_blanks(struct cursor *cursor)
{
	while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at))
		cursor->at++;
}

/* True, and past it, when the next thing is this character. */
static bool take(struct cursor *cursor, char c)
{
	skip_blanks(cursor);
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

/* The text between quotes, as it is written. */
static struct slice take_string(struct cursor *cursor)
{
	const char *start;

	(void)take(cursor, '"');
	start = cursor->at;
	while (cursor->at < cursor->end && *cursor->at != '"')
		cursor->at += *cursor->at == '\\' && cursor->at + 1 < cursor->end ? 2 : 1;

	struct slice text = {start, (size_t)(cursor->at - start)};

	(void)take(cursor, '"');
	return text;
}

static void skip_value(struct cursor *cursor)
{
	unsigned depth = 0;

	do {
		skip_blanks(cursor);
		if (cursor->at == cursor->end)
			return;
		if (*cursor->at == '"') {
			(void)take_string(cursor);
			continue;
		}
		if (*cursor->at == '{' || *cursor->at == '[')
			depth++;
		else if (*cursor->at == '}' || *cursor->at == ']')
			depth--;
		cursor->at++;
		/* of a number or a word the rest */
		while (depth == 0 && cursor->at < cursor->end && !strchr(" \t\r\n,}]", *cursor->at))
			cursor->at++;
	} while (depth > 0);
}

/* Moves from an object to the value of a name: *key receives where the name stands. */
static bool enter_field(struct cursor *cursor, struct slice name, const char **key)
{
	if (!take(cursor, '{'))
		return false;
	do {
		skip_blanks(cursor);
		*key = cursor->at;

		struct slice found = take_string(cursor);

		(void)take(cursor, ':');
		if (found.len == name.len && memcmp(found.data, name.data, name.len) == 0)
			return true;
		skip_value(cursor);
	} while (take(cursor, ','));
	return false;
}

static bool enter_item(struct cursor *cursor, size_t index, const char **place)
{
	if (!take(cursor, '['))
		return false;
	for (; index > 0; index--) {
		skip_value(cursor);
		if (!take(cursor, ','))
			return false;
	}
	skip_blanks(cursor);
	*place = cursor->at;
	return true;
}

/* Follows one step of the path, which is moved on. */
static bool follow(struct cursor *cursor, const char **path, const char **place)
{
	if (**path == '[') {
		size_t digits = strcspn(*path + 1, "]");
		uint64_t index = 0;

		if (num_parse((struct slice){*path + 1, digits}, 10, UINT32_MAX, &index) < 0)
			return false;
		*path += digits + 2;
		return enter_item(cursor, index, place);
	}
	*path += **path == '.';

	struct slice name = {*path, strcspn(*path, ".[")};

	*path += name.len;
	return name.len > 0 && enter_field(cursor, name, place);
}

unsigned json_line_of(struct slice text, const char *path)
{
	struct cursor cursor = {text.data, text.data + text.len};
	const char *place = text.data;
	unsigned line = 1;

	while (*path) {
		const char *found = place;

		if (!follow(&cursor, &path, &found))
			break;
		place = found;
	}
	for (const char *at = text.data; at < place; at++)
		line += *at == '\n';
	return line;
}
