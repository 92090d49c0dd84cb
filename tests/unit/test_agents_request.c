/* api/agents/request.h: bodies, paths and ids of the agents API; and the ids of records that are
   named by a time (store/records.h). */
#include "tap.h"
#include "util.h"

#include "api/agents/request.h"
#include "store/records.h"

static struct error err;

static void refused(const char *body, const char *code)
{
	struct agent_request request;

	is_number(agent_request_parse(slice_of(body), &request, &err), -1, "refused: %s", body);
	is_text(err.code, code, "for the right reason");
	is_number(err.status, 400, "with 400");
	agent_request_free(&request);
}

static void test_bodies(void)
{
	struct agent_request request;

	must(agent_request_parse(
		     SLICE_LITERAL(
			     "{\"frontend\":{\"html\":\"h\",\"css\":\"c\",\"javascript\":\"j\",\"x\":1},"
			     "\"test\":\"t\",\"prompt\":\"\",\"unknown\":[1]}"),
		     &request, &err) == 0);
	ok(slice_eq(request.html, "h") && slice_eq(request.css, "c") &&
		   slice_eq(request.javascript, "j") && slice_eq(request.test, "t") &&
		   request.prompt.len == 0 && request.has_prompt,
	   "everything that is there");
	agent_request_free(&request);
	for (int empty = 0; empty < 2; empty++) {
		must(agent_request_parse(slice_of(empty ? "" : "{}"), &request, &err) == 0);
		ok(!request.html.len && !request.test.len && !request.has_prompt &&
			   slice_eq(request.language, "node"),
		   "nothing has to be there");
		agent_request_free(&request);
	}
	refused(" ", "bad_json");
	refused("{", "bad_json");
	refused("[]", "wrong_type");
	refused("null", "wrong_type");
	refused("{\"frontend\":\"x\"}", "wrong_type");
	refused("{\"frontend\":null}", "wrong_type");
	refused("{\"frontend\":{\"html\":1}}", "wrong_type");
	refused("{\"frontend\":{\"css\":null}}", "wrong_type");
	refused("{\"frontend\":{\"javascript\":[]}}", "wrong_type");
	refused("{\"test\":{}}", "wrong_type");
	refused("{\"prompt\":true}", "wrong_type");
	refused("{\"language\":1}", "wrong_type");
	refused("{\"test\":\"\\u0000\"}", "bad_json");
}

static void test_prompt_length(void)
{
	_cleanup_buf_ struct buf body = buf_new(MIB);
	struct agent_request request;

	must(buf_append_text(&body, "{\"prompt\":\"") == 0);
	for (size_t i = 0; i < AGENT_PROMPT_MAX_BYTES + 1; i++)
		must(buf_append_text(&body, "p") == 0);
	must(buf_append_text(&body, "\"}") == 0);
	is_number(agent_request_parse(buf_slice(&body), &request, &err), -1, "one byte too many");
	is_text(err.code, "prompt_too_long", "has a code");
	agent_request_free(&request);
}

static void test_paths(void)
{
	static const struct {
		const char *path;
		int status; /* 0: good */
		enum agent_route route;
		const char *id, *run;
	} cases[] = {
		{"a/auto-run", 0, AGENT_AUTO_RUN, "a", ""},
		{"a/runs", 0, AGENT_RUNS, "a", ""},
		{"a/runs/12", 0, AGENT_RUN, "a", "12"},
		{"a/runs/12/stream", 0, AGENT_STREAM, "a", "12"},
		{"a%20b%C3%A9/runs", 0, AGENT_RUNS, "a b\u00e9", ""},
		{"a", 404, 0, "", ""},
		{"a/", 404, 0, "", ""},
		{"a/x", 404, 0, "", ""},
		{"a/runs/", 404, 0, "", ""},
		{"a/runs/1/x", 404, 0, "", ""},
		{"a/runs/1/stream/", 404, 0, "", ""},
		{"a/runs/1/stream/x", 404, 0, "", ""},
		{"a/auto-run/1", 404, 0, "", ""},
		{"", 404, 0, "", ""},
		{"/runs", 400, 0, "", ""},
		{"../runs", 400, 0, "", ""},
		{"./runs", 400, 0, "", ""},
		{".hidden/runs", 400, 0, "", ""},
		{"%2e%2e/runs", 400, 0, "", ""},
		{"a%2Fb/runs", 400, 0, "", ""},
		{"a%00b/runs", 400, 0, "", ""},
		{"a%0Ab/runs", 400, 0, "", ""},
		{"a%/runs", 400, 0, "", ""},
		{"%FF/runs", 400, 0, "", ""},
	};
	struct agent_path path;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err.status = 0;
		(void)!agent_path_parse(slice_of(cases[i].path), &path, &err);
		is_number(err.status, cases[i].status, "%s", cases[i].path);
		if (cases[i].status)
			continue;
		ok(path.route == cases[i].route && slice_eq(path.run, cases[i].run), "is a route");
		is_text(path.id, cases[i].id, "of the agent");
	}
}

static void test_long_ids(void)
{
	char text[AGENT_ID_MAX_BYTES + 16];
	struct agent_path path;

	for (size_t len = AGENT_ID_MAX_BYTES; len <= AGENT_ID_MAX_BYTES + 1; len++) {
		memset(text, 'a', len);
		(void)snprintf(text + len, sizeof(text) - len, "/runs");
		is_number(agent_path_parse(slice_of(text), &path, &err),
			  len > AGENT_ID_MAX_BYTES ? -1 : 0, "an id of %zu bytes", len);
	}
}

static void test_run_ids(void)
{
	static const char *const bad[] = {"",
					  "0",
					  "01",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "1.0",
					  "0x1",
					  "1e3",
					  "../1",
					  "3521614606208",
					  "18446744073709551617"};
	static const int64_t good[] = {1, 61, 62, 1795182079326, 3521614606207};
	char text[32], id[RUN_ID_BYTES], before[RUN_ID_BYTES] = "";
	int64_t ms;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!agent_run_id_parse(slice_of(bad[i]), &ms), "'%s' is no run's id", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(text, sizeof(text), "%lld", (long long)good[i]);
		ok(agent_run_id_parse(slice_of(text), &ms) && ms == good[i], "%s is one", text);
		record_id_of_ms(ms, id);
		ok(record_is_id(slice_of(id)), "a record may be called %s", id);
		is_number(record_ms_of(id), ms, "and says when it was");
		ok(strcmp(before, id) < 0, "later is greater");
		memcpy(before, id, sizeof(id));
	}
}

static void test_claims(void)
{
	struct config config = test_config();
	char id[RUN_ID_BYTES];

	(void)snprintf(config.storage_dir, sizeof(config.storage_dir), "%s", in_scratch("claims"));
	record_id_of_ms(1000, id);
	is_number(record_claim(&config, "agents", id, &err), 0, "an id is free");
	is_number(record_claim(&config, "agents", id, &err), 1, "taken it is not");
	record_unclaim(&config, "agents", id);
	is_number(record_claim(&config, "agents", id, &err), 0, "given back it is free again");
	ok(!record_exists(&config, "agents", id), "a claim is no record");
}

int main(void)
{
	test_bodies();
	test_prompt_length();
	test_paths();
	test_long_ids();
	test_run_ids();
	test_claims();
	return done();
}
