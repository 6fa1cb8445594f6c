/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webchild.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/process.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MIN_MS 1000
#define WAIT_MAX_MS 60000 /* who lived that long begins anew */

static void start(WebChild *web, int64_t now)
{
    const char *const argv[] = { web->program, "daemon", "--web", web->config ? "--config" : NULL,
                                 web->config,  NULL };
    const ProcessStart child = {
        .argv = argv, .dir = "/", .output = STDERR_FILENO, .dies_with_us = true
    };
    g_autoptr(GError) error = NULL;

    web->started_ms = now;
    if (process_start(&child, &web->pid, &error))
        return;
    log_error("the web process cannot be started", "error", error->message, NULL);
    web->start_at = now + WAIT_MAX_MS;
}

int64_t web_child_turn(WebChild *web)
{
    const int64_t now = clock_monotonic_ms();

    if (!web->wanted) {
        if (web->pid > 0)
            web_child_stop(web);
        return INT64_MAX;
    }
    if (web->pid == 0 && web->start_at <= now)
        start(web, now);
    return web->pid > 0 ? INT64_MAX : web->start_at - now;
}

bool web_child_reaped(WebChild *web, pid_t pid, int status)
{
    const int64_t now = clock_monotonic_ms();
    g_autofree char *how = NULL;

    if (pid != web->pid)
        return false;
    web->pid = 0;
    if (!web->wanted)
        return true;
    web->wait_ms = now - web->started_ms > WAIT_MAX_MS
                       ? WAIT_MIN_MS
                       : CLAMP(web->wait_ms * 2, WAIT_MIN_MS, WAIT_MAX_MS);
    web->start_at = now + web->wait_ms;
    how = WIFSIGNALED(status) ? g_strdup_printf("signal %d", WTERMSIG(status))
                              : g_strdup_printf("exit status %d", WEXITSTATUS(status));
    log_error("the web process has ended and is started again", "by", how, NULL);
    return true;
}

void web_child_reload(WebChild *web)
{
    if (web->pid > 0)
        (void)process_signal(web->pid, 0, SIGHUP);
}

void web_child_stop(WebChild *web)
{
    web->wanted = false;
    if (web->pid > 0)
        (void)process_signal(web->pid, 0, SIGTERM);
}
