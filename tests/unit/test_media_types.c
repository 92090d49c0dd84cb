/* Media types and Content-Disposition of artifacts. */
#include "http/media_types.h"

#include "tap.h"

static void check_type(const char *name, const char *type, enum static_handling handling)
{
	struct static_type got = static_type_of(slice_of(name));

	is_text(got.name, type, "type of %s", name);
	is_number(got.handling, handling, "handling of %s", name);
}

static void test_types(void)
{
	const char *octets = "application/octet-stream";

	check_type("7.7z", "application/x-7z-compressed", STATIC_SAVED); /* the table's ends */
	check_type("a.zst", "application/zstd", STATIC_SAVED);
	check_type("a.PNG", "image/png", STATIC_SHOWN);
	check_type("a.tar.gz", "application/gzip", STATIC_SAVED);
	check_type("a.svg", "image/svg+xml", STATIC_ACTIVE);
	check_type("a.HtMl", "text/html; charset=utf-8", STATIC_ACTIVE);
	check_type("stdout", octets, STATIC_SAVED);
	check_type(".html", octets, STATIC_SAVED);
	check_type("a.", octets, STATIC_SAVED);
	check_type("a.averyveryverylongextension", octets, STATIC_SAVED);
	check_type("a.html ", octets, STATIC_SAVED);
	is_text(static_type_of((struct slice){"a.txt\0b", 7}).name, octets,
		"NUL ends no extension");
}

/* Every extension is found again, so the table is sorted. */
static void test_order(void)
{
	static const char *const extensions[] = {
		"7z",     "avif",  "bmp",   "bz2",  "c",     "cpp",     "css",   "csv",  "diff",
		"doc",    "docx",  "epub",  "flac", "gif",   "go",      "gz",    "h",    "htm",
		"html",   "ico",   "ics",   "ini",  "ipynb", "java",    "jpeg",  "jpg",  "js",
		"json",   "jsonl", "log",   "md",   "mht",   "mhtml",   "mjs",   "mp3",  "mp4",
		"odp",    "ods",   "odt",   "ogg",  "otf",   "parquet", "patch", "pdf",  "php",
		"png",    "pptx",  "py",    "rb",   "rs",    "rst",     "rtf",   "sh",   "sql",
		"sqlite", "svg",   "svgz",  "swf",  "tar",   "tex",     "tgz",   "tif",  "tiff",
		"toml",   "ts",    "tsv",   "ttf",  "txt",   "wasm",    "wav",   "webm", "webp",
		"woff2",  "xht",   "xhtml", "xls",  "xlsx",  "xml",     "xsl",   "xslt", "xz",
		"yaml",   "yml",   "zip",   "zst"};
	char name[32];

	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		snprintf(name, sizeof(name), "file.%s", extensions[i]);
		ok(strcmp(static_type_of(slice_of(name)).name, "application/octet-stream") != 0,
		   "%s is known", name);
	}
}

static void check_disposition(enum static_handling handling, const char *name, const char *want)
{
	_cleanup_buf_ struct buf out = buf_new(2048);

	if (ok(static_disposition(&out, handling, slice_of(name)) == 0, "fits"))
		is_text(out.data, want, "%s", want);
}

static void test_disposition(void)
{
	check_disposition(STATIC_SHOWN, "a b.txt", "inline; filename=\"a b.txt\"");
	check_disposition(STATIC_SAVED, "a.zip", "attachment; filename=\"a.zip\"");
	check_disposition(STATIC_ACTIVE, "a.svg", "attachment; filename=\"a.svg\"");
	check_disposition(STATIC_SHOWN, "na\xc3\xafve.txt",
			  "inline; filename=\"na__ve.txt\"; filename*=UTF-8''na%C3%AFve.txt");
	check_disposition(STATIC_SHOWN, "a\"b\\c%41.txt",
			  "inline; filename=\"a_b_c_41.txt\"; filename*=UTF-8''a%22b%5Cc%2541.txt");
	check_disposition(STATIC_SHOWN, "\xff.txt", "inline; filename=\"_.txt\"");
	check_disposition(STATIC_SHOWN, "a\r\nb",
			  "inline; filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab");
}

static void test_too_long(void)
{
	struct buf out = buf_new(10);

	ok(static_disposition(&out, STATIC_SHOWN, slice_of("name")) < 0,
	   "a full buffer is refused");
	buf_free(&out);
}

int main(void)
{
	test_types();
	test_order();
	test_disposition();
	test_too_long();
	return done();
}
