/* The pages as bytes of this program. A new file is one EMBED and one row. */
#include "pages/pages.h"

#define TYPE_HTML       "text/html; charset=utf-8"
#define TYPE_CSS        "text/css; charset=utf-8"
#define TYPE_JAVASCRIPT "text/javascript; charset=utf-8"

/* Puts src/pages/FILE into read-only data, from NAME to NAME_end. */
#define EMBED(name, file)                                                                          \
	__asm__(".pushsection .rodata\n"                                                           \
		".hidden page_" #name "\n.global page_" #name "\npage_" #name ":\n"                \
		".incbin \"src/pages/" file "\"\n"                                                 \
		".hidden page_" #name "_end\n.global page_" #name "_end\npage_" #name "_end:\n"    \
		".byte 0\n"                                                                        \
		".popsection\n");                                                                  \
	extern const char page_##name[], page_##name##_end[]

EMBED(admin_html, "admin.html");
EMBED(landing_html, "landing.html");
EMBED(tool_html, "tool.html");
EMBED(view_html, "view.html");
EMBED(view_js, "view.js");
EMBED(preview_css, "preview.css");
EMBED(debug_css, "debug.css");
EMBED(admin_css, "admin.css");
EMBED(icon_svg, "icon.svg");
EMBED(dom_js, "dom.js");
EMBED(landing_js, "landing.js");
EMBED(tool_js, "tool.js");
EMBED(form_js, "form.js");
EMBED(starters_js, "starters.js");
EMBED(result_js, "result.js");
EMBED(files_js, "files.js");
EMBED(admin_js, "admin.js");
EMBED(client_js, "client.js");
EMBED(request_js, "request.js");
EMBED(record_js, "record.js");
EMBED(artifacts_js, "artifacts.js");
EMBED(preview_js, "preview.js");
EMBED(history_js, "history.js");
EMBED(programs_js, "programs.js");

#define ROW(name, file, type)                                                                      \
	{                                                                                          \
		file, type, page_##name, page_##name##_end                                         \
	}

static const struct {
	const char *name, *type;
	const char *data, *end;
} pages[] = {
	ROW(admin_html, PAGE_ADMIN, TYPE_HTML),
	ROW(landing_html, PAGE_LANDING, TYPE_HTML),
	ROW(tool_html, PAGE_TOOL, TYPE_HTML),
	ROW(view_html, PAGE_VIEW, TYPE_HTML),
	ROW(view_js, "view.js", TYPE_JAVASCRIPT),
	ROW(preview_css, "preview.css", TYPE_CSS),
	ROW(debug_css, "debug.css", TYPE_CSS),
	ROW(admin_css, "admin.css", TYPE_CSS),
	ROW(icon_svg, "icon.svg", "image/svg+xml"),
	ROW(dom_js, "dom.js", TYPE_JAVASCRIPT),
	ROW(landing_js, "landing.js", TYPE_JAVASCRIPT),
	ROW(tool_js, "tool.js", TYPE_JAVASCRIPT),
	ROW(form_js, "form.js", TYPE_JAVASCRIPT),
	ROW(starters_js, "starters.js", TYPE_JAVASCRIPT),
	ROW(result_js, "result.js", TYPE_JAVASCRIPT),
	ROW(files_js, "files.js", TYPE_JAVASCRIPT),
	ROW(admin_js, "admin.js", TYPE_JAVASCRIPT),
	ROW(client_js, "client.js", TYPE_JAVASCRIPT),
	ROW(request_js, "request.js", TYPE_JAVASCRIPT),
	ROW(record_js, "record.js", TYPE_JAVASCRIPT),
	ROW(artifacts_js, "artifacts.js", TYPE_JAVASCRIPT),
	ROW(preview_js, "preview.js", TYPE_JAVASCRIPT),
	ROW(history_js, "history.js", TYPE_JAVASCRIPT),
	ROW(programs_js, "programs.js", TYPE_JAVASCRIPT),
};

bool page_find(struct slice name, struct slice *bytes, const char **type)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (!slice_eq(name, pages[i].name))
			continue;
		*bytes = (struct slice){pages[i].data, (size_t)(pages[i].end - pages[i].data)};
		*type = pages[i].type;
		return true;
	}
	return false;
}
