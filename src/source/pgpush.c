/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgpush.h"
#include "base/child.h"
#include "codec/hash.h"
#include "source/pgfacts.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ_LEN (1u << 20)

void pg_push_init(PgPush *push, const char *top, Sink *sink, const SourceRun *run)
{
    *push = (PgPush){
        .top = top,
        .sink = sink,
        .run = run,
        .time = clock_now(),
        .names = owner_names_new(),
        .buffer = g_malloc(READ_LEN),
    };
}

void pg_push_done(PgPush *push)
{
    owner_names_free(push->names);
    g_free(push->buffer);
}

/* ---- entries ---- */

static Node *make_node(const PgPush *push, const char *name, mode_t mode, uint64_t size)
{
    struct timespec time = { push->time.sec, push->time.nsec };
    struct stat st = {
        .st_mode = mode,
        .st_uid = geteuid(),
        .st_gid = getegid(),
        .st_nlink = 1,
        .st_size = (off_t)size,
        .st_mtim = time,
        .st_atim = time,
        .st_ctim = time,
    };

    return node_from_stat(name, &st, push->names, false);
}

char *pg_push_path(const PgPush *push, const char *name)
{
    return g_build_filename("/", push->top, name, NULL);
}

/* The last part of a path in the folder; NULL: the folder. */
static const char *own_name(const PgPush *push, const char *name)
{
    const char *slash = name ? strrchr(name, '/') : NULL;

    return slash ? slash + 1 : name ? name : push->top;
}

bool pg_push_begin(PgPush *push, const char *name, mode_t mode, void **ret_handle, GError **error)
{
    g_autofree char *path = pg_push_path(push, name);
    g_autoptr(Node) node = make_node(push, own_name(push, name), mode, 0);
    Entry entry = {
        .path = path, .node = node, .cut = S_ISREG(mode) ? push->cut : 0, .undated = push->undated
    };

    progress_current(push->run->progress, path);
    push->sink_failed = !sink_begin(push->sink, &entry, ret_handle, error);
    return !push->sink_failed;
}

bool pg_push_end_file(PgPush *push, void *handle, const char *name, uint64_t size, GError **error)
{
    g_autoptr(Node) node = make_node(push, own_name(push, name), S_IFREG | 0600, size);

    push->sink_failed = !sink_end(push->sink, handle, node, error);
    return !push->sink_failed;
}

/* ---- a child's output into one entry ---- */

/* What was read goes on, cut at the boundary if that lies within. */
static bool push_slice(PgPush *push, void *handle, const PgWatcher *watcher, uint64_t offset,
                       size_t len, GError **error)
{
    uint64_t boundary = watcher->boundary ? watcher->boundary(watcher->user) : 0;
    size_t first = boundary > offset && boundary < offset + len ? (size_t)(boundary - offset) : 0;

    push->sink_failed =
        first > 0 && !sink_write(push->sink, handle, offset, push->buffer, first, error);
    if (first > 0 && !push->sink_failed)
        sink_mark(push->sink, handle);
    if (!push->sink_failed)
        push->sink_failed = !sink_write(push->sink, handle, offset + first, push->buffer + first,
                                        len - first, error);
    return !push->sink_failed;
}

static bool push_all(PgPush *push, Inlet *inlet, void *handle, const PgWatcher *watcher, Hash *hash,
                     uint64_t *ret_size, GError **error)
{
    uint64_t size = 0;
    size_t len;

    for (;;) {
        if (!cancel_check(push->run->cancel, error) ||
            !inlet_read(inlet, push->buffer, READ_LEN, &len, error))
            return false;
        if (len == 0)
            break;
        if (!watcher->feed(watcher->user, push->buffer, len, error))
            return false;
        hash_update(hash, push->buffer, len);
        if (!push_slice(push, handle, watcher, size, len, error))
            return false;
        size += len;
    }
    *ret_size = size;
    return true;
}

/* child: whose output inlet gives; NULL: it is nobody's. */
static bool push_file(PgPush *push, Inlet *inlet, Child *child, const char *name,
                      const PgWatcher *watcher, json_t *facts, GError **error)
{
    g_autoptr(Hash) hash = hash_new();
    void *handle = NULL;
    uint64_t size = 0;
    Id sha256;

    if (!pg_push_begin(push, name, S_IFREG | 0600, &handle, error))
        return false;
    if (!push_all(push, inlet, handle, watcher, hash, &size, error) ||
        (child && !child_wait(child, push->run->cancel, NULL, error)) ||
        !watcher->finish(watcher->user, error)) {
        sink_abandon(push->sink, handle);
        return false;
    }
    hash_final(hash, &sha256);
    pg_facts_add_file(facts, name, size, &sha256);
    return pg_push_end_file(push, handle, name, size, error);
}

bool pg_push_inlet(PgPush *push, Inlet *inlet, const char *name, const PgWatcher *watcher,
                   json_t *facts, GError **error)
{
    return push_file(push, inlet, NULL, name, watcher, facts, error);
}

bool pg_push_child(PgPush *push, const char *const *argv, const PgAccess *access, const char *name,
                   const PgWatcher *watcher, json_t *facts, GError **error)
{
    g_autoptr(Child) child = child_spawn(argv, pg_access_environ(access), CHILD_STDOUT_PIPE, error);
    g_autoptr(Inlet) inlet = NULL;

    if (!child)
        return false;
    // a larger pipe only saves switches; where it is not allowed the usual one does
    (void)fcntl(child_stdout(child), F_SETPIPE_SZ, READ_LEN);
    inlet = inlet_fd_new(child_stdout(child), argv[0], push->run->cancel);
    return push_file(push, inlet, child, name, watcher, facts, error);
}

bool pg_push_manifest(PgPush *push, json_t *manifest, GError **error)
{
    static const char name[] = "manifest.json";
    g_autofree char *text = NULL;
    size_t len;
    void *handle;

    (void)json_object_set_new(manifest, "finished", pg_facts_time(clock_now()));
    text = json_dumps(manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
    g_assert(text);
    len = strlen(text);
    if (!pg_push_begin(push, name, S_IFREG | 0600, &handle, error))
        return false;
    push->sink_failed = !sink_write(push->sink, handle, 0, text, len, error);
    if (push->sink_failed) {
        sink_abandon(push->sink, handle);
        return false;
    }
    return pg_push_end_file(push, handle, name, len, error);
}
