/* SPDX-License-Identifier: Apache-2.0 */
/* Incidents, settings, and requests that are sent twice. */
#include "state/incidents.h"
#include "base/error.h"
#include "lib/catalog_test.h"
#include "state/idempotency.h"
#include "state/settings.h"

#define NOW 1700000000000

static Catalog *open_catalog(const char *url)
{
    g_autoptr(GError) error = NULL;
    Catalog *catalog = NULL;

    (void)catalog_open(url, NULL, &catalog, &error);
    g_assert_no_error(error);
    return catalog;
}

static IncidentRow happens(Catalog *catalog, const char *schedule, const char *condition,
                           int64_t now, bool want_opened)
{
    g_autoptr(GError) error = NULL;
    IncidentRow row = { .schedule = g_strdup(schedule),
                        .condition = g_strdup(condition),
                        .severity = g_strdup("error"),
                        .summary = g_strdup("it failed") };
    bool opened = !want_opened;

    (void)catalog_incident_open(catalog, &row, now, &opened, &error);
    g_assert_no_error(error);
    g_assert_cmpint(opened, ==, want_opened);
    return row;
}

static void an_incident_is_opened_once_and_resolved_once(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(IncidentRow) first = happens(catalog, "s1", "failed", NOW, true);
    g_auto(IncidentRow) again = happens(catalog, "s1", "failed", NOW + 5, false);
    g_auto(IncidentRow) other = happens(catalog, "s1", "missed", NOW, true);
    g_auto(IncidentRow) none = happens(catalog, NULL, "failed", NOW, true);
    g_auto(IncidentRow) resolved = { 0 }, nothing = { 0 }, later = { 0 };
    g_autoptr(GArray) open = NULL;
    bool done = false;

    g_assert_cmpstr(again.id, ==, first.id);
    g_assert_cmpuint(again.n, ==, 2);
    g_assert_cmpint(again.opened_at, ==, NOW);
    g_assert_cmpint(again.last_at, ==, NOW + 5);
    g_assert_true(catalog_incidents_open(catalog, &open, &error));
    g_assert_cmpuint(open->len, ==, 3);
    g_assert_true(
        catalog_incident_resolve(catalog, "s1", "failed", NOW + 9, &resolved, &done, &error));
    g_assert_true(done);
    g_assert_cmpstr(resolved.id, ==, first.id);
    g_assert_cmpint(resolved.resolved_at, ==, NOW + 9);
    g_assert_true(
        catalog_incident_resolve(catalog, "s1", "failed", NOW + 9, &nothing, &done, &error));
    g_assert_false(done);
    later = happens(catalog, "s1", "failed", NOW + 20, true);
    g_assert_cmpstr(later.id, !=, first.id);
}

static void reminders_go_to_one(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(IncidentRow) old = happens(catalog, "s1", "failed", NOW, true);
    g_auto(IncidentRow) fresh = happens(catalog, "s2", "failed", NOW + 100, true);
    g_autoptr(GArray) untold = NULL, due = NULL, none = NULL, all = NULL, page = NULL;

    g_assert_cmpint(old.reminded_at, ==, 0);
    g_assert_true(catalog_incidents_remind(catalog, NOW + 50, NOW + 60, &untold, &error));
    g_assert_cmpuint(untold->len, ==, 0); // nobody is reminded of what he was not told
    g_assert_true(catalog_incident_told(catalog, old.id, NOW, &error));
    g_assert_true(catalog_incident_told(catalog, fresh.id, NOW + 100, &error));
    g_assert_true(catalog_incidents_remind(catalog, NOW + 50, NOW + 60, &due, &error));
    g_assert_cmpuint(due->len, ==, 1);
    g_assert_cmpstr(g_array_index(due, IncidentRow, 0).id, ==, old.id);
    g_assert_true(catalog_incidents_remind(catalog, NOW + 50, NOW + 60, &none, &error));
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_true(catalog_incidents(catalog, NULL, NULL, 10, &all, &error));
    g_assert_cmpuint(all->len, ==, 2);
    g_assert_cmpstr(g_array_index(all, IncidentRow, 0).id, ==, fresh.id);
    g_assert_true(catalog_incidents(catalog, "s1", fresh.id, 10, &page, &error));
    g_assert_cmpuint(page->len, ==, 1);
}

static void settings_have_a_version(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    json_t *value = json_pack("{s:i}", "keep", 3), *read = NULL;
    unsigned version = 0;

    g_assert_false(catalog_setting_get(catalog, "x", &read, &version, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(catalog_setting_put(catalog, "x", value, 0, "eva", &error));
    g_assert_false(catalog_setting_put(catalog, "x", value, 0, "eva", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_STALE);
    g_clear_error(&error);
    g_assert_true(catalog_setting_put(catalog, "x", value, 1, NULL, &error));
    g_assert_true(catalog_setting_get(catalog, "x", &read, &version, &error));
    g_assert_cmpuint(version, ==, 2);
    g_assert_true(json_equal(read, value));
    g_assert_true(catalog_setting_delete(catalog, "x", &error));
    g_assert_false(catalog_setting_put(catalog, "x", value, 2, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    json_decref(value);
    json_decref(read);
}

static void begin(Catalog *catalog, const char *hash, int64_t now, bool want_won, OnceRow *ret_row)
{
    g_autoptr(GError) error = NULL;
    bool won = !want_won;

    (void)catalog_once_begin(catalog, "eva k1", hash, now, now + 100, &won, ret_row, &error);
    g_assert_no_error(error);
    g_assert_cmpint(won, ==, want_won);
}

static void a_request_is_done_once(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(OnceRow) row = { 0 };

    begin(catalog, "h1", NOW, true, &row);
    begin(catalog, "h2", NOW, false, &row);
    g_assert_cmpstr(row.request_hash, ==, "h1");
    g_assert_cmpint(row.status, ==, 0);
    once_row_clear(&row);
    g_assert_true(catalog_once_end(catalog, "eva k1", 202, "{}", &error));
    begin(catalog, "h1", NOW + 99, false, &row);
    g_assert_cmpint(row.status, ==, 202);
    g_assert_cmpstr(row.answer, ==, "{}");
    once_row_clear(&row);
    begin(catalog, "h2", NOW + 100, true, &row); // the first one is over
    g_assert_true(catalog_once_forget(catalog, "eva k1", &error));
    begin(catalog, "h3", NOW + 100, true, &row);
    g_assert_true(catalog_once_sweep(catalog, NOW + 200, &error));
    begin(catalog, "h4", NOW + 100, true, &row);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    catalog_test_add("incidents/once", an_incident_is_opened_once_and_resolved_once);
    catalog_test_add("incidents/reminders", reminders_go_to_one);
    catalog_test_add("settings", settings_have_a_version);
    catalog_test_add("idempotency", a_request_is_done_once);
    return catalog_test_run();
}
