/* SPDX-License-Identifier: Apache-2.0 */
/* Progress as "status" objects in restic's shape. */
#pragma once
#include "flow/progress.h"
#include "op/runevents.h"

/* New. elapsed: seconds. */
json_t *status_json(Progress *progress, double elapsed);

/* Adds one a second to the events, from a thread of its own. */
typedef struct RunStatus RunStatus;
RunStatus *run_status_start(RunEvents *events, Progress *progress);
void run_status_stop(RunStatus *status); /* takes NULL */
