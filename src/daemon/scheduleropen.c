/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler opens when it starts, before there is anything that it could schedule. */
#include "base/error.h"
#include "daemon/scheduling.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

bool scheduler_lock_state(Scheduler *scheduler, GError **error)
{
    g_autofree char *path = g_build_filename(scheduler->places.state, "daemon.lock", NULL);

    scheduler->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (scheduler->lock < 0) {
        bs_error_errno(error, errno, "open %s", path);
        return false;
    }
    if (flock(scheduler->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                    "another daemon has %s; stop it, or give this one another state directory",
                    scheduler->places.state);
    else
        bs_error_errno(error, errno, "lock %s", path);
    return false;
}

/* They come through a descriptor, so that nothing is interrupted and nothing is lost. */
bool scheduler_take_signals(Scheduler *scheduler, GError **error)
{
    static const int taken[] = { SIGHUP, SIGTERM, SIGINT, SIGCHLD };
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < G_N_ELEMENTS(taken); i++)
        (void)sigaddset(&set, taken[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        scheduler->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    scheduler->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (scheduler->signals >= 0 && scheduler->timer >= 0)
        return true;
    bs_error_errno(error, errno, "signals and timer");
    return false;
}

bool scheduler_open_catalog(Scheduler *scheduler, GError **error)
{
    const ServerConfig *server = &scheduler->configuration->server;
    g_autofree char *file = g_strdup_printf("sqlite:%s/catalogue.db", scheduler->places.state);
    g_autoptr(Secret) password = NULL;

    scheduler->node = g_strdup(server->node ? server->node : g_get_host_name());
    if (server->catalogue_password &&
        !reference_resolve("server.catalogue_password", server->catalogue_password, &password,
                           error))
        return false;
    return catalog_open(server->catalogue ? server->catalogue : file, password, &scheduler->catalog,
                        error);
}
