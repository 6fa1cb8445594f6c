/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/repairindex.h"

#include "base/error.h"
#include "base/plural.h"
#include "repo/pack.h"
#include "repo/packask.h"
#include <stdlib.h>

#define INDEX_BLOBS 50000
#define ASKS        64u /* packs asked at once: their headers are in memory, a megabyte at most each */

typedef enum {
    UNKNOWN, /* no readable index object names it */
    KEEP,
    REREAD,
} Verdict;

typedef struct {
    Repo *repo;
    const RepairIndexOptions *options;
    const RepairIndexWatch *watch;
    const Cancel *cancel;
    RepairIndexStats stats;

    GArray *bad_objects; /* of Id */
    GArray *files;       /* of FileInfo, sorted */
    Verdict *verdicts;   /* one for each file */
    GPtrArray *asks;     /* of PackAsk: packs to be asked next */

    BlobOpener *opener;
    Index *claims;  /* empty: what is moved is stored anew */
    Packer *packer; /* for what is moved; NULL until there is something */
    IndexText *text;
} Repair;

static void G_GNUC_PRINTF(4, 5)
    report(const Repair *repair, const char *code, const char *object, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    repair->watch->found(code, object, message, repair->watch->user);
}

static bool still_locked(const Repair *repair, GError **error)
{
    return cancel_check(repair->cancel, error) &&
           (!repair->watch->still_locked ||
            repair->watch->still_locked(repair->watch->user, error));
}

/* A store that does not answer is a failure, not a finding. */
static bool is_damage(const GError *problem)
{
    return g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT);
}

/* ---- what is there ---- */

static bool note_bad_object(const Id *object, const GError *problem, void *user)
{
    Repair *repair = user;

    g_array_append_val(repair->bad_objects, *object);
    repair->stats.objects_damaged++;
    report(repair, "index-damaged", file_key(FILE_INDEX, object).text, "%s", problem->message);
    return true;
}

static int compare_file(const void *id, const void *file)
{
    return id_compare(id, &((const FileInfo *)file)->id);
}

static const FileInfo *find_file(const Repair *repair, const Id *pack)
{
    return repair->files->len ? bsearch(pack, repair->files->data, repair->files->len,
                                        sizeof(FileInfo), compare_file)
                              : NULL;
}

static Verdict *verdict_of(const Repair *repair, const FileInfo *file)
{
    return &repair->verdicts[file - (const FileInfo *)(void *)repair->files->data];
}

/* A listing that lags behind must not cost anybody an index entry. */
static bool note_missing(Repair *repair, const Id *pack, GError **error)
{
    g_autoptr(GError) problem = NULL;
    FileKey key = file_key(FILE_PACK, pack);
    uint64_t size;

    if (store_stat(repo_store(repair->repo), key.text, &size, &problem)) {
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                    "nothing changed: %s exists, but the store does not list it; try again later",
                    key.text);
        return false;
    }
    if (!g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    repair->stats.packs_missing++;
    report(repair, "pack-missing", key.text, "does not exist; its entries go");
    return true;
}

static bool judge_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    Repair *repair = user;
    const FileInfo *file = find_file(repair, pack);
    uint64_t want = pack_size(blobs, n);

    if (!file)
        return note_missing(repair, pack, error);
    *verdict_of(repair, file) = KEEP;
    if (file->size != want) {
        report(repair, "pack-reread", file_key(FILE_PACK, pack).text,
               "has %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT, file->size, want);
        *verdict_of(repair, file) = REREAD;
        repair->stats.changed = true;
    } else if (repair->options->read_all_packs || repair->options->read_data) {
        *verdict_of(repair, file) = REREAD;
    }
    return cancel_check(repair->cancel, error);
}

static bool judge(Repair *repair, GError **error)
{
    Index *index = NULL;

    if (!index_load_full(repair->repo, note_bad_object, repair, repair->cancel, &index, error))
        return false;
    repo_set_index(repair->repo, index);
    // after the index: a pack that some index object names is listed then
    if (!repo_list(repair->repo, FILE_PACK, &repair->files, NULL, error))
        return false;
    repair->verdicts = g_new0(Verdict, MAX(repair->files->len, 1));
    if (!index_each_pack(index, judge_pack, repair, error))
        return false;
    repair->stats.changed = repair->stats.changed || repair->stats.packs_missing > 0 ||
                            repair->stats.objects_damaged > 0;
    return true;
}

/* ---- damaged packs ---- */

/* The pack leaves the index; what is sound in it does not. */
static bool rescue(Repair *repair, const Id *pack, const GArray *blobs, GError **error)
{
    uint64_t lost = 0;

    if (!repair->packer) {
        repair->claims = index_new_empty();
        repair->packer = packer_new(
            repair->repo,
            &(PackerOptions){ .dry_run = repair->options->dry_run, .claims = repair->claims },
            repair->cancel);
    }
    if (!still_locked(repair, error) ||
        !pack_open_blobs(repair->repo, repair->opener, pack, blobs, repair->packer, repair->cancel,
                         &lost, error))
        return false;
    repair->stats.packs_damaged++;
    repair->stats.blobs_moved += blobs->len - lost;
    repair->stats.blobs_lost += lost;
    repair->stats.changed = true;
    report(repair, "pack-damaged", file_key(FILE_PACK, pack).text,
           "%u of its %u %s to be saved into a new pack; it leaves the index",
           blobs->len - (guint)lost, blobs->len, plural(blobs->len, "blob", "blobs"));
    return true;
}

/* ---- the new index ---- */

static bool save_text(Repair *repair, GError **error)
{
    size_t len;
    const char *json = index_text_finish(repair->text, &len);
    Id id;
    bool ok =
        repair->options->dry_run ||
        (still_locked(repair, error) && repo_save(repair->repo, FILE_INDEX, json, len, &id, error));

    index_text_free(repair->text);
    repair->text = index_text_new();
    repair->stats.objects_written++;
    return ok;
}

static bool add_pack(Repair *repair, const Id *pack, const PackBlob *blobs, size_t n,
                     GError **error)
{
    index_text_add(repair->text, pack, blobs, n);
    return index_text_n_blobs(repair->text) < INDEX_BLOBS || save_text(repair, error);
}

/* What a pack says of itself decides; what the index knows, when that is damaged. */
static bool take_answer(Repair *repair, const PackAsk *ask, GError **error)
{
    const Id *pack = &ask->file.id;
    FileKey key = file_key(FILE_PACK, pack);

    if (ask->problem && !is_damage(ask->problem)) {
        g_propagate_error(error, g_error_copy(ask->problem));
        return false;
    }
    if (!ask->header && !ask->known) {
        repair->stats.packs_unreadable++;
        repair->stats.packs_damaged++;
        report(repair, "pack-unreadable", key.text, "is in no index and stays so: %s",
               ask->problem->message);
        return true;
    }
    if (!ask->header || ask->lost > 0)
        return rescue(repair, pack, ask->header ? ask->header : ask->known, error);
    repair->stats.packs_read++;
    if (!ask->known) {
        repair->stats.changed = true;
        report(repair, "pack-added", key.text, "was in no index; its %u %s now", ask->header->len,
               plural(ask->header->len, "blob is", "blobs are"));
    }
    return add_pack(repair, pack, (const PackBlob *)(void *)ask->header->data, ask->header->len,
                    error);
}

static bool take_answers(Repair *repair, GError **error)
{
    bool ok = true;

    pack_ask_all(repair->repo, repair->asks, repair->options->read_data, repair->cancel);
    for (guint i = 0; ok && i < repair->asks->len; i++)
        ok = cancel_check(repair->cancel, error) &&
             take_answer(repair, g_ptr_array_index(repair->asks, i), error);
    g_ptr_array_set_size(repair->asks, 0);
    return ok;
}

/* known: what the index says, n == 0 when it says nothing. */
static bool ask_pack(Repair *repair, const FileInfo *file, const PackBlob *known, size_t n,
                     GError **error)
{
    g_ptr_array_add(repair->asks, pack_ask_new(file, known, n));
    return repair->asks->len < ASKS || take_answers(repair, error);
}

static bool rewrite_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                         GError **error)
{
    Repair *repair = user;
    const FileInfo *file = find_file(repair, pack);

    if (!cancel_check(repair->cancel, error))
        return false;
    if (!file)
        return true;
    if (*verdict_of(repair, file) == REREAD)
        return ask_pack(repair, file, blobs, n, error);
    repair->stats.packs_kept++;
    return add_pack(repair, pack, blobs, n, error);
}

/* Packs that no index names, first: whether there is any work may hang on them. */
static bool read_unknown(Repair *repair, GError **error)
{
    for (guint i = 0; i < repair->files->len; i++)
        if (repair->verdicts[i] == UNKNOWN &&
            (!cancel_check(repair->cancel, error) ||
             !ask_pack(repair, &g_array_index(repair->files, FileInfo, i), NULL, 0, error)))
            return false;
    return take_answers(repair, error);
}

static bool write_new(Repair *repair, GError **error)
{
    return index_each_pack(repo_index(repair->repo), rewrite_pack, repair, error) &&
           take_answers(repair, error) &&
           (index_text_n_blobs(repair->text) == 0 || save_text(repair, error)) &&
           (!repair->packer || repair->options->dry_run || packer_finish(repair->packer, error));
}

static bool remove_objects(Repair *repair, const GArray *objects, GError **error)
{
    for (guint i = 0; i < objects->len; i++) {
        if (!repo_remove(repair->repo, FILE_INDEX, &g_array_index(objects, Id, i), error))
            return false;
        repair->stats.objects_removed++;
    }
    return true;
}

static bool remove_old(Repair *repair, GError **error)
{
    return still_locked(repair, error) &&
           remove_objects(repair, index_objects(repo_index(repair->repo)), error) &&
           remove_objects(repair, repair->bad_objects, error);
}

static bool run(Repair *repair, GError **error)
{
    const RepairIndexOptions *options = repair->options;

    if (!judge(repair, error) || !read_unknown(repair, error))
        return false;
    if (!repair->stats.changed && !options->read_all_packs && !options->read_data) {
        repair->stats.packs_kept = index_n_packs(repo_index(repair->repo));
        return true;
    }
    // once all of the new index is durable the old one is only a duplicate
    return write_new(repair, error) && (options->dry_run || remove_old(repair, error));
}

bool repair_index(Repo *repo, const RepairIndexOptions *options, const RepairIndexWatch *watch,
                  const Cancel *cancel, RepairIndexStats *ret_stats, GError **error)
{
    Repair repair = { .repo = repo, .options = options, .watch = watch, .cancel = cancel };
    bool ok;

    repo_distrust_copies(repo);
    repair.bad_objects = g_array_new(FALSE, FALSE, sizeof(Id));
    repair.asks = g_ptr_array_new_with_free_func((GDestroyNotify)pack_ask_free);
    repair.opener = blob_opener_new(repo);
    repair.text = index_text_new();
    ok = run(&repair, error);
    packer_free(repair.packer);
    index_free(repair.claims);
    index_text_free(repair.text);
    blob_opener_free(repair.opener);
    g_ptr_array_unref(repair.asks);
    g_free(repair.verdicts);
    g_clear_pointer(&repair.files, g_array_unref);
    g_array_unref(repair.bad_objects);
    if (ok)
        *ret_stats = repair.stats;
    return ok;
}
