#include "api/system/health.h"

#include "base/cleanup.h"
#include "job/slots.h"

#include <fcntl.h>
#include <sys/sysinfo.h>

/* of the interface that the sandbox API's clients know, not ours */
#define SERVICE_VERSION   "2.0.0"
#define MEMINFO_MAX_BYTES (16 * KIB)

/* The run queue's length per CPU over the last minute: what tells a client whether to come back
 * later. */
static double cpu_percent(void)
{
	double load = 0;

	if (getloadavg(&load, 1) != 1)
		return 0;

	double percent = load * 100 / get_nprocs();

	return percent > 100 ? 100 : percent;
}

/* A line's number of /proc/meminfo (proc(5)), in KiB; 0 when there is none. */
static double meminfo_value(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	return line ? strtod(line + strlen(key), NULL) : 0;
}

static double memory_percent(void)
{
	char text[MEMINFO_MAX_BYTES];
	_cleanup_close_ int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (len <= 0)
		return 0;
	text[len] = '\0';

	double total = meminfo_value(text, "MemTotal:"),
	       available = meminfo_value(text, "MemAvailable:");

	return total > 0 ? (total - available) * 100 / total : 0;
}

/* One decimal, as a monitor shows it. */
static double rounded(double percent)
{
	return (double)(int64_t)(percent * 10 + 0.5) / 10;
}

void api_health(struct call *call)
{
	uint64_t running = 0, waiting = 0;
	struct error err;

	if (slot_count(call->config, &running, &waiting, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	call_reply_json(call, 200,
			json_pack("{s:s, s:s, s:s, s:I, s:f, s:f}", "status", "healthy", "service",
				  "executor-api", "version", SERVICE_VERSION, "queue_depth",
				  (json_int_t)waiting, "cpu_percent", rounded(cpu_percent()),
				  "memory_percent", rounded(memory_percent())));
}

void api_v1_health(struct call *call)
{
	call_reply_json(call, 200, json_pack("{s:s}", "status", "ok"));
}
