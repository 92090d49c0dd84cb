#include "server/note.h"

char note_family(struct slice path)
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
	return 'E'; /* the protocols */
}

void note_end(struct call *call)
{
	int64_t ended_us = call->answered_us ? call->answered_us : monotonic_us();

	executor_count(&call->executor, ended_us - call->started_us);
}
