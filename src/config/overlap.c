/* SPDX-License-Identifier: Apache-2.0 */
#include "config/overlap.h"

#include <string.h>

/* Where something lies on this machine; NULL: elsewhere. */
static char *place_of(const char *text)
{
    static const char *const schemes[] = { "sqlite:", "volume:", "pgcluster:", "local:" };

    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (g_str_has_prefix(text, schemes[i])) {
            text += strlen(schemes[i]);
            break;
        }
    return *text == '/' ? g_canonicalize_filename(text, "/") : NULL;
}

/* Is path dir itself, or in it? Both are canonical. */
static bool is_within(const char *path, const char *dir)
{
    const size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0' || len == 1);
}

static bool overlap(const char *root, const char *text)
{
    g_autofree char *canonical = g_canonicalize_filename(root, "/"), *place = place_of(text);

    return place && (is_within(place, canonical) || is_within(canonical, place));
}

static void look_at_source(const char *root, const SourceConfig *source, GPtrArray *found)
{
    for (char *const *operand = source->operands; operand && *operand; operand++)
        if (overlap(root, *operand))
            g_ptr_array_add(
                found, g_strdup_printf("server.restore_roots: %s overlaps the source %s (%s): a "
                                       "restore by HTTP may write over what is saved, and what "
                                       "was restored is saved again",
                                       root, source->name, *operand));
}

static void look_at_repository(const char *root, const RepositoryConfig *repository,
                               GPtrArray *found)
{
    if (overlap(root, repository->location))
        g_ptr_array_add(found, g_strdup_printf("server.restore_roots: %s overlaps the repository "
                                               "%s (%s): a restore by HTTP may write into it",
                                               root, repository->name, repository->location));
}

GPtrArray *configuration_overlaps(const Configuration *in)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GList) sources =
        g_list_sort(g_hash_table_get_keys(in->sources), (GCompareFunc)strcmp);
    g_autoptr(GList) repositories =
        g_list_sort(g_hash_table_get_keys(in->repositories), (GCompareFunc)strcmp);

    for (char *const *root = in->server.restore_roots; root && *root; root++) {
        for (const GList *name = sources; name; name = name->next)
            look_at_source(*root, configuration_source(in, name->data), found);
        for (const GList *name = repositories; name; name = name->next)
            look_at_repository(*root, configuration_repository(in, name->data), found);
    }
    return found;
}
