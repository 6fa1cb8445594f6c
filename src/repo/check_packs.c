/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/parallel.h"
#include "codec/hash.h"
#include "repo/checking.h"
#include "repo/pack.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 8
#define WHOLE_MAX   (160u * 1024 * 1024) /* packs up to this size are read in one piece */
#define PIECE       (8u * 1024 * 1024)
/* What the workers have in memory together, but for one large pack: a pack and two blobs each. */
#define MEMORY_MAX ((uint64_t)240 * 1024 * 1024)
#define BLOBS_MAX  (16u * 1024 * 1024)

typedef struct {
    Id id;
    uint64_t size;
    GArray *blobs; /* of PackBlob, as the index has them; NULL: in no index */
} PackJob;

typedef struct {
    Checking *checking;
    const GArray *files; /* of FileInfo, sorted */
    uint8_t *listed;     /* for each file: the index knows it */
    GPtrArray *chosen;   /* of PackJob, with read_data */
    _Atomic guint next;  /* of these */
    uint64_t bytes;      /* of all packs */
    pthread_mutex_t mutex;
    pthread_cond_t less;
    uint64_t memory; /* taken; under the mutex */
} PackCheck;

static void job_free(PackJob *job)
{
    if (job->blobs)
        g_array_unref(job->blobs);
    g_free(job);
}

/* ---- choosing ---- */

static bool is_chosen(PackCheck *check, const Id *id)
{
    const CheckOptions *options = check->checking->options;
    uint32_t draw;

    if (!options->read_data)
        return false;
    switch (options->subset) {
    case SUBSET_BUCKET:
        return id->bytes[0] % options->buckets == options->bucket - 1; // as restic
    case SUBSET_PERCENT:
        random_bytes(&draw, sizeof draw);
        return (double)draw / UINT32_MAX * 100 < options->percent;
    case SUBSET_BYTES:
        // a fair draw: each pack with the share of the repository that was asked for
        random_bytes(&draw, sizeof draw);
        return (double)draw / UINT32_MAX * (double)MAX(check->bytes, 1) < (double)options->bytes;
    case SUBSET_ALL:
    default:
        return true;
    }
}

static void choose(PackCheck *check, const Id *id, uint64_t size, const PackBlob *blobs, size_t n)
{
    PackJob *job;

    if (!is_chosen(check, id))
        return;
    job = g_new0(PackJob, 1);
    job->id = *id;
    job->size = size;
    if (blobs) {
        job->blobs = g_array_sized_new(FALSE, FALSE, sizeof(PackBlob), (guint)n);
        g_array_append_vals(job->blobs, blobs, (guint)n);
    }
    g_ptr_array_add(check->chosen, job);
    if (check->checking->watch->bytes_total)
        *check->checking->watch->bytes_total += size;
}

/* ---- index against listing ---- */

static int compare_file(const void *id, const void *file)
{
    return id_compare(id, &((const FileInfo *)file)->id);
}

static bool check_listed(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                         GError **error)
{
    PackCheck *check = user;
    Checking *checking = check->checking;
    FileKey key = file_key(FILE_PACK, pack);
    uint64_t want = pack_size(blobs, n);
    const FileInfo *file = check->files->len ? bsearch(pack, check->files->data, check->files->len,
                                                       sizeof(FileInfo), compare_file)
                                             : NULL;

    checking->result.packs++;
    if (!file) {
        g_hash_table_add(checking->bad_packs, g_memdup2(pack, sizeof *pack));
        checking_report(checking, true, "pack-missing", key.text,
                        "is in the index but does not exist");
        return cancel_check(checking->cancel, error);
    }
    check->listed[file - (const FileInfo *)(void *)check->files->data] = 1;
    if (file->size != want) {
        checking_report(checking, true, "pack-size", key.text,
                        "has %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT, file->size,
                        want);
        for (size_t i = 0; i < n; i++)
            if ((uint64_t)blobs[i].offset + blobs[i].length > file->size)
                checking_bad_blob(checking, blobs[i].type, &blobs[i].id);
    }
    choose(check, pack, file->size, blobs, n);
    return cancel_check(checking->cancel, error);
}

static void check_unlisted(PackCheck *check)
{
    for (guint i = 0; i < check->files->len; i++) {
        const FileInfo *file = &g_array_index(check->files, FileInfo, i);

        if (check->listed[i])
            continue;
        checking_report(check->checking, false, "pack-unindexed",
                        file_key(FILE_PACK, &file->id).text, "is in no index; prune removes it");
        choose(check, &file->id, file->size, NULL, 0);
    }
}

/* ---- content ---- */

typedef struct {
    Checking *checking;
    const PackJob *job;
    BlobOpener *opener;
    uint8_t *data; /* the whole pack, or NULL: too large */
    GByteArray *plain, *sealed;
    FileKey key;
} PackRead;

static void report(PackRead *read, bool error, const char *code, const char *message)
{
    // of a pack in no index nothing is lost
    checking_report(read->checking, error && read->job->blobs, code, read->key.text, "%s", message);
}

static bool read_piece(PackRead *read, uint64_t offset, uint8_t *out, size_t len)
{
    g_autoptr(GError) problem = NULL;

    if (store_get(repo_store(read->checking->repo), read->key.text, offset, out, len, &problem))
        return true;
    if (!checking_unread(read->checking, problem))
        report(read, true, "pack-read", problem->message);
    return false;
}

/* Reads all of it: into data, or piece by piece. */
static bool hash_content(PackRead *read, Id *ret_hash)
{
    g_autoptr(Hash) hash = hash_new();
    g_autofree uint8_t *room = read->data ? NULL : g_malloc(PIECE);
    size_t most = read->data ? (size_t)read->job->size : PIECE;

    for (uint64_t at = 0; at < read->job->size; at += most) {
        size_t len = (size_t)MIN(most, read->job->size - at);
        uint8_t *piece = read->data ? read->data : room;

        if (!read_piece(read, at, piece, len))
            return false;
        hash_update(hash, piece, len);
    }
    hash_final(hash, ret_hash);
    return true;
}

static bool is_right(const PackRead *read, const Id *hash)
{
    return id_equal(hash, &read->job->id);
}

/* What changed on the way is no damage: only what comes wrong twice is. */
static bool check_name(PackRead *read)
{
    Id actual;

    if (!hash_content(read, &actual) || (!is_right(read, &actual) && !hash_content(read, &actual)))
        return false;
    if (!is_right(read, &actual) && read->job->blobs)
        report(read, true, "pack-hash", "content does not hash to the name");
    return true;
}

static bool same_blobs(const GArray *a, const GArray *b)
{
    if (a->len != b->len)
        return false;
    for (guint i = 0; i < a->len; i++) {
        const PackBlob *left = &g_array_index(a, PackBlob, i),
                       *right = &g_array_index(b, PackBlob, i);

        if (left->type != right->type || left->offset != right->offset ||
            left->length != right->length || left->plain_len != right->plain_len ||
            !id_equal(&left->id, &right->id))
            return false;
    }
    return true;
}

static void check_header(PackRead *read)
{
    static const char *const codes[] = {
        [PACK_GOOD] = "pack-header-mac",
        [PACK_SHORT] = "pack-short",
        [PACK_HEADER_LENGTH] = "pack-header-length",
        [PACK_HEADER_MAC] = "pack-header-mac",
        [PACK_HEADER_BROKEN] = "pack-header-mismatch",
    };
    g_autoptr(GArray) blobs = NULL;
    g_autoptr(GError) problem = NULL;
    PackFault fault = PACK_GOOD;
    bool ok = read->data ? pack_open_header(read->opener, read->data, (size_t)read->job->size,
                                            &blobs, &fault, &problem)
                         : pack_read_header(read->checking->repo, &read->job->id, read->job->size,
                                            &blobs, &problem);

    if (!ok && checking_unread(read->checking, problem))
        return;
    if (!ok)
        report(read, true, codes[fault], problem->message);
    else if (read->job->blobs && !same_blobs(blobs, read->job->blobs))
        report(read, true, "pack-header-mismatch", "header and index list different blobs");
}

static bool open_blob(PackRead *read, const PackBlob *blob, GError **error)
{
    return blob_open(read->opener, &blob->id, read->sealed->data, blob->length, blob->plain_len,
                     read->plain->data, error);
}

static void check_blob(PackRead *read, const PackBlob *blob)
{
    g_autoptr(GError) problem = NULL;
    size_t plain_len = blob_plain_len(blob->length, blob->plain_len);

    if ((uint64_t)blob->offset + blob->length > read->job->size) {
        checking_bad_blob(read->checking, blob->type, &blob->id);
        checking_report(read->checking, true, "blob-short", read->key.text,
                        "%s blob %s lies beyond the end", blob_type_name(blob->type),
                        id_hex(&blob->id).text);
        return;
    }
    g_byte_array_set_size(read->sealed, blob->length);
    g_byte_array_set_size(read->plain, (guint)MAX(plain_len, 1));
    if (read->data)
        memcpy(read->sealed->data, read->data + blob->offset, blob->length);
    else if (!read_piece(read, blob->offset, read->sealed->data, blob->length))
        return;
    if (open_blob(read, blob, read->data ? &problem : NULL))
        return;
    if (!read->data && (!read_piece(read, blob->offset, read->sealed->data, blob->length) ||
                        open_blob(read, blob, &problem)))
        return;
    checking_bad_blob(read->checking, blob->type, &blob->id);
    checking_report(read->checking, true, checking_blob_code(blob_open_fault(read->opener)),
                    read->key.text, "%s blob %s: %s", blob_type_name(blob->type),
                    id_hex(&blob->id).text, problem->message);
}

static void check_content(Checking *checking, const PackJob *job, BlobOpener *opener)
{
    g_autofree uint8_t *data =
        job->size <= WHOLE_MAX ? g_try_malloc(MAX((size_t)job->size, 1)) : NULL;
    g_autoptr(GByteArray) plain = g_byte_array_new();
    g_autoptr(GByteArray) sealed = g_byte_array_new();
    PackRead read = { checking, job, opener, data, plain, sealed, file_key(FILE_PACK, &job->id) };

    if (!check_name(&read))
        return;
    check_header(&read);
    for (guint i = 0; job->blobs && i < job->blobs->len && checking_goes_on(checking, NULL); i++)
        check_blob(&read, &g_array_index(job->blobs, PackBlob, i));
    if (checking->watch->bytes_done)
        *checking->watch->bytes_done += job->size;
}

/* Waits until there is room for a pack: of packs of 128 MiB only one is in memory. */
static uint64_t take_memory(PackCheck *check, const PackJob *job)
{
    uint64_t need = (job->size <= WHOLE_MAX ? job->size : 0) + BLOBS_MAX;

    pthread_mutex_lock(&check->mutex);
    while (check->memory > 0 && check->memory + need > MEMORY_MAX)
        pthread_cond_wait(&check->less, &check->mutex);
    check->memory += need;
    pthread_mutex_unlock(&check->mutex);
    return need;
}

static void give_memory(PackCheck *check, uint64_t taken)
{
    pthread_mutex_lock(&check->mutex);
    check->memory -= taken;
    pthread_cond_broadcast(&check->less);
    pthread_mutex_unlock(&check->mutex);
}

static void read_chosen(void *user)
{
    PackCheck *check = user;
    g_autoptr(BlobOpener) opener = blob_opener_new(check->checking->repo);
    guint i;

    while ((i = atomic_fetch_add(&check->next, 1)) < check->chosen->len &&
           checking_goes_on(check->checking, NULL)) {
        const PackJob *job = g_ptr_array_index(check->chosen, i);
        uint64_t taken = take_memory(check, job);

        check_content(check->checking, job, opener);
        give_memory(check, taken);
    }
}

/* A worker computes or waits for the store, whichever takes longer. */
static void read_packs(PackCheck *check)
{
    Repo *repo = check->checking->repo;
    unsigned workers = repo_store(repo)->far ? repo_readers(repo) : parallel_cores();

    pthread_mutex_init(&check->mutex, NULL);
    pthread_cond_init(&check->less, NULL);
    parallel_run(MIN(workers, WORKERS_MAX), read_chosen, check);
    pthread_mutex_destroy(&check->mutex);
    pthread_cond_destroy(&check->less);
}

bool check_packs(Checking *checking, const GArray *files, GError **error)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new_with_free_func((GDestroyNotify)job_free);
    g_autofree uint8_t *listed = NULL;
    PackCheck check = { .checking = checking, .files = files, .chosen = chosen };

    check.listed = listed = g_malloc0(MAX(files->len, 1));
    for (guint i = 0; i < files->len; i++)
        check.bytes += g_array_index(files, FileInfo, i).size;
    if (!index_each_pack(repo_index(checking->repo), check_listed, &check, error))
        return false;
    check_unlisted(&check);
    if (checking->options->read_data)
        read_packs(&check);
    checking->result.packs_read = chosen->len;
    return checking_goes_on(checking, error);
}
