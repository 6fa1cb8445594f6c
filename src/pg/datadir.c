/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/datadir.h"
#include <glib.h>
#include <string.h>

#define TABLESPACES "pg_tblspc/"

/* Belong to a running server; it makes them anew. */
static const char *const empty_at_top[] = {
    "pg_dynshmem", "pg_notify",   "pg_replslot", "pg_serial", "pg_snapshots",
    "pg_stat_tmp", "pg_subtrans", "pg_wal",      NULL,
};
/* The labels are those of another backup: this one has its own. */
static const char *const left_out_at_top[] = {
    "postmaster.pid",
    "postmaster.opts",
    "postgresql.auto.conf.tmp",
    "current_logfiles.tmp",
    "backup_label",
    "backup_label.old",
    "backup_manifest",
    "tablespace_map",
    "tablespace_map.old",
    NULL,
};

static bool is_number(const char *text, size_t len)
{
    return len > 0 && strspn(text, "0123456789") >= len;
}

/* "/" and a number to the end. */
static bool ends_in_number(const char *text)
{
    return *text == '/' && is_number(text + 1, strlen(text + 1));
}

bool pg_holds_relations(const char *dir)
{
    const char *rest = dir + strlen(TABLESPACES);
    size_t len;

    if (strcmp(dir, "global") == 0)
        return true;
    if (g_str_has_prefix(dir, "base/"))
        return ends_in_number(dir + strlen("base"));
    if (!g_str_has_prefix(dir, TABLESPACES))
        return false;
    len = strcspn(rest, "/");
    if (!is_number(rest, len) || !g_str_has_prefix(rest + len, "/PG_"))
        return false;
    rest += len + 1;
    return ends_in_number(rest + strcspn(rest, "/"));
}

/* "t3_16384", with the number of a session and those parts that other relations have. */
static bool is_temporary(const char *name)
{
    size_t len = *name == 't' ? strspn(name + 1, "0123456789") : 0;
    PgRelationFile file;

    return len > 0 && name[1 + len] == '_' && pg_relation_file_parse(name + 2 + len, &file);
}

PgTake pg_take(const char *dir, const char *name)
{
    if (g_str_has_prefix(name, "pgsql_tmp") || g_str_has_prefix(name, "pg_internal.init"))
        return PG_LEAVE_OUT;
    if (!*dir && g_strv_contains(empty_at_top, name))
        return PG_TAKE_EMPTY;
    if (!*dir && g_strv_contains(left_out_at_top, name))
        return PG_LEAVE_OUT;
    return pg_holds_relations(dir) && is_temporary(name) ? PG_LEAVE_OUT : PG_TAKE;
}

/* A number of 32 bits, spelled as PostgreSQL does. */
static bool take_number(const char **text, uint32_t *ret_number)
{
    size_t len = strspn(*text, "0123456789");
    guint64 value;

    if (len == 0 || len > 10 || (**text == '0' && len > 1))
        return false;
    value = g_ascii_strtoull(*text, NULL, 10);
    *text += len;
    *ret_number = (uint32_t)value;
    return value > 0 && value <= UINT32_MAX;
}

bool pg_relation_file_parse(const char *name, PgRelationFile *ret_file)
{
    static const char *const forks[] = {
        [PG_FORK_FSM] = "_fsm",
        [PG_FORK_VM] = "_vm",
        [PG_FORK_INIT] = "_init",
    };
    PgRelationFile file = { .fork = PG_FORK_MAIN };

    if (!take_number(&name, &file.number))
        return false;
    for (size_t i = PG_FORK_FSM; i < G_N_ELEMENTS(forks) && file.fork == PG_FORK_MAIN; i++)
        if (g_str_has_prefix(name, forks[i])) {
            file.fork = (PgFork)i;
            name += strlen(forks[i]);
        }
    if (*name == '.' && (name++, !take_number(&name, &file.segment)))
        return false;
    if (*name)
        return false;
    *ret_file = file;
    return true;
}
