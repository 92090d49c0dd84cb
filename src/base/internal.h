/* The two halves of confine(), for confine.c alone. */
#pragma once

#include "base/confine.h"

/* The ABI of Landlock that is used, 0 for none. */
int confine_landlock_abi(void);

/* Landlock for these paths. *enforced_abi is written: 0 where nothing is enforced. 0, or -1 with
 * *err. */
MUST_USE int confine_landlock(const struct confine_path *paths, size_t count, int *enforced_abi,
			      struct error *err);

/* True where the filter is written for: x86-64 and aarch64, without AddressSanitizer. */
bool confine_seccomp_possible(void);

/* The profile's list of system calls. landlock_abi is what is enforced already. 0, or -1 with *err.
 */
MUST_USE int confine_seccomp(enum confine_profile profile, int landlock_abi, struct error *err);
