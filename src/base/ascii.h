/* Bytes of ASCII: alphabets, control bytes, blanks. No locale has a say, as it has in ctype.h. */
#pragma once

#include "base/slice.h"

#define ASCII_DIGITS "0123456789"
#define ASCII_HEX    ASCII_DIGITS "abcdef"
#define ASCII_UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ASCII_LOWER  "abcdefghijklmnopqrstuvwxyz"
#define ASCII_ALNUM  ASCII_UPPER ASCII_LOWER ASCII_DIGITS

/* How many bytes text begins with that are of alphabet, a C string. */
static inline size_t ascii_span(struct slice text, const char *alphabet)
{
	size_t len = 0;

	while (len < text.len && text.data[len] && strchr(alphabet, text.data[len]))
		len++;
	return len;
}

/* Is all of text of alphabet? So is an empty text. */
static inline bool ascii_is_of(struct slice text, const char *alphabet)
{
	return ascii_span(text, alphabet) == text.len;
}

/* A tab and a line end are control bytes, too. */
static inline bool ascii_is_control(char byte)
{
	return (unsigned char)byte < ' ' || byte == 0x7F;
}

static inline bool ascii_has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_control(text.data[i]))
			return true;
	return false;
}

/* One line of text, as a field's value is: no control byte but tabs. */
static inline bool ascii_is_line(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_control(text.data[i]) && text.data[i] != '\t')
			return false;
	return true;
}

/* Puts mask in the place of each control byte, so that text is one line. */
static inline void ascii_mask_control(char *text, size_t len, char mask)
{
	for (size_t i = 0; i < len; i++)
		if (ascii_is_control(text[i]))
			text[i] = mask;
}

static inline char ascii_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static inline bool ascii_is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* text without the blanks around it. */
static inline struct slice ascii_trim(struct slice text)
{
	while (text.len && ascii_is_blank(text.data[0]))
		slice_skip(&text, 1);
	while (text.len && ascii_is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}
