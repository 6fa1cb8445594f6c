/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/eventsfile.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#define READ_LEN 65536

struct EventsFile {
    char *path;
    int fd;
    uint64_t offset; /* read so far */
    GString *line;   /* begun and not ended yet */
    bool too_long;   /* and passed over */
};

EventsFile *events_file_open(const char *path, GError **error)
{
    g_autoptr(EventsFile) file = g_new0(EventsFile, 1);

    file->path = g_strdup(path);
    file->line = g_string_new(NULL);
    file->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->fd < 0) {
        bs_error_errno(error, errno, "open %s", path);
        return NULL;
    }
    return g_steal_pointer(&file);
}

void events_file_free(EventsFile *file)
{
    if (!file)
        return;
    fs_clear_fd(&file->fd);
    g_string_free(file->line, TRUE);
    g_free(file->path);
    g_free(file);
}

static void end_line(EventsFile *file, EventsTell tell, void *user)
{
    json_t *event = NULL;

    if (!file->too_long)
        event = json_loadb(file->line->str, file->line->len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(event))
        tell(event, user);
    json_decref(event);
    g_string_truncate(file->line, 0);
    file->too_long = false;
}

static void add_to_line(EventsFile *file, const char *data, size_t len)
{
    file->too_long = file->too_long || file->line->len + len > EVENTS_LINE_MAX;
    if (file->too_long)
        g_string_truncate(file->line, 0);
    else
        g_string_append_len(file->line, data, (gssize)len);
}

static void take(EventsFile *file, const char *data, size_t len, EventsTell tell, void *user)
{
    for (const char *end = data + len; data < end;) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));

        add_to_line(file, data, (size_t)((newline ? newline : end) - data));
        if (newline)
            end_line(file, tell, user);
        data = newline ? newline + 1 : end;
    }
}

bool events_file_read(EventsFile *file, EventsTell tell, void *user, GError **error)
{
    g_autofree char *data = g_malloc(READ_LEN);
    size_t len;

    do {
        if (!fs_pread_full(file->fd, data, READ_LEN, file->offset, &len, file->path, error))
            return false;
        file->offset += len;
        take(file, data, len, tell, user);
    } while (len == READ_LEN);
    return true;
}

bool events_file_is_empty(const EventsFile *file)
{
    struct stat st;

    return fstat(file->fd, &st) == 0 && st.st_size == 0;
}

bool events_file_is_locked(const EventsFile *file)
{
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK;
    (void)flock(file->fd, LOCK_UN);
    return false;
}

/* A line that was cut must not swallow this one. */
static bool append(const EventsFile *file, const char *text, GError **error)
{
    g_autofree char *line =
        g_strconcat(file->line->len || file->too_long ? "\n" : "", text, "\n", NULL);

    if (!fs_write_all(file->fd, line, strlen(line), file->path, error))
        return false;
    if (fsync(file->fd) == 0)
        return true;
    bs_error_errno(error, errno, "fsync %s", file->path);
    return false;
}

bool events_file_end(EventsFile *file, json_t *end, GError **error)
{
    char *text = json_dumps(end, JSON_COMPACT);
    bool ok;

    json_decref(end);
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        free(text);
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "%s: the run lives", file->path);
        return false;
    }
    ok = append(file, text, error);
    (void)flock(file->fd, LOCK_UN);
    free(text);
    return ok;
}
