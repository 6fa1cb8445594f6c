/* SPDX-License-Identifier: Apache-2.0 */
#include "state/schedules.h"
#include "base/error.h"
#include "lib/catalog_test.h"

static Catalog *open_catalog(const char *url)
{
    g_autoptr(GError) error = NULL;
    Catalog *catalog = NULL;

    (void)catalog_open(url, NULL, &catalog, &error);
    g_assert_no_error(error);
    return catalog;
}

static ScheduleRow schedule(const char *name)
{
    return (ScheduleRow){ .name = g_strdup(name),
                          .definition = json_pack("{s:s}", "cron", "0 3 * * *"),
                          .enabled = true };
}

static void a_schedule_is_made_changed_and_deleted(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(ScheduleRow) row = schedule("nightly"), read = { 0 };

    g_assert_true(catalog_schedule_put(catalog, &row, 0, &error));
    g_assert_no_error(error);
    g_assert_nonnull(row.id);
    g_assert_cmpuint(row.version, ==, 1);
    row.enabled = false;
    json_object_set_new(row.definition, "cron", json_string("0 4 * * *"));
    g_assert_true(catalog_schedule_put(catalog, &row, 1, &error));
    g_assert_cmpuint(row.version, ==, 2);
    g_assert_true(catalog_schedule_get(catalog, row.id, &read, &error));
    g_assert_cmpstr(read.name, ==, "nightly");
    g_assert_false(read.enabled);
    g_assert_cmpuint(read.version, ==, 2);
    g_assert_true(json_equal(read.definition, row.definition));
    g_assert_false(catalog_schedule_put(catalog, &row, 1, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_STALE);
    g_clear_error(&error);
    g_assert_false(catalog_schedule_delete(catalog, row.id, 1, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_STALE);
    g_clear_error(&error);
    g_assert_true(catalog_schedule_delete(catalog, row.id, 2, &error));
    g_assert_false(catalog_schedule_delete(catalog, row.id, 0, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_false(catalog_schedule_put(catalog, &row, 2, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

static void names_are_given_once(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(ScheduleRow) a = schedule("a"), b = schedule("b"), again = schedule("a");
    g_autoptr(GArray) rows = NULL;

    g_assert_true(catalog_schedule_put(catalog, &b, 0, &error));
    g_assert_true(catalog_schedule_put(catalog, &a, 0, &error));
    g_assert_false(catalog_schedule_put(catalog, &again, 0, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    g_clear_error(&error);
    g_free(b.name);
    b.name = g_strdup("a");
    g_assert_false(catalog_schedule_put(catalog, &b, 1, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    g_clear_error(&error);
    g_assert_true(catalog_schedules(catalog, &rows, &error));
    g_assert_cmpuint(rows->len, ==, 2);
    g_assert_cmpstr(g_array_index(rows, ScheduleRow, 0).name, ==, "a");
    g_assert_cmpstr(g_array_index(rows, ScheduleRow, 1).name, ==, "b");
}

static void what_was_decided_is_remembered_of_all(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(ScheduleRow) row = schedule("api");
    g_autoptr(GArray) rows = NULL;
    int64_t value = -1;

    g_assert_true(catalog_schedule_put(catalog, &row, 0, &error));
    g_assert_true(catalog_due_get(catalog, "nightly", &value, &error));
    g_assert_cmpint(value, ==, 0);
    for (int64_t due = 5000000000000; due > 0; due -= 2000000000000) { // back, too
        g_assert_true(catalog_due_put(catalog, "nightly", true, due, &error));
        g_assert_true(catalog_due_put(catalog, row.id, false, due + 1, &error));
        g_assert_true(catalog_due_get(catalog, "nightly", &value, &error));
        g_assert_cmpint(value, ==, due);
        g_assert_true(catalog_due_get(catalog, row.id, &value, &error));
        g_assert_cmpint(value, ==, due + 1);
    }
    g_assert_true(catalog_pause_put(catalog, "nightly", true, 7, &error));
    g_assert_true(catalog_pause_put(catalog, row.id, false, 8, &error));
    g_assert_true(catalog_pause_get(catalog, "nightly", &value, &error));
    g_assert_cmpint(value, ==, 7);
    g_assert_true(catalog_pause_get(catalog, row.id, &value, &error));
    g_assert_cmpint(value, ==, 8);
    g_assert_true(catalog_due_get(catalog, "nightly", &value, &error));
    g_assert_cmpint(value, ==, 1000000000000);
    g_assert_false(catalog_due_put(catalog, "deleted", false, 1, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(catalog_schedules(catalog, &rows, &error));
    g_assert_cmpuint(rows->len, ==, 1); // that of the file is none of the API's
    g_assert_false(catalog_schedule_delete(catalog, "nightly", 0, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

static int64_t missed(Catalog *catalog, const char *id)
{
    g_autoptr(GError) error = NULL;
    int64_t n = -1;

    (void)catalog_missed_get(catalog, id, &n, &error);
    g_assert_no_error(error);
    return n;
}

static void what_was_missed_is_counted_once(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) one = open_catalog(url);
    g_autoptr(Catalog) other = open_catalog(url);

    g_assert_true(catalog_missed_add(one, "nightly", 1000, 3, &error)); // nobody knows it yet
    g_assert_cmpint(missed(one, "nightly"), ==, 0);
    g_assert_true(catalog_due_put(one, "nightly", true, 500, &error));
    g_assert_true(catalog_missed_add(one, "nightly", 2000, 3, &error));
    g_assert_true(catalog_missed_add(other, "nightly", 2000, 3, &error));
    g_assert_cmpint(missed(other, "nightly"), ==, 3);
    g_assert_true(catalog_missed_add(other, "nightly", 1500, 9, &error)); // a clock was set back
    g_assert_cmpint(missed(one, "nightly"), ==, 3);
    g_assert_true(catalog_missed_add(other, "nightly", 3000, 1, &error));
    g_assert_cmpint(missed(one, "nightly"), ==, 4);
    g_assert_no_error(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    catalog_test_add("schedules/changes", a_schedule_is_made_changed_and_deleted);
    catalog_test_add("schedules/names", names_are_given_once);
    catalog_test_add("schedules/remembered", what_was_decided_is_remembered_of_all);
    catalog_test_add("schedules/missed", what_was_missed_is_counted_once);
    return catalog_test_run();
}
