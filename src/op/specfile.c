/* SPDX-License-Identifier: Apache-2.0 */
#include "op/specfile.h"

#include "base/error.h"
#include "base/fs.h"

#define SPEC_MAX (4u * 1024 * 1024)

bool spec_file_broken(const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "%s", what);
    return false;
}

static bool read_file(const char *path, json_t **ret_root, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    json_error_t where;

    if (!fs_read_file(path, SPEC_MAX, &bytes, error))
        return false;
    *ret_root = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                           JSON_REJECT_DUPLICATES, &where);
    if (*ret_root)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "%s: %s", path, where.text);
    return false;
}

bool spec_file_load(const char *path, SpecDecode decode, void *spec, GError **error)
{
    json_t *root = NULL;
    bool ok;

    if (!read_file(path, &root, error))
        return false;
    ok = decode(root, spec, error);
    json_decref(root);
    if (!ok)
        g_prefix_error(error, "%s: ", path);
    return ok;
}
