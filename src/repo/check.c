/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/check.h"

#include "base/error.h"
#include "base/parallel.h"
#include "base/plural.h"
#include "codec/hash.h"
#include "repo/checking.h"
#include "repo/lock.h"
#include "repo/snapshot.h"
#include <string.h>

#define OBJECT_MAX (256u * 1024 * 1024)

/* ---- reporting ---- */

void checking_report(Checking *checking, bool error, const char *code, const char *object,
                     const char *format, ...)
{
    g_autofree char *message = NULL;
    Finding finding = { error, code, object, NULL };
    va_list args;

    // what cannot be read after an interruption is no damage; the check ends without a result then
    if (cancel_is_set(checking->cancel))
        return;
    va_start(args, format);
    finding.message = message = g_strdup_vprintf(format, args);
    va_end(args);
    pthread_mutex_lock(&checking->mutex);
    checking->result.errors += error;
    checking->result.hints += !error;
    if (error && g_str_has_prefix(code, "index"))
        checking->result.index_damaged = true;
    if (error && (g_str_has_prefix(code, "pack") || g_str_has_prefix(code, "blob")))
        checking->result.packs_damaged = true;
    if (error && g_str_has_prefix(code, "snapshot"))
        checking->result.snapshots_damaged = true;
    if (checking->watch->found)
        checking->watch->found(&finding, checking->watch->user);
    pthread_mutex_unlock(&checking->mutex);
}

bool checking_unread(Checking *checking, const GError *failure)
{
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED) &&
        !g_error_matches(failure, BS_ERROR, BS_ERROR_TRANSIENT))
        return false;
    pthread_mutex_lock(&checking->mutex);
    if (!checking->unread)
        checking->unread = g_error_copy(failure);
    pthread_mutex_unlock(&checking->mutex);
    return true;
}

bool checking_goes_on(Checking *checking, GError **error)
{
    bool ends;

    if (!cancel_check(checking->cancel, error))
        return false;
    pthread_mutex_lock(&checking->mutex);
    ends = checking->unread != NULL;
    if (ends)
        g_propagate_prefixed_error(error, g_error_copy(checking->unread),
                                   "the check could not be finished: ");
    pthread_mutex_unlock(&checking->mutex);
    return !ends;
}

const char *checking_blob_code(BlobFault fault)
{
    static const char *const codes[] = {
        [BLOB_GOOD] = "blob-read",     [BLOB_BAD_MAC] = "blob-mac",
        [BLOB_BAD_ZSTD] = "blob-zstd", [BLOB_BAD_LENGTH] = "blob-length",
        [BLOB_BAD_HASH] = "blob-hash",
    };

    return codes[fault];
}

static guint blob_hash(gconstpointer blob)
{
    return id_hash(&((const PackBlob *)blob)->id);
}

static gboolean blob_equal(gconstpointer a, gconstpointer b)
{
    const PackBlob *left = a, *right = b;

    return left->type == right->type && id_equal(&left->id, &right->id);
}

void checking_bad_blob(Checking *checking, BlobType type, const Id *id)
{
    PackBlob *blob = g_new0(PackBlob, 1);

    blob->type = type;
    blob->id = *id;
    pthread_mutex_lock(&checking->mutex);
    g_hash_table_add(checking->bad_blobs, blob);
    pthread_mutex_unlock(&checking->mutex);
}

/* Bad here, but perhaps there is another place that is good. */
bool checking_is_bad(Checking *checking, BlobType type, const Id *id)
{
    PackBlob blob = { .type = type, .id = *id };
    BlobPlace places[8];
    size_t n = index_find_all(repo_index(checking->repo), type, id, places, G_N_ELEMENTS(places));

    if (n == 0)
        return true;
    for (size_t i = 0; i < MIN(n, G_N_ELEMENTS(places)); i++)
        if (!g_hash_table_contains(checking->bad_packs, &places[i].pack))
            return n == 1 && g_hash_table_contains(checking->bad_blobs, &blob);
    return true;
}

/* ---- plain objects ---- */

/* The object as stored, if its name is the hash of its content; otherwise reported. */
static bool load_named(Checking *checking, FileType type, const Id *id, const char *code,
                       GBytes **ret_bytes)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) problem = NULL;
    FileKey key = file_key(type, id);
    Id actual;

    if (!store_get_whole(repo_store(checking->repo), key.text, OBJECT_MAX, &bytes, &problem)) {
        if (!checking_unread(checking, problem))
            checking_report(checking, true, code, key.text, "cannot be read: %s", problem->message);
        return false;
    }
    hash_bytes(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &actual);
    if (!id_equal(&actual, id)) {
        checking_report(checking, true, code, key.text, "content does not hash to the name");
        return false;
    }
    *ret_bytes = g_steal_pointer(&bytes);
    return true;
}

static void report_foreign(Checking *checking, FileType type, unsigned n)
{
    if (n > 0)
        checking_report(
            checking, false, "foreign-file", file_dir(type), "%u %s ignored", n,
            plural(n, "file whose name is no id is", "files whose names are no ids are"));
}

static bool list_named(Checking *checking, FileType type, GArray **ret_files, GError **error)
{
    unsigned foreign = 0;

    if (!repo_list(checking->repo, type, ret_files, &foreign, error))
        return false;
    report_foreign(checking, type, foreign);
    return true;
}

static bool check_keys(Checking *checking, GError **error)
{
    g_autoptr(GArray) files = NULL;

    if (!list_named(checking, FILE_KEY, &files, error))
        return false;
    for (guint i = 0; i < files->len; i++) {
        const Id *id = &g_array_index(files, FileInfo, i).id;
        g_autoptr(GBytes) bytes = NULL;
        g_autoptr(GError) problem = NULL;
        g_autoptr(KeyFile) keyfile = NULL;

        if (!load_named(checking, FILE_KEY, id, "key-name", &bytes))
            continue;
        keyfile = keyfile_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &problem);
        if (!keyfile)
            checking_report(checking, true, "key-parse", file_key(FILE_KEY, id).text, "%s",
                            problem->message);
    }
    return true;
}

static bool check_locks(Checking *checking, GError **error)
{
    g_autoptr(GArray) files = NULL;

    if (!list_named(checking, FILE_LOCK, &files, error))
        return false;
    for (guint i = 0; i < files->len; i++) {
        const Id *id = &g_array_index(files, FileInfo, i).id;
        g_autoptr(GBytes) text = NULL;
        g_autoptr(GError) problem = NULL;

        if (!repo_load(checking->repo, FILE_LOCK, id, &text, &problem) &&
            !g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND)) // released meanwhile
            checking_report(checking, false, "lock-bad", file_key(FILE_LOCK, id).text, "%s",
                            problem->message);
    }
    return true;
}

typedef struct {
    Checking *checking;
    const FileInfo *files;
    Snapshot **found; /* one for each file; NULL: reported */
} SnapshotCheck;

static void check_snapshot(size_t i, void *user)
{
    const SnapshotCheck *check = user;
    Checking *checking = check->checking;
    const Id *id = &check->files[i].id;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) problem = NULL;

    if (checking_goes_on(checking, NULL) &&
        load_named(checking, FILE_SNAPSHOT, id, "snapshot-name", &bytes) &&
        !snapshot_load(checking->repo, id, &check->found[i], &problem))
        checking_report(checking, true, "snapshot-mac", file_key(FILE_SNAPSHOT, id).text, "%s",
                        problem->message);
}

/* Of a near store one after the other, so that findings come in order. */
static bool check_snapshots(Checking *checking, GPtrArray *snapshots, GError **error)
{
    Repo *repo = checking->repo;
    g_autoptr(GArray) files = NULL;
    g_autofree Snapshot **found = NULL;
    SnapshotCheck check = { .checking = checking };

    if (!list_named(checking, FILE_SNAPSHOT, &files, error))
        return false;
    check.files = (const FileInfo *)(void *)files->data;
    check.found = found = g_new0(Snapshot *, files->len + 1);
    parallel_each(repo_store(repo)->far ? repo_readers(repo) : 1, files->len, check_snapshot,
                  &check);
    for (guint i = 0; i < files->len; i++)
        if (found[i])
            g_ptr_array_add(snapshots, found[i]);
    checking->result.snapshots = snapshots->len;
    return true;
}

/* ---- index ---- */

static bool bad_index(const Id *id, const GError *problem, void *user)
{
    Checking *checking = user;
    g_autoptr(GBytes) bytes = NULL;

    // a wrong name is reported by load_named; a right one means that what is inside is damaged
    if (load_named(checking, FILE_INDEX, id, "index-name", &bytes))
        checking_report(checking, true, "index-mac", file_key(FILE_INDEX, id).text, "%s",
                        problem->message);
    return true;
}

static bool check_index(Checking *checking, GError **error)
{
    Index *index = NULL;

    if (!index_load_full(checking->repo, bad_index, checking, checking->cancel, &index, error))
        return false;
    repo_set_index(checking->repo, index);
    return true;
}

/* ---- all there is ---- */

typedef struct {
    GHashTable *tops; /* names at the top that are not of the format */
    GArray *packs;    /* of FileInfo */
    unsigned foreign[FILE_PACK + 1];
} Everything;

static void note_top(Everything *everything, const char *key)
{
    static const char *const known[] = { "config",    "data",  "index", "keys",
                                         "snapshots", "locks", "wal",   "backstay" };
    g_autofree char *top = g_strndup(key, strcspn(key, "/"));

    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (strcmp(top, known[i]) == 0)
            return;
    g_hash_table_add(everything->tops, g_steal_pointer(&top));
}

static bool note_object(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    Everything *everything = user;
    FileInfo info = { .size = object->size, .modified_at = object->modified_at };
    Id index;

    if (g_str_has_prefix(object->key, file_dir(FILE_INDEX)))
        everything->foreign[FILE_INDEX] += !file_parse_key(FILE_INDEX, object->key, &index);
    else if (!g_str_has_prefix(object->key, file_dir(FILE_PACK)))
        note_top(everything, object->key);
    else if (file_parse_key(FILE_PACK, object->key, &info.id))
        g_array_append_val(everything->packs, info);
    else
        everything->foreign[FILE_PACK]++;
    return true;
}

static gint by_id(gconstpointer a, gconstpointer b)
{
    return id_compare(&((const FileInfo *)a)->id, &((const FileInfo *)b)->id);
}

/* Of a large repository a listing is hundreds of requests: this one tells of packs and strangers.
 */
static bool check_everything(Checking *checking, GError **error)
{
    g_autoptr(GHashTable) tops = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GArray) packs = g_array_new(FALSE, FALSE, sizeof(FileInfo));
    Everything everything = { .tops = tops, .packs = packs };
    GHashTableIter iter;
    gpointer top;

    if (!store_list(repo_store(checking->repo), "", note_object, &everything, error))
        return false;
    g_hash_table_iter_init(&iter, tops);
    while (g_hash_table_iter_next(&iter, &top, NULL))
        checking_report(checking, false, "foreign-top", top, "is not of the format and left alone");
    report_foreign(checking, FILE_INDEX, everything.foreign[FILE_INDEX]);
    report_foreign(checking, FILE_PACK, everything.foreign[FILE_PACK]);
    g_array_sort(packs, by_id);
    return check_packs(checking, packs, error);
}

static bool run(Checking *checking, GError **error)
{
    g_autoptr(GPtrArray) snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_free);

    // snapshots before the index: one finished in between has its index then
    return check_keys(checking, error) && check_locks(checking, error) &&
           check_snapshots(checking, snapshots, error) && check_index(checking, error) &&
           checking_goes_on(checking, error) && check_everything(checking, error) &&
           check_trees(checking, snapshots, error) && check_losses(checking, snapshots, error);
}

bool check_run(Repo *repo, const CheckOptions *options, const CheckWatch *watch,
               const Cancel *cancel, CheckResult *ret_result, GError **error)
{
    Checking checking = { .repo = repo, .options = options, .watch = watch, .cancel = cancel };
    bool ok;

    repo_distrust_copies(repo);
    pthread_mutex_init(&checking.mutex, NULL);
    checking.bad_blobs = g_hash_table_new_full(blob_hash, blob_equal, g_free, NULL);
    checking.bad_packs = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
    ok = run(&checking, error) && checking_goes_on(&checking, error);
    g_hash_table_unref(checking.bad_blobs);
    g_hash_table_unref(checking.bad_packs);
    g_clear_error(&checking.unread);
    pthread_mutex_destroy(&checking.mutex);
    if (ok)
        *ret_result = checking.result;
    return ok;
}
