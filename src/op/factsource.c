/* SPDX-License-Identifier: Apache-2.0 */
#include "op/factsource.h"

#include "base/error.h"
#include "op/factways.h"
#include "op/sources.h"
#include <string.h>

const json_t *fact_source_asks(const SourceConfig *source, const char *name)
{
    for (size_t i = 0; i < json_array_size(source->facts); i++) {
        const json_t *fact = json_array_get(source->facts, i);

        if (g_strcmp0(fact_name(fact), name) == 0)
            return fact;
    }
    return NULL;
}

static bool asks_any(const SourceConfig *source, const json_t *saved)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)saved, name, value)
    {
        (void)value;
        if (fact_source_asks(source, name))
            return true;
    }
    return false;
}

/* ---- is it that one ---- */

static char **texts_of(const json_t *list)
{
    g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
    const json_t *text;
    size_t i;

    json_array_foreach((json_t *)list, i, text)
    {
        g_strv_builder_add(texts, json_string_value(text));
    }
    return g_strv_builder_end(texts);
}

/* The tags "source=" and "kind=" that a snapshot of it bears; a URL may stand for several. */
static bool bears(const char *url, const json_t *options, const char *const *tags)
{
    char *operands[] = { (char *)url, NULL };
    g_auto(GStrv) databases = texts_of(json_object_get(options, "database"));
    const SourcesRequest request = { .databases = *databases ? databases : NULL };
    g_autoptr(GPtrArray) sources = NULL;

    // one that cannot be made now, of a directory that is gone say, is none that can be asked
    if (!sources_from_operands(operands, &request, &sources, NULL))
        return false;
    for (guint i = 0; i < sources->len; i++) {
        const Source *source = sources->pdata[i];

        if (g_ptr_array_find_with_equal_func(source->tags, tags[0], g_str_equal, NULL) &&
            g_ptr_array_find_with_equal_func(source->tags, tags[1], g_str_equal, NULL))
            return true;
    }
    return false;
}

static bool holds_path(char *const *paths, const char *path)
{
    for (; *paths; paths++) {
        g_autofree char *one = g_canonicalize_filename(*paths, NULL);

        if (strcmp(one, path) == 0)
            return true;
    }
    return false;
}

/* A run names it; a backup by hand saved the same paths. */
static bool saved_files(const SourceConfig *source, const Snapshot *snapshot)
{
    const char *name = snapshot_tag_value(snapshot, "source");

    if (name)
        return strcmp(name, source->name) == 0;
    if (g_strv_length(source->paths) != g_strv_length(snapshot->paths))
        return false;
    for (char **path = snapshot->paths; *path; path++)
        if (!holds_path(source->paths, *path))
            return false;
    return true;
}

static bool has_saved(const SourceConfig *source, const Snapshot *snapshot)
{
    const char *name = snapshot_tag_value(snapshot, "source");
    const char *kind = snapshot_tag_value(snapshot, "kind");
    bool files = !kind || strcmp(kind, "files") == 0;
    g_autofree char *first = g_strconcat("source=", name, NULL);
    g_autofree char *second = g_strconcat("kind=", kind, NULL);

    if (source->paths || files)
        return source->paths && files && saved_files(source, snapshot);
    return name && bears(source->url, source->options, (const char *const[]){ first, second });
}

/* Directory or below it; the root of everything says nothing. */
static bool is_within(const char *path, const char *directory)
{
    g_autofree char *one = g_canonicalize_filename(directory, NULL);
    g_autofree char *two = g_canonicalize_filename(path, NULL);
    size_t len = strlen(one);

    return len > 1 && strncmp(two, one, len) == 0 && (!two[len] || two[len] == '/');
}

static bool has_directory(const SourceConfig *source, const char *directory)
{
    static const char *const schemes[] = { "k3s:", "pgcluster:" };

    for (char **path = source->paths; path && *path; path++)
        if (is_within(directory, *path))
            return true;
    for (size_t i = 0; source->url && i < G_N_ELEMENTS(schemes); i++) {
        const char *path = source->url + strlen(schemes[i]);

        if (g_str_has_prefix(source->url, schemes[i]) && *path == '/' && is_within(directory, path))
            return true;
    }
    return false;
}

/* The same server or file, whoever logs in. */
static bool is_target(const SourceConfig *source, const FactTarget *target)
{
    char *operands[] = { (char *)target->target, NULL };
    g_autoptr(GPtrArray) sources = NULL;
    const Source *there;

    if (target->directory)
        return has_directory(source, target->target);
    if (!source->url || !sources_from_operands(operands, &(SourcesRequest){ 0 }, &sources, NULL) ||
        sources->len != 1)
        return false;
    there = sources->pdata[0];
    return bears(source->url, NULL, (const char *const *)there->tags->pdata);
}

/* ---- which one ---- */

static gint by_name(gconstpointer a, gconstpointer b)
{
    const SourceConfig *const *one = a, *const *two = b;

    return strcmp((*one)->name, (*two)->name);
}

/* target: those that are it; NULL: those that have saved the snapshot. */
static GPtrArray *find_all(const Configuration *configuration, const FactTarget *target,
                           const Snapshot *snapshot)
{
    GPtrArray *found = g_ptr_array_new();
    GHashTableIter iter;
    gpointer source;

    g_hash_table_iter_init(&iter, configuration->sources);
    while (g_hash_table_iter_next(&iter, NULL, &source))
        if (target ? is_target(source, target) : has_saved(source, snapshot))
            g_ptr_array_add(found, source);
    g_ptr_array_sort(found, by_name);
    return found;
}

/* Those that are not wanted go, unless that is all of them. */
static void narrow(GPtrArray *found, bool (*wanted)(const SourceConfig *source, const void *user),
                   const void *user)
{
    g_autoptr(GPtrArray) left = g_ptr_array_new();

    for (guint i = 0; i < found->len; i++)
        if (wanted(found->pdata[i], user))
            g_ptr_array_add(left, found->pdata[i]);
    if (left->len == 0)
        return;
    g_ptr_array_set_size(found, 0);
    g_ptr_array_extend(found, left, NULL, NULL);
}

static bool is_of_schedule(const SourceConfig *source, const void *user)
{
    const Schedule *schedule = user;

    return schedule && g_strv_contains((const char *const *)schedule->sources, source->name);
}

static bool is_asking(const SourceConfig *source, const void *user)
{
    return asks_any(source, user);
}

static bool choose(GPtrArray *found, const json_t *saved, const SourceConfig **ret_source,
                   GError **error)
{
    const SourceConfig *first;

    narrow(found, is_asking, saved);
    first = found->pdata[0];
    for (guint i = 1; i < found->len; i++) {
        const SourceConfig *other = found->pdata[i];

        if (!json_equal(first->facts, other->facts)) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                        "the sources %s and %s of the configuration may both be meant, and ask "
                        "otherwise",
                        first->name, other->name);
            return false;
        }
    }
    *ret_source = first;
    return true;
}

static bool find_named(const Configuration *configuration, const char *name,
                       const SourceConfig **ret_source, GError **error)
{
    *ret_source = configuration_source(configuration, name);
    if (*ret_source)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "the configuration has no source %s now",
                name);
    return false;
}

bool fact_source_find(const Configuration *configuration, const FactTarget *target,
                      const Snapshot *snapshot, const json_t *saved,
                      const SourceConfig **ret_source, bool *ret_is_target, GError **error)
{
    const char *schedule = snapshot_tag_value(snapshot, "schedule");
    g_autoptr(GPtrArray) found = NULL;

    *ret_is_target = true;
    if (target->named)
        return find_named(configuration, target->named, ret_source, error);
    found = find_all(configuration, target, snapshot);
    if (found->len > 0)
        return choose(found, saved, ret_source, error);
    *ret_is_target = false;
    g_ptr_array_unref(found);
    found = find_all(configuration, NULL, snapshot);
    if (found->len > 0) {
        narrow(found, is_of_schedule,
               schedule ? configuration_schedule(configuration, schedule) : NULL);
        return choose(found, saved, ret_source, error);
    }
    g_set_error_literal(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                        "no source of the configuration is the target, and none has saved this");
    return false;
}
