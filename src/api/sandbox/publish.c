/*
 * A rich result as a file: put into the store, so that it can be fetched by the link in its entry or given to another job by its id.
 *
 * Rules:
 *  1. A result that cannot be stored is shown all the same, without a link; the log says why.
 */
#include "api/sandbox/internal.h"
#include "base/utf8.h"
#include "server/links.h"
#include "store/files.h"

#include <stdio.h>
#include <string.h>

/* What a file of a type is called, where its name does not say so. */
static const struct {
	const char *type, *extension;
} extensions[] = {
	{"image/png", ".png"},
	{"image/jpeg", ".jpg"},
	{"image/gif", ".gif"},
	{"image/svg+xml", ".svg"},
	{"text/html", ".html"},
	{"text/latex", ".tex"},
	{"text/markdown", ".md"},
	{"application/json", ".json"},
	{"application/vnd.plotly.v1+json", ".json"},
};

/* The last component of the name, as UTF-8, with the type's extension. */
static struct slice file_name(struct slice type, struct slice name, struct buf *out)
{
	const char *extension = "";
	const char *slash = memrchr(name.data, '/', name.len);
	size_t extension_len;

	if (slash)
		name = (struct slice){slash + 1, (size_t)(name.data + name.len - slash - 1)};
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (slice_eq(type, extensions[i].type))
			extension = extensions[i].extension;
	extension_len = strlen(extension);
	if (name.len >= extension_len &&
	    memcmp(name.data + name.len - extension_len, extension, extension_len) == 0)
		extension_len = 0;
	if (utf8_append_clean(out, name) < 0)
		out->len = 0;
	if (out->len > JOB_NAME_MAX_BYTES - extension_len)
		out->len = utf8_trim(out->data, JOB_NAME_MAX_BYTES - extension_len);
	if (buf_append(out, extension, extension_len) < 0 || !files_is_name(buf_slice(out)))
		return SLICE_LITERAL("result");
	return buf_slice(out);
}

static int store(const struct call *call, struct slice name, struct slice content,
		 struct file_meta *out, struct error *err)
{
	struct file_writer writer;

	if (files_begin(call->config, SANDBOX_DISPLAYS_MAX_BYTES, &writer, err) < 0)
		return -1;

	int stored = files_append(&writer, content, err) < 0 ||
				     files_commit(&writer, call->caller.id, name, out, err) < 0
			     ? -1
			     : 0;

	files_abandon(&writer);
	return stored;
}

void sandbox_publish(const struct sandbox_run *run, struct slice type, struct slice name,
		     struct slice content, json_t *entry)
{
	_cleanup_buf_ struct buf clean = buf_new(4 * JOB_PATH_MAX_BYTES);
	struct call *call = run->call;
	struct file_meta meta;
	struct sign_key key;
	struct error err;

	if (store(call, file_name(type, name, &clean), content, &meta, &err) < 0 ||
	    sign_key_load(call->config, true, &key, &err) < 0)
		call->code = err.code;
	else if (json_object_set_new(entry, "id", json_string(meta.id)) < 0 ||
		 link_set(call, &key, meta.id, entry) < 0)
		call->code = "out_of_memory";
}
