/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlitecopy.h"

#include "base/error.h"
#include "source/pgfacts.h"
#include "source/sqlitebytes.h"
#include "source/sqlitemigrations.h"
#include "source/sqlitequery.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_PAGES 2000
#define BUSY_MS    (60 * 1000)
#define NAP_MS     50
#define RESTARTS   5 /* by writers, of a database without WAL; then it is copied under one lock */

struct SqliteCopy {
    char *source, *directory, *path;
    const Cancel *cancel;
    sqlite3 *held;    /* the original, in a transaction that reads; NULL: it is copied */
    sqlite3 *checked; /* the copy, immutable */
    bool foreign;     /* it came from elsewhere */
    size_t page_size;
    int64_t violations;
    char *unread; /* why the migrations are not noted; NULL: they are */
};

/* ---- statements ---- */

static bool take_number(sqlite3_stmt *statement, void *user)
{
    *(int64_t *)user = sqlite3_column_int64(statement, 0);
    return false;
}

static bool take_text(sqlite3_stmt *statement, void *user)
{
    char **text = user;

    *text = g_strdup((const char *)sqlite3_column_text(statement, 0));
    return false;
}

static bool number(SqliteCopy *copy, const char *sql, int64_t *ret_number, GError **error)
{
    return sqlite_query(copy->checked, copy->source, sql, take_number, ret_number, error);
}

/* ---- copying ---- */

static int stop_when_cancelled(void *cancel)
{
    return cancel_is_set(cancel);
}

/* Others go on with the WAL that they have; that we look must not fold it in. */
static bool open_source(const SqliteCopy *copy, sqlite3 **ret_db, GError **error)
{
    struct stat st;
    int code;

    if (stat(copy->source, &st) != 0) {
        bs_error_errno(error, errno, "%s", copy->source);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "%s: not a file", copy->source);
        return false;
    }
    code =
        sqlite3_open_v2(copy->source, ret_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (code != SQLITE_OK)
        return sqlite_failed(copy->source, *ret_db, code, error);
    (void)sqlite3_db_config(*ret_db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_busy_timeout(*ret_db, BUSY_MS);
    sqlite3_progress_handler(*ret_db, 100000, stop_when_cancelled, (void *)copy->cancel);
    return true;
}

/* always: without a WAL, too, where it keeps writers out; with one readers and writers do not mind
 * each other. */
static bool hold_moment(SqliteCopy *copy, bool always, bool *ret_wal, GError **error)
{
    g_autofree char *mode = NULL;

    if (!open_source(copy, &copy->held, error) ||
        !sqlite_query(copy->held, copy->source, "PRAGMA journal_mode", take_text, &mode, error))
        return false;
    *ret_wal = g_strcmp0(mode, "wal") == 0;
    if (!*ret_wal && !always)
        return true;
    return sqlite_query(copy->held, copy->source, "BEGIN", NULL, NULL, error) &&
           sqlite_query(copy->held, copy->source, "SELECT count(*) FROM sqlite_schema", NULL, NULL,
                        error);
}

static bool run_backup(const SqliteCopy *copy, sqlite3_backup *backup, Progress *progress,
                       GError **error)
{
    int64_t waited_ms = 0;
    int left = -1, restarts = 0, code;

    do {
        if (!cancel_check(copy->cancel, error))
            return false;
        code = sqlite3_backup_step(backup, restarts > RESTARTS ? -1 : STEP_PAGES);
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
            if (waited_ms >= BUSY_MS)
                return sqlite_failed(copy->source, NULL, code, error);
            if (!cancel_sleep(copy->cancel, NAP_MS, error))
                return false;
            waited_ms += NAP_MS;
            continue;
        }
        // somebody wrote: it began anew
        restarts += left >= 0 && sqlite3_backup_remaining(backup) >= left;
        left = sqlite3_backup_remaining(backup);
        progress_current(progress, copy->source);
    } while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED);
    return code == SQLITE_DONE || sqlite_failed(copy->source, NULL, code, error);
}

static bool copy_into(const SqliteCopy *copy, sqlite3 *from, sqlite3 *to, Progress *progress,
                      GError **error)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    bool ok;
    int code;

    if (!backup)
        return sqlite_failed(copy->source, to, sqlite3_errcode(to), error);
    ok = run_backup(copy, backup, progress, error);
    code = sqlite3_backup_finish(backup);
    return ok && (code == SQLITE_OK || sqlite_failed(copy->source, to, code, error));
}

static bool make_copy(const SqliteCopy *copy, Progress *progress, GError **error)
{
    sqlite3 *to = NULL;
    int code = sqlite3_open_v2(copy->path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    // it is thrown away unless it is whole
    bool ok = code == SQLITE_OK
                  ? sqlite_query(to, copy->path, "PRAGMA synchronous=OFF", NULL, NULL, error)
                  : sqlite_failed(copy->path, to, code, error);

    ok = ok && copy_into(copy, copy->held, to, progress, error);
    code = sqlite3_close(to);
    return ok && (code == SQLITE_OK || sqlite_failed(copy->path, NULL, code, error));
}

static SqliteCopy *make_room(const char *name, const char *scratch, const Cancel *cancel,
                             GError **error)
{
    g_autoptr(SqliteCopy) copy = g_new0(SqliteCopy, 1);
    g_autofree char *template = g_build_filename(scratch, "backstay-sqlite-XXXXXX", NULL);

    copy->source = g_strdup(name);
    copy->cancel = cancel;
    if (!g_mkdtemp(template)) {
        bs_error_errno(error, errno, "a directory for the copy in %s; set TMPDIR", scratch);
        return NULL;
    }
    copy->directory = g_steal_pointer(&template);
    copy->path = g_build_filename(copy->directory, "copy", NULL);
    return g_steal_pointer(&copy);
}

bool sqlite_copy_held(SqliteCopy *copy, Progress *progress, GError **error)
{
    bool ok = !copy->held || make_copy(copy, progress, error);

    (void)sqlite3_close(g_steal_pointer(&copy->held));
    return ok;
}

SqliteCopy *sqlite_copy_new(const char *path, const char *scratch, Progress *progress,
                            const Cancel *cancel, GError **error)
{
    g_autoptr(SqliteCopy) copy = make_room(path, scratch, cancel, error);
    bool wal;

    return copy && hold_moment(copy, false, &wal, error) && sqlite_copy_held(copy, progress, error)
               ? g_steal_pointer(&copy)
               : NULL;
}

SqliteCopy *sqlite_copy_hold(const char *path, const char *scratch, Progress *progress,
                             const Cancel *cancel, GError **error)
{
    g_autoptr(SqliteCopy) copy = make_room(path, scratch, cancel, error);
    bool wal;

    return copy && hold_moment(copy, true, &wal, error) &&
                   (wal || sqlite_copy_held(copy, progress, error))
               ? g_steal_pointer(&copy)
               : NULL;
}

SqliteCopy *sqlite_copy_from(Inlet *inlet, const char *name, const char *scratch,
                             const Cancel *cancel, GError **error)
{
    g_autoptr(SqliteCopy) copy = make_room(name, scratch, cancel, error);

    if (!copy || !sqlite_take_bytes(inlet, copy->path, error))
        return NULL;
    copy->foreign = true;
    return g_steal_pointer(&copy);
}

static void remove_files(const SqliteCopy *copy)
{
    static const char *const ends[] = { "", "-journal", "-wal", "-shm" };

    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autofree char *path = g_strconcat(copy->path, ends[i], NULL);

        (void)unlink(path); // most of them are not there
    }
    (void)rmdir(copy->directory);
}

void sqlite_copy_free(SqliteCopy *copy)
{
    if (!copy)
        return;
    (void)sqlite3_close(copy->checked);
    (void)sqlite3_close(copy->held);
    if (copy->path)
        remove_files(copy);
    g_free(copy->source);
    g_free(copy->directory);
    g_free(copy->path);
    g_free(copy->unread);
    g_free(copy);
}

/* ---- looking at the copy ---- */

/* Nobody else has it: without locks, and without a WAL beside it. */
static bool open_copy(SqliteCopy *copy, GError **error)
{
    g_autofree char *escaped = g_uri_escape_string(copy->path, "/", FALSE);
    g_autofree char *uri = g_strconcat("file:", escaped, "?immutable=1", NULL);
    int code = sqlite3_open_v2(uri, &copy->checked, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);

    if (code != SQLITE_OK)
        return sqlite_failed(copy->source, copy->checked, code, error);
    if (copy->foreign)
        sqlite_distrust(copy->checked);
    sqlite3_progress_handler(copy->checked, 100000, stop_when_cancelled, (void *)copy->cancel);
    return true;
}

static bool check_integrity(SqliteCopy *copy, GError **error)
{
    g_autofree char *said = NULL;

    if (!sqlite_query(copy->checked, copy->source, "PRAGMA integrity_check", take_text, &said,
                      error))
        return false;
    if (g_strcmp0(said, "ok") == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: the database is damaged: %.200s",
                copy->source, said ? said : "");
    return false;
}

typedef struct {
    SqliteCopy *copy;
    json_t *tables;
    GError *problem;
} Tables;

static bool count_table(sqlite3_stmt *statement, void *user)
{
    Tables *tables = user;
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    char *sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", name);
    int64_t rows = 0;
    json_t *table;

    if (number(tables->copy, sql, &rows, &tables->problem)) {
        table = json_object();
        (void)json_object_set_new(table, "name", pg_facts_text(name, NULL));
        (void)json_object_set_new(table, "rows", json_integer(rows));
        (void)json_array_append_new(tables->tables, table);
    }
    sqlite3_free(sql);
    return !tables->problem;
}

/* Those that a module makes up have no pages of their own; what they keep lies in others. */
static bool count_rows(SqliteCopy *copy, json_t *facts, GError **error)
{
    Tables tables = { copy, json_array(), NULL };

    (void)json_object_set_new(facts, "tables", tables.tables);
    if (!sqlite_query(
            copy->checked, copy->source,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name",
            count_table, &tables, error))
        return false;
    if (!tables.problem)
        return true;
    g_propagate_error(error, tables.problem);
    return false;
}

static bool take_violation(sqlite3_stmt *statement, void *user)
{
    (void)statement;
    ++*(int64_t *)user;
    return true;
}

/* A backup is one without them, too. */
static void note_migrations(SqliteCopy *copy, json_t *facts)
{
    g_autoptr(GError) failure = NULL;
    json_t *migrations = NULL;

    if (!sqlite_migrations(copy->checked, copy->source, &migrations, &failure)) {
        copy->unread = g_strdup(failure->message);
        return;
    }
    if (json_array_size(migrations) > 0)
        (void)json_object_set(facts, "migrations", migrations);
    json_decref(migrations);
}

bool sqlite_copy_check(SqliteCopy *copy, json_t *facts, GError **error)
{
    static const char *const pragmas[] = { "page_size", "application_id", "user_version" };

    if (!open_copy(copy, error) || !check_integrity(copy, error) ||
        !sqlite_query(copy->checked, copy->source, "PRAGMA foreign_key_check", take_violation,
                      &copy->violations, error) ||
        !count_rows(copy, facts, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(pragmas); i++) {
        g_autofree char *sql = g_strconcat("PRAGMA ", pragmas[i], NULL);
        int64_t value = 0;

        if (!number(copy, sql, &value, error))
            return false;
        (void)json_object_set_new(facts, pragmas[i], json_integer(value));
        if (i == 0)
            copy->page_size = (size_t)value;
    }
    (void)json_object_set_new(facts, "foreign_key_violations", json_integer(copy->violations));
    note_migrations(copy, facts);
    return cancel_check(copy->cancel, error);
}

const char *sqlite_copy_path(const SqliteCopy *copy)
{
    return copy->path;
}

size_t sqlite_copy_page_size(const SqliteCopy *copy)
{
    return copy->page_size;
}

int64_t sqlite_copy_violations(const SqliteCopy *copy)
{
    return copy->violations;
}

const char *sqlite_copy_unread(const SqliteCopy *copy)
{
    return copy->unread;
}
