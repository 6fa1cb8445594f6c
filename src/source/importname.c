/* SPDX-License-Identifier: Apache-2.0 */
#include "source/importname.h"

#include "base/error.h"
#include <string.h>

#define PATH_LEN  4096u
#define DEPTH_MAX 128u

bool import_name_refuse(const char *path, const char *why, GError **error)
{
    g_autofree char *shown = g_utf8_make_valid(path, -1);

    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tar: %s: %s", shown, why);
    return false;
}

char *import_name_clean(const char *name)
{
    size_t len;

    while (name[0] == '.' && name[1] == '/')
        name += 2 + strspn(name + 2, "/");
    len = strlen(name);
    while (len > 0 && name[len - 1] == '/')
        len--;
    return len == 1 && *name == '.' ? g_strdup("") : g_strndup(name, len);
}

bool import_name_is_good(const char *path, GError **error)
{
    g_auto(GStrv) parts = NULL;

    if (!*path)
        return import_name_refuse("an entry", "without a name", error);
    if (*path == '/')
        return import_name_refuse(path, "an absolute name", error);
    if (strlen(path) > PATH_LEN)
        return import_name_refuse("a name", "longer than any file system takes", error);
    parts = g_strsplit(path, "/", -1);
    if (g_strv_length(parts) > DEPTH_MAX)
        return import_name_refuse(path, "too deep", error);
    for (char **part = parts; *part; part++) {
        if (strcmp(*part, "..") == 0)
            return import_name_refuse(path, "a name that leads out of the archive", error);
        if (!**part || strcmp(*part, ".") == 0 || strlen(*part) > 255)
            return import_name_refuse(path, "a name that no file has", error);
    }
    return true;
}

bool import_name_link_stays(const char *path, const char *target)
{
    g_auto(GStrv) parts = g_strsplit(target, "/", -1);
    int depth = -1;

    for (const char *p = path; p; p = strchr(p + 1, '/'))
        depth++;
    if (*target == '/')
        return false;
    for (char **part = parts; *part; part++) {
        if (strcmp(*part, "..") == 0)
            depth--;
        else if (**part && strcmp(*part, ".") != 0)
            depth++;
        if (depth < 0)
            return false;
    }
    return true;
}
