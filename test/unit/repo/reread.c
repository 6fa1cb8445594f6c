/* SPDX-License-Identifier: Apache-2.0 */
/* A byte that changed on the way is no damage: whatever range comes wrong once is read again. */
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "repo/check.h"
#include "repo/pack.h"
#include "repo/transfer.h"

typedef struct {
    Store *memory;
    Store *store; /* the same, flaky */
    Repo *repo;
    BlobOpener *opener;
} Place;

static void place_set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->memory = fixture_store("v2-auto");
    place->store = flaky_store_new(place->memory);
    place->repo = fixture_open(place->store, FIXTURE_PASSWORD);
    place->opener = blob_opener_new(place->repo);
    g_assert_true(repo_load_index(place->repo, NULL, NULL));
}

static void place_tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    blob_opener_free(place->opener);
    repo_close(place->repo);
    store_free(place->store);
    store_free(place->memory);
}

/* ---- each range in turn comes with its second half wrong, n times ---- */

typedef bool (*Work)(Place *place, GError **error);

/* How many reads it took; each of them went wrong once. */
static unsigned with_each_read_wrong(Place *place, Work work)
{
    for (unsigned at = 1;; at++) {
        FlakyPlan plan = {
            .call = CALL_GET, .prefix = "data/", .at = at, .n = 1, .how = FLAKY_CUT
        };
        g_autoptr(GError) error = NULL;

        flaky_store_plan(place->store, &plan);
        g_assert_true(work(place, &error));
        g_assert_no_error(error);
        if (flaky_store_faults(place->store) == 0)
            return at - 1;
    }
}

/* What lies there damaged is not asked for without end. */
static void assert_fails_when_all_are_wrong(Place *place, Work work)
{
    FlakyPlan plan = { .call = CALL_GET, .prefix = "data/", .at = 1, .how = FLAKY_CUT };
    g_autoptr(GError) error = NULL;

    flaky_store_plan(place->store, &plan);
    g_assert_false(work(place, &error));
    flaky_store_plan(place->store, NULL);
}

/* ---- what is done ---- */

static bool load_blobs(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    Place *place = user;

    for (size_t i = 0; i < n; i++) {
        BlobPlace where = { *pack, blobs[i].offset, blobs[i].length, blobs[i].plain_len };
        g_autoptr(GBytes) plain = NULL;

        if (!blob_load_at(place->repo, place->opener, &blobs[i].id, &where, &plain, error))
            return false;
    }
    return true;
}

static bool load_all(Place *place, GError **error)
{
    return index_each_pack(repo_index(place->repo), load_blobs, place, error);
}

static bool read_headers(Place *place, GError **error)
{
    g_autoptr(GArray) files = NULL;

    if (!repo_list(place->repo, FILE_PACK, &files, NULL, error))
        return false;
    for (guint i = 0; i < files->len; i++) {
        const FileInfo *file = &g_array_index(files, FileInfo, i);
        g_autoptr(GArray) blobs = NULL;

        if (!pack_read_header(place->repo, &file->id, file->size, &blobs, error))
            return false;
        g_assert_cmpuint(blobs->len, >, 0);
    }
    return true;
}

static bool check(Place *place, GError **error)
{
    CheckWatch watch = { 0 };
    CheckResult result = { 0 };

    return check_run(place->repo, &(CheckOptions){ .read_data = true }, &watch, NULL, &result,
                     error) &&
           result.errors == 0;
}

static bool transfer_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                          G_GNUC_UNUSED GError **error)
{
    return transfer_add(user, pack, blobs, n);
}

static bool copy(Place *place, GError **error)
{
    g_autoptr(Store) memory = memory_store_new();
    Repo *repo = quick_repo(memory);
    Packer *packer;
    Transfer *transfer;
    bool ok;

    g_assert_true(repo_load_index(repo, NULL, NULL));
    packer = packer_new(repo, &(PackerOptions){ 0 }, NULL);
    transfer = transfer_new(place->repo, packer, NULL, NULL);
    (void)index_each_pack(repo_index(place->repo), transfer_pack, transfer, NULL);
    ok = transfer_finish(transfer, error) && packer_finish(packer, error);
    transfer_free(transfer);
    packer_free(packer);
    repo_close(repo);
    return ok;
}

static void what_changed_on_the_way_is_read_again(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        const char *label;
        Work work;
    } cases[] = {
        { "blobs", load_all },
        { "headers", read_headers },
        { "check", check },
        { "copy", copy },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].label);
        g_assert_cmpuint(with_each_read_wrong(place, cases[i].work), >, 3);
        assert_fails_when_all_are_wrong(place, cases[i].work);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/repo/reread", Place, NULL, place_set_up, what_changed_on_the_way_is_read_again,
               place_tear_down);
    return g_test_run();
}
