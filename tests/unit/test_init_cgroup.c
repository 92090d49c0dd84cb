/* What mayfly-init reads of its cgroup: the counters of both versions, and what is not there. */
#include "init/init.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/mayfly-init-cgroup-XXXXXX";
static int root_fd;

static void put(const char *path, const char *text)
{
	_cleanup_close_ int fd = -1;

	if (fs_make_parents(root_fd, path, 0755) == 0)
		fd = fs_open_beneath(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		perror(path);
}

#define V1_MEMORY "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
#define V2_EVENTS "memory.events", "low 0\noom 9\noom_kill 4\noom_group_kill 0\n"

static const struct {
	const char *what, *membership;
	const char *files[4][3];                                /* folder, name, contents */
	long long cpu_us, oom_kills, peak_bytes, current_bytes; /* -1: not counted */
} cgroups[] = {
	{"v1, bind mounts",
	 "9:name=systemd:/lib/x\n4:memory:/lib/x\n2:cpuacct:/lib/x\n0::/\n",
	 {{"cpuacct", "cpuacct.usage", "5000999\n"},
	  {"memory", V1_MEMORY},
	  {"memory", "memory.max_usage_in_bytes", "4096\n"},
	  {"memory", "memory.usage_in_bytes", "2048\n"}},
	 5000,
	 3,
	 4096,
	 2048},
	{"v1, joined controllers, whole tree",
	 "4:cpu,cpuacct:/lib/x\n5:memory:/lib/x\n",
	 {{"cpu,cpuacct/lib/x", "cpuacct.usage", "7000\n"}, {"memory/lib/x", V1_MEMORY}},
	 7,
	 3,
	 -1,
	 -1},
	{"v2, a namespace of its own",
	 "0::/\n",
	 {{".", "cpu.stat", "nr_periods 0\nusage_usec 12\nuser_usec 5\n"},
	  {".", V2_EVENTS},
	  {".", "memory.peak", "77\n"},
	  {".", "memory.current", "70\n"}},
	 12,
	 4,
	 77,
	 70},
	{"v2, the host's namespace",
	 "0::/user.slice/x.scope\n",
	 {{"user.slice/x.scope", "cpu.stat", "usage_usec 13\n"},
	  {".", "cpu.stat", "usage_usec 99\n"}},
	 13,
	 -1,
	 -1,
	 -1},
	{"nothing", "0::/\n", {{0}}, -1, -1, -1, -1},
	{"rubbish", "x\n::\n", {{".", "cpu.stat", "usage_usec -1\n"}}, -1, -1, -1, -1},
	{"rubbish where a number should be",
	 "0::/\n",
	 {{".", "cpu.stat", "usage_usec\nusage_usec x\n"}, {".", "memory.peak", ""}},
	 -1,
	 -1,
	 -1,
	 -1},
};

static long long counted(const struct init_counter *counter)
{
	uint64_t value;

	return init_counter_read(counter, &value) ? (long long)value : -1;
}

static void test_cgroup(void)
{
	for (size_t i = 0; i < sizeof(cgroups) / sizeof(cgroups[0]); i++) {
		struct init_cgroup cgroup;
		char folder[32], path[256];

		snprintf(folder, sizeof(folder), "cgroup%zu", i);
		for (size_t file = 0; file < 4 && cgroups[i].files[file][0]; file++) {
			const char *const *row = cgroups[i].files[file];
			const char *inner = strcmp(row[0], ".") == 0 ? "" : row[0];

			snprintf(path, sizeof(path), "%s/%s%s%s", folder, inner, *inner ? "/" : "",
				 row[1]);
			put(path, row[2]);
		}

		_cleanup_close_ int fd = openat(root_fd, folder, O_PATH | O_CLOEXEC);

		init_cgroup_open(fd, cgroups[i].membership, &cgroup);
		is_number(counted(&cgroup.cpu_us), cgroups[i].cpu_us, "%s: CPU", cgroups[i].what);
		is_number(counted(&cgroup.oom_kills), cgroups[i].oom_kills, "%s: OOM kills",
			  cgroups[i].what);
		is_number(counted(&cgroup.peak_bytes), cgroups[i].peak_bytes, "%s: peak",
			  cgroups[i].what);
		is_number(counted(&cgroup.current_bytes), cgroups[i].current_bytes, "%s: current",
			  cgroups[i].what);
	}
}

int main(void)
{
	int folder = -1;

	if (!mkdtemp(root) || (root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	(void)umask(022);
	test_cgroup();
	folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(fs_remove_tree(folder, root + strlen("/tmp/")) == 0, "nothing is left");
	close(folder);
	close(root_fd);
	return done();
}
