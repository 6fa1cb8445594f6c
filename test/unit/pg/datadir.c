/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/datadir.h"
#include <glib.h>

static void what_a_base_backup_takes(void)
{
    static const struct {
        const char *dir, *name;
        PgTake want;
    } cases[] = {
        { "", "PG_VERSION", PG_TAKE },
        { "", "base", PG_TAKE },
        { "", "postgresql.auto.conf", PG_TAKE },
        { "", "standby.signal", PG_TAKE },
        { "", "pg_xact", PG_TAKE },
        { "", "pg_stat", PG_TAKE },
        { "", "pg_tblspc", PG_TAKE },
        { "", "t3_16384", PG_TAKE },
        { "", "pg_wal", PG_TAKE_EMPTY },
        { "", "pg_replslot", PG_TAKE_EMPTY },
        { "", "pg_dynshmem", PG_TAKE_EMPTY },
        { "", "pg_notify", PG_TAKE_EMPTY },
        { "", "pg_serial", PG_TAKE_EMPTY },
        { "", "pg_snapshots", PG_TAKE_EMPTY },
        { "", "pg_stat_tmp", PG_TAKE_EMPTY },
        { "", "pg_subtrans", PG_TAKE_EMPTY },
        { "log", "pg_wal", PG_TAKE },
        { "", "postmaster.pid", PG_LEAVE_OUT },
        { "", "postmaster.opts", PG_LEAVE_OUT },
        { "", "backup_label", PG_LEAVE_OUT },
        { "", "backup_label.old", PG_LEAVE_OUT },
        { "", "backup_manifest", PG_LEAVE_OUT },
        { "", "tablespace_map", PG_LEAVE_OUT },
        { "", "postgresql.auto.conf.tmp", PG_LEAVE_OUT },
        { "", "current_logfiles.tmp", PG_LEAVE_OUT },
        { "", "current_logfiles", PG_TAKE },
        { "global", "pg_internal.init", PG_LEAVE_OUT },
        { "base/5", "pg_internal.init.4711", PG_LEAVE_OUT },
        { "base", "pgsql_tmp", PG_LEAVE_OUT },
        { "base/pgsql_tmp", "pgsql_tmp123.0", PG_LEAVE_OUT },
        { "pg_tblspc/16384/PG_15_202209061", "pgsql_tmp", PG_LEAVE_OUT },
        { "base/5", "t3_16384", PG_LEAVE_OUT },
        { "base/5", "t3_16384_fsm", PG_LEAVE_OUT },
        { "base/5", "t12_16384.1", PG_LEAVE_OUT },
        { "pg_tblspc/16384/PG_15_202209061/5", "t3_16385_vm.1", PG_LEAVE_OUT },
        { "pg_tblspc/16384/PG_15_202209061", "t3_16385", PG_TAKE },
        { "base/5", "t3_", PG_TAKE },
        { "base/5", "t_16384", PG_TAKE },
        { "base/5", "t3_16384_map", PG_TAKE },
        { "base/5", "16384", PG_TAKE },
        { "base/5", "16384_init", PG_TAKE },
        { "base/5", "pg_filenode.map", PG_TAKE },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s/%s", cases[i].dir, cases[i].name);
        g_assert_cmpint(pg_take(cases[i].dir, cases[i].name), ==, cases[i].want);
    }
}

static void where_relations_lie(void)
{
    static const struct {
        const char *dir;
        bool want;
    } cases[] = {
        { "global", true },
        { "base/1", true },
        { "base/16384", true },
        { "pg_tblspc/16390/PG_15_202209061/5", true },
        { "", false },
        { "base", false },
        { "base/", false },
        { "base/pgsql_tmp", false },
        { "base/1/2", false },
        { "pg_tblspc", false },
        { "pg_tblspc/", false },
        { "pg_tblspc/16390", false },
        { "pg_tblspc/16390/PG_15_202209061", false },
        { "pg_tblspc/16390/PG_15_202209061/pgsql_tmp", false },
        { "pg_tblspc/16390/other/5", false },
        { "pg_xact", false },
        { "globally", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].dir);
        g_assert_true(pg_holds_relations(cases[i].dir) == cases[i].want);
    }
}

static void names_of_relations(void)
{
    static const struct {
        const char *name;
        bool good;
        PgRelationFile want;
    } cases[] = {
        { "16384", true, { 16384, PG_FORK_MAIN, 0 } },
        { "4294967295", true, { UINT32_MAX, PG_FORK_MAIN, 0 } },
        { "16384.1", true, { 16384, PG_FORK_MAIN, 1 } },
        { "16384_fsm", true, { 16384, PG_FORK_FSM, 0 } },
        { "16384_vm.12", true, { 16384, PG_FORK_VM, 12 } },
        { "16384_init", true, { 16384, PG_FORK_INIT, 0 } },
        { "4294967296", false, { 0 } },
        { "016384", false, { 0 } },
        { "0", false, { 0 } },
        { "16384.", false, { 0 } },
        { "16384.0", false, { 0 } },
        { "16384.01", false, { 0 } },
        { "16384_", false, { 0 } },
        { "16384_main", false, { 0 } },
        { "16384_fsm_vm", false, { 0 } },
        { "16384x", false, { 0 } },
        { "t3_16384", false, { 0 } },
        { "pg_filenode.map", false, { 0 } },
        { "pg_control", false, { 0 } },
        { "PG_VERSION", false, { 0 } },
        { "", false, { 0 } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        PgRelationFile got = { 0 };

        g_test_message("%s", cases[i].name);
        g_assert_true(pg_relation_file_parse(cases[i].name, &got) == cases[i].good);
        g_assert_cmpuint(got.number, ==, cases[i].want.number);
        g_assert_cmpuint(got.fork, ==, cases[i].want.fork);
        g_assert_cmpuint(got.segment, ==, cases[i].want.segment);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pg/datadir/what-a-base-backup-takes", what_a_base_backup_takes);
    g_test_add_func("/pg/datadir/where-relations-lie", where_relations_lie);
    g_test_add_func("/pg/datadir/names-of-relations", names_of_relations);
    return g_test_run();
}
