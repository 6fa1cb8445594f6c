/* SPDX-License-Identifier: Apache-2.0 */
#include "op/ls.h"

#include "base/error.h"
#include "base/log.h"
#include "base/plural.h"
#include "repo/walk.h"
#include <string.h>

typedef struct {
    GStrv dirs; /* clean */
    bool *seen; /* for each of dirs: something lies there */
    bool recursive;
    ListEach each;
    void *user;
    unsigned unreadable;
} Listing;

/* "/a" and "/a/b" begin with the path "/a"; every path begins with "/". */
static bool begins_with(const char *path, const char *dir)
{
    size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

    return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static WalkNext list_entry(const char *path, const Node *node, void *user, GError **error)
{
    Listing *listing = user;
    bool everything = !listing->dirs[0], within = everything, leads = everything;

    for (guint i = 0; listing->dirs[i]; i++) {
        const char *dir = listing->dirs[i];

        if (begins_with(path, dir))
            within = listing->seen[i] = true;
        leads = leads || begins_with(dir, path);
    }
    if (within && !listing->each(path, node, listing->user, error))
        return WALK_FAIL;
    return leads || (within && listing->recursive) ? WALK_CONTINUE : WALK_SKIP;
}

static bool note_unreadable(const char *path, const GError *problem, void *user)
{
    log_warn("directory cannot be read", "path", path, "error", problem->message, NULL);
    ((Listing *)user)->unreadable++;
    return true;
}

static bool clean_dirs(char *const *dirs, GStrv *ret_clean, GError **error)
{
    g_autoptr(GStrvBuilder) clean = g_strv_builder_new();

    for (; dirs && *dirs; dirs++) {
        g_autofree char *path = NULL;
        const char *dir = *dirs;

        if (*dir != '/') {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: paths in a snapshot begin with /",
                        dir);
            return false;
        }
        while (dir[1] == '/')
            dir++; // GLib keeps two slashes at the start
        path = g_canonicalize_filename(dir, "/");
        g_strv_builder_add(clean, path);
    }
    *ret_clean = g_strv_builder_end(clean);
    return true;
}

bool op_ls(Repo *repo, const Id *tree, const ListRequest *request, ListEach each, void *user,
           const Cancel *cancel, GError **error)
{
    g_auto(GStrv) dirs = NULL;
    g_autofree bool *seen = NULL;
    Listing listing = { .recursive = request->recursive, .each = each, .user = user };

    if (!clean_dirs(request->dirs, &dirs, error))
        return false;
    listing.dirs = dirs;
    listing.seen = seen = g_new0(bool, g_strv_length(dirs) + 1);
    if (!tree_walk(repo, tree, "", list_entry, note_unreadable, &listing, cancel, error))
        return false;
    if (listing.unreadable > 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                    "%u %s could not be read; what lies in %s is not listed", listing.unreadable,
                    plural(listing.unreadable, "directory", "directories"),
                    plural(listing.unreadable, "it", "them"));
        return false;
    }
    for (guint i = 0; dirs[i]; i++)
        if (!seen[i] && strcmp(dirs[i], "/") != 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s: not in the snapshot", dirs[i]);
            return false;
        }
    return true;
}
