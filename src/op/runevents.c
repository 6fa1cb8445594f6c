/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runevents.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/json.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#define NAP_MS      20
#define PATIENCE_MS 1000

struct RunEvents {
    char *path;
    int fd; /* -1: no file */
    RunTell tell;
    void *user;
    pthread_mutex_t lock;
    GError *failure; /* the first one */
};

/* ---- the file ---- */

static bool take_file(RunEvents *events, int fd, GError **error)
{
    struct stat st;

    events->fd = fd;
    if (fd == 0)
        events->fd =
            open(events->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (events->fd < 0) {
        bs_error_errno(error, errno, "open %s", events->path);
        return false;
    }
    // whoever wants to know whether a run lives takes the lock for a moment
    for (int64_t waited_ms = 0; flock(events->fd, LOCK_EX | LOCK_NB) != 0; waited_ms += NAP_MS) {
        if (errno == EWOULDBLOCK && waited_ms < PATIENCE_MS) {
            clock_sleep_ms(NAP_MS);
            continue;
        }
        if (errno == EWOULDBLOCK)
            g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "%s: another run is writing it",
                        events->path);
        else
            bs_error_errno(error, errno, "lock %s", events->path);
        return false;
    }
    if (fstat(events->fd, &st) != 0) {
        bs_error_errno(error, errno, "stat %s", events->path);
        return false;
    }
    if (st.st_size == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                "%s: this run has been; each run has a file of its own", events->path);
    return false;
}

RunEvents *run_events_open(const char *path, int fd, RunTell tell, void *user, GError **error)
{
    g_autoptr(RunEvents) events = g_new0(RunEvents, 1);

    events->fd = -1;
    events->path = g_strdup(path);
    events->tell = tell;
    events->user = user;
    pthread_mutex_init(&events->lock, NULL);
    return !path || take_file(events, fd, error) ? g_steal_pointer(&events) : NULL;
}

void run_events_free(RunEvents *events)
{
    if (!events)
        return;
    fs_clear_fd(&events->fd); // which unlocks it
    g_clear_error(&events->failure);
    pthread_mutex_destroy(&events->lock);
    g_free(events->path);
    g_free(events);
}

/* Whole or not at all: half a line would spoil the next one, too. */
static bool write_line(const RunEvents *events, const char *line, size_t len, GError **error)
{
    struct stat st;
    ssize_t n;

    if (fstat(events->fd, &st) != 0) {
        bs_error_errno(error, errno, "stat %s", events->path);
        return false;
    }
    do
        n = write(events->fd, line, len);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len)
        return true;
    bs_error_errno(error, n < 0 ? errno : ENOSPC, "write %s", events->path);
    if (n > 0)
        (void)!ftruncate(events->fd, st.st_size); // the error is told already
    return false;
}

static bool sync_file(const RunEvents *events, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(events->path);

    if (fsync(events->fd) != 0) {
        bs_error_errno(error, errno, "fsync %s", events->path);
        return false;
    }
    return fs_sync_dir(dir, error);
}

/* ---- events ---- */

static json_t *time_now(void)
{
    Timestamp now = clock_now();
    time_t seconds = (time_t)now.sec;
    struct tm utc;
    char date[32], text[48];

    // years that do not fit a struct tm are no clock's
    if (!gmtime_r(&seconds, &utc) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        g_strlcpy(date, "1970-01-01T00:00:00", sizeof date);
    (void)g_snprintf(text, sizeof text, "%s.%03uZ", date, (unsigned)(now.nsec / 1000000));
    return json_string(text);
}

/* Under the lock. */
static void put(RunEvents *events, const json_t *event)
{
    g_autoptr(GError) failure = NULL;

    if (events->fd >= 0) {
        char *text = json_dumps(event, JSON_COMPACT);
        g_autofree char *line = g_strconcat(text, "\n", NULL);

        free(text);
        if (!write_line(events, line, strlen(line), &failure) && !events->failure)
            events->failure = g_steal_pointer(&failure);
    }
    if (events->tell)
        events->tell(event, events->user);
}

static void add_timed(RunEvents *events, json_t *event)
{
    json_object_set_new(event, "time", time_now());
    put(events, event);
    json_decref(event);
}

void run_events_add(RunEvents *events, json_t *event)
{
    pthread_mutex_lock(&events->lock);
    add_timed(events, event);
    pthread_mutex_unlock(&events->lock);
}

bool run_events_end(RunEvents *events, json_t *event, GError **error)
{
    pthread_mutex_lock(&events->lock);
    add_timed(events, event);
    if (events->fd >= 0 && !events->failure)
        (void)sync_file(events, &events->failure);
    pthread_mutex_unlock(&events->lock);
    if (!events->failure)
        return true;
    g_propagate_prefixed_error(error, g_error_copy(events->failure),
                               "the events of the run are not whole: ");
    return false;
}

/* Field 22 of /proc/PID/stat, proc(5): with the pid it names one process for ever. */
int64_t run_event_start_time(void)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *text = NULL;
    const char *at;

    if (!fs_read_file("/proc/self/stat", 4096, &bytes, NULL))
        return 0;
    text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    at = strrchr(text, ')'); // the name before it may hold anything
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? g_ascii_strtoll(at + 1, NULL, 10) : 0;
}

json_t *run_event_text(const char *text)
{
    g_autofree char *valid = utf8_valid(text, strlen(text)) ? NULL : g_utf8_make_valid(text, -1);

    return json_string(valid ? valid : text);
}

json_t *run_event_log(const char *level, const char *text)
{
    return json_pack("{s:s, s:s, s:o}", "message_type", "log", "level", level, "message",
                     run_event_text(text));
}
