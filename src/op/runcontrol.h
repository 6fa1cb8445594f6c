/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may end a run before it is done: a signal, its time, or a lock that is lost. All of them
 * come together in one Cancel, and the first one is the reason. Any thread.
 */
#pragma once
#include "base/cancel.h"
#include <stdint.h>

typedef struct RunControl RunControl;

/* asked: by a signal; borrowed. timeout_ms: 0 for none. */
RunControl *run_control_new(const Cancel *asked, int64_t timeout_ms);
void run_control_free(RunControl *control); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunControl, run_control_free)

const Cancel *run_control_cancel(const RunControl *control); /* borrowed */
/* Ends the run for this reason, unless there is one already. */
void run_control_end(RunControl *control, const GError *why);
/* False when the run is to end: why. BS_ERROR_CANCELLED: it was asked to; RUN_TIMEOUT: its time is
 * over; else what run_control_end() was told. */
bool run_control_check(RunControl *control, GError **error);

#define RUN_TIMEOUT "timeout" /* the whole message; BS_ERROR_FAILED */
