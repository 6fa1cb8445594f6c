/* SPDX-License-Identifier: Apache-2.0 */
/* What a run tells, for people, and what its retention would do. */
#pragma once
#include "config/settings.h"
#include "op/forget.h"
#include <jansson.h>

void run_show_event(const Settings *settings, const json_t *event);
/* A line, or with --json an object, for each backup: whether it stays, and why. */
void run_show_plan(const Settings *settings, const char *schedule, const ForgetPlan *plan);
