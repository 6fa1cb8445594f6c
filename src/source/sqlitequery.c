/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlitequery.h"

#include "base/clock.h"
#include "base/error.h"
#include <string.h>

#define BUSY_MS   5000
#define VALUE_MAX (16 << 20) /* bytes that a statement of others may handle at once */
#define STEPS     1000       /* of SQLite's machine between two looks at the clock */

bool sqlite_failed(const char *name, sqlite3 *db, int code, GError **error)
{
    int kind = BS_ERROR_FAILED;

    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        kind = BS_ERROR_TRANSIENT;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        kind = BS_ERROR_CORRUPT;
        break;
    case SQLITE_FULL:
        kind = BS_ERROR_NO_SPACE;
        break;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        kind = BS_ERROR_DENIED;
        break;
    default:
        break;
    }
    g_set_error(error, BS_ERROR, kind, "%s: SQLite: %s", name,
                db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    return false;
}

bool sqlite_query(sqlite3 *db, const char *name, const char *sql,
                  bool (*row)(sqlite3_stmt *statement, void *user), void *user, GError **error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW && row && !row(statement, user))
            code = SQLITE_DONE;
    }
    if (code != SQLITE_DONE)
        (void)sqlite_failed(name, db, code, error);
    (void)sqlite3_finalize(statement);
    return code == SQLITE_DONE;
}

/* ---- questions of others ---- */

typedef struct {
    int64_t end_ms;
    const Cancel *cancel;
    bool late;
} Deadline;

static int look_at_clock(void *user)
{
    Deadline *deadline = user;

    deadline->late = clock_monotonic_ms() >= deadline->end_ms;
    return deadline->late || cancel_is_set(deadline->cancel);
}

/* What only reads: no pragma, no other database, no table that a module makes up of files. */
static int allow_reading(G_GNUC_UNUSED void *user, int action, G_GNUC_UNUSED const char *one,
                         const char *two, G_GNUC_UNUSED const char *three,
                         G_GNUC_UNUSED const char *four)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return g_strcmp0(two, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static bool open_to_ask(const char *path, const char *name, bool alone, sqlite3 **ret_db,
                        GError **error)
{
    g_autofree char *escaped = g_uri_escape_string(path, "/", FALSE);
    g_autofree char *uri = g_strconcat("file:", escaped, alone ? "?immutable=1" : NULL, NULL);
    int code = sqlite3_open_v2(uri, ret_db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);

    if (code != SQLITE_OK)
        return sqlite_failed(name, *ret_db, code, error);
    (void)sqlite3_busy_timeout(*ret_db, BUSY_MS);
    (void)sqlite3_limit(*ret_db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    (void)sqlite3_set_authorizer(*ret_db, allow_reading, NULL);
    return true;
}

static bool take_first(sqlite3_stmt *statement, void *user)
{
    char **value = user;
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    int len = sqlite3_column_bytes(statement, 0);

    *value = text ? g_strndup(text, (gsize)len) : NULL;
    return false;
}

bool sqlite_ask(const SqliteAsking *asking, const char *sql, char **ret_value, GError **error)
{
    Deadline deadline = { clock_monotonic_ms() + asking->timeout_ms, asking->cancel, false };
    g_autofree char *value = NULL;
    sqlite3 *db = NULL;
    bool ok = open_to_ask(asking->path, asking->name, asking->alone, &db, error);

    if (ok) {
        sqlite3_progress_handler(db, STEPS, look_at_clock, &deadline);
        ok = sqlite_query(db, asking->name, sql, take_first, &value, error);
    }
    if (!ok && deadline.late)
        g_prefix_error(error, "it took longer than its time-out: ");
    (void)sqlite3_close(db);
    if (!ok)
        return false;
    *ret_value = g_steal_pointer(&value);
    return true;
}
