/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "lib/fixture.h"
#include "repo/snapshot.h"
#include <string.h>

typedef struct {
    Store *store;
    Repo *repo;
    Snapshot *made[4]; /* from oldest to youngest; of host a, b, a, b */
    unsigned n_bad;
} Fixture;

static bool on_bad(const Id *id, const GError *problem, void *user)
{
    Fixture *fixture = user;

    (void)id;
    g_assert_nonnull(problem);
    fixture->n_bad++;
    return true;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    // stored in another order than that of their times, and one in another time zone
    static const struct {
        unsigned place;
        const char *host, *time;
    } snapshots[] = {
        { 2, "a", "2026-01-03T00:30:00+02:00" }, // the evening of the second
        { 0, "a", "2026-01-01T00:00:00Z" },
        { 3, "b", "2026-01-03T00:00:00Z" },
        { 1, "b", "2026-01-02T00:00:00Z" },
    };

    (void)data;
    fixture->store = memory_store_new();
    fixture->repo = quick_repo(fixture->store);
    for (size_t i = 0; i < G_N_ELEMENTS(snapshots); i++) {
        g_autofree char *text = g_strdup_printf(
            "{\"time\":\"%s\",\"tree\":\"%064u\",\"paths\":[\"/\"],\"hostname\":\"%s\"}",
            snapshots[i].time, snapshots[i].place, snapshots[i].host);
        Snapshot **made = &fixture->made[snapshots[i].place];
        g_autoptr(GError) error = NULL;

        g_assert_true(snapshot_decode(text, strlen(text), made, &error));
        g_assert_true(snapshot_save(fixture->repo, *made, &error));
        g_assert_no_error(error);
    }
    g_assert_true(
        store_put(fixture->store,
                  "snapshots/ff00000000000000000000000000000000000000000000000000000000000000",
                  "garbage", 7, true, NULL));
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    (void)data;
    for (size_t i = 0; i < G_N_ELEMENTS(fixture->made); i++)
        snapshot_free(fixture->made[i]);
    repo_close(fixture->repo);
    store_free(fixture->store);
}

/* Its place among those made; -1 and the code in ret_code when there is none. */
static int find(Fixture *fixture, const char *text, const char *host, char **ret_subpath,
                int *ret_code)
{
    char *hosts[] = { (char *)host, NULL };
    SnapshotFilter filter = { .hosts = host ? hosts : NULL };
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *subpath = NULL;

    if (!snapshot_find(fixture->repo, text, &filter, on_bad, fixture, &snapshot, &subpath,
                       &error)) {
        if (ret_code)
            *ret_code = error->code;
        return -1;
    }
    if (ret_subpath)
        *ret_subpath = g_steal_pointer(&subpath);
    for (int i = 0; i < (int)G_N_ELEMENTS(fixture->made); i++)
        if (id_equal(&fixture->made[i]->id, &snapshot->id))
            return i;
    g_assert_not_reached();
}

static void the_list_goes_from_old_to_young(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) snapshots = NULL;
    g_autoptr(GPtrArray) none = NULL;
    g_autoptr(GError) error = NULL;

    (void)data;
    g_assert_true(snapshot_list(fixture->repo, on_bad, fixture, &snapshots, NULL));
    g_assert_cmpuint(snapshots->len, ==, 4);
    for (guint i = 0; i < snapshots->len; i++)
        g_assert_true(id_equal(&((Snapshot *)snapshots->pdata[i])->id, &fixture->made[i]->id));
    g_assert_cmpuint(fixture->n_bad, ==, 1);
    // nobody to tell: the damaged one is an error
    g_assert_false(snapshot_list(fixture->repo, NULL, NULL, &none, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

static void latest_passes_over_what_cannot_be_read(Fixture *fixture, gconstpointer data)
{
    int code = 0;

    (void)data;
    g_assert_cmpint(find(fixture, "latest", NULL, NULL, NULL), ==, 3);
    g_assert_cmpuint(fixture->n_bad, ==, 1);
    g_assert_cmpint(find(fixture, "latest~0", NULL, NULL, NULL), ==, 3);
    g_assert_cmpint(find(fixture, "latest~1", NULL, NULL, NULL), ==, 2);
    g_assert_cmpint(find(fixture, "latest", "a", NULL, NULL), ==, 2);
    g_assert_cmpint(find(fixture, "latest~1", "a", NULL, NULL), ==, 0);
    g_assert_cmpint(find(fixture, "latest~2", "a", NULL, &code), ==, -1);
    g_assert_cmpint(code, ==, BS_ERROR_NOT_FOUND);
    g_assert_cmpint(find(fixture, "latest", "nobody", NULL, &code), ==, -1);
    g_assert_cmpint(code, ==, BS_ERROR_NOT_FOUND);
    g_assert_cmpint(find(fixture, "latest~x", NULL, NULL, &code), ==, -1);
    g_assert_cmpint(code, ==, BS_ERROR_USAGE);
    g_assert_cmpint(find(fixture, "latest~", NULL, NULL, &code), ==, -1);
    g_assert_cmpint(code, ==, BS_ERROR_USAGE);
}

static void an_id_or_its_beginning_is_a_name(Fixture *fixture, gconstpointer data)
{
    IdText whole = id_hex(&fixture->made[1]->id);
    IdText beginning = id_short(&fixture->made[1]->id);
    g_autofree char *below = g_strconcat(beginning.text, ":/srv/a:b", NULL);
    g_autofree char *nothing = g_strconcat(beginning.text, ":", NULL);
    g_autofree char *subpath = NULL;
    int code = 0;

    (void)data;
    // the filter is for latest only
    g_assert_cmpint(find(fixture, whole.text, "nobody", &subpath, NULL), ==, 1);
    g_assert_null(subpath);
    g_assert_cmpint(find(fixture, nothing, NULL, &subpath, NULL), ==, 1);
    g_assert_null(subpath);
    g_assert_cmpint(find(fixture, below, NULL, &subpath, NULL), ==, 1);
    g_assert_cmpstr(subpath, ==, "/srv/a:b");
    g_assert_cmpint(find(fixture, "0123456789abcdef", NULL, NULL, &code), ==, -1);
    g_assert_cmpint(code, ==, BS_ERROR_NOT_FOUND);
    g_assert_cmpint(find(fixture, "ff000000", NULL, NULL, &code), ==, -1);
    g_assert_cmpint(code, ==, BS_ERROR_CORRUPT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/snapshotfind/list", Fixture, NULL, set_up, the_list_goes_from_old_to_young,
               tear_down);
    g_test_add("/snapshotfind/latest", Fixture, NULL, set_up,
               latest_passes_over_what_cannot_be_read, tear_down);
    g_test_add("/snapshotfind/id", Fixture, NULL, set_up, an_id_or_its_beginning_is_a_name,
               tear_down);
    return g_test_run();
}
