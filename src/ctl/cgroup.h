/* What a container takes, as its cgroup says: v1 and v2, found by the container's id in
   /proc/<pid>/cgroup (cgroups(7)). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* True with the bytes of memory that are charged to the container now; false when this user cannot
   see it, or it has ended. */
bool cgroup_memory(const char *container_id, uint64_t *bytes);
