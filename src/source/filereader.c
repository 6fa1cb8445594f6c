/* SPDX-License-Identifier: Apache-2.0 */
#include "source/filereader.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/queue.h"
#include "source/filemeta.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define READ_SIZE   (1024u * 1024)
#define GROUP_FILES 64
#define GROUP_BYTES (1024u * 1024)
#define GROUPS      16 /* on their way; bounds the open directories, too */

struct DirHandle {
    int fd;
    atomic_uint references;
};

typedef struct {
    DirHandle *dir;
    char *path;
    Node *node;
    void *handle;
} FileJob;

typedef struct {
    FileJob jobs[GROUP_FILES];
    unsigned n;
    uint64_t bytes;
} Group;

struct FileReaders {
    Sink *sink;
    SourceRun run;
    bool with_atime;
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

/* ---- one file ---- */

static void report(const FileReaders *readers, const char *path, GError *problem)
{
    readers->run.problem(path, problem, readers->run.user);
    g_error_free(problem);
}

static int open_file(const FileJob *job, GError **error)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(job->dir->fd, job->node->name, flags | O_NOATIME);

    if (fd < 0 && errno == EPERM) // O_NOATIME is for the owner
        fd = openat(job->dir->fd, job->node->name, flags);
    if (fd < 0)
        bs_error_errno(error, errno, "open");
    return fd;
}

static bool describe(const FileReaders *readers, FileJob *job, int fd, struct stat *ret_st,
                     GError **error)
{
    if (fstat(fd, ret_st) != 0) {
        bs_error_errno(error, errno, "stat");
        return false;
    }
    if (!S_ISREG(ret_st->st_mode) || ret_st->st_ino != job->node->inode) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "was replaced by something else before it was read");
        return false;
    }
    node_update_from_stat(job->node, ret_st, readers->with_atime);
    return node_read_xattrs_fd(job->node, fd, error);
}

/* Where data goes on at or after offset; the file's end when there is none. */
static off_t next_data(int fd, off_t offset)
{
    off_t data = lseek(fd, offset, SEEK_DATA);
    struct stat st;

    if (data >= 0)
        return data;
    if (errno != ENXIO) // ENXIO: only a hole from here on
        return offset;
    return fstat(fd, &st) == 0 ? MAX(offset, st.st_size) : offset;
}

typedef enum { COPIED, SOURCE_FAILED, SINK_FAILED } CopyResult;

/* Reads to the end of the file, wherever that is by now; *ret_size is what was read. */
static CopyResult copy_content(FileReaders *readers, FileJob *job, int fd, const struct stat *st,
                               uint8_t *buffer, uint64_t *ret_size, GError **error)
{
    bool sparse = st->st_size > 0 && st->st_blocks < st->st_size / 512;
    uint64_t offset = 0;

    for (;;) {
        size_t n;

        if (sparse)
            offset = (uint64_t)next_data(fd, (off_t)offset);
        if (!fs_pread_full(fd, buffer, READ_SIZE, offset, &n, "content", error))
            return SOURCE_FAILED;
        if (n == 0)
            break;
        if (!sink_write(readers->sink, job->handle, offset, buffer, n, error))
            return SINK_FAILED;
        offset += n;
        if (n < READ_SIZE)
            break;
        if (!cancel_check(readers->run.cancel, error))
            return SINK_FAILED;
    }
    *ret_size = offset;
    return COPIED;
}

static bool changed_meanwhile(int fd, const struct stat *before, uint64_t size)
{
    struct stat after;

    return fstat(fd, &after) != 0 || (uint64_t)after.st_size != size ||
           after.st_size != before->st_size || after.st_mtim.tv_sec != before->st_mtim.tv_sec ||
           after.st_mtim.tv_nsec != before->st_mtim.tv_nsec ||
           after.st_ctim.tv_sec != before->st_ctim.tv_sec ||
           after.st_ctim.tv_nsec != before->st_ctim.tv_nsec;
}

static bool read_file(FileReaders *readers, FileJob *job, uint8_t *buffer, GError **error)
{
    fs_autoclose int fd = -1;
    GError *problem = NULL;
    CopyResult result;
    uint64_t size = 0;
    struct stat st;

    fd = open_file(job, &problem);
    if (fd < 0 || !describe(readers, job, fd, &st, &problem)) {
        sink_abandon(readers->sink, job->handle);
        report(readers, job->path, problem);
        return true;
    }
    result = copy_content(readers, job, fd, &st, buffer, &size, &problem);
    if (result != COPIED) {
        sink_abandon(readers->sink, job->handle);
        if (result == SOURCE_FAILED)
            report(readers, job->path, problem);
        else
            g_propagate_error(error, problem);
        return result == SOURCE_FAILED;
    }
    if (changed_meanwhile(fd, &st, size))
        report(readers, job->path,
               g_error_new(BS_ERROR, BS_ERROR_PARTIAL,
                           "changed while it was read; what was read is stored"));
    job->node->size = size;
    return sink_end(readers->sink, job->handle, job->node, error);
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
        else if (!read_file(readers, &group->jobs[i], buffer, &failure))
            fail(readers, failure);
        job_clear(&group->jobs[i]);
    }
    g_free(group);
}

static void *reader_main(void *arg)
{
    FileReaders *readers = arg;
    g_autofree uint8_t *buffer = g_malloc(READ_SIZE);
    Group *group;

    while ((group = queue_pop(readers->groups)))
        run_group(readers, group, buffer);
    return NULL;
}

FileReaders *file_readers_new(Sink *sink, const SourceRun *run, bool with_atime, unsigned threads)
{
    FileReaders *readers = g_new0(FileReaders, 1);

    readers->sink = sink;
    readers->run = *run;
    readers->with_atime = with_atime;
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
