/* What is kept of a job's output: cut at a character, marked, and with room for the words of its
   ending, for every API. */
#include "job/execution.h"

#include "tap.h"

#include <signal.h>

#define LIMIT 10

static struct slice text_of(const struct capture *capture)
{
	return buf_slice(&capture->text);
}

static void add(struct capture *capture, const char *text)
{
	capture_add(capture, slice_of(text));
}

static void test_caps(void)
{
	static const struct {
		const char *pieces[3], *kept;
		bool is_cut;
	} rows[] = {
		{{"", "", ""}, "", false},
		{{"0123456789", "", ""}, "0123456789", false},
		{{"0123456789", "x", ""}, "0123456789", true},
		{{"01234567", "89abc", ""}, "0123456789", true},
		{{"0123456\xe4\xb8\xad", "", ""}, "0123456\xe4\xb8\xad", false},
		{{"01234567\xe4\xb8\xad", "", ""}, "01234567", true},
		{{"01234567\xe4", "\xb8\xad", ""}, "01234567", true},
		{{"012345678\xc3", "\xa9", "x"}, "012345678", true},
		{{"01234567\xe4\xb8\xad", "x", "y"}, "01234567", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct capture capture = capture_new(LIMIT);

		for (size_t piece = 0; piece < 3; piece++)
			add(&capture, rows[i].pieces[piece]);
		is_text(text_of(&capture).data, rows[i].kept,
			"what fits is kept, cut at a character: %s", rows[i].kept);
		ok(capture.is_cut == rows[i].is_cut, "it is marked where it is cut");
		capture_free(&capture);
	}
}

static void test_cut_elsewhere(void)
{
	struct capture capture = capture_new(LIMIT);

	capture_cut(&capture);
	ok(capture.is_cut && capture.text.len == 0, "nothing can be cut, too");
	capture_free(&capture);
	capture = capture_new(LIMIT);
	add(&capture, "ab\xe4\xb8");
	capture_cut(&capture);
	add(&capture, "c");
	is_text(capture.text.data, "ab", "a stream that init cut ends at a character");
	capture_say(&capture, SLICE_LITERAL("!\n"));
	is_text(capture.text.data, "ab!\n", "our words come behind the cut");
	capture_free(&capture);
}

/* Cells of a notebook: each keeps as much as all of them. */
static void test_join(void)
{
	struct capture whole = capture_new(LIMIT), first = capture_new(LIMIT),
		       second = capture_new(LIMIT), third = capture_new(LIMIT);

	add(&first, "012345");
	add(&second, "abc\xc3\xa9xyz");
	capture_say(&second, SLICE_LITERAL("late\n"));
	add(&third, "9");
	capture_join(&whole, &first);
	ok(!whole.is_cut, "one fits");
	capture_join(&whole, &second);
	is_text(whole.text.data, "012345abclate\n",
		"of two what fits is kept, cut at a character, and our words");
	ok(whole.is_cut && !second.is_cut, "the whole is marked");
	capture_join(&whole, &third);
	is_text(whole.text.data, "012345abclate\n", "nothing comes behind a cut");
	capture_free(&whole);
	whole = capture_new(LIMIT);
	capture_join(&whole, &second);
	capture_join(&whole, &third);
	is_text(whole.text.data, "abc\xc3\xa9xyzlate\n9",
		"our words take no room of the program's");
	ok(!whole.is_cut, "so nothing is cut");
	capture_free(&whole);
	capture_free(&first);
	capture_free(&second);
	capture_free(&third);
}

/* --- endings ---------------------------------------------------------------------------------- */

struct heard {
	struct buf text[2];
	bool is_cut[2];
	unsigned ends;
};

static void on_output(void *context, bool is_stderr, struct slice data)
{
	struct heard *heard = context;

	if (buf_append(&heard->text[is_stderr], data.data, data.len) < 0)
		heard->ends = 99;
}

static void on_output_end(void *context, bool is_stderr, bool is_cut)
{
	struct heard *heard = context;

	heard->is_cut[is_stderr] = is_cut;
	heard->ends++;
}

static struct config config;

/* A program that fills stderr and is ended for a reason. */
static void end(enum execution_words words, enum job_reason reason, const char *ending,
		const char *said)
{
	static const struct job job = {
		.wall_ms = 2000, .cpu_ms = 300, .template = "none", .limits.memory_mb = 64};
	struct executor executor = executor_new(&config);
	struct execution execution = execution_new(&executor, &job, words, LIMIT);
	struct heard heard = {.text = {buf_new(KIB), buf_new(KIB)}};
	struct error err;
	char kept[KIB], all[KIB];

	execution.timeout_text = "Too slow:";
	execution.observer = (struct execution_observer){
		.context = &heard, .on_output = on_output, .on_output_end = on_output_end};
	execution_output(&execution, true, SLICE_LITERAL("0123456789abc"));
	execution.result = (struct job_result){.reason = reason,
					       .signal = SIGSEGV,
					       .wall_us = 2015000,
					       .message = "sh: not found"};
	ok(execution_end(&execution, &err) == 0, "an ending is said");
	is_text(execution.ending, ending, "in the words of its API");
	(void)snprintf(kept, sizeof(kept), "0123456789%s", said);
	(void)snprintf(all, sizeof(all), "0123456789abc%s", said);
	is_text(text_of(&execution.captures[1]).data, kept, "they survive a full stderr");
	is_text(buf_slice(&heard.text[1]).data, all, "who listens hears all of it");
	ok(heard.ends == 2 && execution.captures[1].is_cut && !execution.captures[0].is_cut,
	   "the cut is marked, both streams have ended");
	buf_free(&heard.text[0]);
	buf_free(&heard.text[1]);
	execution_free(&execution);
}

static void test_endings(void)
{
	static const char text[] = "Too slow: 2.02s (timeout was set to 2s)",
			  memory[] = "Execution ran out of memory (limit 64 MB)",
			  cpu[] = "Execution used up its CPU budget (limit 300 ms)",
			  killed[] = "Execution was killed by signal 11 (SIGSEGV)";
	static const struct {
		enum execution_words words;
		enum job_reason reason;
		const char *ending, *more; /* said behind an empty line, or on a line of its own */
		bool is_apart;
	} rows[] = {
		{WORDS_TOOLS, JOB_TIMEOUT, text, "", true},
		{WORDS_TOOLS, JOB_OOM, memory, "", true},
		{WORDS_TOOLS, JOB_CPU, cpu, "", true},
		{WORDS_TOOLS, JOB_SIGNALED, killed, "", true},
		{WORDS_TOOLS, JOB_LOST, memory, ", or its container was removed", true},
		{WORDS_TOOLS, JOB_NOT_STARTED, "sh: not found", "", false},
		{WORDS_RUNS, JOB_TIMEOUT, "Execution timed out", "", false},
		{WORDS_RUNS, JOB_OOM, memory, "", false},
		{WORDS_RUNS, JOB_CPU, cpu, "", false},
		{WORDS_RUNS, JOB_SIGNALED, killed, "", false},
		{WORDS_RUNS, JOB_LOST, memory, ", or its container was removed", false},
		{WORDS_SANDBOX, JOB_TIMEOUT, "Execution exceeded timeout (2s)", "", false},
		{WORDS_SANDBOX, JOB_OOM, memory, "", false},
		{WORDS_SANDBOX, JOB_SIGNALED, killed, "", false},
		{WORDS_SANDBOX, JOB_LOST, memory, ", or its sandbox was removed", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char ending[KIB], said[KIB];

		(void)snprintf(ending, sizeof(ending), "%s%s%s", rows[i].is_apart ? "\n" : "",
			       rows[i].ending, rows[i].more);
		(void)snprintf(said, sizeof(said), "\n%s%s\n", rows[i].ending, rows[i].more);
		end(rows[i].words, rows[i].reason, ending, said);
	}
	end(WORDS_TOOLS, JOB_EXITED, "", "");
	end(WORDS_AGENTS, JOB_TIMEOUT, "Timed out after 2s", "");
	end(WORDS_AGENTS, JOB_OOM, "The test ran out of memory (limit 64 MB)", "");
	end(WORDS_AGENTS, JOB_SIGNALED, "The test was killed by signal 11 (SIGSEGV)", "");
	end(WORDS_CHECKS, JOB_TIMEOUT, "The parser took too long", "");
	end(WORDS_CHECKS, JOB_SIGNALED, "The parser crashed", "");
	end(WORDS_NONE, JOB_TIMEOUT, "", "");
}

/* POST /run: both streams in one text, in the order in which they came. */
static void test_shared(void)
{
	static const struct job job = {.wall_ms = 1000, .template = "none"};
	struct executor executor = executor_new(&config);
	struct execution execution = execution_new(&executor, &job, WORDS_RUNS, LIMIT);
	struct error err;

	execution.is_shared = true;
	execution_output(&execution, false, SLICE_LITERAL("out "));
	execution_output(&execution, true, SLICE_LITERAL("err\xe4\xb8"));
	execution.result = (struct job_result){.reason = JOB_TIMEOUT, .stderr_truncated = true};
	ok(execution_end(&execution, &err) == 0, "it ends");
	is_text(text_of(&execution.captures[0]).data, "out err\nExecution timed out\n",
		"one text, and the ending behind it");
	ok(execution.captures[0].is_cut && execution.captures[1].text.len == 0,
	   "a stream that init cut marks it");
	execution_free(&execution);
}

int main(void)
{
	test_caps();
	test_cut_elsewhere();
	test_join();
	test_endings();
	test_shared();
	return done();
}
