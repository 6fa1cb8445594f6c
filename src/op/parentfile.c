/* SPDX-License-Identifier: Apache-2.0 */
#include "op/parentfile.h"
#include "repo/walk.h"

bool parent_file_load(void *user, const char *path, size_t bound, GBytes **ret_content,
                      GError **error)
{
    const ParentFiles *parent = user;

    return walk_read(parent->repo, &parent->snapshot->tree, path, bound, ret_content, error);
}
