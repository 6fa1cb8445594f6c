/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walcluster.h"

#include "base/error.h"
#include "pg/controlfile.h"

/* Of a directory that nobody has named: it may be none. */
static bool try_control(const char *pgdata, uint64_t *ret_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    PgControl control;

    if (pg_control_read(pgdata, &control, &failure)) {
        *ret_id = control.system_id;
        return true;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) ||
        g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* By the words of the path: pg_wal may be a link to another disk. */
static bool find_beside(const char *path, uint64_t *ret_id, GError **error)
{
    g_autofree char *pg_wal = g_path_get_dirname(path);
    g_autofree char *pgdata = g_path_get_dirname(pg_wal);

    return try_control(pgdata, ret_id, error) && (*ret_id != 0 || try_control(".", ret_id, error));
}

bool wal_cluster_find(const WalClusterFrom *from, uint64_t *ret_id, GError **error)
{
    guint64 given = 0;
    uint64_t found = 0;
    PgControl control;

    if (from->system_id &&
        !g_ascii_string_to_unsigned(from->system_id, 10, 1, UINT64_MAX, &given, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--system-id %s: not the system identifier of a cluster (pg_controldata shows "
                    "it)",
                    from->system_id);
        return false;
    }
    if (from->pgdata) {
        if (!pg_control_read(from->pgdata, &control, error))
            return false;
        found = control.system_id;
    } else if (!find_beside(from->path, &found, error)) {
        return false;
    }
    if (given != 0 && found != 0 && given != found) {
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    "--system-id %" G_GUINT64_FORMAT ": the data directory is of cluster "
                    "%" G_GUINT64_FORMAT,
                    given, found);
        return false;
    }
    *ret_id = given != 0 ? given : found;
    return true;
}

bool wal_cluster_need(const WalClusterFrom *from, uint64_t *ret_id, GError **error)
{
    if (!wal_cluster_find(from, ret_id, error))
        return false;
    if (*ret_id != 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s: there is no data directory to say which cluster this is about; give --pgdata "
                "DIR or --system-id ID (pg_controldata shows it)",
                from->path);
    return false;
}
