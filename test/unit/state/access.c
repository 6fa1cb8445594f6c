/* SPDX-License-Identifier: Apache-2.0 */
/* Users, sessions, tokens, and the lines that say who did what. */
#include "base/error.h"
#include "lib/catalog_test.h"
#include "state/audit.h"
#include "state/db.h"
#include "state/users.h"

#define NOW  1700000000000
#define HASH "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
#define MORE "a665a45920422f9d417e4867efdc4fb8a04a1f3fff1fa07e998e86f7f7a27ae3"

static Catalog *open_catalog(const char *url)
{
    g_autoptr(GError) error = NULL;
    Catalog *catalog = NULL;

    (void)catalog_open(url, NULL, &catalog, &error);
    g_assert_no_error(error);
    return catalog;
}

static UserRow put_user(Catalog *catalog, const char *name, const char *role)
{
    g_autoptr(GError) error = NULL;
    UserRow row = { .name = g_strdup(name),
                    .role = g_strdup(role),
                    .password = g_strdup("$scrypt$x"),
                    .enabled = true };

    (void)catalog_user_put(catalog, &row, 0, &error);
    g_assert_no_error(error);
    return row;
}

static void put_session(Catalog *catalog, const char *hash, const char *user)
{
    g_autoptr(GError) error = NULL;
    const SessionRow row = { .hash = (char *)hash,
                             .user = (char *)user,
                             .created_at = NOW,
                             .login_at = NOW,
                             .seen_at = NOW,
                             .expires_at = NOW + 1000,
                             .address = (char *)"192.0.2.1" };

    (void)catalog_session_put(catalog, &row, &error);
    g_assert_no_error(error);
}

static unsigned n_sessions(Catalog *catalog, const char *user)
{
    g_autoptr(GArray) rows = NULL;

    g_assert_true(catalog_sessions(catalog, user, &rows, NULL));
    return rows->len;
}

static void set_text(char **text, const char *value)
{
    g_free(*text);
    *text = g_strdup(value);
}

static void a_changed_user_is_logged_out(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(UserRow) admin = put_user(catalog, "eva", "admin");
    g_auto(UserRow) other = put_user(catalog, "max", "viewer"), read = { 0 };
    g_autoptr(GArray) users = NULL;

    g_assert_false(catalog_user_put(catalog, &other, 0, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    g_clear_error(&error);
    put_session(catalog, HASH, "max");
    set_text(&other.role, "operator");
    g_assert_true(catalog_user_put(catalog, &other, 1, &error));
    g_assert_cmpuint(other.version, ==, 2);
    g_assert_cmpuint(n_sessions(catalog, "max"), ==, 0);
    g_assert_false(catalog_user_put(catalog, &other, 1, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_STALE);
    g_clear_error(&error);
    set_text(&other.role, "root");
    g_assert_false(catalog_user_put(catalog, &other, 2, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    g_clear_error(&error);
    g_assert_true(catalog_user_get(catalog, "max", &read, &error));
    g_assert_cmpstr(read.role, ==, "operator");
    g_assert_cmpstr(read.password, ==, "$scrypt$x");
    g_assert_true(catalog_users(catalog, &users, &error));
    g_assert_cmpuint(users->len, ==, 2);
}

static void the_last_admin_stays(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(UserRow) admin = put_user(catalog, "eva", "admin");
    g_auto(UserRow) second = { 0 }, other = put_user(catalog, "max", "viewer");

    admin.enabled = false;
    g_assert_false(catalog_user_put(catalog, &admin, 1, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_false(catalog_user_delete(catalog, "eva", 1, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_true(catalog_user_delete(catalog, "max", 1, &error));
    second = put_user(catalog, "ida", "admin");
    g_assert_true(catalog_user_delete(catalog, "eva", 1, &error));
    g_assert_no_error(error);
    g_assert_false(catalog_user_delete(catalog, "eva", 0, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

static void sessions_are_rotated_and_end(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(SessionRow) row = { 0 };

    put_session(catalog, HASH, "eva");
    g_assert_true(catalog_session_rotate(catalog, HASH, MORE, "csrf", NOW + 5, &error));
    g_assert_false(catalog_session_rotate(catalog, HASH, MORE, "csrf", NOW + 5, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(catalog_session_touch(catalog, MORE, NOW + 7, &error));
    g_assert_true(catalog_session_get(catalog, MORE, &row, &error));
    g_assert_cmpstr(row.user, ==, "eva");
    g_assert_cmpstr(row.csrf_hash, ==, "csrf");
    g_assert_cmpstr(row.address, ==, "192.0.2.1");
    g_assert_null(row.agent);
    g_assert_cmpint(row.login_at, ==, NOW + 5);
    g_assert_cmpint(row.seen_at, ==, NOW + 7);
    g_assert_true(catalog_sessions_sweep(catalog, NOW + 999, NOW, &error));
    g_assert_cmpuint(n_sessions(catalog, "eva"), ==, 1);
    g_assert_true(catalog_sessions_sweep(catalog, NOW + 1000, NOW, &error));
    g_assert_cmpuint(n_sessions(catalog, "eva"), ==, 0);
}

static TokenRow put_token(Catalog *catalog, const char *hash, int64_t expires_at)
{
    g_autoptr(GError) error = NULL;
    TokenRow row = { .hash = g_strdup(hash),
                     .name = g_strdup("ci"),
                     .user = g_strdup("eva"),
                     .scope = g_strdup("operator"),
                     .expires_at = expires_at };

    (void)catalog_token_put(catalog, &row, &error);
    g_assert_no_error(error);
    return row;
}

static void tokens_let_in_until_they_end(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(TokenRow) token = put_token(catalog, HASH, NOW + 10), read = { 0 };
    g_auto(TokenRow) forever = put_token(catalog, MORE, 0), always = { 0 };
    g_autoptr(GArray) left = NULL;

    g_assert_true(catalog_token_find(catalog, HASH, NOW, &read, &error));
    g_assert_cmpstr(read.id, ==, token.id);
    g_assert_cmpstr(read.scope, ==, "operator");
    g_assert_false(catalog_token_find(catalog, HASH, NOW + 10, &read, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(catalog_token_find(catalog, MORE, NOW * 2, &always, &error));
    g_assert_false(catalog_token_revoke(catalog, token.id, "max", NOW, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(catalog_token_revoke(catalog, token.id, "eva", NOW, &error));
    g_assert_false(catalog_token_find(catalog, HASH, NOW, &read, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(catalog_token_used(catalog, forever.id, NOW + 3, &error));
    g_assert_true(catalog_tokens(catalog, "eva", &left, &error));
    g_assert_cmpuint(left->len, ==, 1);
    g_assert_cmpint(g_array_index(left, TokenRow, 0).used_at, ==, NOW + 3);
}

static void attempts_are_counted_within_a_window(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    unsigned n = 0;
    int64_t last = 0;

    for (unsigned i = 1; i <= 5; i++) {
        g_assert_true(catalog_login_failed(catalog, "user:eva", NOW + i, 1000, &n, &error));
        g_assert_cmpuint(n, ==, i);
    }
    g_assert_true(catalog_login_failures(catalog, "user:eva", NOW + 9, 1000, &n, &last, &error));
    g_assert_cmpuint(n, ==, 5);
    g_assert_cmpint(last, ==, NOW + 5);
    g_assert_true(catalog_login_failed(catalog, "user:eva", NOW + 2000, 1000, &n, &error));
    g_assert_cmpuint(n, ==, 1);
    g_assert_true(catalog_login_succeeded(catalog, "user:eva", &error));
    g_assert_true(catalog_login_failures(catalog, "user:eva", NOW + 2000, 1000, &n, &last, &error));
    g_assert_cmpuint(n, ==, 0);
}

static void write_lines(Catalog *catalog)
{
    for (int i = 1; i <= 9; i++) {
        g_autoptr(GError) error = NULL;
        json_t *detail = json_pack("{s:i}", "n", i);

        (void)catalog_audit(catalog, i % 2 ? "eva" : "max", i % 3 ? "run" : "login", detail,
                            &error);
        g_assert_no_error(error);
        json_decref(detail);
    }
}

static void audit_lines_are_listed(const char *url)
{
    g_autoptr(Catalog) catalog = open_catalog(url);
    static const struct {
        AuditQuery query;
        unsigned n;
        int64_t first;
    } cases[] = {
        { { .limit = 100 }, 9, 9 },
        { { .limit = 3, .before = 5 }, 3, 4 },
        { { .limit = 9, .user = "max" }, 4, 8 },
        { { .limit = 9, .action = "login" }, 3, 9 },
        { { .limit = 9, .user = "max", .action = "login" }, 1, 6 },
    };

    write_lines(catalog);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) rows = NULL;
        const AuditRow *row;

        (void)catalog_audit_list(catalog, &cases[i].query, &rows, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(rows->len, ==, cases[i].n);
        row = &g_array_index(rows, AuditRow, 0);
        g_assert_cmpint(row->seq, ==, cases[i].first);
        g_assert_cmpint(json_integer_value(json_object_get(row->detail, "n")), ==, row->seq);
    }
}

/* The hash by hand, once: `printf '\n%s' LINE | sha256sum`. */
static void the_chain_is_what_it_says(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_autoptr(Db) db = NULL;
    g_autoptr(DbQuery) query = NULL;
    g_autofree char *head = NULL, *text = NULL, *sum = NULL;
    int64_t n;
    bool row;

    g_assert_true(catalog_audit(catalog, "eva", "login", NULL, &error));
    g_assert_true(db_open(url, NULL, 0, NULL, &db, &error));
    query = db_query(db, "SELECT line FROM audit", &error);
    g_assert_true(db_step(query, &row, &error) && row);
    g_assert_true(g_str_has_prefix(db_row_text(query, 0), "{\"action\":\"login\",\"at\":"));
    text = g_strconcat("\n", db_row_text(query, 0), NULL);
    sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    g_assert_true(catalog_audit_verify(catalog, &n, &head, &error));
    g_assert_cmpint(n, ==, 1);
    g_assert_cmpstr(head, ==, sum);
}

static void a_changed_line_breaks_the_chain(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_autoptr(Db) db = NULL;
    static const struct {
        const char *sql, *names;
    } cases[] = {
        { "UPDATE audit SET line = replace(line, 'eva', 'eve') WHERE seq = 3", "line 3 was" },
        { "UPDATE audit SET user_name = 'eve' WHERE seq = 3", "line 3 was" },
        { "UPDATE audit SET at = at - 1 WHERE seq = 1", "line 1 was" },
        { "UPDATE audit SET hash = '' WHERE seq = 9", "line 9 was" },
        { "DELETE FROM audit WHERE seq = 5", "line 5 is missing" },
        { "DELETE FROM audit WHERE seq = 9", "line 9 is missing" },
        { "DELETE FROM audit", "line 1 is missing" },
        { "UPDATE audit_head SET seq = 8", "line 8 is not" },
    };
    g_autofree char *head = NULL;
    int64_t n;

    g_assert_true(catalog_audit_verify(catalog, &n, &head, &error)); // of none
    g_assert_cmpstr(head, ==, "");
    write_lines(catalog);
    g_clear_pointer(&head, g_free);
    g_assert_true(catalog_audit_verify(catalog, &n, &head, &error));
    g_assert_cmpint(n, ==, 9);
    g_assert_true(db_open(url, NULL, 0, NULL, &db, &error));
    g_assert_true(db_exec(db,
                          "CREATE TABLE kept AS SELECT * FROM audit;"
                          "CREATE TABLE kept_head AS SELECT * FROM audit_head",
                          &error));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].sql);
        g_assert_true(db_exec(db, cases[i].sql, &error));
        g_assert_false(catalog_audit_verify(catalog, &n, &head, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_nonnull(g_strrstr(error->message, cases[i].names));
        g_clear_error(&error);
        g_assert_true(db_exec(db,
                              "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept;"
                              "DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM"
                              " kept_head",
                              &error));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    catalog_test_add("users/changes", a_changed_user_is_logged_out);
    catalog_test_add("users/last-admin", the_last_admin_stays);
    catalog_test_add("sessions", sessions_are_rotated_and_end);
    catalog_test_add("tokens", tokens_let_in_until_they_end);
    catalog_test_add("attempts", attempts_are_counted_within_a_window);
    catalog_test_add("audit/lists", audit_lines_are_listed);
    catalog_test_add("audit/hash", the_chain_is_what_it_says);
    catalog_test_add("audit/broken", a_changed_line_breaks_the_chain);
    return catalog_test_run();
}
