/* SPDX-License-Identifier: Apache-2.0 */
/* How far a run is, by what it has told last: needs no scheduler. Any thread. */
#pragma once
#include <jansson.h>

/* runs: the directory of the runs' directories. The last "status" near the end of its events; NULL:
 * there is none. New reference. */
json_t *run_progress(const char *runs, const char *id);
