/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walalong.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/parallel.h"
#include "op/walahead.h"
#include "op/walready.h"

#include <fcntl.h>

/* Bytes of files at once; each takes up to six times as much memory. As in op/walpusher.c. */
#define CONTENT_MAX (48u * 1024 * 1024)
#define AT_ONCE     4u

typedef struct {
    OpenRepo *open;
    const WalFile *file; /* that was asked for */
    const WalNotes *notes;
    const GArray *names; /* WalName: that wait behind it */
    int pg_wal;
    WalPushed pushed; /* of file */
    GError *failure;
    _Atomic bool failed; /* where this one cannot be stored the others will not be, either */
} Along;

/* ---- what waits behind it ---- */

static bool read_waiting(const Along *along, WalFile *file, GError **error)
{
    fs_autoclose int fd = openat(along->pg_wal, wal_name_text(&file->name).text,
                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    WalIdentity identity;

    if (fd < 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "it cannot be opened");
        return false;
    }
    if (!wal_input_read(fd, along->pg_wal, file, &identity, error) ||
        !wal_file_check(file, error) || !wal_file_settle(file, along->file->system_id, error))
        return false;
    if (wal_ready_is(along->pg_wal, &file->name))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "it does not wait any more");
    return false;
}

static void take_along(const Along *along, const WalName *name)
{
    g_auto(WalFile) file = { .name = *name };
    g_autoptr(GError) failure = NULL;
    WalPushed pushed;

    if (along->failed || wal_notes_has(along->notes, name))
        return;
    if (!read_waiting(along, &file, &failure) ||
        !wal_file_put(along->open, &file, &pushed, &failure))
        log_debug("not taken along", "name", wal_name_text(name).text, "why", failure->message,
                  NULL);
    else if (!wal_notes_add(along->notes, &file, &pushed))
        log_debug("taken along, but not noted", "name", wal_name_text(name).text, NULL);
}

/* ---- which of them ---- */

typedef struct {
    OpenRepo *open;
    const WalFile *file;
    const WalNotes *notes;
    const GArray *names;
    bool free[1 + WAL_AHEAD_MAX]; /* file, then the names: nobody else has archived that one */
} Looking;

static void look_at(size_t i, void *user)
{
    Looking *looking = user;
    const WalName *name =
        i > 0 ? &g_array_index(looking->names, WalName, i - 1) : &looking->file->name;
    WalObject object;

    looking->free[i] =
        (i > 0 && wal_notes_has(looking->notes, name)) ||
        (wal_object_init(&object, looking->file->system_id, wal_name_text(name).text, NULL) &&
         wal_object_is_absent(looking->open->repo, &object));
}

/*
 * Only in front of the first one that is held already. That may be another server's, such as a copy
 * of this one; then so is all that should follow it, and it alone may archive that.
 */
static void leave_to_others(OpenRepo *open, const WalFile *file, const WalNotes *notes,
                            unsigned at_once, GArray *names)
{
    Looking looking = { open, file, notes, names, { false } };
    guint n = 0;

    if (names->len == 0)
        return;
    parallel_each(at_once, 1 + names->len, look_at, &looking);
    while (n <= names->len && looking.free[n])
        n++;
    g_array_set_size(names, n > 0 ? n - 1 : 0);
}

/* ---- all of them ---- */

static void put_one(size_t i, void *user)
{
    Along *along = user;

    if (i > 0)
        take_along(along, &g_array_index(along->names, WalName, i - 1));
    else if (!wal_file_put(along->open, along->file, &along->pushed, &along->failure))
        along->failed = true;
}

bool wal_along_put(OpenRepo *open, const WalFile *file, const char *dir, const WalNotes *notes,
                   WalPushed *ret_pushed, GError **error)
{
    size_t at_once = MIN(CONTENT_MAX / g_bytes_get_size(file->content), AT_ONCE);
    fs_autoclose int pg_wal = openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_autoptr(GArray) names = NULL;
    Along along = { open, file, notes, .pg_wal = pg_wal };

    if (pg_wal < 0 || at_once < 2)
        return wal_file_put(open, file, ret_pushed, error);
    along.names = names = wal_ready_after(pg_wal, &file->name, WAL_AHEAD_MAX);
    leave_to_others(open, file, notes, (unsigned)at_once, names);
    parallel_each((unsigned)at_once, 1 + names->len, put_one, &along);
    if (along.failure) {
        g_propagate_error(error, along.failure);
        return false;
    }
    *ret_pushed = along.pushed;
    return true;
}
