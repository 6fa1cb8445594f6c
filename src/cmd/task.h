/* SPDX-License-Identifier: Apache-2.0 */
/* What `task` does; `run` too, when the daemon hands it a task. */
#pragma once
#include "cmd/command.h"

bool task_handed(const Context *context, const char *spec, const char *events, GError **error);
