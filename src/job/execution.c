#include "job/execution.h"

#include "base/utf8.h"
#include "config/template_find.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENDING_LINE_BYTES      (EXECUTION_ENDING_BYTES + 2) /* on lines of its own */
#define ENDING_VALUE_MAX_BYTES 255 /* of what stands for a {name} in the words of an ending */

/* --- what is kept of a stream ----------------------------------------------------------------- */

struct capture capture_new(size_t limit)
{
	return (struct capture){.text = buf_new(limit + ENDING_LINE_BYTES), .limit = limit};
}

void capture_free(struct capture *capture)
{
	buf_free(&capture->text);
}

void capture_cut(struct capture *capture)
{
	struct buf *text = &capture->text;

	if (!capture->is_cut && text->len) {
		text->len = utf8_trim(text->data, text->len);
		text->data[text->len] = '\0';
	}
	capture->is_cut = true;
}

void capture_add(struct capture *capture, struct slice data)
{
	size_t room = capture->limit - (capture->text.len - capture->said);

	if (capture->is_cut)
		return;
	(void)!buf_append(&capture->text, data.data, data.len < room ? data.len : room);
	if (data.len > room)
		capture_cut(capture);
}

void capture_say(struct capture *capture, struct slice words)
{
	if (buf_append(&capture->text, words.data, words.len) == 0)
		capture->said += words.len;
}

void capture_join(struct capture *capture, const struct capture *more)
{
	const struct slice text = buf_slice(&more->text);
	size_t own = text.len - more->said;

	capture_add(capture, (struct slice){text.data, own});
	if (more->is_cut)
		capture_cut(capture);
	capture_say(capture, (struct slice){text.data + own, more->said});
}

/* --- how a job ended -------------------------------------------------------------------------- */

/* Its container ended without a word. */
#define TOOL_LOST    "\nExecution ran out of memory (limit {memory}), or its container was removed"
#define RUN_LOST     "Execution ran out of memory (limit {memory}), or its container was removed"
#define SANDBOX_LOST "Execution ran out of memory (limit {memory}), or its sandbox was removed"
#define TEST_LOST    "The test ran out of memory (limit {memory}), or its container was removed"

/*
 * The words for each reason; a reason without words is left to the exit code. {took} and {limit}
 * are seconds, {memory} and {cpu} the job's limits with their units, {signal} is a number and a
 * name, {message} what init says, {text} the tool's timeoutText. On stderr they are a line of their
 * own.
 */
static const struct {
	bool is_on_stderr;
	const char *words[JOB_LOST + 1];
} endings[WORDS_COUNT] = {
	[WORDS_TOOLS] = {true,
			 {
				 [JOB_TIMEOUT] = "\n{text} {took}s (timeout was set to {limit}s)",
				 [JOB_OOM] = "\nExecution ran out of memory (limit {memory})",
				 [JOB_CPU] = "\nExecution used up its CPU budget (limit {cpu})",
				 [JOB_SIGNALED] = "\nExecution was killed by signal {signal}",
				 [JOB_LOST] = TOOL_LOST,
				 [JOB_NOT_STARTED] = "{message}",
			 }},
	[WORDS_RUNS] = {true,
			{
				[JOB_TIMEOUT] = "Execution timed out",
				[JOB_OOM] = "Execution ran out of memory (limit {memory})",
				[JOB_CPU] = "Execution used up its CPU budget (limit {cpu})",
				[JOB_SIGNALED] = "Execution was killed by signal {signal}",
				[JOB_LOST] = RUN_LOST,
				[JOB_NOT_STARTED] = "{message}",
			}},
	[WORDS_SANDBOX] = {true,
			   {
				   [JOB_TIMEOUT] = "Execution exceeded timeout ({limit}s)",
				   [JOB_OOM] = "Execution ran out of memory (limit {memory})",
				   [JOB_CPU] = "Execution used up its CPU budget (limit {cpu})",
				   [JOB_SIGNALED] = "Execution was killed by signal {signal}",
				   [JOB_LOST] = SANDBOX_LOST,
				   [JOB_NOT_STARTED] = "{message}",
			   }},
	[WORDS_AGENTS] = {false,
			  {
				  [JOB_TIMEOUT] = "Timed out after {limit}s",
				  [JOB_OOM] = "The test ran out of memory (limit {memory})",
				  [JOB_CPU] = "The test used up its CPU budget (limit {cpu})",
				  [JOB_SIGNALED] = "The test was killed by signal {signal}",
				  [JOB_LOST] = TEST_LOST,
				  [JOB_NOT_STARTED] = "{message}",
			  }},
	/* a text that a parser does not get done with is no good either */
	[WORDS_CHECKS] = {false,
			  {
				  [JOB_TIMEOUT] = "The parser took too long",
				  [JOB_OOM] = "The parser ran out of memory",
				  [JOB_LOST] = "The parser ran out of memory",
				  [JOB_SIGNALED] = "The parser crashed",
				  [JOB_CPU] = "The parser crashed",
				  [JOB_CANCELLED] = "The parser crashed",
				  [JOB_NOT_STARTED] = "{message}",
			  }},
};

/* The template's limit, or the job's below it: what the engine makes of both (engine/prepare.c). */
static uint64_t memory_limit_mb(const struct execution *execution)
{
	const uint64_t asked_mb = execution->job->limits.memory_mb;
	struct template template;
	struct error ignored;

	if (template_find(execution->executor->config, slice_of(execution->job->template),
			  &template, &ignored) < 0)
		return asked_mb;
	return asked_mb && asked_mb < template.memory_mb ? asked_mb : template.memory_mb;
}

/* Writes the words of the ending to execution->ending. */
static void find_words(struct execution *execution)
{
	const struct job_result *result = &execution->result;
	const char *words = endings[execution->words].words[result->reason];
	const char *signal_name = sigabbrev_np(result->signal);
	char took[32], limit[32], memory[32], cpu[32], number[32], *out = execution->ending;
	const struct {
		const char *name, *value;
	} values[] = {
		{"{took}", took},
		{"{limit}", limit},
		{"{memory}", memory},
		{"{cpu}", cpu},
		{"{signal}", number},
		{"{message}", result->message},
		{"{text}", execution->timeout_text},
	};
	size_t len = 0;

	out[0] = '\0';
	if (!words)
		return;
	(void)snprintf(took, sizeof(took), "%.2f", (double)result->wall_us / 1e6);
	(void)snprintf(limit, sizeof(limit), "%" PRIu64,
		       execution->timeout_s ? execution->timeout_s
					    : execution->job->wall_ms / 1000);
	(void)snprintf(memory, sizeof(memory), "%" PRIu64 " MB", memory_limit_mb(execution));
	(void)snprintf(cpu, sizeof(cpu), "%" PRIu64 " ms", execution->job->cpu_ms);
	(void)snprintf(number, sizeof(number), signal_name ? "%d (SIG%s)" : "%d", result->signal,
		       signal_name);
	for (; *words && len + 1 < EXECUTION_ENDING_BYTES; len = strlen(out)) {
		size_t i = 0, count = sizeof(values) / sizeof(values[0]);

		while (i < count && strncmp(words, values[i].name, strlen(values[i].name)) != 0)
			i++;
		(void)snprintf(out + len, EXECUTION_ENDING_BYTES - len, "%.*s",
			       i < count ? ENDING_VALUE_MAX_BYTES : 1,
			       i < count ? values[i].value : words);
		words += i < count ? strlen(values[i].name) : 1;
	}
}

/* Says on stderr what the program itself could not say any more. */
static int say_ending(struct execution *execution, struct error *err)
{
	struct capture *capture = &execution->captures[!execution->is_shared];
	const struct buf *text = &capture->text;
	const char *line =
		text->len && text->data[text->len - 1] != '\n' && execution->ending[0] != '\n'
			? "\n"
			: "";
	char words[ENDING_LINE_BYTES];

	(void)snprintf(words, sizeof(words), "%s%s\n", line, execution->ending);
	capture_say(capture, slice_of(words));
	if (execution->observer.on_output)
		execution->observer.on_output(execution->observer.context, true, slice_of(words));
	return execution->has_storage
		       ? storage_append_stream(&execution->storage, true, slice_of(words), err)
		       : 0;
}

int execution_end(struct execution *execution, struct error *err)
{
	const struct execution_observer *observer = &execution->observer;
	const bool cut[2] = {execution->result.stdout_truncated,
			     execution->result.stderr_truncated};

	for (unsigned i = 0; i < 2; i++) {
		if (cut[i])
			capture_cut(&execution->captures[i && !execution->is_shared]);
		if (observer->on_output_end)
			observer->on_output_end(observer->context, i, cut[i]);
	}
	find_words(execution);
	return *execution->ending && endings[execution->words].is_on_stderr
		       ? say_ending(execution, err)
		       : 0;
}

/* --- running it ------------------------------------------------------------------------------- */

struct execution execution_new(struct executor *executor, const struct job *job,
			       enum execution_words words, size_t limit)
{
	return (struct execution){
		.executor = executor,
		.job = job,
		.words = words,
		.captures = {capture_new(limit), capture_new(limit)},
	};
}

static void close_storage(struct execution *execution)
{
	if (execution->has_storage)
		storage_close(&execution->storage);
	execution->has_storage = execution->has_inputs = false;
}

void execution_free(struct execution *execution)
{
	close_storage(execution);
	capture_free(&execution->captures[0]);
	capture_free(&execution->captures[1]);
}

int execution_open(struct execution *execution, struct error *err)
{
	struct storage *storage = &execution->storage;

	close_storage(execution);
	if ((execution->is_result ? storage_open : storage_open_files)(execution->executor->config,
								       storage, err) < 0)
		return -1;
	execution->has_storage = true;
	storage->count_left = execution->job->artifact_count;
	storage->artifact_bytes = execution->job->artifact_bytes;
	storage->total_left = execution->job->artifacts_bytes;
	return 0;
}

int execution_store_inputs(struct execution *execution, struct error *err)
{
	const struct job *job = execution->job;

	for (unsigned i = 0; i < job->input_count && !execution->has_inputs; i++)
		if (!job_is_hidden(job, i) &&
		    storage_put_input(&execution->storage, job->inputs[i].path.data,
				      job->inputs[i].data, err) < 0)
			return -1;
	execution->has_inputs = true;
	return 0;
}

void execution_output(struct execution *execution, bool is_stderr, struct slice data)
{
	const struct execution_observer *observer = &execution->observer;

	capture_add(&execution->captures[is_stderr && !execution->is_shared], data);
	if (observer->on_output)
		observer->on_output(observer->context, is_stderr, data);
}

static void on_output(void *context, bool is_stderr, struct slice data)
{
	execution_output(context, is_stderr, data);
}

/* Stores the inputs while the program runs already. */
static int on_sent(void *context, struct error *err)
{
	struct execution *execution = context;

	execution->was_sent = true;
	return execution->is_result ? execution_store_inputs(execution, err) : 0;
}

static void on_tick(void *context)
{
	struct execution *execution = context;

	execution->observer.on_tick(execution->observer.context);
}

static void on_display(void *context, const struct display *display)
{
	struct execution *execution = context;

	execution->on_display(execution->display_context, display);
}

int execution_run(struct execution *execution, struct error *err)
{
	const struct job_listener listener = {
		.context = execution,
		.on_output = on_output,
		.on_sent = on_sent,
		.on_tick = execution->observer.on_tick ? on_tick : NULL,
		.tick_ms = execution->observer.tick_ms,
		.on_display = execution->on_display ? on_display : NULL,
	};

	if (execution_open(execution, err) < 0 ||
	    (execution->is_again ? executor_run_again : executor_run)(
		    execution->executor, execution->job, &execution->storage, &listener,
		    &execution->result, err) < 0)
		return -1;
	return execution_end(execution, err);
}
