/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walstream.h"
#include "base/error.h"
#include "pg/result.h"
#include "pg/walname.h"
#include <poll.h>
#include <string.h>

#define READ_SLOT_SINCE 150000

/* ---- slots ---- */

bool pg_slot_name_valid(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= PG_SLOT_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

bool pg_slot_create(PgReplication *replication, const char *name, GError **error)
{
    g_autofree char *command =
        g_strdup_printf("CREATE_REPLICATION_SLOT %s PHYSICAL RESERVE_WAL", name);
    PGresult *result = pg_replication_ask(replication, command, 1, error);

    PQclear(result);
    return result != NULL;
}

bool pg_slot_drop(PgReplication *replication, const char *name, GError **error)
{
    g_autofree char *command = g_strconcat("DROP_REPLICATION_SLOT ", name, NULL);
    PGresult *result;

    if (!pg_replication_send(replication, command, error))
        return false;
    result = pg_replication_result(replication, PGRES_COMMAND_OK, error);
    PQclear(result);
    pg_replication_drain(replication);
    return result != NULL;
}

static const char *column(const PGresult *result, int n)
{
    return PQgetisnull(result, 0, n) ? NULL : PQgetvalue(result, 0, n);
}

bool pg_slot_read(PgReplication *replication, const char *name, PgSlot *ret_slot, GError **error)
{
    g_autofree char *command = g_strconcat("READ_REPLICATION_SLOT ", name, NULL);
    PgSlot slot = { .known = pg_replication_version(replication) >= READ_SLOT_SINCE };
    const char *type, *kept;
    PGresult *result;
    bool ok = true;

    if (slot.known) {
        result = pg_replication_ask(replication, command, 3, error);
        if (!result)
            return false;
        type = column(result, 0);
        kept = column(result, 1);
        slot.there = type != NULL;
        ok = !type || strcmp(type, "physical") == 0;
        if (!ok)
            g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                        "the slot %s is one for logical decoding; choose another name", name);
        else if (kept && !lsn_parse(kept, &slot.kept))
            slot.kept = 0;
        PQclear(result);
    }
    *ret_slot = slot;
    return ok;
}

bool pg_timeline_history(PgReplication *replication, uint32_t timeline, GBytes **ret_content,
                         GError **error)
{
    g_autofree char *command = g_strdup_printf("TIMELINE_HISTORY %u", timeline);
    PGresult *result = pg_replication_ask(replication, command, 2, error);

    if (!result)
        return false;
    *ret_content = g_bytes_new(PQgetvalue(result, 0, 1), (gsize)PQgetlength(result, 0, 1));
    PQclear(result);
    return true;
}

/* ---- the stream ---- */

/* PostgreSQL's codes of the two things that only a stream of WAL can meet. */
static void refine(const PGresult *result, GError **error)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (g_strcmp0(sqlstate, "58P01") == 0) // undefined_file: the segment was removed
        (*error)->code = BS_ERROR_WAL_GAP;
    else if (g_strcmp0(sqlstate, "55000") == 0) // a slot whose WAL was given up
        (*error)->code = BS_ERROR_WAL_GAP;
    else if (strstr((*error)->message, "is not in this server's history"))
        (*error)->code = BS_ERROR_MISMATCH;
}

bool pg_wal_start(PgReplication *replication, const char *slot, uint64_t lsn, uint32_t timeline,
                  GError **error)
{
    g_autofree char *command = g_strdup_printf("START_REPLICATION SLOT %s PHYSICAL %s TIMELINE %u",
                                               slot, lsn_text(lsn).text, timeline);
    PGresult *result;
    bool ok;

    if (!pg_replication_send(replication, command, error))
        return false;
    result = pg_replication_next(replication);
    ok = PQresultStatus(result) == PGRES_COPY_BOTH;
    if (!ok && pg_check_result(pg_replication_conn(replication), result, NULL, error))
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "server: it does not begin to stream");
    if (!ok)
        refine(result, error);
    PQclear(result);
    return ok;
}

static bool lost(PgReplication *replication, GError **error)
{
    if (pg_check_result(pg_replication_conn(replication), NULL, NULL, error))
        g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "server: the connection is lost");
    return false;
}

/* Waits for something to read, once. False: the connection is lost. */
static bool await_input(PgReplication *replication, int wake_fd, int wait_ms, GError **error)
{
    PGconn *conn = pg_replication_conn(replication);
    struct pollfd fds[] = { { .fd = PQsocket(conn), .events = POLLIN },
                            { .fd = wake_fd, .events = POLLIN } };

    if (poll(fds, 2, wait_ms) <= 0 || fds[0].revents == 0)
        return true;
    return PQconsumeInput(conn) || lost(replication, error);
}

PgWalStep pg_wal_next(PgReplication *replication, int wake_fd, int wait_ms, PgFrame *ret_frame,
                      GError **error)
{
    const char *data;
    size_t len;

    for (bool waited = false;; waited = true) {
        switch (pg_replication_copy_ready(replication, &data, &len)) {
        case PG_COPY_MESSAGE:
            return pg_frame_parse(data, len, ret_frame, error) ? PG_WAL_FRAME : PG_WAL_FAILED;
        case PG_COPY_ENDED:
            return PG_WAL_END;
        case PG_COPY_NONE:
            break;
        }
        if (waited)
            return PG_WAL_NOTHING;
        if (!await_input(replication, wake_fd, wait_ms, error))
            return PG_WAL_FAILED;
    }
}

bool pg_wal_tell(PgReplication *replication, const PgProgress *progress, GError **error)
{
    PGconn *conn = pg_replication_conn(replication);
    uint8_t message[PG_STATUS_LEN];

    pg_status_encode(progress, clock_now(), message);
    return (PQputCopyData(conn, (const char *)message, sizeof message) == 1 &&
            PQflush(conn) == 0) ||
           lost(replication, error);
}

static bool take_next(const PGresult *result, PgWalNext *next, GError **error)
{
    if (PQntuples(result) == 1 && PQnfields(result) >= 2 &&
        lsn_parse(PQgetvalue(result, 0, 1), &next->lsn)) {
        next->timeline = (uint32_t)g_ascii_strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        if (next->timeline > 0)
            return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "server: it does not say which timeline comes next");
    return false;
}

/* Each result of the command, and so to its end. */
static bool take_end(PgReplication *replication, PGresult *result, PgWalNext *next, GError **error)
{
    PGconn *conn = pg_replication_conn(replication);

    switch (PQresultStatus(result)) {
    case PGRES_COPY_IN: // the server has ended its direction; now ours
        return (PQputCopyEnd(conn, NULL) == 1 && PQflush(conn) == 0) || lost(replication, error);
    case PGRES_TUPLES_OK:
        return take_next(result, next, error);
    case PGRES_COMMAND_OK:
        return true;
    default:
        if (pg_check_result(conn, result, NULL, error))
            g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                        "server: it answers something unexpected");
        refine(result, error);
        return false;
    }
}

bool pg_wal_end(PgReplication *replication, PgWalNext *ret_next, GError **error)
{
    PgWalNext next = { 0 };
    PGresult *result;
    bool ok = true, any = false;

    while (ok && (result = pg_replication_next(replication))) {
        any = true;
        ok = take_end(replication, result, &next, error);
        PQclear(result);
    }
    if (!ok || (!any && !lost(replication, error)))
        return false;
    *ret_next = next;
    return true;
}
