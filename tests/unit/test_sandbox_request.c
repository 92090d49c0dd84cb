/* api/sandbox/request.h: what counts as {}, what is missing, names, time-outs, files in each of
   their forms. */
#include "tap.h"
#include "util.h"

#include "api/sandbox/request.h"
#include "store/files.h"

static struct error err;

static json_t *body_of(const char *text)
{
	json_t *body = NULL;

	must(sandbox_parse(slice_of(text), &body, &err) == 0);
	return body;
}

static void test_parse(void)
{
	static const char *const nothing[] = {"",         "{",     "{bad json", "null",
					      "[1]",      "\"x\"", "{} {}",     "{\"a\":1,\"a\":2}",
					      "\xff\xfe", "7"};
	json_t *body = NULL;

	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		body = body_of(nothing[i]);
		ok(json_is_object(body) && json_object_size(body) == 0, "%s counts as {}",
		   nothing[i]);
		json_decref(body);
	}
	is_number(sandbox_parse(SLICE_LITERAL("{\"files\":{\"a\\u0000b\":\"\"}}"), &body, &err), -1,
		  "a NUL in a file's path is refused");
	is_text(err.message, "Path contains null bytes", "as what it is");
	body = body_of("{\"files\":{\"a\":\"\\u0000\"}}");
	is_number(json_object_size(body), 1, "a NUL in a file's content is not");
	json_decref(body);
}

static void missing(const char *text, const char *message)
{
	static const char *const names[] = {"tenant_id", "scope", "code", NULL};
	_cleanup_json_ json_t *body = body_of(text);
	struct sandbox_request request;
	int found = sandbox_take(body, names, &request, &err);

	is_number(found, message ? -1 : 0, "%s", text);
	if (message)
		is_text(err.message, message, "says what is missing");
}

static void test_required(void)
{
	missing("{}", "Missing required fields: tenant_id, scope, code");
	missing("{\"scope\":\"s\"}", "Missing required fields: tenant_id, scope, code");
	missing("{\"tenant_id\":\"\",\"scope\":null,\"code\":0}",
		"Missing required fields: tenant_id, scope, code");
	missing("{\"tenant_id\":false,\"scope\":[],\"code\":{}}",
		"Missing required fields: tenant_id, scope, code");
	missing("{\"tenant_id\":0.0,\"scope\":true,\"code\":-1}",
		"Missing required fields: tenant_id, scope, code");
	missing("{\"tenant_id\":1,\"scope\":true,\"code\":-1}", NULL);
	missing("{\"tenant_id\":\"1\",\"scope\":\"0\",\"code\":\" \"}", NULL);
}

/* What a body of one field is told; NULL: it is taken. */
static void takes(const char *field, const char *value, size_t len, const char *message)
{
	static const char *const nothing[] = {NULL};
	_cleanup_json_ json_t *body = json_pack("{s:s%}", field, value, len);
	struct sandbox_request request;

	is_number(sandbox_take(body, nothing, &request, &err), message ? -1 : 0, "%s of %zu bytes",
		  field, len);
	if (message)
		is_text(err.message, message, "is refused");
	else
		ok(slice_eq(request.code, value) || slice_eq(request.scope, value) ||
			   request.code.len == len,
		   "and is whole");
}

static void test_texts(void)
{
	static const char *const nothing[] = {NULL};
	_cleanup_json_ json_t *empty = body_of("{\"tenant_id\":null}"),
			      *wrong = body_of("{\"language\":[7]}"),
			      *other = body_of("{\"tenant_id\":7,\"scope\":true,\"code\":0.5,"
					       "\"language\":0,\"template\":\"\"}");
	char longest[SANDBOX_NAME_MAX_BYTES + 2] = "";
	struct sandbox_request request;

	is_number(sandbox_take(empty, nothing, &request, &err), 0, "nothing has to be there");
	ok(request.tenant_id.len == 0 && slice_eq(request.template, "default") &&
		   slice_eq(request.language, "python"),
	   "what is missing, or null, is the default");
	is_number(sandbox_take(other, nothing, &request, &err), 0, "numbers and booleans");
	ok(slice_eq(request.tenant_id, "7") && slice_eq(request.scope, "true") &&
		   slice_eq(request.code, "0.5"),
	   "are their texts");
	ok(slice_eq(request.language, "python") && slice_eq(request.template, "default"),
	   "but for those that are as good as missing");
	is_number(sandbox_take(wrong, nothing, &request, &err), -1, "a list is no text");
	is_text(err.message, "language must be a string", "and told so");
	memset(longest, 'n', sizeof(longest) - 1);
	takes("scope", "a", 1, NULL);
	takes("scope", "a\nb", 3, "scope must not hold control characters");
	takes("session_id", "a\0b", 3, "session_id must not hold control characters");
	takes("scope", longest, SANDBOX_NAME_MAX_BYTES + 1, "scope exceeds 255 bytes");
	takes("scope", longest + 1, SANDBOX_NAME_MAX_BYTES, NULL);
	takes("code", "a\0b", 3, NULL);
}

static uint64_t timeout_of(const char *text, uint64_t most_s)
{
	const struct template template = {.timeout_s = 30, .timeout_max_s = most_s};
	_cleanup_json_ json_t *body = body_of(text);

	return sandbox_timeout_s(body, &template);
}

static void test_timeouts(void)
{
	is_number(timeout_of("{}", 3600), 30, "the template's");
	is_number(timeout_of("{\"timeout\":1}", 3600), 1, "the least");
	is_number(timeout_of("{\"timeout\":3600}", 3600), 3600, "the most");
	is_number(timeout_of("{\"timeout\":3601}", 3600), 30, "more is the template's");
	is_number(timeout_of("{\"timeout\":0}", 3600), 30, "so is 0");
	is_number(timeout_of("{\"timeout\":-5}", 3600), 30, "and less");
	is_number(timeout_of("{\"timeout\":1e300}", 3600), 30, "and what is far too large");
	is_number(timeout_of("{\"timeout\":\"60\"}", 3600), 30, "and a text");
	is_number(timeout_of("{\"timeout\":true}", 3600), 30, "and a boolean");
	is_number(timeout_of("{\"timeout\":2.0}", 3600), 2, "a real that is whole");
	is_number(timeout_of("{\"timeout\":600}", 120), 120, "never more than the template allows");
}

/* --- files ------------------------------------------------------------------------------------ */

static int take(const struct config *config, const json_t *body, struct sandbox_files *files)
{
	*files = (struct sandbox_files){0};
	return sandbox_take_files(config, "owner", json_object_get(body, "files"), files, &err);
}

static void refused(const struct config *config, const char *text, const char *message)
{
	_cleanup_json_ json_t *body = body_of(text);
	struct sandbox_files files;

	is_number(take(config, body, &files), -1, "%s", text);
	is_text(err.message, message, "is refused with its message");
	sandbox_files_free(&files);
}

static void test_refused_files(const struct config *config)
{
	refused(config, "{\"files\":[1]}", "files must be an object of path and content");
	refused(config, "{\"files\":{\"\":\"\"}}", "Empty path");
	refused(config, "{\"files\":{\"../x\":\"\"}}", "Path traversal detected: ../x");
	refused(config, "{\"files\":{\"a\":7}}",
		"File a must be text, {\"content\",\"encoding\"} or {\"id\"}");
	refused(config, "{\"files\":{\"a\":{}}}",
		"File a must be text, {\"content\",\"encoding\"} or {\"id\"}");
	refused(config, "{\"files\":{\"a\":{\"content\":\"eA\",\"encoding\":\"base64\"}}}",
		"File a: invalid base64");
	refused(config, "{\"files\":{\"a\":{\"content\":\"e*==\",\"encoding\":\"base64\"}}}",
		"File a: invalid base64");
	refused(config, "{\"files\":{\"a\":{\"content\":\"\",\"encoding\":\"rot13\"}}}",
		"File a: encoding must be base64 or utf-8");
	refused(config, "{\"files\":{\"a\":\"\",\"./a\":\"\"}}",
		"Path collides with another file: a");
	refused(config, "{\"files\":{\"a\":\"\",\"a/b\":\"\"}}",
		"Path collides with another file: a/b");
	refused(config, "{\"files\":{\"a\":{\"id\":\"file_0123456789ab\"}}}",
		"uploaded file not found");
	refused(config, "{\"files\":{\"a\":{\"id\":\"../../etc/passwd\"}}}",
		"uploaded file not found");
}

static void upload(const struct config *config, const char *owner, struct slice data,
		   struct file_meta *out)
{
	struct file_writer writer;

	must(files_begin(config, UPLOAD_MAX_BYTES, &writer, &err) == 0);
	must(files_append(&writer, data, &err) == 0);
	must(files_commit(&writer, owner, SLICE_LITERAL("name"), out, &err) == 0);
	files_abandon(&writer);
}

static bool holds(const struct sandbox_files *files, const char *path, struct slice data)
{
	for (unsigned i = 0; i < files->count; i++)
		if (slice_eq(files->inputs[i].path, path))
			return files->inputs[i].data.len == data.len &&
			       memcmp(files->inputs[i].data.data, data.data, data.len) == 0;
	return false;
}

static void test_good_files(const struct config *config)
{
	struct file_meta mine, empty, others;
	struct sandbox_files files;

	upload(config, "owner", SLICE_LITERAL("uploaded"), &mine);
	upload(config, "owner", SLICE_LITERAL(""), &empty);
	upload(config, "another", SLICE_LITERAL("secret"), &others);

	_cleanup_json_ json_t *body =
		json_pack("{s:{s:s, s:s%, s:{s:s, s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}", "files",
			  "a/t.txt", "text", "nul", "a\0b", (size_t)3, "bin", "content",
			  "AAEC/w==", "encoding", "base64", "plain", "content", "as it is", "up",
			  "id", mine.id, "none", "id", empty.id);

	is_number(take(config, body, &files), 0, "every form of a file is taken");
	is_number(files.count, 6, "all of them");
	ok(holds(&files, "a/t.txt", SLICE_LITERAL("text")), "text");
	ok(holds(&files, "nul", SLICE_LITERAL("a\0b")), "text with a NUL");
	ok(holds(&files, "bin", SLICE_LITERAL("\0\1\2\xff")), "base64");
	ok(holds(&files, "plain", SLICE_LITERAL("as it is")), "content without an encoding");
	ok(holds(&files, "up", SLICE_LITERAL("uploaded")), "an upload");
	ok(holds(&files, "none", SLICE_LITERAL("")), "an empty one");
	is_number(files.total_bytes, 4 + 3 + 4 + 8 + 8, "and their sizes counted");
	sandbox_files_free(&files);
	json_decref(body);
	body = json_pack("{s:{s:{s:s}}}", "files", "a", "id", others.id);
	is_number(take(config, body, &files), -1, "another's upload is not there");
	is_number(err.status, 404, "for anybody else");
	sandbox_files_free(&files);
}

static void test_many_files(const struct config *config)
{
	_cleanup_json_ json_t *body = json_pack("{s:{}}", "files");
	json_t *list = json_object_get(body, "files");
	struct sandbox_files files;
	char path[16];

	for (unsigned i = 0; i < JOB_INPUT_MAX_COUNT - 1; i++) {
		(void)snprintf(path, sizeof(path), "f%u", i);
		must(json_object_set_new(list, path, json_string("")) == 0);
	}
	is_number(take(config, body, &files), 0, "as many files as there may be");
	sandbox_files_free(&files);
	must(json_object_set_new(list, "more", json_string("")) == 0);
	is_number(take(config, body, &files), -1, "one more is refused");
	sandbox_files_free(&files);
}

int main(void)
{
	struct config config = test_config();

	test_parse();
	test_required();
	test_texts();
	test_timeouts();
	test_refused_files(&config);
	test_good_files(&config);
	test_many_files(&config);
	return done();
}
