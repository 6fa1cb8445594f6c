/* SPDX-License-Identifier: Apache-2.0 */
/* The choosing half of repo/snapshot.h: restic's filters, "latest", ids and their prefixes. */
#include "base/error.h"
#include "repo/snapshot.h"
#include <string.h>

/* ---- filters ---- */

/* One --tag: a comma list that must hold whole; the empty tag stands for "no tags at all". */
static bool has_tag_list(const Snapshot *snapshot, const char *list)
{
    g_auto(GStrv) tags = g_strsplit(list, ",", -1);

    // g_strsplit makes nothing of the empty text
    if (!tags[0])
        return !snapshot->tags[0];
    for (char **tag = tags; *tag; tag++) {
        g_strstrip(*tag);
        if (**tag == '\0' && !snapshot->tags[0])
            return true;
        if (!snapshot_has_tag(snapshot, *tag))
            return false;
    }
    return true;
}

static bool matches_host(const Snapshot *snapshot, char **hosts)
{
    return !hosts || !hosts[0] || g_strv_contains((const char *const *)hosts, snapshot->hostname);
}

static bool matches_tags(const Snapshot *snapshot, char **lists)
{
    if (!lists || !lists[0])
        return true;
    for (char **list = lists; *list; list++)
        if (has_tag_list(snapshot, *list))
            return true;
    return false;
}

static bool matches_paths(const Snapshot *snapshot, char **paths)
{
    for (char **path = paths; path && *path; path++)
        if (!g_strv_contains((const char *const *)snapshot->paths, *path))
            return false;
    return true;
}

bool snapshot_matches(const Snapshot *snapshot, const SnapshotFilter *filter)
{
    return !filter ||
           (matches_host(snapshot, filter->hosts) && matches_tags(snapshot, filter->tags) &&
            matches_paths(snapshot, filter->paths));
}

/* ---- one snapshot by name ---- */

/* The one that has exactly `before` younger ones among those the filter lets through. */
static bool find_latest(Repo *repo, uint64_t before, const SnapshotFilter *filter, SnapshotBad bad,
                        void *user, Snapshot **ret_snapshot, GError **error)
{
    g_autoptr(GPtrArray) snapshots = NULL;
    uint64_t passed = 0;

    if (!snapshot_list(repo, bad, user, &snapshots, error))
        return false;
    for (guint i = snapshots->len; i-- > 0;) {
        if (snapshot_matches(snapshots->pdata[i], filter) && passed++ == before) {
            *ret_snapshot = g_ptr_array_steal_index(snapshots, i);
            return true;
        }
    }
    if (passed == 0)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_NOT_FOUND, "no snapshot found");
    else
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "no snapshot latest~%" G_GUINT64_FORMAT "; there are %" G_GUINT64_FORMAT,
                    before, passed);
    return false;
}

/* "latest" or "latest~N"; anything else is an id. */
static bool parse_latest(const char *name, bool *ret_latest, uint64_t *ret_before, GError **error)
{
    static const char word[] = "latest";
    const char *rest = name + strlen(word);

    *ret_before = 0;
    *ret_latest = g_str_has_prefix(name, word) && (*rest == '\0' || *rest == '~');
    if (!*ret_latest || *rest == '\0')
        return true;
    if (g_ascii_string_to_unsigned(rest + 1, 10, 0, UINT32_MAX, ret_before, NULL))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: after ~ comes a number; try latest~1", name);
    return false;
}

bool snapshot_find(Repo *repo, const char *text, const SnapshotFilter *filter, SnapshotBad bad,
                   void *user, Snapshot **ret_snapshot, char **ret_subpath, GError **error)
{
    const char *colon = strchr(text, ':');
    g_autofree char *name = colon ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);
    bool latest = false, found = false;
    uint64_t before = 0;
    Id id;

    if (!parse_latest(name, &latest, &before, error))
        return false;
    if (latest)
        found = find_latest(repo, before, filter, bad, user, ret_snapshot, error);
    else
        found = repo_resolve(repo, FILE_SNAPSHOT, name, &id, error) &&
                snapshot_load(repo, &id, ret_snapshot, error);
    if (found)
        *ret_subpath = colon && colon[1] != '\0' ? g_strdup(colon + 1) : NULL;
    return found;
}
