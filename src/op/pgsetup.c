/* SPDX-License-Identifier: Apache-2.0 */
#include "op/pgsetup.h"

#include "base/clock.h"
#include "base/error.h"
#include "pg/conn.h"

#include <string.h>

#define OUR_COMMAND   "backstay wal push %p"
#define SENDERS_FREE  2 /* a base backup takes one, wal receive another */
#define SLOTS_FREE    2
#define MORE_PLACES   10 /* what PostgreSQL's own default is */
#define V15           150000
#define RELOAD_MS     5000 /* the server reads its files again as it finds the time */
#define RELOAD_ASK_MS 100

const char *pg_setup_state_name(PgSetupState state)
{
    static const char *const names[] = { "ok", "warn", "waits", "missing" };

    return names[state];
}

static void item_free(gpointer data)
{
    PgSetupItem *item = data;

    g_free(item->message);
    g_free(item->statement);
    g_free(item->line);
    g_free(item);
}

typedef struct {
    const PgServerSetup *setup;
    const PgSetupRequest *request;
    GPtrArray *items;
} Deciding;

/* Takes message. */
static PgSetupItem *add(Deciding *deciding, const char *check, PgSetupState state, char *message)
{
    PgSetupItem *item = g_new0(PgSetupItem, 1);

    item->check = check;
    item->state = state;
    item->message = message;
    g_ptr_array_add(deciding->items, item);
    return item;
}

/* ---- settings ---- */

static const char *setting(const Deciding *deciding, const char *name)
{
    const char *value = g_hash_table_lookup(deciding->setup->settings, name);

    return value ? value : "";
}

static char *alter(const char *name, const char *value)
{
    g_autofree char *quoted = pg_quote_text(value);

    return g_strdup_printf("ALTER SYSTEM SET %s = %s", name, quoted);
}

/* The value that is wanted is written down already. */
static bool is_written(const Deciding *deciding, const char *name, const char *value)
{
    GHashTable *written = deciding->setup->written;

    return written && g_strcmp0(g_hash_table_lookup(written, name), value) == 0;
}

static void need(Deciding *deciding, const char *name, bool good, const char *value,
                 const char *needs, const char *why)
{
    g_autofree char *now = g_strdup_printf("%s = %s", name, setting(deciding, name));
    PgSetupItem *item;

    if (good) {
        add(deciding, name, PG_SETUP_OK, g_steal_pointer(&now));
    } else if (is_written(deciding, name, value)) {
        item = add(deciding, name, PG_SETUP_WAITS,
                   g_strdup_printf("%s; %s is written down and waits for a %s", now, value, needs));
        item->needs = needs;
    } else {
        item = add(deciding, name, PG_SETUP_MISSING, g_strdup_printf("%s: %s", now, why));
        item->statement = alter(name, value);
        item->needs = needs;
    }
}

static void check_places(Deciding *deciding, const char *name, int64_t used, int64_t free_places)
{
    int64_t have = g_ascii_strtoll(setting(deciding, name), NULL, 10);
    g_autofree char *value =
        g_strdup_printf("%" G_GINT64_FORMAT, MAX(MORE_PLACES, used + free_places));
    g_autofree char *why =
        g_strdup_printf("%" G_GINT64_FORMAT " are in use, and %" G_GINT64_FORMAT " more are needed",
                        used, free_places);

    need(deciding, name, have - used >= free_places, value, "restart", why);
}

/* ---- archiving ---- */

static bool is_ours(const char *command)
{
    return strstr(command, "backstay") && strstr(command, "wal push");
}

static void check_archiver(Deciding *deciding)
{
    const char *wanted = deciding->request->archive_command;
    const char *command = setting(deciding, "archive_command");
    const char *library = setting(deciding, "archive_library");
    bool none = *command == '\0' || g_str_equal(command, "(disabled)");
    PgSetupItem *item;

    if (g_str_equal(library, "backstay")) {
        add(deciding, "archive_library", PG_SETUP_OK, g_strdup("archive_library = backstay"));
    } else if (*library) {
        item = add(deciding, "archive_library", PG_SETUP_MISSING,
                   g_strdup_printf("archive_library = %s: another module archives", library));
        item->statement = alter("archive_library", "backstay");
        item->needs = "reload";
        item->by_hand = true;
    } else if (wanted ? g_str_equal(command, wanted) : is_ours(command)) {
        add(deciding, "archive_command", PG_SETUP_OK,
            g_strdup_printf("archive_command = %s", command));
    } else if (none && !wanted && !g_str_equal(setting(deciding, "archive_mode"), "on") &&
               is_written(deciding, "archive_command", OUR_COMMAND)) {
        // while archive_mode is off the server shows none
        item = add(deciding, "archive_command", PG_SETUP_WAITS,
                   g_strdup("archive_command is written down, and in force with archive_mode"));
        item->needs = "restart";
    } else if (wanted && is_written(deciding, "archive_command", wanted)) {
        item = add(deciding, "archive_command", PG_SETUP_WAITS,
                   g_strdup("archive_command is written down, and in force with archive_mode"));
        item->needs = "restart";
    } else {
        item = add(deciding, "archive_command", PG_SETUP_MISSING,
                   none ? g_strdup("nothing archives")
                        : g_strdup_printf("archive_command = %s: %s", command,
                                          wanted ? "not the one that was asked for"
                                                 : "something else archives"));
        item->statement = alter("archive_command", wanted ? wanted : OUR_COMMAND);
        item->needs = "reload";
        item->by_hand = !none && !wanted;
    }
}

static void check_settings(Deciding *deciding)
{
    const PgServerSetup *setup = deciding->setup;
    const char *level = setting(deciding, "wal_level"), *mode = setting(deciding, "archive_mode");

    need(deciding, "wal_level", g_str_equal(level, "replica") || g_str_equal(level, "logical"),
         "replica", "restart", "the log holds too little for a backup");
    need(deciding, "archive_mode", g_str_equal(mode, "on") || g_str_equal(mode, "always"), "on",
         "restart", "the log is not archived");
    check_archiver(deciding);
    need(deciding, "archive_timeout", !g_str_equal(setting(deciding, "archive_timeout"), "0"), "60",
         "reload", "a quiet server archives nothing until a segment is full");
    check_places(deciding, "max_wal_senders", setup->senders_used, SENDERS_FREE);
    check_places(deciding, "max_replication_slots", setup->slots_used, SLOTS_FREE);
    if (g_str_equal(setting(deciding, "max_slot_wal_keep_size"), "-1"))
        add(deciding, "max_slot_wal_keep_size", PG_SETUP_WARN,
            g_strdup("max_slot_wal_keep_size = -1: a slot that nobody reads keeps the log until "
                     "the disk is full; choose a bound, such as ALTER SYSTEM SET "
                     "max_slot_wal_keep_size = '10GB' (reload)"));
    else
        add(deciding, "max_slot_wal_keep_size", PG_SETUP_OK,
            g_strdup_printf("max_slot_wal_keep_size = %s MB",
                            setting(deciding, "max_slot_wal_keep_size")));
    if (g_str_equal(setting(deciding, "data_checksums"), "on"))
        add(deciding, "data_checksums", PG_SETUP_OK, g_strdup("data_checksums = on"));
    else
        add(deciding, "data_checksums", PG_SETUP_WARN,
            g_strdup("data_checksums = off: damaged pages are not noticed; with the server "
                     "stopped: pg_checksums --enable"));
}

/* ---- the role ---- */

static void check_right(Deciding *deciding, const char *check, bool good, const char *text,
                        const char *grant)
{
    g_autofree char *role = pg_quote_name(NULL, deciding->request->role);
    PgSetupItem *item;

    if (good) {
        add(deciding, check, PG_SETUP_OK,
            g_strdup_printf("%s may %s", deciding->request->role, text));
        return;
    }
    item = add(deciding, check, PG_SETUP_MISSING,
               g_strdup_printf("%s may not %s", deciding->request->role, text));
    item->statement = g_strdup_printf("GRANT %s TO %s", grant, role);
}

static void check_role(Deciding *deciding)
{
    const PgServerSetup *setup = deciding->setup;
    const char *role = deciding->request->role;
    g_autofree char *quoted = pg_quote_name(NULL, role);
    bool able = setup->role_login && setup->role_replication;
    PgSetupItem *item;

    if (setup->role_exists && able) {
        if (setup->role_superuser)
            add(deciding, "role", PG_SETUP_WARN,
                g_strdup_printf("role %s is a superuser; one with fewer rights would do", role));
        else
            add(deciding, "role", PG_SETUP_OK,
                g_strdup_printf("role %s may connect for replication", role));
        return;
    }
    item =
        add(deciding, "role", PG_SETUP_MISSING,
            setup->role_exists ? g_strdup_printf("role %s may not connect for replication", role)
                               : g_strdup_printf("there is no role %s; it gets no password here: "
                                                 "\\password %s in psql",
                                                 role, quoted));
    item->statement = g_strdup_printf("%s ROLE %s LOGIN REPLICATION",
                                      setup->role_exists ? "ALTER" : "CREATE", quoted);
}

static void check_rights(Deciding *deciding)
{
    const PgServerSetup *setup = deciding->setup;

    check_right(deciding, "role_settings", setup->role_reads_settings, "see all settings",
                "pg_read_all_settings");
    check_right(deciding, "role_backup", setup->role_backup, "begin and end backups",
                setup->version >= V15
                    ? "EXECUTE ON FUNCTION pg_catalog.pg_backup_start(text, boolean), "
                      "pg_catalog.pg_backup_stop(boolean)"
                    : "EXECUTE ON FUNCTION pg_catalog.pg_start_backup(text, boolean, boolean), "
                      "pg_catalog.pg_stop_backup(boolean, boolean)");
    // GRANT has one "TO" for several
    check_right(deciding, "role_watch", setup->role_watch, "see how much log waits",
                "EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir(), "
                "pg_catalog.pg_ls_archive_statusdir()");
}

static void check_hba(Deciding *deciding)
{
    const PgServerSetup *setup = deciding->setup;
    const char *role = deciding->request->role;
    g_autofree char *quoted = pg_quote_name(NULL, role);
    const char *from = setup->client ? setup->client : "a local socket";
    PgSetupItem *item;

    if (setup->hba == PG_HBA_FITS) {
        add(deciding, "pg_hba", PG_SETUP_OK,
            g_strdup_printf("pg_hba.conf lets %s connect for replication from %s", role, from));
        return;
    }
    if (setup->hba == PG_HBA_UNKNOWN)
        item = add(deciding, "pg_hba", PG_SETUP_WARN,
                   g_strdup("pg_hba.conf cannot be seen by this role; it needs the line"));
    else
        item = add(deciding, "pg_hba", PG_SETUP_MISSING,
                   g_strdup_printf("pg_hba.conf has no line that lets %s connect for replication "
                                   "from %s",
                                   role, from));
    item->line = setup->client
                     ? g_strdup_printf("host  replication  %s  %s/%d  scram-sha-256", quoted,
                                       setup->client, strchr(setup->client, ':') ? 128 : 32)
                     : g_strdup_printf("local  replication  %s  scram-sha-256", quoted);
    item->needs = "reload";
}

GPtrArray *pg_setup_decide(const PgServerSetup *setup, const PgSetupRequest *request)
{
    Deciding deciding = { setup, request, g_ptr_array_new_with_free_func(item_free) };

    check_settings(&deciding);
    check_role(&deciding);
    check_rights(&deciding);
    check_hba(&deciding);
    return deciding.items;
}

bool pg_setup_complete(const GPtrArray *items, GError **error)
{
    unsigned missing = 0, waits = 0;

    for (guint i = 0; i < items->len; i++) {
        const PgSetupItem *item = g_ptr_array_index(items, i);

        missing += item->state == PG_SETUP_MISSING;
        waits += item->state == PG_SETUP_WAITS;
    }
    if (missing == 0 && waits == 0)
        return true;
    if (missing > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_SETUP,
                    "the server lacks what is said to be missing above");
    else
        g_set_error(error, BS_ERROR, BS_ERROR_SETUP,
                    "all is set up, and the server must be restarted");
    return false;
}

/* ---- the server ---- */

bool op_pg_setup(const PgSetupRequest *request, const Cancel *cancel, GPtrArray **ret_items,
                 GError **error)
{
    g_autoptr(PgUrl) url = pg_url_parse(request->url, error);
    g_autoptr(PgConn) conn = url ? pg_connect_server(url, cancel, error) : NULL;
    g_auto(PgServerSetup) setup = { 0 };

    if (!conn || !pg_server_setup_read(conn, request->role, &setup, error))
        return false;
    *ret_items = pg_setup_decide(&setup, request);
    return true;
}

/* Until the server has read its files, or does not come to it. */
static bool reload(PgConn *conn, const Cancel *cancel, GError **error)
{
    int64_t before, now;

    if (!pg_query_number(
            conn, "select (extract(epoch from pg_catalog.pg_conf_load_time()) * 1e6)::bigint", NULL,
            &before, error) ||
        !pg_exec(conn, "select pg_catalog.pg_reload_conf()", error))
        return false;
    now = before;
    for (int64_t waited = 0; now == before && waited < RELOAD_MS; waited += RELOAD_ASK_MS)
        if (!cancel_sleep(cancel, RELOAD_ASK_MS, error) ||
            !pg_query_number(
                conn, "select (extract(epoch from pg_catalog.pg_conf_load_time()) * 1e6)::bigint",
                NULL, &now, error))
            return false;
    return true;
}

bool op_pg_setup_apply(const PgSetupRequest *request, const GPtrArray *items, const Cancel *cancel,
                       void (*told)(const char *statement, void *user), void *user, GError **error)
{
    g_autoptr(PgUrl) url = pg_url_parse(request->url, error);
    g_autoptr(PgConn) conn = url ? pg_connect_server(url, cancel, error) : NULL;

    if (!conn)
        return false;
    for (guint i = 0; i < items->len; i++) {
        const PgSetupItem *item = g_ptr_array_index(items, i);

        if (item->state != PG_SETUP_MISSING || !item->statement || item->by_hand)
            continue;
        told(item->statement, user);
        if (!pg_exec(conn, item->statement, error)) {
            g_prefix_error(error, "%s: ", item->statement);
            return false;
        }
    }
    return reload(conn, cancel, error);
}
