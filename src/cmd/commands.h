/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "cmd/command.h"

extern const Command backup_command;
extern const Command init_command;
extern const Command snapshots_command;
extern const Command version_command;
