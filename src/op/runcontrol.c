/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runcontrol.h"

#include "base/clock.h"
#include "base/error.h"
#include <pthread.h>

#define NAP_MS 100

struct RunControl {
    const Cancel *asked;
    Cancel *cancel;
    int64_t until_ms; /* 0: as long as it takes */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    GError *why;
    bool stop;
};

const Cancel *run_control_cancel(const RunControl *control)
{
    return control->cancel;
}

void run_control_end(RunControl *control, const GError *why)
{
    pthread_mutex_lock(&control->lock);
    if (!control->why)
        control->why = g_error_copy(why);
    pthread_mutex_unlock(&control->lock);
    cancel_set(control->cancel);
}

static void look(RunControl *control)
{
    g_autoptr(GError) why = NULL;

    if (!cancel_check(control->asked, &why)) {
        run_control_end(control, why);
    } else if (control->until_ms > 0 && clock_monotonic_ms() > control->until_ms) {
        g_set_error_literal(&why, BS_ERROR, BS_ERROR_FAILED, RUN_TIMEOUT);
        run_control_end(control, why);
    }
}

bool run_control_check(RunControl *control, GError **error)
{
    bool goes_on;

    look(control);
    pthread_mutex_lock(&control->lock);
    goes_on = !control->why;
    if (!goes_on)
        g_propagate_error(error, g_error_copy(control->why));
    pthread_mutex_unlock(&control->lock);
    return goes_on;
}

static void *control_main(void *user)
{
    RunControl *control = user;
    bool stop = false;

    while (!stop) {
        look(control);
        (void)cancel_sleep(NULL, NAP_MS, NULL); // nothing cancels it
        pthread_mutex_lock(&control->lock);
        stop = control->stop;
        pthread_mutex_unlock(&control->lock);
    }
    return NULL;
}

RunControl *run_control_new(const Cancel *asked, int64_t timeout_ms)
{
    RunControl *control = g_new0(RunControl, 1);

    control->asked = asked;
    control->cancel = cancel_new();
    control->until_ms = timeout_ms > 0 ? clock_monotonic_ms() + timeout_ms : 0;
    pthread_mutex_init(&control->lock, NULL);
    g_assert(pthread_create(&control->thread, NULL, control_main, control) == 0);
    return control;
}

void run_control_free(RunControl *control)
{
    if (!control)
        return;
    pthread_mutex_lock(&control->lock);
    control->stop = true;
    pthread_mutex_unlock(&control->lock);
    pthread_join(control->thread, NULL);
    pthread_mutex_destroy(&control->lock);
    cancel_free(control->cancel);
    g_clear_error(&control->why);
    g_free(control);
}
