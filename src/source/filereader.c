/* SPDX-License-Identifier: Apache-2.0 */
#include "source/filereader.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/queue.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define GROUP_FILES 64
#define GROUP_BYTES (1024u * 1024)
#define GROUPS      16 /* on their way; bounds the open directories, too */

struct DirHandle {
    int fd;
    atomic_uint references;
};

typedef struct {
    FileJob jobs[GROUP_FILES];
    unsigned n;
    uint64_t bytes;
} Group;

struct FileReaders {
    Sink *sink;
    FileRead read;
    void *user;
    Group *filling;
    Queue *groups;
    unsigned n_threads;
    pthread_t *threads;
    pthread_mutex_t mutex;
    GError *failure;
    atomic_bool failed;
    bool joined;
};

DirHandle *dir_handle_new(int fd)
{
    DirHandle *dir = g_new0(DirHandle, 1);

    dir->fd = fd;
    atomic_init(&dir->references, 1);
    return dir;
}

DirHandle *dir_handle_ref(DirHandle *dir)
{
    atomic_fetch_add(&dir->references, 1);
    return dir;
}

void dir_handle_unref(DirHandle *dir)
{
    if (!dir || atomic_fetch_sub(&dir->references, 1) != 1)
        return;
    (void)close(dir->fd); // only ever read
    g_free(dir);
}

int dir_handle_fd(const DirHandle *dir)
{
    return dir->fd;
}

static int by_bytes(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *dir_handle_names(const DirHandle *handle, GError **error)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    int fd = openat(handle->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir) {
        bs_error_errno(error, errno, "open directory");
        fs_clear_fd(&fd);
        return names;
    }
    for (errno = 0; (entry = readdir(dir)); errno = 0)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            g_ptr_array_add(names, g_strdup(entry->d_name));
    if (errno)
        bs_error_errno(error, errno, "read directory");
    (void)closedir(dir); // only read
    g_ptr_array_sort(names, by_bytes);
    return names;
}

/* ---- jobs ---- */

int file_job_open(const FileJob *job, GError **error)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(job->dir->fd, job->node->name, flags | O_NOATIME);

    if (fd < 0 && errno == EPERM) // O_NOATIME is for the owner
        fd = openat(job->dir->fd, job->node->name, flags);
    if (fd < 0)
        bs_error_errno(error, errno, "open");
    return fd;
}

/* ---- threads ---- */

static void job_clear(FileJob *job)
{
    dir_handle_unref(job->dir);
    node_free(job->node);
    g_free(job->path);
}

static void fail(FileReaders *readers, GError *failure)
{
    pthread_mutex_lock(&readers->mutex);
    if (!readers->failure)
        readers->failure = failure;
    else
        g_error_free(failure);
    atomic_store(&readers->failed, true);
    pthread_mutex_unlock(&readers->mutex);
}

static void run_group(FileReaders *readers, Group *group, uint8_t *buffer)
{
    for (unsigned i = 0; i < group->n; i++) {
        GError *failure = NULL;

        if (atomic_load(&readers->failed))
            sink_abandon(readers->sink, group->jobs[i].handle);
        else if (!readers->read(readers->user, &group->jobs[i], buffer, &failure))
            fail(readers, failure);
        job_clear(&group->jobs[i]);
    }
    g_free(group);
}

static void *reader_main(void *arg)
{
    FileReaders *readers = arg;
    g_autofree uint8_t *buffer = g_malloc(FILE_READ_SIZE);
    Group *group;

    while ((group = queue_pop(readers->groups)))
        run_group(readers, group, buffer);
    return NULL;
}

FileReaders *file_readers_new(Sink *sink, FileRead read, void *user, unsigned threads)
{
    FileReaders *readers = g_new0(FileReaders, 1);

    readers->sink = sink;
    readers->read = read;
    readers->user = user;
    // a sink that wants one entry after the other gets one reader
    readers->n_threads = sink->ops->caps & SINK_MANY_OPEN ? MAX(threads, 1) : 1;
    readers->groups = queue_new(GROUPS);
    readers->threads = g_new0(pthread_t, readers->n_threads);
    pthread_mutex_init(&readers->mutex, NULL);
    for (unsigned i = 0; i < readers->n_threads; i++)
        g_assert(pthread_create(&readers->threads[i], NULL, reader_main, readers) == 0);
    return readers;
}

static void send_group(FileReaders *readers)
{
    Group *group = g_steal_pointer(&readers->filling);

    if (group && !queue_push(readers->groups, group))
        g_assert_not_reached(); // closed only by finish, after the last group
}

void file_readers_add(FileReaders *readers, DirHandle *dir, const char *path, Node *node,
                      void *handle)
{
    Group *group;

    if (!readers->filling)
        readers->filling = g_new0(Group, 1);
    group = readers->filling;
    group->jobs[group->n++] = (FileJob){ dir_handle_ref(dir), g_strdup(path), node, handle };
    group->bytes += node->size;
    if (group->n == GROUP_FILES || group->bytes >= GROUP_BYTES)
        send_group(readers);
}

bool file_readers_failed(FileReaders *readers)
{
    return atomic_load(&readers->failed);
}

static void join(FileReaders *readers)
{
    if (readers->joined)
        return;
    readers->joined = true;
    send_group(readers);
    queue_close(readers->groups);
    for (unsigned i = 0; i < readers->n_threads; i++)
        pthread_join(readers->threads[i], NULL);
}

bool file_readers_finish(FileReaders *readers, GError **error)
{
    join(readers);
    if (readers->failure)
        g_propagate_error(error, g_steal_pointer(&readers->failure));
    return !atomic_load(&readers->failed);
}

void file_readers_free(FileReaders *readers)
{
    if (!readers)
        return;
    atomic_store(&readers->failed, true);
    join(readers);
    queue_free(readers->groups);
    pthread_mutex_destroy(&readers->mutex);
    g_clear_error(&readers->failure);
    g_free(readers->threads);
    g_free(readers);
}
