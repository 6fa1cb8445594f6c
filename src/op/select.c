/* SPDX-License-Identifier: Apache-2.0 */
#include "op/select.h"

#include "base/error.h"
#include "base/log.h"
#include "base/plural.h"
#include "repo/walk.h"
#include <string.h>

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    log_warn("snapshot cannot be read", "snapshot", id_hex(id).text, "error", problem->message,
             NULL);
    ++*(unsigned *)user;
    return true;
}

static bool is_filtering(const SnapshotFilter *filter)
{
    return (filter->hosts && *filter->hosts) || (filter->tags && *filter->tags) ||
           (filter->paths && *filter->paths);
}

static bool select_all(Repo *repo, const SnapshotFilter *filter, GPtrArray **ret_snapshots,
                       unsigned *unreadable, GError **error)
{
    g_autoptr(GPtrArray) snapshots = NULL;

    if (!snapshot_list(repo, pass_over, unreadable, &snapshots, error))
        return false;
    for (guint i = snapshots->len; i-- > 0;)
        if (!snapshot_matches(snapshots->pdata[i], filter))
            g_ptr_array_remove_index(snapshots, i);
    *ret_snapshots = g_steal_pointer(&snapshots);
    return true;
}

static bool has_snapshot(const GPtrArray *snapshots, const Id *id)
{
    for (guint i = 0; i < snapshots->len; i++)
        if (id_equal(&((const Snapshot *)snapshots->pdata[i])->id, id))
            return true;
    return false;
}

bool select_snapshots(Repo *repo, char *const *names, const SnapshotFilter *filter,
                      GPtrArray **ret_snapshots, unsigned *ret_unreadable, GError **error)
{
    g_autoptr(GPtrArray) snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_free);
    bool by_filter = false;

    *ret_unreadable = 0;
    if (!names || !*names)
        return select_all(repo, filter, ret_snapshots, ret_unreadable, error);
    for (char *const *name = names; *name; name++)
        by_filter = by_filter || g_str_has_prefix(*name, "latest");
    if (!by_filter && is_filtering(filter)) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                            "--host, --tag and --path choose among all snapshots; leave them out "
                            "where ids are given");
        return false;
    }
    for (; *names; names++) {
        g_autoptr(Snapshot) snapshot = NULL;
        g_autofree char *subpath = NULL;

        if (!snapshot_find(repo, *names, filter, pass_over, ret_unreadable, &snapshot, &subpath,
                           error))
            return false;
        if (subpath) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                        "%s: a whole snapshot is wanted here, not a path in one", *names);
            return false;
        }
        if (!has_snapshot(snapshots, &snapshot->id))
            g_ptr_array_add(snapshots, g_steal_pointer(&snapshot));
    }
    *ret_snapshots = g_steal_pointer(&snapshots);
    return true;
}

bool select_snapshot(Repo *repo, const char *name, const SnapshotFilter *filter,
                     Snapshot **ret_snapshot, char **ret_subpath, unsigned *ret_unreadable,
                     GError **error)
{
    *ret_unreadable = 0;
    return snapshot_find(repo, name, filter, pass_over, ret_unreadable, ret_snapshot, ret_subpath,
                         error);
}

bool select_tree(Repo *repo, const Snapshot *snapshot, const char *subpath, Id *ret_tree,
                 GError **error)
{
    g_autoptr(Node) node = NULL;

    if (!walk_find(repo, &snapshot->tree, subpath ? subpath : "", &node, ret_tree, error)) {
        g_prefix_error(error, "snapshot %s: ", id_short(&snapshot->id).text);
        return false;
    }
    if (!node || S_ISDIR(node->mode))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "snapshot %s: %s is not a directory",
                id_short(&snapshot->id).text, subpath);
    return false;
}

bool select_complete(unsigned unreadable, GError **error)
{
    if (unreadable == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                "%u %s could not be read; `backstay check` tells more", unreadable,
                plural(unreadable, "snapshot", "snapshots"));
    return false;
}
