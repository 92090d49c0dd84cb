#include "server/note.h"

#include <stdio.h>

/* Whose routes run jobs. Where none fits, it is one of the protocols. */
static char family_of(struct slice path)
{
	static const struct {
		const char *prefix;
		char family;
	} families[] = {
		{"/run", 'A'}, {"/tools/", 'A'},  {"/execute", 'B'},  {"/session/", 'B'},
		{"/v1/", 'C'}, {"/api/v1/", 'D'}, {"/validate", 'D'},
	};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (slice_starts(path, families[i].prefix))
			return families[i].family;
	return 'E';
}

static enum job_outcome outcome_of(const struct job_result *result, const struct error *err)
{
	static const enum job_outcome outcomes[] = {
		[JOB_EXITED] = OUTCOME_FAILED,
		[JOB_SIGNALED] = OUTCOME_FAILED,
		[JOB_TIMEOUT] = OUTCOME_TIMEOUT,
		[JOB_CPU] = OUTCOME_CPU,
		[JOB_OOM] = OUTCOME_OOM,
		[JOB_CANCELLED] = OUTCOME_CANCELLED,
		[JOB_NOT_STARTED] = OUTCOME_NOT_STARTED,
		[JOB_LOST] = OUTCOME_LOST,
	};

	if (!result)
		return err->status == 0                 ? OUTCOME_CANCELLED
		       : strcmp(err->code, "busy") == 0 ? OUTCOME_BUSY
							: OUTCOME_ERROR;
	if (result->reason == JOB_EXITED && result->code == 0)
		return OUTCOME_SUCCEEDED;
	return outcomes[result->reason];
}

void note_job(struct call *call, struct slice language, const char *template,
	      const struct job_result *result, const struct error *err)
{
	struct metrics_job *job = &call->noted.job;
	const char *registry_end = template ? strchr(template, ':') : NULL;

	*job = (struct metrics_job){
		.family = family_of(call->connection->request.path),
		.outcome = outcome_of(result, err),
		.program_us = result && result->reason != JOB_NOT_STARTED ? call->program_us : -1,
	};
	(void)snprintf(job->language, sizeof(job->language), "%.*s", (int)language.len,
		       language.data);
	(void)snprintf(job->template, sizeof(job->template), "%s",
		       registry_end ? registry_end + 1
		       : template   ? template
				    : "");
}

void note_add(struct call *call, enum metric metric, uint64_t amount)
{
	call->noted.add[metric] += amount;
}

void note_engine_error(struct call *call, const struct error *err)
{
	note_add(call, metric_of_engine_error(err->code), 1);
}

void note_end(struct call *call)
{
	int64_t ended_us = call->answered_us ? call->answered_us : monotonic_us();

	call->noted.job.duration_us = ended_us - call->started_us;
	if (call->noted.job.family)
		call->job = call->noted.job;
	metrics_count(call->config, &call->noted);
	call->noted = (struct metrics_change){0};
}
