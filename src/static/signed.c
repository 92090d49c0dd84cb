/*
 * GET and HEAD of /v1/files/{id}?payload=&sig=: an entry of the file store, for those who have the
 * link (src/api/runs/README.md).
 *
 * Rules:
 *  1. The signature alone decides, and it is checked before anything is looked up: without a good
 *     one no one learns what there is.
 *  2. What is served is what artifacts.c serves, with the same guards: nothing runs in a browser in
 *     our origin.
 */
#include "static/static.h"

#include "base/cleanup.h"
#include "store/files.h"
#include "store/links.h"

#include <sys/stat.h>

/* The key is read only; where none was ever made no signature can be good. */
static int check(const struct call *call, struct error *err)
{
	const struct http_request *request = &call->connection->request;
	struct sign_key key;
	int loaded = sign_key_load(call->config, false, &key, err);

	if (loaded < 0 && err->status != 404)
		return -1;
	return sign_check(loaded == 0 ? &key : NULL, request->path, request->query,
			  request->method == HTTP_HEAD ? "HEAD" : "GET", time(NULL), err);
}

void static_signed(struct call *call)
{
	_cleanup_close_ int file = -1;
	struct file_meta meta;
	struct stat status;
	struct error err;

	if (check(call, &err) < 0) {
		call_refuse(call, &err);
	} else if (files_open(call->config, NULL, call->rest, &file, &meta, &err) < 0 ||
		   fstat(file, &status) < 0) {
		(void)error_set(&err, 404, "artifact_not_found", "artifact not found");
		call_refuse(call, &err);
	} else {
		static_send_file(call, file, &status, slice_of(meta.name));
	}
}
