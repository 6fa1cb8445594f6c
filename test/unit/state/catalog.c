/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a catalogue, good days and bad ones, and several who work in one. */
#include "state/catalog.h"
#include "base/error.h"
#include "lib/catalog_test.h"
#include "lib/tempdir.h"
#include "state/db.h"
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define DUE 1700000000000

static Catalog *open_catalog(const char *url)
{
    g_autoptr(GError) error = NULL;
    Catalog *catalog = NULL;

    (void)catalog_open(url, NULL, &catalog, &error);
    g_assert_no_error(error);
    return catalog;
}

static void cannot_open(const char *url, int code, const char *says)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = NULL;

    g_assert_false(catalog_open(url, NULL, &catalog, &error));
    g_assert_error(error, BS_ERROR, code);
    g_assert_nonnull(strstr(error->message, says));
}

static void sql(const char *url, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Db) db = NULL;

    g_assert_true(db_open(url, NULL, 0, NULL, &db, &error));
    (void)db_exec(db, text, &error);
    g_assert_no_error(error);
}

static char *file_of(const char *url)
{
    return g_strdup(url + strlen("sqlite:"));
}

static RunRow row_of(const char *schedule, int64_t due_at)
{
    return (RunRow){ .schedule = g_strdup(schedule), .due_at = due_at, .node = g_strdup("a") };
}

/* ---- opening ---- */

static void what_was_written_is_there_again(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_autoptr(Catalog) second = NULL;
    g_auto(RunRow) row = row_of("s1", DUE), read = { 0 };
    bool won;

    g_assert_true(catalog_claim(catalog, &row, &won, &error));
    g_assert_true(catalog_reopen(catalog, &second, &error));
    g_clear_pointer(&catalog, catalog_free);
    g_assert_true(catalog_run_get(second, row.id, &read, &error));
    g_clear_pointer(&second, catalog_free);
    catalog = open_catalog(url);
    run_row_clear(&read);
    g_assert_true(catalog_run_get(catalog, row.id, &read, &error));
    g_assert_true(catalog_ping(catalog, &error));
}

static void a_newer_one_is_refused(const char *url)
{
    g_autoptr(Catalog) catalog = open_catalog(url);

    sql(url, "INSERT INTO catalog_version (version, applied_at, program) VALUES (9, 0, '9.0')");
    cannot_open(url, BS_ERROR_VERSION, "has version 9");
}

static void other_urls_are_refused(void)
{
    char *dir = tempdir_new();
    g_autofree char *missing = g_strdup_printf("sqlite:%s/no/catalog.db", dir);

    cannot_open("catalog.db", BS_ERROR_USAGE, "sqlite:/path");
    cannot_open("postgresql://u:s3cret@127.0.0.1/x", BS_ERROR_USAGE, "catalogue_password");
    cannot_open("postgresql://u@127.0.0.1:1/x", BS_ERROR_UNREACHABLE, "127.0.0.1");
    cannot_open(dir, BS_ERROR_USAGE, "is not a file");
    cannot_open(missing, BS_ERROR_NOT_FOUND, "making catalogue");
    tempdir_remove(dir);
}

static void a_file_is_for_its_owner_alone(const char *url)
{
    g_autofree char *file = file_of(url), *log = g_strconcat(file, "-wal", NULL);
    g_autoptr(Catalog) catalog = open_catalog(url);
    struct stat st;

    g_assert_cmpint(stat(file, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
    g_assert_cmpint(chmod(file, 0644), ==, 0);
    g_clear_pointer(&catalog, catalog_free);
    catalog = open_catalog(url);
    sql(url, "CREATE TABLE x (y TEXT)");
    g_assert_cmpint(stat(file, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
    g_assert_cmpint(stat(log, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
}

/* ---- damage ---- */

static void fill(const char *url, unsigned n)
{
    g_autoptr(Catalog) catalog = open_catalog(url);

    for (unsigned i = 0; i < n; i++) {
        g_autoptr(GError) error = NULL;
        g_auto(RunRow) row = row_of("s1", DUE + i);
        bool won;

        (void)catalog_claim(catalog, &row, &won, &error);
        g_assert_no_error(error);
    }
}

static void damage_is_refused_and_says_what_to_do(const char *url)
{
    g_autofree char *file = file_of(url), *log = g_strconcat(file, "-wal", NULL);
    g_autofree char *whole = NULL;
    gsize len;

    fill(url, 200);
    g_assert_true(g_file_get_contents(file, &whole, &len, NULL));
    for (gsize page = 4096; page + 4096 <= len; page += 4096) {
        g_autofree char *broken = g_memdup2(whole, len);
        g_autoptr(Catalog) catalog = NULL;
        g_autoptr(GError) error = NULL;

        memset(broken + page, 0xa5, 4096);
        g_assert_true(g_file_set_contents(file, broken, (gssize)len, NULL));
        g_assert_false(catalog_open(url, NULL, &catalog, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_nonnull(strstr(error->message, "catalog rebuild"));
    }
    for (gsize cut = 0; cut < len; cut += len / 7) {
        g_assert_true(g_file_set_contents(file, whole, (gssize)cut, NULL));
        cannot_open(url, BS_ERROR_CORRUPT, "catalog rebuild");
    }
    g_assert_true(g_file_set_contents(file, "not a database, but long enough\n", -1, NULL));
    cannot_open(url, BS_ERROR_CORRUPT, "catalog rebuild");
    g_assert_cmpint(unlink(file), ==, 0);
    g_assert_true(g_file_set_contents(log, "x", 1, NULL));
    cannot_open(url, BS_ERROR_CORRUPT, "its log");
    g_assert_cmpint(unlink(log), ==, 0);
    g_assert_true(g_file_set_contents(file, whole, (gssize)len, NULL));
    catalog_free(open_catalog(url));
}

static void another_programs_database_is_left_alone(const char *url)
{
    g_autofree char *file = file_of(url);

    catalog_free(open_catalog(url));
    sql(url, "DROP TABLE catalog_version");
    cannot_open(url, BS_ERROR_CORRUPT, "no catalogue of backstay");
}

/* ---- a locked one, a full disk ---- */

static void who_holds_it_too_long_is_told(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_autoptr(Db) other = NULL;
    g_auto(RunRow) row = row_of("s1", DUE);
    bool won;

    g_assert_true(db_open(url, NULL, 0, NULL, &other, &error));
    g_assert_true(db_begin(other, NULL, &error));
    g_assert_true(
        db_exec(other, "INSERT INTO backup_settings VALUES ('a', '1', 1, 0, NULL)", &error));
    if (db_file(other)) { // one writer
        g_assert_false(catalog_claim(catalog, &row, &won, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
        g_assert_nonnull(strstr(error->message, "in use"));
        g_clear_error(&error);
    }
    db_rollback(other);
    g_assert_true(catalog_claim(catalog, &row, &won, &error));
    g_assert_true(won);
}

/* In a child: a limit on the size of files is one on the whole process. */
static void fill_until_it_is_full(const char *url)
{
    struct rlimit limit = { .rlim_cur = 400 * 1024, .rlim_max = 400 * 1024 };
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_autoptr(GError) error = NULL;
    unsigned n = 0;

    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    for (;; n++) {
        g_auto(RunRow) row = row_of("s1", DUE + n);
        bool won;

        if (!catalog_claim(catalog, &row, &won, &error))
            break;
    }
    // what SQLite tells of a limit is an error like others; a full disk it calls by its name
    if ((!g_error_matches(error, BS_ERROR, BS_ERROR_NO_SPACE) &&
         !g_error_matches(error, BS_ERROR, BS_ERROR_FAILED)) ||
        n == 0 || n >= 250) {
        g_printerr("after %u: %s\n", n, error->message);
        _exit(255);
    }
    _exit((int)n);
}

static unsigned count_runs(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_autofree char *last = NULL;
    unsigned n = 0, page;

    do {
        const RunQuery query = { .before = last, .limit = RUN_LIMIT_MAX };
        g_autoptr(GArray) rows = NULL;

        (void)catalog_runs(catalog, &query, &rows, &error);
        g_assert_no_error(error);
        page = rows->len;
        n += page;
        if (page > 0) {
            g_free(last);
            last = g_strdup(g_array_index(rows, RunRow, page - 1).id);
        }
    } while (page == RUN_LIMIT_MAX);
    return n;
}

static void a_full_disk_loses_nothing(const char *url)
{
    pid_t child;
    int status;

    fill(url, 1);
    child = fork();
    if (child == 0)
        fill_until_it_is_full(url);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), !=, 255);
    // the first one is there already, and is won again by nobody
    g_assert_cmpuint(count_runs(url), ==, WEXITSTATUS(status));
}

/* ---- killed, raced for ---- */

static void work_until_killed(const char *url, int64_t from, int fd)
{
    g_autoptr(Catalog) catalog = open_catalog(url);

    for (int64_t due = from;; due++) {
        g_auto(RunRow) row = row_of("s1", due);
        bool won;

        if (!catalog_claim(catalog, &row, &won, NULL) || !won)
            _exit(1);
        if (write(fd, &due, sizeof due) != sizeof due)
            _exit(1);
    }
}

static void what_was_acknowledged_outlives_a_kill(const char *url)
{
    int64_t next = DUE;
    unsigned told = 0;

    catalog_free(open_catalog(url));
    for (unsigned i = 0; i < 12; i++) {
        int pipes[2], status;
        int64_t due;
        pid_t child;

        g_assert_cmpint(pipe(pipes), ==, 0);
        child = fork();
        if (child == 0) {
            (void)close(pipes[0]);
            work_until_killed(url, next, pipes[1]);
        }
        (void)close(pipes[1]);
        for (unsigned n = 0; n <= i; n++)
            g_assert_cmpint(read(pipes[0], &due, sizeof due), ==, sizeof due);
        g_usleep(i * 777);
        g_assert_cmpint(kill(child, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        told += i + 1;
        next = due + 1;
        while (read(pipes[0], &due, sizeof due) == sizeof due) {
            next = due + 1;
            told++;
        }
        (void)close(pipes[0]);
        next++; // one may be there that was not told any more
        g_assert_cmpuint(count_runs(url), >=, told);
    }
    g_assert_cmpuint(count_runs(url), <=, told + 12);
}

#define RACERS 4
#define CLAIMS 1000

static void race(const char *url, const char *node, int fd)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);

    for (int n = 0; n < CLAIMS; n++) {
        g_auto(RunRow) row = row_of("s1", DUE + n);
        bool won = false;

        g_free(row.node);
        row.node = g_strdup(node);
        if (!catalog_claim(catalog, &row, &won, &error)) {
            g_printerr("%s\n", error->message);
            _exit(1);
        }
        if (won && write(fd, &n, sizeof n) != sizeof n)
            _exit(1);
    }
    _exit(0);
}

static void each_due_run_is_claimed_once(const char *url)
{
    int pipes[2], wins[CLAIMS] = { 0 }, n, status;
    pid_t children[RACERS];

    catalog_free(open_catalog(url));
    g_assert_cmpint(pipe(pipes), ==, 0);
    for (unsigned i = 0; i < RACERS; i++) {
        char node[] = { (char)('a' + i), '\0' };

        children[i] = fork();
        if (children[i] == 0)
            race(url, node, pipes[1]);
    }
    (void)close(pipes[1]);
    while (read(pipes[0], &n, sizeof n) == sizeof n)
        wins[n]++;
    (void)close(pipes[0]);
    for (unsigned i = 0; i < RACERS; i++) {
        g_assert_cmpint(waitpid(children[i], &status, 0), ==, children[i]);
        g_assert_cmpint(status, ==, 0);
    }
    for (n = 0; n < CLAIMS; n++)
        g_assert_cmpint(wins[n], ==, 1);
    g_assert_cmpuint(count_runs(url), ==, CLAIMS);
}

/* ---- how it is read ---- */

static void check_plan(Db *db, const char *statement, const char *index)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strconcat("EXPLAIN QUERY PLAN ", statement, NULL);
    g_autoptr(DbQuery) query = db_query(db, text, &error);
    g_autoptr(GString) plan = g_string_new(NULL);
    bool row = true;

    g_assert_no_error(error);
    while (db_step(query, &row, &error) && row)
        g_string_append_printf(plan, "%s\n", db_row_text(query, 3));
    g_test_message("%s", plan->str);
    g_assert_null(strstr(plan->str, "SCAN"));
    g_assert_null(strstr(plan->str, "TEMP B-TREE"));
    g_assert_nonnull(strstr(plan->str, index));
}

#define ROWS "SELECT * FROM backup_history WHERE id < 'x' AND id >= '' AND "

static void no_list_reads_more_than_it_gives(const char *url)
{
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_autoptr(Db) db = NULL;

    g_assert_true(db_open(url, NULL, 0, NULL, &db, NULL));
    check_plan(db, ROWS "1 = 1 ORDER BY id DESC LIMIT 50", "autoindex");
    check_plan(db, ROWS "schedule = 's' ORDER BY id DESC LIMIT 50", "history_schedule ");
    check_plan(db, ROWS "schedule = 's' AND kind = 'b' ORDER BY id DESC LIMIT 50",
               "history_schedule_kind ");
    check_plan(db, ROWS "schedule = 's' AND state = 'b' ORDER BY id DESC LIMIT 50",
               "history_schedule_state ");
    check_plan(db, ROWS "kind = 's' ORDER BY id DESC LIMIT 50", "history_kind ");
    check_plan(db, ROWS "kind = 's' AND state = 'b' ORDER BY id DESC LIMIT 50",
               "history_kind_state ");
    check_plan(db, ROWS "state = 's' ORDER BY id DESC LIMIT 50", "history_state ");
    check_plan(db,
               "UPDATE backup_history SET node = 'a' WHERE state IN ('queued', 'running')"
               " AND lease_until < 5",
               "history_state (state=?)"); // which holds as few of these as the partial one
    check_plan(db, "SELECT * FROM audit WHERE seq < 5 ORDER BY seq DESC LIMIT 50", "autoindex");
    check_plan(db, "SELECT * FROM audit WHERE user_name = 'a' AND seq < 5 ORDER BY seq DESC",
               "audit_user ");
    check_plan(db, "SELECT * FROM incidents WHERE schedule = 'a' AND id < 'x' ORDER BY id DESC",
               "incidents_schedule ");
    check_plan(db, "SELECT * FROM tokens WHERE hash = 'a'", "autoindex");
}

/* Facts about a file. */
static void run_with_file(gconstpointer test)
{
    char *dir = tempdir_new();
    g_autofree char *url = g_strdup_printf("sqlite:%s/catalog.db", dir);

    ((CatalogTest)test)(url);
    tempdir_remove(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    catalog_test_add("catalog/again", what_was_written_is_there_again);
    catalog_test_add("catalog/newer", a_newer_one_is_refused);
    catalog_test_add("catalog/locked", who_holds_it_too_long_is_told);
    catalog_test_add("catalog/killed", what_was_acknowledged_outlives_a_kill);
    catalog_test_add("catalog/raced", each_due_run_is_claimed_once);
    g_test_add_func("/catalog/urls", other_urls_are_refused);
    g_test_add_data_func("/catalog/mode", a_file_is_for_its_owner_alone, run_with_file);
    g_test_add_data_func("/catalog/damage", damage_is_refused_and_says_what_to_do, run_with_file);
    g_test_add_data_func("/catalog/foreign", another_programs_database_is_left_alone,
                         run_with_file);
    g_test_add_data_func("/catalog/full", a_full_disk_loses_nothing, run_with_file);
    g_test_add_data_func("/catalog/plans", no_list_reads_more_than_it_gives, run_with_file);
    return catalog_test_run();
}
