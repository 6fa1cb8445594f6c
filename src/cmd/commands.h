/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "cmd/command.h"

extern const Command backup_command;
extern const Command cat_command;
extern const Command catalog_command;
extern const Command check_command;
extern const Command completion_command;
extern const Command config_command;
extern const Command manual5_command;
extern const Command copy_command;
extern const Command daemon_command;
extern const Command diff_command;
extern const Command doctor_command;
extern const Command dump_command;
extern const Command export_command;
extern const Command find_command;
extern const Command forget_command;
extern const Command healthcheck_command;
extern const Command init_command;
extern const Command key_command;
extern const Command ls_command;
extern const Command manual_command;
extern const Command mirror_command;
extern const Command pg_command;
extern const Command policy_command;
extern const Command prune_command;
extern const Command repair_command;
extern const Command restore_command;
extern const Command run_command;
extern const Command snapshots_command;
extern const Command stats_command;
extern const Command status_command;
extern const Command tag_command;
extern const Command unlock_command;
extern const Command version_command;
extern const Command wal_command;
