/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "state/dbdriver.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

#define BUSY_MS 10000
#define REBUILD "stop the daemon and run `backstay catalog rebuild`"

typedef struct {
    Db base;
    sqlite3 *handle;
} SqliteDb;

typedef struct {
    DbQuery base;
    sqlite3_stmt *statement;
} SqliteQuery;

/* ---- errors ---- */

static int code_of(int extended)
{
    switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        return BS_ERROR_EXISTS;
    case SQLITE_IOERR_SHORT_READ:
        return BS_ERROR_CORRUPT;
    default:
        break;
    }
    switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return BS_ERROR_TRANSIENT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return BS_ERROR_CORRUPT;
    case SQLITE_FULL:
        return BS_ERROR_NO_SPACE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return BS_ERROR_DENIED;
    default:
        return BS_ERROR_FAILED;
    }
}

static bool fail(const SqliteDb *db, GError **error)
{
    int extended = sqlite3_extended_errcode(db->handle);
    int errnum = sqlite3_system_errno(db->handle);
    int code = code_of(extended);
    const char *text = sqlite3_errmsg(db->handle);

    if (code == BS_ERROR_CORRUPT)
        g_set_error(error, BS_ERROR, code, "catalogue %s is damaged: %s; " REBUILD, db->base.name,
                    text);
    else if (code == BS_ERROR_TRANSIENT)
        g_set_error(error, BS_ERROR, code, "catalogue %s is in use: %s", db->base.name, text);
    else if (code == BS_ERROR_FAILED && errnum != 0 &&
             ((extended & 0xff) == SQLITE_IOERR || (extended & 0xff) == SQLITE_CANTOPEN))
        bs_error_errno(error, errnum, "catalogue %s: %s", db->base.name, text);
    else
        g_set_error(error, BS_ERROR, code, "catalogue %s: %s", db->base.name, text);
    return false;
}

/* ---- statements ---- */

static DbQuery *sqlite_prepare(Db *base, const char *sql, GError **error)
{
    SqliteDb *db = (SqliteDb *)base;
    sqlite3_stmt *statement = NULL;
    SqliteQuery *query;

    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK) {
        (void)fail(db, error);
        return NULL;
    }
    query = g_new0(SqliteQuery, 1);
    query->statement = statement;
    return &query->base;
}

/* "$2" is a name to SQLite, and numbers are given in the order of their appearance. */
static int place_of(const SqliteQuery *query, unsigned n)
{
    char name[16];

    (void)g_snprintf(name, sizeof name, "$%u", n);
    return sqlite3_bind_parameter_index(query->statement, name);
}

static void sqlite_bind_text(DbQuery *base, unsigned n, const char *text)
{
    const SqliteQuery *query = (SqliteQuery *)base;
    int result =
        sqlite3_bind_text(query->statement, place_of(query, n), text, -1, SQLITE_TRANSIENT);

    g_assert(result == SQLITE_OK);
}

static void sqlite_bind_int(DbQuery *base, unsigned n, int64_t value)
{
    const SqliteQuery *query = (SqliteQuery *)base;
    int result = sqlite3_bind_int64(query->statement, place_of(query, n), value);

    g_assert(result == SQLITE_OK);
}

static bool sqlite_step(DbQuery *base, bool *ret_row, GError **error)
{
    SqliteQuery *query = (SqliteQuery *)base;
    int result = sqlite3_step(query->statement);

    if (result != SQLITE_ROW && result != SQLITE_DONE)
        return fail((SqliteDb *)base->db, error);
    *ret_row = result == SQLITE_ROW;
    return true;
}

static int64_t sqlite_changed(DbQuery *base)
{
    return sqlite3_changes64(((SqliteDb *)base->db)->handle);
}

static const char *sqlite_text(DbQuery *base, unsigned column)
{
    return (const char *)sqlite3_column_text(((SqliteQuery *)base)->statement, (int)column);
}

static int64_t sqlite_int(DbQuery *base, unsigned column)
{
    return sqlite3_column_int64(((SqliteQuery *)base)->statement, (int)column);
}

static void sqlite_reset(DbQuery *base)
{
    SqliteQuery *query = (SqliteQuery *)base;

    (void)sqlite3_reset(query->statement); // repeats what the last step said
    (void)sqlite3_clear_bindings(query->statement);
}

static void sqlite_query_free(DbQuery *base)
{
    (void)sqlite3_finalize(((SqliteQuery *)base)->statement); // as above
    g_free(base);
}

static bool sqlite_exec(Db *base, const char *sql, GError **error)
{
    SqliteDb *db = (SqliteDb *)base;

    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK || fail(db, error);
}

/* At once, so that a transaction which has read never finds that it may not write any more. */
static bool sqlite_begin(Db *base, G_GNUC_UNUSED const char *lock, GError **error)
{
    return sqlite_exec(base, "BEGIN IMMEDIATE", error);
}

static void sqlite_rollback(Db *base)
{
    SqliteDb *db = (SqliteDb *)base;

    // a full disk has rolled it back already; and a journal that cannot be undone is, at the next
    // start
    if (!sqlite3_get_autocommit(db->handle))
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

static bool sqlite_commit(Db *base, GError **error)
{
    if (sqlite_exec(base, "COMMIT", error))
        return true;
    sqlite_rollback(base);
    return false;
}

/* Up to 2 MB of pages, of each connection. */
static void sqlite_rest(Db *base)
{
    (void)sqlite3_db_release_memory(((SqliteDb *)base)->handle); // what it cannot free it keeps
}

static void sqlite_free(Db *base)
{
    SqliteDb *db = (SqliteDb *)base;
    int result = sqlite3_close(db->handle);

    g_assert(result == SQLITE_OK);
    g_free(db);
}

static const DbOps sqlite_ops = {
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .exec = sqlite_exec,
    .prepare = sqlite_prepare,
    .bind_text = sqlite_bind_text,
    .bind_int = sqlite_bind_int,
    .step = sqlite_step,
    .changed = sqlite_changed,
    .rest = sqlite_rest,
    .text = sqlite_text,
    .integer = sqlite_int,
    .reset = sqlite_reset,
    .query_free = sqlite_query_free,
    .free = sqlite_free,
};

/* ---- opening ---- */

/* SQLite documentation, "Defense Against The Dark Arts", "Write-Ahead Logging": synchronous=FULL
 * syncs the log with every commit, and a log that is kept when the last one closes needs none of
 * the care that a log of another file would. */
static bool prepare_connection(SqliteDb *db, GError **error)
{
    (void)sqlite3_extended_result_codes(db->handle, 1);
    (void)sqlite3_busy_timeout(db->handle, BUSY_MS);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return sqlite_exec(&db->base,
                       "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY",
                       error);
}

static bool check_pages(SqliteDb *db, GError **error)
{
    g_autoptr(DbQuery) query = db_query(&db->base, "PRAGMA quick_check(1)", error);
    const char *answer, *line;
    bool row;

    if (!query || !db_step(query, &row, error))
        return false;
    answer = row ? db_row_text(query, 0) : NULL;
    line = answer ? strrchr(answer, '\n') : NULL; // what was found stands below a title
    answer = line ? line + 1 : answer;
    if (g_strcmp0(answer, "ok") == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "catalogue %s is damaged: %s; " REBUILD,
                db->base.name, answer ? answer : "it cannot be checked");
    return false;
}

static bool connect_file(const char *path, Db **ret_db, GError **error)
{
    SqliteDb *db = g_new0(SqliteDb, 1);
    struct stat st = { 0 };
    int result =
        sqlite3_open_v2(path, &db->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

    db->base.ops = &sqlite_ops;
    db->base.name = g_strdup(path);
    db->base.file = g_strdup(path);
    db_init(&db->base);
    (void)stat(path, &st); // of one that is gone by now db_check_place() says so
    db->base.dev = st.st_dev;
    db->base.ino = st.st_ino;
    if (result == SQLITE_OK && prepare_connection(db, error)) {
        *ret_db = &db->base;
        return true;
    }
    if (result != SQLITE_OK)
        (void)fail(db, error);
    db_free(&db->base);
    return false;
}

/* A log beside a file that is not the log's would be played into it. */
static bool check_no_log(const char *path, GError **error)
{
    g_autofree char *log = g_strconcat(path, "-wal", NULL);
    struct stat st;

    if (stat(log, &st) != 0 || st.st_size == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "catalogue %s is gone, but its log %s is there; bring the file back, or move the "
                "log away and run `backstay catalog rebuild`",
                path, log);
    return false;
}

/* Under another name until it is whole, so that an empty file is never taken for a new one. */
static bool fill_new(const char *path, DbSetup setup, GError **error)
{
    fs_autoclose int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    g_autoptr(Db) db = NULL;

    if (fd < 0) {
        bs_error_errno(error, errno, "making catalogue %s", path);
        return false;
    }
    if (!connect_file(path, &db, error) || !setup(db, error))
        return false;
    // closing would do it, too, and keep to itself that it could not
    if (sqlite3_wal_checkpoint_v2(((SqliteDb *)db)->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                  NULL) != SQLITE_OK)
        return fail((SqliteDb *)db, error);
    g_clear_pointer(&db, db_free);
    if (fsync(fd) == 0)
        return true;
    bs_error_errno(error, errno, "making catalogue %s", path);
    return false;
}

static bool make_new(const char *path, DbSetup setup, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *fresh = NULL, *log = NULL, *map = NULL;
    uint32_t random;
    bool good;

    if (!check_no_log(path, error))
        return false;
    random_bytes(&random, sizeof random);
    fresh = g_strdup_printf("%s-new-%08x", path, random);
    log = g_strconcat(fresh, "-wal", NULL);
    map = g_strconcat(fresh, "-shm", NULL);
    good = fill_new(fresh, setup, error);
    if (good && link(fresh, path) != 0 && errno != EEXIST) { // then another has just made it
        bs_error_errno(error, errno, "making catalogue %s", path);
        good = false;
    }
    // nobody knows their names
    (void)unlink(fresh);
    (void)unlink(log);
    (void)unlink(map);
    return good && fs_sync_dir(dir, error);
}

static bool check_file(const char *path, bool *ret_missing, GError **error)
{
    struct stat st;

    *ret_missing = false;
    if (stat(path, &st) != 0) {
        *ret_missing = errno == ENOENT;
        if (!*ret_missing)
            bs_error_errno(error, errno, "catalogue %s", path);
        return *ret_missing;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "catalogue %s is not a file", path);
        return false;
    }
    if (st.st_size == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "catalogue %s is damaged: the file is empty; " REBUILD, path);
        return false;
    }
    // it holds hashes of passwords; the log and its map get the mode of the file
    if ((st.st_mode & 077) != 0 && chmod(path, st.st_mode & 0700) != 0) {
        bs_error_errno(error, errno, "chmod %s", path);
        return false;
    }
    return true;
}

bool sqlite_open(const char *path, DbFlags flags, DbSetup setup, Db **ret_db, GError **error)
{
    g_autoptr(Db) db = NULL;
    bool missing;

    if (!check_file(path, &missing, error))
        return false;
    if (missing && (flags & DB_EXISTING)) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no catalogue %s", path);
        return false;
    }
    if ((missing && !make_new(path, setup, error)) || !connect_file(path, &db, error) ||
        ((flags & DB_CHECK) && !check_pages((SqliteDb *)db, error)))
        return false;
    *ret_db = g_steal_pointer(&db);
    return true;
}
