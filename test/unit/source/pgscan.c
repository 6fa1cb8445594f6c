/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgscan.h"
#include "base/error.h"
#include "codec/hash.h"
#include <string.h>

#define END "--\n-- PostgreSQL database dump complete\n--\n\n"

/* As pg_dump writes it, with all that may hide an end or a quote. */
static const char whole[] =
    "--\n-- PostgreSQL database dump\n--\n\n"
    "\\restrict KEY\n\n"
    "-- Dumped from database version 15.20 (Debian)\n-- Dumped by pg_dump version 16.1\n\n"
    "SET client_encoding = 'LATIN1';\nSET standard_conforming_strings = on;\n"
    "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public;\n"
    "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $_$ SELECT '$1 $ ;' || $$;$$ $_$;\n"
    "COMMENT ON TABLE x IS 'it''s \\ -- no; COPY a FROM stdin;\n\n" END "';\n"
    "COMMENT ON TABLE y IS E'a\\'b;\\\\';\n/* a /* nested ; ' */ one */\n"
    "COMMENT ON COLUMN public.\"a;\"\"b\".c IS 'x';\n"
    "COPY public.t (a, \"b c\") FROM stdin;\n1\tone\n\\\\.\ttwo\n\\.\n\n"
    "COPY \"Sch.ema\".\"na\"\"me\" (a) FROM stdin;\n\\.\n\n"
    "COPY plain (a) FROM stdin;\n\n" END "\\N\n'\n\\.\n\n"
    "BEGIN;\n\nSELECT pg_catalog.lo_open('1', 131072);\n\nCOMMIT;\n\n"
    "BEGIN ATOMIC\n SELECT 1;\nEND;\n\n" END "\\unrestrict KEY\n\n";

static bool read_sliced(const char *text, size_t len, size_t slice, PgScan *scan, GError **error)
{
    for (size_t at = 0; at < len; at += slice)
        if (!pg_scan_feed(scan, text + at, MIN(slice, len - at), error))
            return false;
    return pg_scan_finish(scan, error);
}

static bool gather(void *user, const void *data, size_t len, G_GNUC_UNUSED GError **error)
{
    g_string_append_len(user, data, (gssize)len);
    return true;
}

static void assert_table(const PgScan *scan, guint i, const char *schema, const char *name,
                         const char *text)
{
    const PgScanTable *table = pg_scan_tables(scan)->pdata[i];
    Id want;

    hash_bytes(text, strlen(text), &want);
    g_assert_cmpstr(table->schema, ==, schema);
    g_assert_cmpstr(table->name, ==, name);
    g_assert_cmpuint(table->bytes, ==, strlen(text));
    g_assert_true(id_equal(&table->sha256, &want));
}

static void tells_what_it_holds(void)
{
    for (size_t slice = 1; slice < 40; slice += 6) {
        g_autoptr(PgScan) scan = pg_scan_new();
        g_autoptr(GError) error = NULL;

        read_sliced(whole, strlen(whole), slice, scan, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(pg_scan_tables(scan)->len, ==, 3);
        assert_table(scan, 0, "public", "t", "1\tone\n\\\\.\ttwo\n");
        assert_table(scan, 1, "Sch.ema", "na\"me", "");
        assert_table(scan, 2, NULL, "plain", "\n" END "\\N\n'\n");
        g_assert_cmpstr(pg_scan_server_version(scan), ==, "15.20 (Debian)");
        g_assert_cmpstr(pg_scan_dump_version(scan), ==, "16.1");
        g_assert_cmpstr(pg_scan_encoding(scan), ==, "LATIN1");
        g_assert_cmpuint(pg_scan_extensions(scan)->len, ==, 1);
        g_assert_cmpstr(pg_scan_extensions(scan)->pdata[0], ==, "uuid-ossp");
        g_assert_true(pg_scan_counts_all(scan) && !pg_scan_is_cluster(scan));
        g_assert_null(pg_scan_connects(scan));
    }
}

static void cut_anywhere_is_refused(void)
{
    for (size_t len = 0; len < strlen(whole); len++) {
        g_autoptr(PgScan) scan = pg_scan_new();
        g_autoptr(GError) error = NULL;

        g_assert_false(read_sliced(whole, len, len + 1, scan, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void passes_on_sql_alone(void)
{
    static const char script[] = "\\restrict K\nBETA;\nBEGIN;\nCOMMIT;\nCOMMENT;\nCOPY t (a) FROM "
                                 "stdin;\nCOMMIT;\n\\.\nC/**/OMMIT;\n\\unrestrict K\nSELECT 1;\n";
    static const char want[] =
        "BETA;\n\n\nCOMMENT;\nCOPY t (a) FROM stdin;\nCOMMIT;\n\\.\nC/**/OMMIT;\nSELECT 1;\n";

    for (size_t slice = 1; slice < sizeof script; slice++) {
        g_autoptr(PgScan) scan = pg_scan_new();
        g_autoptr(GString) out = g_string_new(NULL);

        pg_scan_set_pass(scan, gather, out);
        g_assert_false(read_sliced(script, strlen(script), slice, scan, NULL));
        g_assert_cmpstr(out->str, ==, want);
    }
}

static void judges(void)
{
    static const struct {
        const char *label, *text;
        bool want;
    } cases[] = {
        { "the end alone", "\n" END, true },
        { "without the last line", "\n--\n-- PostgreSQL database dump complete\n--\n", false },
        { "something behind it", "\n" END "SELECT 1;\n", false },
        { "a statement that is not over", "SELECT 1\n" END, false },
        { "within a text", "SELECT '\n" END, false },
        { "within a text with escapes", "SELECT E'\\'\n" END, false },
        { "a quote after a name that ends in e", "SELECT the'\\';\n\n" END, true },
        { "texts that are read with escapes",
          "SET standard_conforming_strings = off;\nSELECT '\\';\n\n" END, false },
        { "within a dollar quote", "SELECT $a$ $$ $b$\n" END, false },
        { "a parameter", "SELECT $1, a$b$c;\n\n" END, true },
        { "within a comment", "/* /* */\n" END, false },
        { "within rows", "COPY t FROM stdin;\n\n" END, false },
        { "a command that runs a program", "\\! id\n\n" END, false },
        { "one behind a statement", "SELECT 1; \\! id\n\n" END, false },
        { "one within a statement", "SELECT 1 \\g x\n;\n\n" END, false },
        { "one after the restriction was taken back",
          "\\restrict a\n\\unrestrict a\n\\! id\n\n" END, false },
        { "a restriction that is not taken back", "\\restrict a\n\n" END, false },
        { "another word", "\\restrict a\n\n" END "\\unrestrict b\n\n", false },
        { "taken back too early", "\\restrict a\n\\unrestrict a\n\n" END, false },
        { "of all databases",
          "--\n-- PostgreSQL database cluster dump\n--\n\\connect a\n"
          "--\n-- PostgreSQL database cluster dump complete\n--\n\n",
          true },
        { "of all, but only one has ended",
          "--\n-- PostgreSQL database cluster dump\n--\n\\connect a\n\n" END, false },
        { "a line of another system", "SELECT 1;\r\n\r\n" END, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PgScan) scan = pg_scan_new();
        g_autoptr(GError) error = NULL;
        bool ok = read_sliced(cases[i].text, strlen(cases[i].text), 7, scan, &error);

        g_test_message("%s: %s", cases[i].label, error ? error->message : "taken");
        g_assert_cmpint(ok, ==, cases[i].want);
    }
}

static void zero_bytes_are_none(void)
{
    g_autoptr(PgScan) scan = pg_scan_new();

    g_assert_false(pg_scan_feed(scan, "SELECT\0 1;", 10, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pgscan/tells-what-it-holds", tells_what_it_holds);
    g_test_add_func("/pgscan/cut-anywhere-is-refused", cut_anywhere_is_refused);
    g_test_add_func("/pgscan/passes-on-sql-alone", passes_on_sql_alone);
    g_test_add_func("/pgscan/judges", judges);
    g_test_add_func("/pgscan/zero-bytes-are-none", zero_bytes_are_none);
    return g_test_run();
}
