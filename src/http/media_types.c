/* Media types by extension: one sorted table. Sources: the IANA registry; RFC 9239 for JavaScript;
   RFC 8259 section 11 (JSON has no charset parameter). What the registry lacks is text/plain where
   it is text. */
#include "http/media_types.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "http/uri.h"

#include <stdlib.h>

#define EXTENSION_MAX_BYTES 15
#define PLAIN               "text/plain; charset=utf-8"

struct row {
	const char *extension;
	struct static_type type;
};

/* Sorted by extension: bsearch(3) looks here, and a test checks the order. */
static const struct row rows[] = {
	{"7z", {"application/x-7z-compressed", STATIC_SAVED}},
	{"avif", {"image/avif", STATIC_SHOWN}},
	{"bmp", {"image/bmp", STATIC_SHOWN}},
	{"bz2", {"application/x-bzip2", STATIC_SAVED}},
	{"c", {PLAIN, STATIC_SHOWN}},
	{"cpp", {PLAIN, STATIC_SHOWN}},
	{"css", {"text/css; charset=utf-8", STATIC_SHOWN}},
	{"csv", {"text/csv; charset=utf-8", STATIC_SHOWN}},
	{"diff", {"text/x-diff; charset=utf-8", STATIC_SHOWN}},
	{"doc", {"application/msword", STATIC_SAVED}},
	{"docx",
	 {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", STATIC_SAVED}},
	{"epub", {"application/epub+zip", STATIC_SAVED}},
	{"flac", {"audio/flac", STATIC_SHOWN}},
	{"gif", {"image/gif", STATIC_SHOWN}},
	{"go", {PLAIN, STATIC_SHOWN}},
	{"gz", {"application/gzip", STATIC_SAVED}},
	{"h", {PLAIN, STATIC_SHOWN}},
	{"htm", {"text/html; charset=utf-8", STATIC_ACTIVE}},
	{"html", {"text/html; charset=utf-8", STATIC_ACTIVE}},
	{"ico", {"image/vnd.microsoft.icon", STATIC_SHOWN}},
	{"ics", {"text/calendar; charset=utf-8", STATIC_SAVED}},
	{"ini", {PLAIN, STATIC_SHOWN}},
	{"ipynb", {"application/x-ipynb+json", STATIC_SAVED}},
	{"java", {PLAIN, STATIC_SHOWN}},
	{"jpeg", {"image/jpeg", STATIC_SHOWN}},
	{"jpg", {"image/jpeg", STATIC_SHOWN}},
	{"js", {"text/javascript; charset=utf-8", STATIC_ACTIVE}},
	{"json", {"application/json", STATIC_SHOWN}},
	{"jsonl", {"application/jsonl", STATIC_SAVED}},
	{"log", {PLAIN, STATIC_SHOWN}},
	{"md", {"text/markdown; charset=utf-8", STATIC_SHOWN}},
	{"mht", {"multipart/related", STATIC_ACTIVE}},
	{"mhtml", {"multipart/related", STATIC_ACTIVE}},
	{"mjs", {"text/javascript; charset=utf-8", STATIC_ACTIVE}},
	{"mp3", {"audio/mpeg", STATIC_SHOWN}},
	{"mp4", {"video/mp4", STATIC_SHOWN}},
	{"odp", {"application/vnd.oasis.opendocument.presentation", STATIC_SAVED}},
	{"ods", {"application/vnd.oasis.opendocument.spreadsheet", STATIC_SAVED}},
	{"odt", {"application/vnd.oasis.opendocument.text", STATIC_SAVED}},
	{"ogg", {"audio/ogg", STATIC_SHOWN}},
	{"otf", {"font/otf", STATIC_SAVED}},
	{"parquet", {"application/vnd.apache.parquet", STATIC_SAVED}},
	{"patch", {"text/x-diff; charset=utf-8", STATIC_SHOWN}},
	{"pdf", {"application/pdf", STATIC_ACTIVE}},
	{"php", {PLAIN, STATIC_SHOWN}},
	{"png", {"image/png", STATIC_SHOWN}},
	{"pptx",
	 {"application/vnd.openxmlformats-officedocument.presentationml.presentation",
	  STATIC_SAVED}},
	{"py", {"text/x-python; charset=utf-8", STATIC_SHOWN}},
	{"rb", {PLAIN, STATIC_SHOWN}},
	{"rs", {PLAIN, STATIC_SHOWN}},
	{"rst", {PLAIN, STATIC_SHOWN}},
	{"rtf", {"application/rtf", STATIC_SAVED}},
	{"sh", {"text/x-shellscript; charset=utf-8", STATIC_SHOWN}},
	{"sql", {"application/sql", STATIC_SAVED}},
	{"sqlite", {"application/vnd.sqlite3", STATIC_SAVED}},
	{"svg", {"image/svg+xml", STATIC_ACTIVE}},
	{"svgz", {"image/svg+xml", STATIC_ACTIVE}},
	{"swf", {"application/vnd.adobe.flash.movie", STATIC_ACTIVE}},
	{"tar", {"application/x-tar", STATIC_SAVED}},
	{"tex", {PLAIN, STATIC_SHOWN}},
	{"tgz", {"application/gzip", STATIC_SAVED}},
	{"tif", {"image/tiff", STATIC_SHOWN}},
	{"tiff", {"image/tiff", STATIC_SHOWN}},
	{"toml", {"application/toml", STATIC_SAVED}},
	{"ts", {PLAIN, STATIC_SHOWN}},
	{"tsv", {"text/tab-separated-values; charset=utf-8", STATIC_SHOWN}},
	{"ttf", {"font/ttf", STATIC_SAVED}},
	{"txt", {PLAIN, STATIC_SHOWN}},
	{"wasm", {"application/wasm", STATIC_ACTIVE}},
	{"wav", {"audio/wav", STATIC_SHOWN}},
	{"webm", {"video/webm", STATIC_SHOWN}},
	{"webp", {"image/webp", STATIC_SHOWN}},
	{"woff2", {"font/woff2", STATIC_SAVED}},
	{"xht", {"application/xhtml+xml", STATIC_ACTIVE}},
	{"xhtml", {"application/xhtml+xml", STATIC_ACTIVE}},
	{"xls", {"application/vnd.ms-excel", STATIC_SAVED}},
	{"xlsx",
	 {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", STATIC_SAVED}},
	{"xml", {"text/xml; charset=utf-8", STATIC_ACTIVE}},
	{"xsl", {"application/xslt+xml", STATIC_ACTIVE}},
	{"xslt", {"application/xslt+xml", STATIC_ACTIVE}},
	{"xz", {"application/x-xz", STATIC_SAVED}},
	{"yaml", {"application/yaml", STATIC_SAVED}},
	{"yml", {"application/yaml", STATIC_SAVED}},
	{"zip", {"application/zip", STATIC_SAVED}},
	{"zst", {"application/zstd", STATIC_SAVED}},
};

static int compare_row(const void *key, const void *row)
{
	return strcmp(key, ((const struct row *)row)->extension);
}

/* Copies the extension in lower case. False when there is none: a leading dot makes a hidden file,
 * not an extension. */
static bool extension_of(struct slice file_name, char out[EXTENSION_MAX_BYTES + 1])
{
	const char *dot = memrchr(file_name.data, '.', file_name.len);
	size_t len;

	if (!dot || dot == file_name.data)
		return false;
	len = file_name.len - (size_t)(dot + 1 - file_name.data);
	if (len > EXTENSION_MAX_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (dot[1 + i] == '\0')
			return false;
		out[i] = ascii_lower(dot[1 + i]);
	}
	out[len] = '\0';
	return true;
}

struct static_type static_type_of(struct slice file_name)
{
	char extension[EXTENSION_MAX_BYTES + 1];
	const struct row *row;

	if (!extension_of(file_name, extension))
		return (struct static_type){"application/octet-stream", STATIC_SAVED};
	row = bsearch(extension, rows, COUNT_OF(rows), sizeof(rows[0]), compare_row);
	return row ? row->type : (struct static_type){"application/octet-stream", STATIC_SAVED};
}

/* True for what stands in a quoted string as itself. '%' is left out: some browsers decode it there
 * (RFC 6266 appendix D). */
static bool is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%';
}

int static_disposition(struct buf *out, enum static_handling handling, struct slice file_name)
{
	bool lost = false;

	if (buf_append_text(out, handling == STATIC_SHOWN ? "inline; filename=\""
							  : "attachment; filename=\"") < 0)
		return -1;
	for (size_t i = 0; i < file_name.len; i++) {
		bool plain = is_plain(file_name.data[i]);

		lost = lost || !plain;
		if (buf_append(out, plain ? &file_name.data[i] : "_", 1) < 0)
			return -1;
	}
	if (buf_append_text(out, "\"") < 0)
		return -1;
	if (!lost || !utf8_is_valid(file_name))
		return 0;
	if (buf_append_text(out, "; filename*=UTF-8''") < 0)
		return -1;
	return uri_encode(out, file_name, false);
}
