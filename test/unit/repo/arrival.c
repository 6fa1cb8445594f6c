/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/arrival.h"

#include "base/clock.h"
#include "base/error.h"
#include "repo/index.h"
#include "repo/packer.h"
#include "repo/repo.h"
#include "store/memory.h"

#include <string.h>

/* A store in memory that does not always do what it says. One at a time. */
static struct {
    const StoreOps *real;
    StoreOps ops;
    const char *swallows; /* puts of keys that begin so are acknowledged and forgotten */
    unsigned late;        /* looks for which everything is still absent */
    unsigned stats, lists;
} liar;

static bool liar_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                     GError **error)
{
    return (liar.swallows && g_str_has_prefix(key, liar.swallows)) ||
           liar.real->put(store, key, data, len, if_absent, error);
}

static bool liar_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    liar.stats++;
    if (liar.late == 0)
        return liar.real->stat(store, key, ret_size, error);
    liar.late--;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_NOT_FOUND, "not yet");
    return false;
}

static bool liar_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    liar.lists++;
    return liar.late > 0 || liar.real->list(store, prefix, each, user, error);
}

static Store *liar_new(void)
{
    Store *store = memory_store_new();

    memset(&liar, 0, sizeof liar);
    liar.real = store->ops;
    liar.ops = *store->ops;
    liar.ops.put = liar_put;
    liar.ops.stat = liar_stat;
    liar.ops.list = liar_list;
    store->ops = &liar.ops;
    store->acks_may_lie = true;
    return store;
}

/* n packs of 3 bytes, all there. */
static Arrivals *put_packs(Store *store, unsigned n)
{
    Arrivals *arrivals = arrivals_new();

    for (unsigned i = 0; i < n; i++) {
        Id id = { .bytes = { (uint8_t)i, (uint8_t)(i >> 8) } };

        g_assert_true(store_put(store, file_key(FILE_PACK, &id).text, "abc", 3, false, NULL));
        arrivals_add(arrivals, &id, 3);
    }
    return arrivals;
}

static void looks_in_the_cheaper_way(void)
{
    static const struct {
        unsigned n;
        uint64_t n_there;
        unsigned stats, lists;
    } cases[] = {
        { 0, 0, 0, 0 }, { 1, 0, 1, 0 },    { 2, 0, 0, 1 },       { 300, 0, 0, 1 },
        { 5, 0, 0, 1 }, { 5, 4000, 5, 0 }, { 100, 98000, 0, 1 }, { 99, 98000, 99, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Store) store = liar_new();
        g_autoptr(Arrivals) arrivals = put_packs(store, cases[i].n);
        g_autoptr(GError) error = NULL;

        g_test_message("%u of %u", cases[i].n, (unsigned)cases[i].n_there);
        arrivals_prove(arrivals, store, cases[i].n_there, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(liar.stats, ==, cases[i].stats);
        g_assert_cmpuint(liar.lists, ==, cases[i].lists);
    }
}

static void believes_a_store_that_proves_what_it_says(void)
{
    g_autoptr(Store) store = liar_new();
    g_autoptr(Arrivals) arrivals = put_packs(store, 3);

    store->acks_may_lie = false;
    g_assert_true(arrivals_prove(arrivals, store, 0, NULL, NULL));
    g_assert_true(arrival_prove(store, "index/nowhere", 1, NULL, NULL));
    g_assert_cmpuint(liar.stats + liar.lists, ==, 0);
}

static void finds_what_is_gone_or_cut(void)
{
    for (unsigned n = 1; n <= 40; n += 39) {
        for (unsigned cut = 0; cut < 2; cut++) {
            g_autoptr(Store) store = liar_new();
            g_autoptr(Arrivals) arrivals = put_packs(store, n);
            g_autoptr(GError) error = NULL;
            Id last = { .bytes = { (uint8_t)(n - 1) } };
            FileKey key = file_key(FILE_PACK, &last);

            if (cut)
                g_assert_true(store_put(store, key.text, "ab", 2, false, NULL));
            else
                g_assert_true(store_remove(store, key.text, NULL));
            g_assert_false(arrivals_prove(arrivals, store, 0, NULL, &error));
            g_test_message("%s", error->message);
            g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
            g_assert_nonnull(strstr(error->message, key.text));
            g_assert_nonnull(
                strstr(error->message, cut ? "2 of its 3 bytes are there" : "it is not there"));
        }
    }
}

static void waits_for_what_is_late(void)
{
    for (unsigned n = 1; n <= 3; n += 2) {
        g_autoptr(Store) store = liar_new();
        g_autoptr(Arrivals) arrivals = put_packs(store, n);
        g_autoptr(Cancel) cancel = cancel_new();
        g_autoptr(GError) error = NULL;

        liar.late = 4;
        g_assert_true(arrivals_prove(arrivals, store, 0, NULL, NULL));
        liar.late = 5;
        g_assert_false(arrivals_prove(arrivals, store, 0, NULL, NULL));
        liar.late = 4;
        cancel_set(cancel);
        g_assert_false(arrivals_prove(arrivals, store, 0, cancel, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    }
}

static bool count(G_GNUC_UNUSED const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    ++*(unsigned *)user;
    return true;
}

static unsigned n_below(Store *store, const char *prefix)
{
    unsigned n = 0;

    g_assert_true(liar.real->list(store, prefix, count, &n, NULL));
    return n;
}

/* A repository whose store forgets what is put below data/, index/, snapshots/. */
static void no_object_is_built_on_a_lie(void)
{
    static const char *const forgets[] = { "data/", "index/", "snapshots/", NULL };
    g_autoptr(Secret) password = secret_new("x", 1);

    for (size_t i = 0; i < G_N_ELEMENTS(forgets); i++) {
        g_autoptr(Store) store = liar_new();
        RepoInit init = { .version = 2, .cost = { .n = 2, .r = 1, .p = 1 } };
        g_autoptr(Repo) repo = NULL;
        g_autoptr(Packer) packer = NULL;
        g_autoptr(GError) error = NULL, failure = NULL;
        Id id;

        repo_init(store, password, &init, &error);
        g_assert_no_error(error);
        repo_open(store, password, &(RepoOptions){ 0 }, &repo, &error);
        g_assert_no_error(error);
        repo_load_index(repo, NULL, &error);
        g_assert_no_error(error);
        liar.swallows = forgets[i];
        packer = packer_new(repo, &(PackerOptions){ 0 }, NULL);
        g_assert_true(packer_store(packer, BLOB_DATA, "some bytes", 10, &id, NULL));
        if (!packer_finish(packer, &failure)) {
            g_test_message("%s", failure->message);
            g_assert_true(i < 2);
            g_assert_nonnull(strstr(failure->message, forgets[i]));
            g_assert_cmpuint(n_below(store, "index/"), ==, 0);
            g_assert_true(packer_salvage(packer, NULL));
            g_assert_cmpuint(n_below(store, "index/"), ==, 0);
            continue;
        }
        g_assert_cmpuint(i, >=, 2);
        g_assert_cmpint(repo_save(repo, FILE_SNAPSHOT, "{}", 2, &id, NULL), ==, i == 3);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    clock_set(clock_now()); // so that nobody sleeps
    g_test_add_func("/arrival/looks in the cheaper way", looks_in_the_cheaper_way);
    g_test_add_func("/arrival/believes a store that proves what it says",
                    believes_a_store_that_proves_what_it_says);
    g_test_add_func("/arrival/finds what is gone or cut", finds_what_is_gone_or_cut);
    g_test_add_func("/arrival/waits for what is late", waits_for_what_is_late);
    g_test_add_func("/arrival/no object is built on a lie", no_object_is_built_on_a_lie);
    return g_test_run();
}
