/* SPDX-License-Identifier: Apache-2.0 */
/* The listing half of repo/snapshot.h: every snapshot there is, several of them asked for at once.
 */
#include "base/parallel.h"
#include "repo/snapshot.h"

#include <stdatomic.h>

/* Both NULL: not asked for, because another one had ended the work. */
typedef struct {
    Snapshot *snapshot;
    GError *problem;
} Found;

typedef struct {
    Repo *repo;
    const GArray *files; /* of FileInfo */
    GArray *found;       /* of Found, in the same order */
    bool goes_on;        /* after one that cannot be read */
    atomic_bool over;
} Loading;

static void found_clear(gpointer pointer)
{
    Found *found = pointer;

    snapshot_free(found->snapshot);
    g_clear_error(&found->problem);
}

static void load_one(size_t i, void *user)
{
    Loading *loading = user;
    Found *found = &g_array_index(loading->found, Found, i);

    if (!atomic_load(&loading->over) &&
        !snapshot_load(loading->repo, &g_array_index(loading->files, FileInfo, i).id,
                       &found->snapshot, &found->problem) &&
        !loading->goes_on)
        atomic_store(&loading->over, true);
}

/* What was found moves to the list; problems are told in the order of the ids. */
static bool collect(Loading *loading, SnapshotBad bad, void *user, GPtrArray *snapshots,
                    GError **error)
{
    for (guint i = 0; i < loading->found->len; i++) {
        Found *found = &g_array_index(loading->found, Found, i);
        const Id *id = &g_array_index(loading->files, FileInfo, i).id;

        if (found->snapshot) {
            g_ptr_array_add(snapshots, g_steal_pointer(&found->snapshot));
        } else if (found->problem && (!bad || !bad(id, found->problem, user))) {
            g_propagate_error(error, g_steal_pointer(&found->problem));
            return false;
        }
    }
    return true;
}

static gint compare_age(gconstpointer a, gconstpointer b)
{
    const Snapshot *const *left = a, *const *right = b;
    int order = timestamp_compare((*left)->time, (*right)->time);

    return order != 0 ? order : id_compare(&(*left)->id, &(*right)->id);
}

bool snapshot_list(Repo *repo, SnapshotBad bad, void *user, GPtrArray **ret_snapshots,
                   GError **error)
{
    g_autoptr(GArray) files = NULL;
    g_autoptr(GArray) found = g_array_new(FALSE, TRUE, sizeof(Found));
    g_autoptr(GPtrArray) snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_free);
    Loading loading = { .repo = repo, .found = found, .goes_on = bad != NULL };

    g_array_set_clear_func(found, found_clear);
    if (!repo_list(repo, FILE_SNAPSHOT, &files, NULL, error))
        return false;
    loading.files = files;
    g_array_set_size(found, files->len);
    parallel_each(repo_readers(repo), files->len, load_one, &loading);
    if (!collect(&loading, bad, user, snapshots, error))
        return false;
    g_ptr_array_sort(snapshots, compare_age);
    *ret_snapshots = g_steal_pointer(&snapshots);
    return true;
}
