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

bool restore_is_stranger(const Snapshot *snapshot, const char *path)
{
    for (char **root = snapshot->paths; *root; root++) {
        size_t len = strlen(*root);

        while (len > 0 && (*root)[len - 1] == '/')
            len--;
        if (strncmp(path, *root, len) == 0 && path[len] == '/')
            return true;
    }
    return false;
}
