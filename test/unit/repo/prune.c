/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/prune.h"

#include "base/error.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"

static bool count_object(G_GNUC_UNUSED const StoreObject *object, void *user,
                         G_GNUC_UNUSED GError **error)
{
    ++*(unsigned *)user;
    return true;
}

static unsigned n_objects(Store *store)
{
    unsigned n = 0;

    g_assert_true(store_list(store, "", count_object, &n, NULL));
    return n;
}

static bool prune(Repo *repo, GError **error)
{
    PruneOptions options = { .unused = PRUNE_UNUSED_BYTES };
    g_autoptr(Prune) plan = NULL;

    return prune_plan(repo, &options, NULL, &plan, error) &&
           prune_execute(plan, NULL, NULL, NULL, error);
}

/* Half of a listing that says that it is whole, once: whatever it leaves out stays. */
static void half_a_listing_removes_nothing(void)
{
    static const char *const prefixes[] = { "snapshots/", "index/", "data/" };

    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        FlakyPlan plan = {
            .call = CALL_LIST, .prefix = prefixes[i], .at = 1, .n = 1, .how = FLAKY_CUT
        };
        g_autoptr(Store) memory = fixture_store("v2-auto");
        g_autoptr(Store) store = flaky_store_new(memory);
        g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
        g_autoptr(GError) error = NULL;
        unsigned before = n_objects(memory);

        g_test_message("%s", prefixes[i]);
        flaky_store_plan(store, &plan);
        g_assert_false(prune(repo, &error));
        g_assert_cmpuint(flaky_store_faults(store), ==, 1);
        g_assert_cmpuint(n_objects(memory), ==, before);
        g_assert_nonnull(strstr(error->message, "nothing removed"));
        flaky_store_plan(store, NULL);
        g_clear_error(&error);
        g_assert_true(prune(repo, &error));
        g_assert_no_error(error);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/repo/prune/half-a-listing", half_a_listing_removes_nothing);
    return g_test_run();
}
