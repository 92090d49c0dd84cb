#include "job/defaults.h"

static const char *const environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/tmp",
	"TMPDIR=/tmp",
	"USER=runner",
};

const char *const job_usual[] = {"LANG=C.UTF-8", "PYTHONUNBUFFERED=1",
				 "RUBYOPT=-r/usr/lib/mayfly/ruby.rb", NULL};

void job_defaults(const struct config *config, struct job *job)
{
	job->cwd = "/workspace";
	job->stream_bytes = config->stream_bytes;
	job->artifact_count = config->artifact_count;
	job->artifact_bytes = config->artifact_bytes;
	job->artifacts_bytes = config->artifacts_bytes;
	job->env_count = 0;
	for (size_t i = 0; i < sizeof(environment) / sizeof(environment[0]); i++)
		job->env[job->env_count++] = slice_of(environment[i]);
	for (const char *const *text = job_usual; *text; text++)
		job->env[job->env_count++] = slice_of(*text);
}

void job_set_variable(struct job *job, const char *text)
{
	const struct slice name = {text, strcspn(text, "=") + 1};
	unsigned i = 0;

	while (i < job->env_count &&
	       (job->env[i].len < name.len || memcmp(job->env[i].data, text, name.len) != 0))
		i++;
	if (i == JOB_ENV_MAX_COUNT)
		return;
	job->env[i] = slice_of(text);
	if (i == job->env_count)
		job->env_count++;
}

void job_add_arguments(struct job *job, const json_t *texts)
{
	const json_t *text;
	size_t i;

	json_array_foreach ((json_t *)texts, i, text)
		job->argv[job->argc++] = json_slice(text);
}

void job_set_language(struct job *job, const struct language *language,
		      const struct language_profile *profile, struct slice code,
		      struct job_input *input)
{
	job_add_arguments(job, profile->argv);
	*input = (struct job_input){.path = slice_of(profile->file), .data = code};
	job->inputs = input;
	job->input_count = 1;
	job->language_env = language->env;
	job->boot_env = language->boot_env[0] ? language->boot_env : NULL;
	job->language = slice_of(language->name);
}
