/* SPDX-License-Identifier: Apache-2.0 */
/* The entries of a snapshot. */
#pragma once
#include "codec/tree.h"
#include "repo/repo.h"

typedef struct {
    char *const *dirs; /* absolute; NULL or empty: everything */
    bool recursive;    /* also what lies deeper in dirs */
} ListRequest;

/* False ends the listing, which then fails with that error. */
typedef bool (*ListEach)(const char *path, const Node *node, void *user, GError **error);

/* Entries of the tree in the order of the walk. Directories that cannot be read are logged, and in
 * the end BS_ERROR_PARTIAL. BS_ERROR_NOT_FOUND: nothing lies at one of dirs. */
bool op_ls(Repo *repo, const Id *tree, const ListRequest *request, ListEach each, void *user,
           const Cancel *cancel, GError **error);
