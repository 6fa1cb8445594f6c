/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runstatus.h"

#include "base/cancel.h"
#include "base/clock.h"
#include <pthread.h>

#define INTERVAL_MS 1000

json_t *status_json(Progress *progress, double elapsed)
{
    char current[512];
    json_t *object = json_pack("{s:s, s:I, s:f}", "message_type", "status", "seconds_elapsed",
                               (json_int_t)elapsed, "percent_done", progress_share(progress));
    json_t *files = json_array();

    if (progress->total_known) {
        json_object_set_new(object, "seconds_remaining",
                            json_integer((json_int_t)progress_seconds_left(progress, elapsed)));
        json_object_set_new(object, "total_files", json_integer((json_int_t)progress->files_total));
        json_object_set_new(object, "total_bytes", json_integer((json_int_t)progress->bytes_total));
    }
    json_object_set_new(object, "files_done", json_integer((json_int_t)progress->files_done));
    json_object_set_new(object, "bytes_done", json_integer((json_int_t)progress->bytes_done));
    if (progress->errors)
        json_object_set_new(object, "error_count", json_integer((json_int_t)progress->errors));
    progress_get_current(progress, current);
    if (*current)
        json_array_append_new(files, run_event_text(current));
    json_object_set_new(object, "current_files", files);
    return object;
}

struct RunStatus {
    RunEvents *events;
    Progress *progress;
    Cancel *stop;
    int64_t started_ms;
    pthread_t thread;
};

static void *status_main(void *user)
{
    RunStatus *status = user;

    while (cancel_sleep(status->stop, INTERVAL_MS, NULL)) {
        double elapsed = (double)(clock_monotonic_ms() - status->started_ms) / 1000;

        run_events_add(status->events, status_json(status->progress, elapsed));
    }
    return NULL;
}

RunStatus *run_status_start(RunEvents *events, Progress *progress)
{
    RunStatus *status = g_new0(RunStatus, 1);

    *status = (RunStatus){ events, progress, cancel_new(), clock_monotonic_ms(), 0 };
    g_assert(pthread_create(&status->thread, NULL, status_main, status) == 0);
    return status;
}

void run_status_stop(RunStatus *status)
{
    if (!status)
        return;
    cancel_set(status->stop);
    pthread_join(status->thread, NULL);
    cancel_free(status->stop);
    g_free(status);
}
