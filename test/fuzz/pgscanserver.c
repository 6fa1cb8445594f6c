/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a script of a whole server, which goes from database to database and of which some
 * statements stay behind: whole and in slices the same is run in the same databases. */
#include "source/pgscan.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

typedef struct {
    GByteArray *said;  /* what is run, and between it the databases */
    GByteArray *asked; /* about what may be there; before or after what stands before it is run */
    unsigned databases;
} Server;

static void say(GByteArray *to, const char *text)
{
    g_byte_array_append(to, (const uint8_t *)text, (guint)strlen(text) + 1);
}

static bool go_to(void *user, const char *database, G_GNUC_UNUSED GError **error)
{
    Server *server = user;

    server->databases++;
    say(server->said, database);
    return true;
}

/* Of half of the names something is there. */
static bool keeps(void *user, const char *verb, const char *name, const char *statement)
{
    Server *server = user;

    say(server->asked, verb);
    say(server->asked, name);
    g_assert_true(*statement);
    return g_str_hash(name) & 1;
}

static bool pass(void *user, const void *data, size_t len, G_GNUC_UNUSED GError **error)
{
    g_byte_array_append(((Server *)user)->said, data, (guint)len);
    return true;
}

static bool run(const uint8_t *data, size_t len, size_t slice, PgScan *scan, Server *server)
{
    static const PgScanSessions sessions = { go_to, keeps };

    pg_scan_set_sessions(scan, &sessions, pass, server);
    for (size_t at = 0; at < len; at += slice)
        if (!pg_scan_feed(scan, data + at, MIN(slice, len - at), NULL))
            return false;
    return pg_scan_finish(scan, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(PgScan) whole = pg_scan_new(), sliced = pg_scan_new();
    g_autoptr(GByteArray) said = g_byte_array_new(), again = g_byte_array_new();
    g_autoptr(GByteArray) asked = g_byte_array_new(), reasked = g_byte_array_new();
    Server server = { said, asked, 0 }, other = { again, reasked, 0 };
    bool ok = run(data, len, MAX(len, 1), whole, &server);

    g_assert_true(run(data, len, 3, sliced, &other) == ok);
    if (!ok)
        return 0;
    g_assert_true((pg_scan_connects(whole) != NULL) == (server.databases > 0));
    g_assert_cmpuint(pg_scan_tables(whole)->len, ==, pg_scan_tables(sliced)->len);
    g_assert_cmpmem(said->data, said->len, again->data, again->len);
    g_assert_cmpmem(asked->data, asked->len, reasked->data, reasked->len);
    return 0;
}
