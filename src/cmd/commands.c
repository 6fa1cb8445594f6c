/* SPDX-License-Identifier: Apache-2.0 */
/* The command table, in the order of the help. Each row lives in a file of its own. */
#include "cmd/commands.h"

const Command *const commands[] = {
    &init_command,        //
    &key_command,         //
    &backup_command,      //
    &run_command,         //
    &snapshots_command,   //
    &ls_command,          //
    &find_command,        //
    &diff_command,        //
    &stats_command,       //
    &dump_command,        //
    &export_command,      //
    &import_command,      //
    &restore_command,     //
    &check_command,       //
    &forget_command,      //
    &prune_command,       //
    &repair_command,      //
    &tag_command,         //
    &copy_command,        //
    &mirror_command,      //
    &cat_command,         //
    &unlock_command,      //
    &policy_command,      //
    &wal_command,         //
    &pg_command,          //
    &doctor_command,      //
    &daemon_command,      //
    &status_command,      //
    &healthcheck_command, //
    &notify_command,      //
    &task_command,        //
    &config_command,      //
    &catalog_command,     //
    &user_command,        //
    &adopt_command,       //
    &completion_command,  //
    &version_command,     //
    &manual_command,      //
    &manual5_command,     //
    NULL,
};
