/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/basebackup.h"
#include "base/error.h"
#include "pg/conn.h"
#include "pg/walname.h"
#include <string.h>

#define ONE_STREAM 150000 /* since then, and options in parentheses */

static void tablespace_clear(gpointer data)
{
    g_free(((PgTablespace *)data)->location);
}

void pg_backup_start_clear(PgBackupStart *start)
{
    g_clear_pointer(&start->tablespaces, g_array_unref);
}

/* ---- the command ---- */

/* The WAL is in the backup, so the server need not wait until it is archived. */
static char *new_command(const PgBackupOptions *options)
{
    g_autofree char *label = pg_quote_text(options->label);
    GString *command = g_string_new(NULL);

    g_string_printf(command,
                    "BASE_BACKUP (LABEL %s, PROGRESS true, CHECKPOINT '%s', WAL true, WAIT false, "
                    "MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C'",
                    label, options->fast ? "fast" : "spread");
    if (options->max_rate_kb)
        g_string_append_printf(command, ", MAX_RATE %u", options->max_rate_kb);
    if (options->no_page_checks)
        g_string_append(command, ", VERIFY_CHECKSUMS false");
    g_string_append_c(command, ')');
    return g_string_free(command, FALSE);
}

static char *old_command(const PgBackupOptions *options)
{
    g_autofree char *label = pg_quote_text(options->label);
    GString *command = g_string_new(NULL);

    g_string_printf(command, "BASE_BACKUP LABEL %s PROGRESS%s WAL NOWAIT", label,
                    options->fast ? " FAST" : "");
    if (options->max_rate_kb)
        g_string_append_printf(command, " MAX_RATE %u", options->max_rate_kb);
    if (options->no_page_checks)
        g_string_append(command, " NOVERIFY_CHECKSUMS");
    g_string_append(command, " MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'");
    return g_string_free(command, FALSE);
}

/* ---- before the data ---- */

static bool strange(GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "server: what it says about the backup cannot be understood");
    return false;
}

/* Where a backup starts or stops: one row. */
static bool take_position(PgReplication *replication, uint64_t *ret_lsn, uint32_t *ret_timeline,
                          GError **error)
{
    PGresult *result = pg_replication_result(replication, PGRES_TUPLES_OK, error);
    bool ok;

    if (!result)
        return false;
    ok = PQntuples(result) == 1 && PQnfields(result) >= 2 &&
         lsn_parse(PQgetvalue(result, 0, 0), ret_lsn);
    if (ok)
        *ret_timeline = (uint32_t)g_ascii_strtoull(PQgetvalue(result, 0, 1), NULL, 10);
    PQclear(result);
    return (ok && *ret_timeline) || strange(error);
}

static bool take_tablespace(PgBackupStart *start, const PGresult *result, int row, GError **error)
{
    bool directory = PQgetisnull(result, row, 0);
    PgTablespace tablespace = {
        .oid = directory ? 0 : (uint32_t)g_ascii_strtoull(PQgetvalue(result, row, 0), NULL, 10),
        .size = g_ascii_strtoull(PQgetvalue(result, row, 2), NULL, 10) * 1024,
    };

    // the WAL, which comes with the data directory, can be told to belong only there
    if (directory != (row == PQntuples(result) - 1) || (!directory && tablespace.oid == 0))
        return strange(error);
    tablespace.location = directory ? NULL : g_strdup(PQgetvalue(result, row, 1));
    start->size += tablespace.size;
    g_array_append_val(start->tablespaces, tablespace);
    return true;
}

static bool take_tablespaces(PgReplication *replication, PgBackupStart *start, GError **error)
{
    PGresult *result = pg_replication_result(replication, PGRES_TUPLES_OK, error);
    bool ok;

    if (!result)
        return false;
    start->tablespaces = g_array_new(FALSE, FALSE, sizeof(PgTablespace));
    g_array_set_clear_func(start->tablespaces, tablespace_clear);
    ok = (PQnfields(result) >= 3 && PQntuples(result) > 0) || strange(error);
    for (int row = 0; ok && row < PQntuples(result); row++)
        ok = take_tablespace(start, result, row, error);
    PQclear(result);
    return ok;
}

bool pg_backup_begin(PgReplication *replication, const PgBackupOptions *options,
                     PgBackupStart *ret_start, GError **error)
{
    g_autofree char *command = pg_replication_version(replication) >= ONE_STREAM
                                   ? new_command(options)
                                   : old_command(options);
    g_auto(PgBackupStart) start = { 0 };

    if (!pg_replication_send(replication, command, error) ||
        !take_position(replication, &start.lsn, &start.timeline, error) ||
        !take_tablespaces(replication, &start, error))
        return false;
    *ret_start = start;
    start.tablespaces = NULL;
    return true;
}

/* ---- the data ---- */

typedef struct {
    PgReplication *replication;
    const PgBackupStart *start;
    const PgBackupReceiver *receiver;
    void *user;
    guint n_begun; /* archives */
    bool in_archive, in_manifest;
} Receiving;

static bool begin_archive(Receiving *receiving, GError **error)
{
    const PgTablespace *tablespace =
        &g_array_index(receiving->start->tablespaces, PgTablespace, receiving->n_begun++);

    receiving->in_archive = true;
    return receiving->receiver->begin(receiving->user, tablespace, error);
}

static bool end_archive(Receiving *receiving, GError **error)
{
    if (!receiving->in_archive)
        return true;
    receiving->in_archive = false;
    return receiving->receiver->end(receiving->user, error);
}

static bool take_data(Receiving *receiving, const char *data, size_t len, GError **error)
{
    if (receiving->in_manifest)
        return receiving->receiver->manifest(receiving->user, data, len, error);
    return receiving->in_archive ? receiving->receiver->data(receiving->user, data, len, error)
                                 : strange(error);
}

/* "16384.tar" or "base.tar": in the order that was announced. */
static bool take_archive_name(Receiving *receiving, const char *name, size_t len, GError **error)
{
    const GArray *tablespaces = receiving->start->tablespaces;
    const PgTablespace *next;
    g_autofree char *want = NULL;

    if (receiving->in_manifest || receiving->n_begun == tablespaces->len ||
        !memchr(name, '\0', len))
        return strange(error);
    next = &g_array_index(tablespaces, PgTablespace, receiving->n_begun);
    want = next->oid ? g_strdup_printf("%u.tar", next->oid) : g_strdup("base.tar");
    if (strcmp(name, want) != 0)
        return strange(error);
    return end_archive(receiving, error) && begin_archive(receiving, error);
}

/* Since 15: the first byte of a message says what it is. */
static bool take_message(Receiving *receiving, const char *message, size_t len, GError **error)
{
    switch (*message) {
    case 'n':
        return take_archive_name(receiving, message + 1, len - 1, error);
    case 'm':
        receiving->in_manifest = true;
        return receiving->n_begun == receiving->start->tablespaces->len
                   ? end_archive(receiving, error)
                   : strange(error);
    case 'd':
        return take_data(receiving, message + 1, len - 1, error);
    case 'p': // what has come is counted here
        return true;
    default:
        return strange(error);
    }
}

static bool take_copy(Receiving *receiving, bool messages, GError **error)
{
    PGresult *result = pg_replication_result(receiving->replication, PGRES_COPY_OUT, error);
    const char *data;
    size_t len;

    if (!result)
        return false;
    PQclear(result);
    for (;;) {
        if (!pg_replication_copied(receiving->replication, &data, &len, error))
            return false;
        if (len == 0)
            return true;
        if (!(messages ? take_message(receiving, data, len, error)
                       : take_data(receiving, data, len, error)))
            return false;
    }
}

/* Before 15: a stream for each archive, then one for the manifest. */
static bool take_copies(Receiving *receiving, GError **error)
{
    while (receiving->n_begun < receiving->start->tablespaces->len)
        if (!begin_archive(receiving, error) || !take_copy(receiving, false, error) ||
            !end_archive(receiving, error))
            return false;
    receiving->in_manifest = true;
    return take_copy(receiving, false, error);
}

/* ---- the end ---- */

static bool take_end(PgReplication *replication, PgBackupStop *stop, GError **error)
{
    PGresult *result;

    if (!take_position(replication, &stop->lsn, &stop->timeline, error))
        return false;
    // here the server says what it found wrong while it read
    result = pg_replication_result(replication, PGRES_COMMAND_OK, error);
    PQclear(result);
    return result != NULL;
}

static bool receive_all(Receiving *receiving, PgBackupStop *stop, GError **error)
{
    bool one = pg_replication_version(receiving->replication) >= ONE_STREAM;

    if (!(one ? take_copy(receiving, true, error) : take_copies(receiving, error)))
        return false;
    if (!receiving->in_manifest)
        return strange(error);
    return take_end(receiving->replication, stop, error);
}

bool pg_backup_receive(PgReplication *replication, const PgBackupStart *start,
                       const PgBackupReceiver *receiver, void *user, PgBackupStop *ret_stop,
                       GError **error)
{
    Receiving receiving = { replication, start, receiver, user, 0, false, false };
    g_autoptr(GError) failure = NULL;
    PgBackupStop stop = { 0 };
    const char *warnings;

    if (receive_all(&receiving, &stop, &failure)) {
        *ret_stop = stop;
        return true;
    }
    warnings = pg_replication_warnings(replication);
    g_propagate_error(error, g_steal_pointer(&failure));
    if (warnings)
        g_prefix_error(error, "the server warns: %s: ", warnings);
    return false;
}
