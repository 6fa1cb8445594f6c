/* SPDX-License-Identifier: Apache-2.0 */
#include "state/portable.h"
#include "base/error.h"
#include "lib/catalog_test.h"
#include "lib/tempdir.h"
#include "state/settings.h"
#include "state/users.h"
#include <string.h>

#define AT 1700000000000

static Catalog *open_catalog(const char *url)
{
    g_autoptr(GError) error = NULL;
    Catalog *catalog = NULL;

    (void)catalog_open(url, NULL, &catalog, &error);
    g_assert_no_error(error);
    return catalog;
}

static void add_run(Catalog *catalog, RunState state, int64_t due_at)
{
    g_auto(RunRow) row = { .schedule = g_strdup("s1"),
                           .state = state,
                           .due_at = due_at,
                           .ended_at = AT,
                           .error = g_strdup("no room"),
                           .source_bytes = 7,
                           .detail = json_pack("{s:i}", "n", 1) };

    g_assert_true(catalog_run_insert(catalog, &row, NULL));
}

/* Something of everything. */
static char *fill(Catalog *catalog)
{
    g_auto(ScheduleRow) schedule = { .name = g_strdup("hourly"),
                                     .definition = json_pack("{s:s}", "cron", "0 * * * *"),
                                     .enabled = true,
                                     .paused_until = AT };
    g_auto(UserRow) user = { .name = g_strdup("eva"),
                             .role = g_strdup("admin"),
                             .password = g_strdup("$scrypt$x"),
                             .enabled = true };
    json_auto_t *value = json_pack("{s:i}", "sessions", 5);

    g_assert_true(catalog_schedule_put(catalog, &schedule, 0, NULL));
    g_assert_true(catalog_pause_put(catalog, "nightly", true, AT + 1, NULL));
    g_assert_true(catalog_due_put(catalog, "nightly", true, AT + 2, NULL));
    g_assert_true(catalog_user_put(catalog, &user, 0, NULL));
    g_assert_true(catalog_setting_put(catalog, "web", value, 0, "eva", NULL));
    g_assert_true(catalog_setting_put(catalog, "setup-token", value, 0, NULL, NULL));
    add_run(catalog, RUN_FAILED, AT);
    add_run(catalog, RUN_RUNNING, AT + 1);
    return g_strdup(schedule.id);
}

static void compare(Catalog *catalog, const char *id)
{
    g_auto(ScheduleRow) schedule = { 0 };
    g_auto(UserRow) user = { 0 };
    g_autoptr(GArray) runs = NULL;
    json_auto_t *value = NULL;
    const RunQuery all = { .limit = 10 };
    int64_t time;

    g_assert_true(catalog_schedule_get(catalog, id, &schedule, NULL));
    g_assert_cmpstr(schedule.name, ==, "hourly");
    g_assert_true(schedule.enabled);
    g_assert_cmpint(schedule.paused_until, ==, AT);
    g_assert_true(catalog_pause_get(catalog, "nightly", &time, NULL));
    g_assert_cmpint(time, ==, AT + 1);
    g_assert_true(catalog_due_get(catalog, "nightly", &time, NULL));
    g_assert_cmpint(time, ==, 0); // nothing is caught up on a new host
    g_assert_true(catalog_user_get(catalog, "eva", &user, NULL));
    g_assert_null(user.password);
    g_assert_cmpstr(user.role, ==, "admin");
    g_assert_true(catalog_setting_get(catalog, "web", &value, NULL, NULL));
    g_assert_cmpint(json_integer_value(json_object_get(value, "sessions")), ==, 5);
    g_assert_true(catalog_runs(catalog, &all, &runs, NULL));
    g_assert_cmpuint(runs->len, ==, 1);
    g_assert_cmpint(g_array_index(runs, RunRow, 0).state, ==, RUN_FAILED);
    g_assert_cmpstr(g_array_index(runs, RunRow, 0).error, ==, "no room");
    g_assert_cmpuint(g_array_index(runs, RunRow, 0).source_bytes, ==, 7);
}

static void what_is_packed_comes_back_without_secrets(const char *url)
{
    g_autoptr(GError) error = NULL;
    char *dir = tempdir_new();
    g_autofree char *other = g_strconcat(dir, "/other.db", NULL);
    g_autoptr(Catalog) from = open_catalog(url);
    g_autofree char *id = fill(from), *text = NULL;
    json_auto_t *packed = NULL;
    CatalogUnpacked unpacked;
    bool empty;

    g_assert_true(catalog_pack(from, 10, &packed, &error));
    g_assert_no_error(error);
    text = json_dumps(packed, 0);
    g_assert_null(strstr(text, "scrypt"));
    g_assert_null(strstr(text, "setup-token"));
    {
        g_autoptr(Catalog) to = open_catalog(other);

        g_assert_true(catalog_is_empty(to, &empty, &error) && empty);
        g_assert_true(catalog_unpack(to, packed, &unpacked, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(unpacked.schedules + unpacked.users + unpacked.runs, ==, 3);
        compare(to, id);
        g_assert_true(catalog_is_empty(to, &empty, &error) && !empty);
        g_assert_true(catalog_unpack(to, packed, &unpacked, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(unpacked.schedules + unpacked.users + unpacked.runs, ==, 0);
    }
    tempdir_remove(dir);
}

static void damaged_copies_are_refused(const char *url)
{
    static const struct {
        const char *label, *text;
        int code;
    } cases[] = {
        { "a list is missing", "{}", BS_ERROR_CORRUPT },
        { "of a newer program", "{'catalogue_version': 1000}", BS_ERROR_VERSION },
        { "a schedule without a name",
          "{'schedules': [{'id': 'a'}], 'paused': [], 'users': [], 'runs': []}", BS_ERROR_CORRUPT },
        { "a user of no role",
          "{'schedules': [], 'paused': [], 'users': [{'name': 'a', 'role': 'god'}], 'runs': []}",
          BS_ERROR_CORRUPT },
        { "a run of no state",
          "{'schedules': [], 'paused': [], 'users': [], 'runs': [{'id': 'x', 'kind': 'backup'}]}",
          BS_ERROR_CORRUPT },
    };
    g_autoptr(Catalog) catalog = open_catalog(url);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdelimit(g_strdup(cases[i].text), "'", '"');
        json_auto_t *packed = json_loads(text, 0, NULL);
        g_autoptr(GError) error = NULL;
        CatalogUnpacked unpacked;

        g_test_message("%s", cases[i].label);
        g_assert_nonnull(packed);
        g_assert_false(catalog_unpack(catalog, packed, &unpacked, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
    }
}

static void what_is_not_there_is_not_made(void)
{
    g_autoptr(GError) error = NULL;
    char *dir = tempdir_new();
    g_autofree char *file = g_strconcat(dir, "/none.db", NULL);
    Catalog *catalog = NULL;

    g_assert_false(catalog_open_existing(file, NULL, &catalog, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
    tempdir_remove(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    catalog_test_add("packed", what_is_packed_comes_back_without_secrets);
    catalog_test_add("damaged", damaged_copies_are_refused);
    g_test_add_func("/absent", what_is_not_there_is_not_made);
    return catalog_test_run();
}
