/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's archive module (archive_library = 'backstay', PostgreSQL 15 and later): hands each
 * file of the write-ahead log to `backstay wal serve` and waits until that says that it is durable.
 * It runs inside the server's archiver process, so it has nothing of ours in it but the protocol
 * (doc/wal-protocol.md); key, repository and store are the other process's. PostgreSQL
 * documentation, "Archive Modules".
 */
#include "postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "postmaster/pgarch.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "archive/archive_module.h"
#endif

#include "pg/walsocket.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

#define START_IT "Is \"backstay wal serve\" running, as this user or as root, with this socket?"

static char *socket_path;
static int timeout_s;
static int link_fd = -1; /* kept from file to file */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* ---- the link ---- */

/* What was named is trusted; in the usual place only a server of this user or of root is. */
static bool is_trusted(int fd)
{
    uid_t uid;

    return strcmp(socket_path, WALSOCKET_SYSTEM) != 0 ||
           (walsocket_peer(fd, &uid) && (uid == geteuid() || uid == 0));
}

static bool open_link(void)
{
    link_fd = walsocket_connect(socket_path);
    if (link_fd < 0) {
        ereport(WARNING,
                (errmsg("backstay: no WAL server at \"%s\": %m", socket_path), errhint(START_IT)));
        return false;
    }
    if (is_trusted(link_fd))
        return true;
    close_fd(&link_fd);
    ereport(WARNING, (errmsg("backstay: the WAL server at \"%s\" is neither this user's nor root's",
                             socket_path),
                      errhint("Name a socket of your own in backstay.socket to trust it.")));
    return false;
}

/* A link that was idle may have been closed by the server: that is found out by sending. */
static bool send_request(const WalWireRequest *request, const int *fds)
{
    char packet[WALWIRE_MAX];
    size_t len = walwire_format_request(request, packet);

    if (len == 0) {
        ereport(WARNING, (errmsg("backstay: \"%s\" cannot be handed over", request->name)));
        return false;
    }
    if (link_fd >= 0 && walsocket_send(link_fd, packet, len, fds, WALWIRE_FDS))
        return true;
    close_fd(&link_fd);
    if (!open_link())
        return false;
    if (walsocket_send(link_fd, packet, len, fds, WALWIRE_FDS))
        return true;
    ereport(WARNING, (errmsg("backstay: the WAL server at \"%s\" takes nothing: %m", socket_path),
                      errhint(START_IT)));
    return false;
}

/* ---- waiting ---- */

typedef enum { ANSWERED, SILENT, ENDED, STOPPED } Outcome;

static long ms_until(TimestampTz until)
{
    return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
}

/* 1: an answer, 0: none yet, -1: the end. */
static int take_packet(WalWireAnswer *ret_answer)
{
    char packet[WALWIRE_MAX];
    int fds[WALWIRE_FDS];
    unsigned n_fds = 0;
    ssize_t n = walsocket_receive(link_fd, packet, fds, &n_fds);

    if (n < 0 && errno == EAGAIN)
        return 0;
    while (n_fds > 0)
        (void)close(fds[--n_fds]);
    return n > 0 && walwire_parse_answer(packet, (size_t)n, ret_answer) ? 1 : -1;
}

/* Until the answer, or no word for half a minute, or backstay.timeout, or the server stops.
 * *latched: somebody has set our latch, and the archiver shall see that, too. */
static Outcome await_answer(WalWireAnswer *ret_answer, bool *latched)
{
    TimestampTz start = GetCurrentTimestamp();
    TimestampTz end = TimestampTzPlusMilliseconds(start, (int64)timeout_s * 1000);
    TimestampTz silent = TimestampTzPlusMilliseconds(start, WALWIRE_SILENT_MS);

    for (;;) {
        long left = Min(ms_until(end), ms_until(silent));
        int events, got;

        if (left <= 0)
            return SILENT;
        events = WaitLatchOrSocket(
            MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, link_fd,
            left, PG_WAIT_EXTENSION);
        if (events & WL_LATCH_SET) {
            ResetLatch(MyLatch);
            *latched = true;
            CHECK_FOR_INTERRUPTS();
            if (ShutdownRequestPending)
                return STOPPED;
        }
        if (!(events & WL_SOCKET_READABLE))
            continue;
        got = take_packet(ret_answer);
        if (got < 0)
            return ENDED;
        if (got > 0 && ret_answer->kind != WALWIRE_WAIT)
            return ANSWERED;
        silent = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), WALWIRE_SILENT_MS);
    }
}

/* ---- one file ---- */

/* Only a clear yes, for a file of this length and cluster, lets PostgreSQL throw it away. */
static bool is_durable(const WalWireAnswer *answer, const char *file, off_t len)
{
    switch (answer->kind) {
    case WALWIRE_DONE:
        if (answer->len == (uint64_t)len && answer->system_id == GetSystemIdentifier())
            return true;
        ereport(WARNING, (errmsg("backstay: the WAL server's answer is not about \"%s\"", file)));
        return false;
    case WALWIRE_FAILED:
        ereport(WARNING, (errmsg("backstay: \"%s\" is not archived: %s", file, answer->text)));
        return false;
    case WALWIRE_AWAY:
        ereport(WARNING,
                (errmsg("backstay: the WAL server does not take \"%s\": %s", file, answer->text)));
        return false;
    case WALWIRE_PONG:
    case WALWIRE_WAIT:
        break;
    }
    return false;
}

static bool ask(const WalWireRequest *request, const int *fds, off_t len)
{
    WalWireAnswer answer;
    bool latched = false;
    Outcome outcome;

    if (!send_request(request, fds))
        return false;
    outcome = await_answer(&answer, &latched);
    if (latched)
        SetLatch(MyLatch);
    if (outcome == ANSWERED)
        return is_durable(&answer, request->name, len);
    close_fd(&link_fd); // an answer that comes later is not for the next file
    if (outcome != STOPPED)
        ereport(WARNING,
                (errmsg("backstay: no answer from the WAL server for \"%s\"; it %s", request->name,
                        outcome == ENDED ? "closed the connection" : "is silent or busy"),
                 errhint(START_IT)));
    return false;
}

static bool open_both(const char *path, int fds[WALWIRE_FDS], off_t *ret_len)
{
    const char *slash = strrchr(path, '/');
    char folder[MAXPGPATH];
    struct stat st;

    strlcpy(folder, slash ? path : ".", sizeof folder);
    if (slash && (size_t)(slash - path) < sizeof folder)
        folder[slash - path] = '\0';
    fds[0] = open(path, O_RDONLY | O_CLOEXEC);
    fds[1] = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fds[0] >= 0 && fds[1] >= 0 && fstat(fds[0], &st) == 0) {
        *ret_len = st.st_size;
        return true;
    }
    ereport(WARNING, (errcode_for_file_access(), errmsg("backstay: cannot open \"%s\": %m", path)));
    return false;
}

static bool archive_file(const char *file, const char *path)
{
    WalWireRequest request = { .verb = WALWIRE_PUSH, .system_id = GetSystemIdentifier() };
    int fds[WALWIRE_FDS] = { -1, -1 };
    off_t len;
    bool durable;

    strlcpy(request.name, file, sizeof request.name);
    durable = open_both(path, fds, &len) && ask(&request, fds, len);
    close_fd(&fds[0]);
    close_fd(&fds[1]);
    if (durable)
        ereport(DEBUG1, (errmsg("backstay: archived \"%s\"", file)));
    return durable;
}

static bool is_configured(void)
{
    struct sockaddr_un address;

    return socket_path && socket_path[0] == '/' && walsocket_address(socket_path, &address);
}

/* ---- what PostgreSQL calls ---- */

void _PG_init(void)
{
    DefineCustomStringVariable("backstay.socket",
                               "Socket of the WAL server (backstay wal serve --socket).", NULL,
                               &socket_path, WALSOCKET_SYSTEM, PGC_SIGHUP, 0, NULL, NULL, NULL);
    DefineCustomIntVariable(
        "backstay.timeout", "How long to wait for a file to be archived before it is tried again.",
        NULL, &timeout_s, 300, 1, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
    MarkGUCPrefixReserved("backstay");
}

#if PG_VERSION_NUM >= 160000

static bool check_configured_cb(ArchiveModuleState *state)
{
    if (is_configured())
        return true;
#if PG_VERSION_NUM >= 170000
    arch_module_check_errdetail("backstay.socket must be an absolute path of at most 107 bytes.");
#endif
    return false;
}

static bool archive_file_cb(ArchiveModuleState *state, const char *file, const char *path)
{
    return archive_file(file, path);
}

static void shutdown_cb(ArchiveModuleState *state)
{
    close_fd(&link_fd);
}

PGDLLEXPORT const ArchiveModuleCallbacks *_PG_archive_module_init(void);

const ArchiveModuleCallbacks *_PG_archive_module_init(void)
{
    static const ArchiveModuleCallbacks callbacks = {
        .check_configured_cb = check_configured_cb,
        .archive_file_cb = archive_file_cb,
        .shutdown_cb = shutdown_cb,
    };

    return &callbacks;
}

#else

static void shutdown_cb(void)
{
    close_fd(&link_fd);
}

PGDLLEXPORT void _PG_archive_module_init(ArchiveModuleCallbacks *callbacks);

void _PG_archive_module_init(ArchiveModuleCallbacks *callbacks)
{
    *callbacks = (ArchiveModuleCallbacks){
        .check_configured_cb = is_configured,
        .archive_file_cb = archive_file,
        .shutdown_cb = shutdown_cb,
    };
}

#endif
