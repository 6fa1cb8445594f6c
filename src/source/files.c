/* SPDX-License-Identifier: Apache-2.0 */
#include "source/files.h"

#include "base/error.h"
#include "source/filecopy.h"
#include "source/filewalk.h"
#include <string.h>

#define READERS 2 /* as restic's --read-concurrency; more only helps slow disks */

typedef struct {
    Source base;
    PathNode *paths;
    FilesOptions options;
} FilesSource;

static bool files_backup(Source *source, Sink *sink, const SourceRun *run, GError **error)
{
    FilesSource *files = (FilesSource *)source;
    FileCopy copy = { .sink = sink, .run = run, .with_atime = files->options.with_atime };
    g_autoptr(FileReaders) readers = file_readers_new(sink, file_copy, &copy, READERS);
    FileWalk walk = { files->paths, &files->options, run, sink, readers };
    g_autoptr(GError) walk_failure = NULL;
    bool seen = false, walked = file_walk(&walk, &seen, &walk_failure);

    // what a reader met comes first: the walk only stopped because of it
    if (!file_readers_finish(readers, error))
        return false;
    if (!walked) {
        g_propagate_error(error, g_steal_pointer(&walk_failure));
        return false;
    }
    if (!seen) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "none of the paths to back up exists");
        return false;
    }
    return true;
}

static void files_estimate(Source *source, const SourceRun *run)
{
    FilesSource *files = (FilesSource *)source;
    FileWalk walk = { files->paths, &files->options, run, NULL, NULL };
    bool seen;

    if (file_walk(&walk, &seen, NULL))
        atomic_store(&run->progress->total_known, true);
}

static void files_free(Source *source)
{
    FilesSource *files = (FilesSource *)source;

    path_tree_free(files->paths);
    pattern_list_free(files->options.exclude);
    pattern_list_free(files->options.iexclude);
    g_strfreev(files->options.exclude_if_present);
    g_free(files);
}

static const SourceOps files_ops = {
    .kind = "files",
    .estimate = files_estimate,
    .backup = files_backup,
    .free = files_free,
};

static int by_bytes(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

Source *files_source_new(const char *const *paths, const FilesOptions *options, GError **error)
{
    g_autoptr(GPtrArray) clean = g_ptr_array_new_with_free_func(g_free);
    unsigned found = 0;
    FilesSource *files;

    for (const char *const *path = paths; *path; path++) {
        char *absolute = g_canonicalize_filename(*path, NULL);
        struct stat st;

        found += lstat(absolute, &st) == 0;
        g_ptr_array_add(clean, absolute);
    }
    if (found == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s: %s", paths[0] ? paths[0] : "no path",
                    clean->len > 1 ? "neither this nor any of the other paths exists"
                                   : "no such file or directory");
        return NULL;
    }
    g_ptr_array_sort(clean, by_bytes);
    g_ptr_array_add(clean, NULL);
    files = g_new0(FilesSource, 1);
    files->base.ops = &files_ops;
    files->base.tags = g_ptr_array_new_with_free_func(g_free);
    files->options = *options;
    files->options.exclude_if_present = g_strdupv(options->exclude_if_present);
    files->paths = path_tree_new();
    for (guint i = 0; i + 1 < clean->len; i++)
        path_tree_add(files->paths, g_ptr_array_index(clean, i));
    files->base.paths = g_strdupv((char **)clean->pdata);
    return &files->base;
}
