/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdumppush.h"

#include "base/error.h"
#include "base/fs.h"
#include "source/pgfacts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static bool feed(void *user, const void *data, size_t len, GError **error)
{
    return pgdump_files_feed(user, data, len, error);
}

static bool finish(void *user, GError **error)
{
    return pgdump_files_end(user, error);
}

bool pg_dump_push_file(PgPush *push, Inlet *inlet, const char *folder, const char *name,
                       PgDumpFiles *files, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    PgWatcher watcher = { feed, finish, NULL, files };
    json_t *ignored = json_object(); // size and sum are those of all files
    bool ok = pgdump_files_begin(files, name, error) &&
              pg_push_inlet(push, inlet, path, &watcher, ignored, error);

    json_decref(ignored);
    return ok;
}

void pg_dump_push_facts(const char *name, const PgDumpFiles *files, json_t *facts)
{
    uint64_t size;
    Id sha256;

    pgdump_files_sum(files, &size, &sha256);
    pg_facts_add_file(facts, name, size, &sha256);
    (void)json_object_set_new(facts, "format", json_string("directory"));
}

/* ---- of a directory ---- */

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static GPtrArray *list(int fd, const char *path, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = own >= 0 ? fdopendir(own) : NULL;
    struct dirent *item = NULL;

    errno = dir ? 0 : errno;
    while (dir && (item = readdir(dir))) {
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            g_ptr_array_add(names, g_strdup(item->d_name));
        errno = 0;
    }
    if (errno != 0)
        bs_error_errno(error, errno, "read %s", path);
    bool ok = errno == 0;
    if (dir)
        (void)closedir(dir); // it was only read
    else
        fs_clear_fd(&own);
    g_ptr_array_sort(names, by_name);
    return ok ? g_steal_pointer(&names) : NULL;
}

static bool push_one(PgPush *push, int fd, const char *folder, const char *name, PgDumpFiles *files,
                     GError **error)
{
    // one that is a pipe must not keep us waiting
    fs_autoclose int file = fs_open_beneath(fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, error);
    g_autoptr(Inlet) inlet = NULL;
    struct stat st;

    if (file < 0)
        return false;
    if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "dump: %s: it is no file", name);
        return false;
    }
    inlet = inlet_fd_new(file, name, push->run->cancel);
    return pg_dump_push_file(push, inlet, folder, name, files, error);
}

static bool push_all(PgPush *push, const char *from, const char *name, PgDumpFiles *files,
                     GError **error)
{
    fs_autoclose int fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_autoptr(GPtrArray) names = NULL;

    if (fd < 0) {
        bs_error_errno(error, errno, "open %s", from);
        return false;
    }
    names = list(fd, from, error);
    for (guint i = 0; names && i < names->len; i++)
        if (!push_one(push, fd, name, names->pdata[i], files, error))
            return false;
    return names && pgdump_files_finish(files, error);
}

bool pg_dump_push(PgPush *push, const char *from, const char *name, PgDumpFiles *files,
                  json_t *facts, GError **error)
{
    void *folder;

    if (!pg_push_begin(push, name, S_IFDIR | 0700, &folder, error))
        return false;
    if (!push_all(push, from, name, files, error)) {
        sink_abandon(push->sink, folder);
        return false;
    }
    pg_dump_push_facts(name, files, facts);
    return sink_end(push->sink, folder, NULL, error);
}
