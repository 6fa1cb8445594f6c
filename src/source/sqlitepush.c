/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlitepush.h"

#include "base/error.h"
#include "base/fs.h"
#include "codec/hash.h"
#include "source/pgcluster.h"
#include "source/pgfacts.h"
#include <errno.h>
#include <fcntl.h>

#define READ_LEN (1u << 20)

static bool push_bytes(PgPush *push, int fd, void *handle, Hash *hash, uint64_t *ret_size,
                       GError **error)
{
    uint64_t size = 0;
    size_t n;

    do {
        if (!cancel_check(push->run->cancel, error) ||
            !fs_read_full(fd, push->buffer, READ_LEN, &n, "the copy", error))
            return false;
        hash_update(hash, push->buffer, n);
        if (n > 0 && !sink_write(push->sink, handle, size, push->buffer, n, error))
            return false;
        size += n;
    } while (n == READ_LEN);
    *ret_size = size;
    return true;
}

/* Of whole pages, and as the last time if that still fits. */
static bool choose_cut(size_t parent_cut, const SqliteCopy *copy, int fd, size_t *ret_cut,
                       GError **error)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        bs_error_errno(error, errno, "the copy");
        return false;
    }
    *ret_cut = MAX(pgcluster_cut((uint64_t)st.st_size, parent_cut), sqlite_copy_page_size(copy));
    return true;
}

bool sqlite_push(Source *source, PgPush *push, SqliteCopy *copy, const char *name,
                 size_t parent_cut, json_t *facts, GError **error)
{
    fs_autoclose int fd = open(sqlite_copy_path(copy), O_RDONLY | O_CLOEXEC);
    g_autoptr(Hash) hash = hash_new();
    uint64_t size;
    void *handle;
    Id sha256;

    if (fd < 0) {
        bs_error_errno(error, errno, "the copy");
        return false;
    }
    if (sqlite_copy_violations(copy) > 0)
        g_ptr_array_add(source->notes,
                        g_strdup_printf("%" G_GINT64_FORMAT " rows of the database refer to rows "
                                        "that it does not have (PRAGMA foreign_key_check)",
                                        sqlite_copy_violations(copy)));
    if (sqlite_copy_unread(copy))
        g_ptr_array_add(source->notes,
                        g_strdup_printf("the migrations of the database are not noted: %s",
                                        sqlite_copy_unread(copy)));
    if (!choose_cut(parent_cut, copy, fd, &push->cut, error) ||
        !pg_push_begin(push, name, S_IFREG | 0600, &handle, error))
        return false;
    if (!push_bytes(push, fd, handle, hash, &size, error)) {
        sink_abandon(push->sink, handle);
        return false;
    }
    hash_final(hash, &sha256);
    pg_facts_add_file(facts, name, size, &sha256);
    g_ptr_array_add(source->tags, g_strdup_printf("cut=%zuk", push->cut >> 10));
    push->cut = 0;
    return pg_push_end_file(push, handle, name, size, error);
}
