/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/packask.h"
#include "repo/pack.h"

#include "base/error.h"
#include "base/parallel.h"
#include <stdatomic.h>

typedef struct {
    Repo *repo;
    GPtrArray *asks;
    bool open_blobs;
    const Cancel *cancel;
    _Atomic guint next;
    _Atomic bool stop;
} Asking;

PackAsk *pack_ask_new(const FileInfo *file, const PackBlob *known, size_t n)
{
    PackAsk *ask = g_new0(PackAsk, 1);

    ask->file = *file;
    if (n > 0) {
        ask->known = g_array_sized_new(FALSE, FALSE, sizeof(PackBlob), (guint)n);
        g_array_append_vals(ask->known, known, (guint)n);
    }
    return ask;
}

void pack_ask_free(PackAsk *ask)
{
    if (!ask)
        return;
    g_clear_pointer(&ask->known, g_array_unref);
    g_clear_pointer(&ask->header, g_array_unref);
    g_clear_error(&ask->problem);
    g_free(ask);
}

/* A store that does not answer is a failure, not a finding. */
static bool is_damage(const GError *problem)
{
    return g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT);
}

bool pack_open_blobs(Repo *repo, BlobOpener *opener, const Id *pack, const GArray *blobs,
                     Packer *packer, const Cancel *cancel, uint64_t *ret_lost, GError **error)
{
    *ret_lost = 0;
    for (guint i = 0; i < blobs->len; i++) {
        const PackBlob *blob = &g_array_index(blobs, PackBlob, i);
        BlobPlace place = { *pack, blob->offset, blob->length, blob->plain_len };
        g_autoptr(GBytes) plain = NULL;
        g_autoptr(GError) problem = NULL;
        Id id;

        if (!cancel_check(cancel, error))
            return false;
        if (blob_load_at(repo, opener, &blob->id, &place, &plain, &problem)) {
            if (packer && !packer_store(packer, blob->type, g_bytes_get_data(plain, NULL),
                                        g_bytes_get_size(plain), &id, error))
                return false;
        } else if (is_damage(problem)) {
            ++*ret_lost;
        } else {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
    }
    return true;
}

static void ask_one(const Asking *asking, BlobOpener *opener, PackAsk *ask)
{
    const FileInfo *file = &ask->file;

    if (pack_read_header(asking->repo, &file->id, file->size, &ask->header, &ask->problem) &&
        asking->open_blobs)
        (void)pack_open_blobs(asking->repo, opener, &file->id, ask->header, NULL, asking->cancel,
                              &ask->lost, &ask->problem); // the error is part of the answer
}

static void ask_some(void *user)
{
    Asking *asking = user;
    g_autoptr(BlobOpener) opener = blob_opener_new(asking->repo);
    guint i;

    while (!atomic_load(&asking->stop) && !cancel_is_set(asking->cancel) &&
           (i = atomic_fetch_add(&asking->next, 1)) < asking->asks->len) {
        PackAsk *ask = g_ptr_array_index(asking->asks, i);

        ask_one(asking, opener, ask);
        if (ask->problem && !is_damage(ask->problem))
            atomic_store(&asking->stop, true);
    }
}

void pack_ask_all(Repo *repo, GPtrArray *asks, bool open_blobs, const Cancel *cancel)
{
    Asking asking = { .repo = repo, .asks = asks, .open_blobs = open_blobs, .cancel = cancel };

    parallel_run(MIN(repo_readers(repo), asks->len), ask_some, &asking);
}
