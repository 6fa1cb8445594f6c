/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/url.h"
#include "base/error.h"

static void redacted_form_holds_no_secret(void)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        { "postgresql://u:s3cret@db1:5433/app", "postgresql://u@db1:5433/app" },
        { "postgresql://u:s3cret@/app?host=/run/pg&sslmode=require",
          "postgresql://u@%2Frun%2Fpg/app?sslmode=require" },
        { "host=db1 password='s3cret x' dbname='a b'", "postgresql://db1/a%20b" },
        { "postgresql://[::1]/x?sslpassword=s3cret", "postgresql://[::1]/x" },
        { "postgresql://a:1,b:2/x", "postgresql://a:1,b:2/x" },
        { "postgresql://", "postgresql://" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(PgUrl) url = pg_url_parse(cases[i].url, &error);
        g_autofree char *redacted = NULL;
        g_autoptr(PgUrl) again = NULL;

        g_test_message("%s", cases[i].url);
        g_assert_no_error(error);
        redacted = pg_url_redacted(url);
        g_assert_cmpstr(redacted, ==, cases[i].want);
        again = pg_url_parse(redacted, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(pg_url_database(again), ==, pg_url_database(url));
        g_assert_cmpstr(pg_url_get(again, "host"), ==, pg_url_get(url, "host"));
    }
}

static void name_of_an_unnamed_source(void)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        { "postgresql://u@db1.example.org/app", "postgresql-db1.example.org-app" },
        { "postgresql://u@db1", "postgresql-db1" },
        { "postgresql:///app?host=/run/postgresql", "postgresql-local-app" },
        { "postgresql:///app", "postgresql-local-app" },
        { "postgresql://h/a%20%C3%BC%2Fb", "postgresql-h-a%20%C3%BC%2Fb" },
        { "postgresql://[::1]/x", "postgresql-%3A%3A1-x" },
    };

    g_unsetenv("PGHOST");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PgUrl) url = pg_url_parse(cases[i].url, NULL);
        g_autofree char *name = pg_url_source_name(url);

        g_assert_cmpstr(name, ==, cases[i].want);
    }
}

static void name_of_an_unnamed_cluster(void)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        { "postgresql://u@db1", "pgcluster-db1-5432" },
        { "postgresql://u@db1:5433/?host=/run/postgresql", "pgcluster-local-5433" },
        { "postgresql://db1,db2/?target_session_attrs=read-write", "pgcluster-db1%2Cdb2-5432" },
        { "postgresql://db1:5433,db2:5434", "pgcluster-db1%2Cdb2-5433%2C5434" },
    };

    g_unsetenv("PGHOST");
    g_unsetenv("PGPORT");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PgUrl) url = pg_url_parse(cases[i].url, NULL);
        g_autofree char *name = pg_url_cluster_name(url);

        g_assert_cmpstr(name, ==, cases[i].want);
    }
}

static void what_libpq_cannot_read_is_a_usage_error_without_the_text(void)
{
    static const char *const cases[] = {
        "nonsense",
        "postgresql://u:s3cret%zz@h/db",
        "host=x password=s3cret nonsense=1",
        "",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(pg_url_parse(cases[i], &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_null(g_strrstr(error->message, "s3cret"));
    }
}

static void another_database_at_the_same_place(void)
{
    g_autoptr(PgUrl) url =
        pg_url_parse("postgresql://u:p%27%5C%20w@h:5433/app?sslmode=prefer", NULL);
    g_autoptr(PgUrl) other = pg_url_with_database(url, "x'\\ y");

    g_assert_cmpstr(pg_url_database(other), ==, "x'\\ y");
    g_assert_cmpstr(pg_url_get(other, "password"), ==, "p'\\ w");
    g_assert_cmpstr(pg_url_get(other, "port"), ==, "5433");
    g_assert_cmpstr(pg_url_get(other, "sslmode"), ==, "prefer");
}

static void another_password_for_the_same_place(void)
{
    g_autoptr(PgUrl) url = pg_url_parse("postgresql://u:old@h:5433/app?sslmode=prefer", NULL);
    g_autoptr(PgUrl) elsewhere = pg_url_with_database(url, "b");
    g_autoptr(PgUrl) other = pg_url_with_password(elsewhere, "n'e\\w %41");

    g_assert_cmpstr(pg_url_get(other, "password"), ==, "n'e\\w %41");
    g_assert_cmpstr(pg_url_database(other), ==, "b");
    g_assert_cmpstr(pg_url_get(other, "port"), ==, "5433");
    g_assert_cmpstr(pg_url_get(url, "password"), ==, "old");
}

static void keyword_string_says_all_but_the_password(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgUrl) url = pg_url_parse("postgresql://u%27x:s3cret@h/a%5Cb?passfile=/x", NULL);
    g_autoptr(PgUrl) bad = pg_url_parse("postgresql://h/x?sslpassword=s3cret", NULL);
    g_autofree char *conninfo = NULL;
    g_autoptr(PgUrl) again = NULL;

    g_assert_true(pg_url_conninfo(url, &conninfo, &error));
    g_assert_null(g_strrstr(conninfo, "s3cret"));
    again = pg_url_parse(conninfo, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(pg_url_get(again, "user"), ==, "u'x");
    g_assert_cmpstr(pg_url_database(again), ==, "a\\b");
    g_assert_null(pg_url_get(again, "passfile"));
    g_assert_cmpstr(pg_url_get(again, "application_name"), ==, "backstay");
    g_clear_pointer(&conninfo, g_free);
    g_assert_false(pg_url_conninfo(bad, &conninfo, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/url/redacted form holds no secret", redacted_form_holds_no_secret);
    g_test_add_func("/url/name of an unnamed source", name_of_an_unnamed_source);
    g_test_add_func("/url/name of an unnamed cluster", name_of_an_unnamed_cluster);
    g_test_add_func("/url/what libpq cannot read is a usage error without the text",
                    what_libpq_cannot_read_is_a_usage_error_without_the_text);
    g_test_add_func("/url/another database at the same place", another_database_at_the_same_place);
    g_test_add_func("/url/with-password", another_password_for_the_same_place);
    g_test_add_func("/url/keyword string says all but the password",
                    keyword_string_says_all_but_the_password);
    return g_test_run();
}
