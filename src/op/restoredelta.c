/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restoredelta.h"

#include "base/error.h"
#include "pg/postmaster.h"
#include "repo/walk.h"
#include <string.h>

static bool refuse(const char *dir, GError **error)
{
    pid_t pid;

    if (!pg_postmaster_find(dir, &pid, error))
        return false;
    if (pid == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                "%s: a PostgreSQL server runs there (process %ld); stop it first", dir, (long)pid);
    return false;
}

static WalkNext look(const char *path, const Node *node, void *user, GError **error)
{
    g_autofree char *dir = NULL;

    if (!S_ISDIR(node->mode))
        return WALK_SKIP;
    dir = g_strconcat(user, path, NULL);
    return refuse(dir, error) ? WALK_CONTINUE : WALK_FAIL;
}

static bool pass_over(const char *path, const GError *problem, void *user)
{
    (void)path, (void)problem, (void)user;
    return true; // the restore itself will say it
}

bool restore_refuse_running(Repo *repo, const Id *tree, const char *target, const Cancel *cancel,
                            GError **error)
{
    return refuse(target, error) &&
           (!tree || tree_walk(repo, tree, "", look, pass_over, (void *)target, cancel, error));
}

static bool has(Repo *repo, const Snapshot *snapshot, const char *path)
{
    g_autoptr(Node) node = NULL;
    Id tree;

    return walk_find(repo, &snapshot->tree, path, &node, &tree, NULL);
}

GStrv restore_roots(Repo *repo, const Snapshot *snapshot)
{
    GPtrArray *roots = g_ptr_array_new();

    for (char **path = snapshot->paths; *path; path++) {
        g_autofree char *last = g_path_get_basename(*path);

        g_ptr_array_add(roots, has(repo, snapshot, *path) ? g_strdup(*path)
                                                          : g_strconcat("/", last, NULL));
    }
    g_ptr_array_add(roots, NULL);
    return (GStrv)g_ptr_array_free(roots, FALSE);
}

bool restore_is_stranger(char *const *roots, const char *path)
{
    for (; *roots; roots++) {
        size_t len = strlen(*roots);

        while (len > 0 && (*roots)[len - 1] == '/')
            len--;
        if (strncmp(path, *roots, len) == 0 && path[len] == '/')
            return true;
    }
    return false;
}
