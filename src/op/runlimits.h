/* SPDX-License-Identifier: Apache-2.0 */
/* What a run may take of its machine. Before there are other threads: those made later, and
 * children, inherit it. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * nice: added to ours. ionice: "idle", "best-effort" or "best-effort:0" to ":7"; NULL: as it is.
 * memory: bytes of RLIMIT_DATA, which counts what is allocated and not the index, which is mapped;
 * 0: any. It counts reserved memory, not resident one, and holds for each child on its own; a limit
 * on what is resident is that of a control group (MemoryMax= of systemd).
 * False: told by a text to be freed, for a run goes on without; others are applied.
 */
bool run_limits_apply(int nice, const char *ionice, uint64_t memory, char **ret_problem);
