/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walnotes.h"

#include "base/fs.h"
#include "codec/hash.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define DIR_NAME "wal-notes"

/* The SHA-256 of the file, then the mark: both as they are in memory. */
typedef struct {
    Id sha256;
    WalMark mark;
} Note;

struct WalNotes {
    OpenRepo *open;
    uint64_t system_id;
    char *path;
    int dirfd;
};

/* ---- the directory ---- */

static void add_text(Hash *hash, const char *text)
{
    hash_update(hash, text, strlen(text) + 1);
}

/* With a mirror that has become required since, what was durable before is not any more. */
static void add_required(Hash *hash, MirrorSet *mirrors)
{
    for (size_t i = 0; i < mirrorset_n(mirrors); i++) {
        g_auto(MirrorState) state = { 0 };

        mirrorset_state(mirrors, i, &state);
        if (state.required) {
            add_text(hash, state.name);
            add_text(hash, state.location);
        }
    }
}

static char *path_of(const char *state_dir, const OpenRepo *open, uint64_t system_id)
{
    g_autoptr(Hash) hash = hash_new();
    Id where;

    add_text(hash, repo_id(open->repo));
    add_text(hash, open->at.store->location);
    hash_update(hash, &system_id, sizeof system_id);
    add_required(hash, open->mirrors);
    hash_final(hash, &where);
    return g_build_filename(state_dir, DIR_NAME, id_hex(&where).text, NULL);
}

static bool is_ours(int dirfd)
{
    struct stat st;

    return fstat(dirfd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 077);
}

WalNotes *wal_notes_open(const char *state_dir, OpenRepo *open, uint64_t system_id)
{
    g_autoptr(WalNotes) notes = g_new0(WalNotes, 1);

    notes->dirfd = -1;
    notes->open = open;
    notes->system_id = system_id;
    notes->path = path_of(state_dir, open, system_id);
    if (!fs_make_dirs(notes->path, 0700, NULL))
        return NULL;
    notes->dirfd = openat(AT_FDCWD, notes->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return notes->dirfd >= 0 && is_ours(notes->dirfd) ? g_steal_pointer(&notes) : NULL;
}

void wal_notes_free(WalNotes *notes)
{
    if (!notes)
        return;
    fs_clear_fd(&notes->dirfd);
    g_free(notes->path);
    g_free(notes);
}

/* ---- notes ---- */

static Id hash_of(const WalFile *file)
{
    size_t len;
    const void *data = g_bytes_get_data(file->content, &len);
    Id sha256;

    hash_bytes(data, len, &sha256);
    return sha256;
}

bool wal_notes_has(const WalNotes *notes, const WalName *name)
{
    return faccessat(notes->dirfd, wal_name_text(name).text, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool wal_notes_add(const WalNotes *notes, const WalFile *file, const WalPushed *pushed)
{
    Note note = { .sha256 = hash_of(file), .mark = pushed->mark };

    // one that a power loss has cut is not one; what was there already has no mark
    return pushed->mark.len > 0 &&
           fs_write_durable_at(notes->dirfd, wal_name_text(&file->name).text, notes->path, &note,
                               sizeof note, 0600, FS_UNSYNCED, NULL);
}

static bool read_note(const WalNotes *notes, const WalName *name, Note *ret_note)
{
    fs_autoclose int fd = openat(notes->dirfd, wal_name_text(name).text,
                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    size_t got;

    return fd >= 0 && fs_read_full(fd, ret_note, sizeof *ret_note, &got, "note", NULL) &&
           got == sizeof *ret_note;
}

/* Servers ask in order: what is not behind this one was asked for, or never will be. */
static bool is_over(const char *file, const WalName *name)
{
    WalName other;

    return !wal_name_parse(file, &other, NULL) || // what somebody who was killed has begun
           wal_name_compare(&other, name) <= 0;
}

static void remove_over(const WalNotes *notes, const WalName *name)
{
    int copy = openat(notes->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    while (list && (entry = readdir(list)))
        if (entry->d_name[0] != '.' && is_over(entry->d_name, name))
            (void)unlinkat(notes->dirfd, entry->d_name, 0); // else the next one does
    if (list)
        closedir(list);
    else
        fs_clear_fd(&copy);
}

bool wal_notes_prove(const WalNotes *notes, const WalFile *file, WalPushed *ret_pushed)
{
    WalPushed pushed = { .system_id = notes->system_id };
    WalObject object;
    Id sha256;
    Note note;
    bool proven = false;

    if (read_note(notes, &file->name, &note)) {
        sha256 = hash_of(file);
        proven =
            id_equal(&sha256, &note.sha256) &&
            wal_object_init(&object, notes->system_id, wal_name_text(&file->name).text, NULL) &&
            wal_object_bears(notes->open->repo, &object, &note.mark);
    }
    remove_over(notes, &file->name);
    if (!proven)
        return false;
    g_strlcpy(pushed.name, object.name, sizeof pushed.name);
    pushed.len = g_bytes_get_size(file->content);
    pushed.stored = note.mark.len;
    *ret_pushed = pushed;
    return true;
}
