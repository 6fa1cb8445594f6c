/* SPDX-License-Identifier: Apache-2.0 */
#include "op/pgsetup.h"

#include "base/error.h"

/* A server on which all is there. */
static PgServerSetup good_server(void)
{
    static const char *const settings[][2] = {
        { "wal_level", "replica" },
        { "archive_mode", "on" },
        { "archive_timeout", "60" },
        { "archive_command", "backstay wal push %p" },
        { "archive_library", "" },
        { "max_wal_senders", "10" },
        { "data_checksums", "on" },
        { "max_replication_slots", "10" },
        { "max_slot_wal_keep_size", "1024" },
    };
    PgServerSetup setup = { .version = 150000,
                            .settings =
                                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                            .role_exists = true,
                            .role_login = true,
                            .role_replication = true,
                            .role_reads_settings = true,
                            .role_backup = true,
                            .role_watch = true,
                            .hba = PG_HBA_FITS };

    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++)
        g_hash_table_insert(setup.settings, g_strdup(settings[i][0]), g_strdup(settings[i][1]));
    return setup;
}

static const PgSetupItem *find(const GPtrArray *items, const char *check)
{
    for (guint i = 0; i < items->len; i++)
        if (g_str_equal(((const PgSetupItem *)items->pdata[i])->check, check))
            return items->pdata[i];
    return NULL;
}

static void a_good_server_lacks_nothing(void)
{
    g_auto(PgServerSetup) setup = good_server();
    g_autoptr(GPtrArray) items = pg_setup_decide(&setup, &(PgSetupRequest){ .role = "backstay" });

    for (guint i = 0; i < items->len; i++)
        g_assert_cmpint(((const PgSetupItem *)items->pdata[i])->state, ==, PG_SETUP_OK);
    g_assert_true(pg_setup_complete(items, NULL));
}

static void each_setting_is_judged(void)
{
    static const struct {
        const char *name, *value, *written; /* what is in force, and in the files */
        const char *wanted;                 /* archive command that was asked for */
        const char *check;
        PgSetupState state;
        const char *statement;
        bool by_hand;
    } cases[] = {
        { "wal_level", "minimal", NULL, NULL, "wal_level", PG_SETUP_MISSING,
          "ALTER SYSTEM SET wal_level = 'replica'", false },
        { "wal_level", "minimal", "replica", NULL, "wal_level", PG_SETUP_WAITS, NULL, false },
        { "wal_level", "logical", NULL, NULL, "wal_level", PG_SETUP_OK, NULL, false },
        { "archive_mode", "always", NULL, NULL, "archive_mode", PG_SETUP_OK, NULL, false },
        { "archive_timeout", "0", NULL, NULL, "archive_timeout", PG_SETUP_MISSING,
          "ALTER SYSTEM SET archive_timeout = '60'", false },
        { "archive_timeout", "300", NULL, NULL, "archive_timeout", PG_SETUP_OK, NULL, false },
        { "max_wal_senders", "1", NULL, NULL, "max_wal_senders", PG_SETUP_MISSING,
          "ALTER SYSTEM SET max_wal_senders = '10'", false },
        { "max_wal_senders", "2", NULL, NULL, "max_wal_senders", PG_SETUP_OK, NULL, false },
        { "max_slot_wal_keep_size", "-1", NULL, NULL, "max_slot_wal_keep_size", PG_SETUP_WARN, NULL,
          false },
        { "data_checksums", "off", NULL, NULL, "data_checksums", PG_SETUP_WARN, NULL, false },
        { "archive_command", "", NULL, NULL, "archive_command", PG_SETUP_MISSING,
          "ALTER SYSTEM SET archive_command = 'backstay wal push %p'", false },
        { "archive_command", "/usr/bin/env A=1 /opt/backstay wal push %p", NULL, NULL,
          "archive_command", PG_SETUP_OK, NULL, false },
        { "archive_command", "pgbackrest archive-push %p", NULL, NULL, "archive_command",
          PG_SETUP_MISSING, "ALTER SYSTEM SET archive_command = 'backstay wal push %p'", true },
        { "archive_command", "pgbackrest archive-push %p", NULL, "it's %p", "archive_command",
          PG_SETUP_MISSING, "ALTER SYSTEM SET archive_command = 'it''s %p'", false },
        { "archive_command", "it's %p", NULL, "it's %p", "archive_command", PG_SETUP_OK, NULL,
          false },
        { "archive_library", "backstay", NULL, NULL, "archive_library", PG_SETUP_OK, NULL, false },
        { "archive_library", "basic_archive", NULL, NULL, "archive_library", PG_SETUP_MISSING,
          "ALTER SYSTEM SET archive_library = 'backstay'", true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(PgServerSetup) setup = good_server();
        PgSetupRequest request = { .role = "backstay", .archive_command = cases[i].wanted };
        g_autoptr(GPtrArray) items = NULL;
        g_autoptr(GError) error = NULL;
        const PgSetupItem *item;
        bool complete = cases[i].state == PG_SETUP_OK || cases[i].state == PG_SETUP_WARN;

        g_test_message("%s = %s", cases[i].name, cases[i].value);
        g_hash_table_insert(setup.settings, g_strdup(cases[i].name), g_strdup(cases[i].value));
        if (cases[i].written) {
            setup.written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
            g_hash_table_insert(setup.written, g_strdup(cases[i].name), g_strdup(cases[i].written));
        }
        items = pg_setup_decide(&setup, &request);
        item = find(items, cases[i].check);
        g_assert_nonnull(item);
        g_assert_cmpstr(pg_setup_state_name(item->state), ==, pg_setup_state_name(cases[i].state));
        g_assert_cmpstr(item->statement, ==, cases[i].statement);
        g_assert_cmpint(item->by_hand, ==, cases[i].by_hand);
        g_assert_cmpint(pg_setup_complete(items, &error), ==, complete);
        g_assert_cmpint(bs_error_exit_status(error), ==, complete ? 0 : 33);
    }
}

static void places_in_use_do_not_count(void)
{
    g_auto(PgServerSetup) setup = good_server();
    g_autoptr(GPtrArray) items = NULL;

    setup.senders_used = 9;
    setup.slots_used = 8;
    items = pg_setup_decide(&setup, &(PgSetupRequest){ .role = "backstay" });
    g_assert_cmpstr(find(items, "max_wal_senders")->statement, ==,
                    "ALTER SYSTEM SET max_wal_senders = '11'");
    g_assert_cmpint(find(items, "max_replication_slots")->state, ==, PG_SETUP_OK);
}

static void rights_are_granted_as_the_release_names_them(void)
{
    g_auto(PgServerSetup) setup = good_server();
    g_autoptr(GPtrArray) new = NULL, old = NULL;
    PgSetupRequest request = { .role = "o\"dd" };

    setup.role_backup = setup.role_login = false;
    new = pg_setup_decide(&setup, &request);
    setup.version = 140000;
    setup.role_exists = false;
    old = pg_setup_decide(&setup, &request);
    g_assert_cmpstr(find(new, "role")->statement, ==, "ALTER ROLE \"o\"\"dd\" LOGIN REPLICATION");
    g_assert_cmpstr(find(new, "role_backup")->statement, ==,
                    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_backup_start(text, boolean), "
                    "pg_catalog.pg_backup_stop(boolean) TO \"o\"\"dd\"");
    g_assert_cmpstr(find(old, "role")->statement, ==, "CREATE ROLE \"o\"\"dd\" LOGIN REPLICATION");
    g_assert_cmpstr(find(old, "role_backup")->statement, ==,
                    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_start_backup(text, boolean, boolean), "
                    "pg_catalog.pg_stop_backup(boolean, boolean) TO \"o\"\"dd\"");
}

static void a_line_for_pg_hba_names_the_address(void)
{
    static const struct {
        const char *client, *line;
    } cases[] = {
        { NULL, "local  replication  \"backstay\"  scram-sha-256" },
        { "192.0.2.7", "host  replication  \"backstay\"  192.0.2.7/32  scram-sha-256" },
        { "2001:db8::7", "host  replication  \"backstay\"  2001:db8::7/128  scram-sha-256" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(PgServerSetup) setup = good_server();
        g_autoptr(GPtrArray) items = NULL;

        setup.hba = PG_HBA_MISSING;
        setup.client = g_strdup(cases[i].client);
        items = pg_setup_decide(&setup, &(PgSetupRequest){ .role = "backstay" });
        g_assert_cmpstr(find(items, "pg_hba")->line, ==, cases[i].line);
        g_assert_null(find(items, "pg_hba")->statement);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pgsetup/good", a_good_server_lacks_nothing);
    g_test_add_func("/pgsetup/settings", each_setting_is_judged);
    g_test_add_func("/pgsetup/places", places_in_use_do_not_count);
    g_test_add_func("/pgsetup/rights", rights_are_granted_as_the_release_names_them);
    g_test_add_func("/pgsetup/hba", a_line_for_pg_hba_names_the_address);
    return g_test_run();
}
