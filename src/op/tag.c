/* SPDX-License-Identifier: Apache-2.0 */
#include "op/tag.h"

#include "base/error.h"
#include "base/log.h"
#include <string.h>

/* The tags of all lists; empty ones are none. */
static GPtrArray *tags_of(char *const *lists)
{
    GPtrArray *tags = g_ptr_array_new_with_free_func(g_free);

    for (; lists && *lists; lists++) {
        g_auto(GStrv) parts = g_strsplit(*lists, ",", -1);

        for (char **part = parts; *part; part++)
            if (*g_strstrip(*part))
                g_ptr_array_add(tags, g_strdup(*part));
    }
    return tags;
}

static void add_missing(GPtrArray *tags, const GPtrArray *more)
{
    for (guint i = 0; i < more->len; i++)
        if (!g_ptr_array_find_with_equal_func(tags, more->pdata[i], g_str_equal, NULL))
            g_ptr_array_add(tags, g_strdup(more->pdata[i]));
}

static void remove_all(GPtrArray *tags, const GPtrArray *unwanted)
{
    for (guint i = 0; i < unwanted->len; i++) {
        guint at;

        while (g_ptr_array_find_with_equal_func(tags, unwanted->pdata[i], g_str_equal, &at))
            g_ptr_array_remove_index(tags, at);
    }
}

bool tag_apply(Snapshot *snapshot, const TagRequest *request)
{
    g_autoptr(GPtrArray) set = tags_of(request->set), add = tags_of(request->add);
    g_autoptr(GPtrArray) unwanted = tags_of(request->remove);
    GPtrArray *tags = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) before = g_steal_pointer(&snapshot->tags);

    for (char **tag = before; !request->set && *tag; tag++)
        g_ptr_array_add(tags, g_strdup(*tag));
    add_missing(tags, set);
    add_missing(tags, add);
    remove_all(tags, unwanted);
    g_ptr_array_add(tags, NULL);
    snapshot->tags = (GStrv)g_ptr_array_free(tags, FALSE);
    return !g_strv_equal((const char *const *)before, (const char *const *)snapshot->tags);
}

/* The old object goes only when the new one is durable. */
static bool replace(Repo *repo, Snapshot *snapshot, Id *ret_before, GError **error)
{
    Id before = snapshot->id;

    if (!snapshot->has_original) {
        snapshot->has_original = true;
        snapshot->original = before;
    }
    *ret_before = before;
    return snapshot_save(repo, snapshot, error) && repo_remove(repo, FILE_SNAPSHOT, &before, error);
}

bool op_tag(OpenRepo *open, const GPtrArray *snapshots, const TagRequest *request,
            TagChanged changed, void *user, const Cancel *cancel, unsigned *ret_failed,
            GError **error)
{
    *ret_failed = 0;
    for (guint i = 0; i < snapshots->len; i++) {
        Snapshot *snapshot = snapshots->pdata[i];
        g_autoptr(GError) problem = NULL;
        Id before;

        if (!cancel_check(cancel, error) || !lock_check(open->lock, error))
            return false;
        if (!tag_apply(snapshot, request))
            continue;
        if (replace(open->repo, snapshot, &before, &problem)) {
            changed(&before, &snapshot->id, user);
        } else {
            log_warn("tags of a snapshot could not be changed", "snapshot", id_hex(&before).text,
                     "error", problem->message, NULL);
            ++*ret_failed;
        }
    }
    return true;
}
