/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/plural.h"
#include "cmd/output.h"
#include "op/runstatus.h"
#include "plan/amount.h"
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_MS 500

struct ProgressLine {
    Progress *progress;
    bool json, terminal;
    int64_t started_ms;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stop;
};

bool progress_line_wanted(const Settings *settings)
{
    return !settings->quiet && (settings->json || isatty(STDERR_FILENO));
}

static unsigned terminal_width(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void draw(ProgressLine *line)
{
    Progress *progress = line->progress;
    double elapsed = (double)(clock_monotonic_ms() - line->started_ms) / 1000;
    g_autofree char *time = output_duration(elapsed);
    g_autofree char *bytes = size_format(progress->bytes_done);
    g_autofree char *total = size_format(progress->bytes_total);
    g_autofree char *rate =
        size_format((uint64_t)((double)progress->bytes_done / MAX(elapsed, 0.1)));
    g_autoptr(GString) text = g_string_new(NULL);
    char current[512];

    g_string_append_printf(text, "[%s] ", time);
    if (progress->total_known) {
        g_autofree char *left = output_duration(progress_seconds_left(progress, elapsed));

        g_string_append_printf(text,
                               "%.1f%%  %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                               " files  %s of %s  %s/s  ETA %s",
                               progress_share(progress) * 100, progress->files_done,
                               progress->files_total, bytes, total, rate, left);
    } else {
        g_string_append_printf(text, "%" G_GUINT64_FORMAT " files  %s  %s/s", progress->files_done,
                               bytes, rate);
    }
    if (progress->errors)
        g_string_append_printf(text, "  %" G_GUINT64_FORMAT " %s", progress->errors,
                               plural(progress->errors, "error", "errors"));
    progress_get_current(progress, current);
    if (*current)
        g_string_append_printf(text, "  %s", current);
    for (char *byte = text->str; *byte; byte++)
        if ((unsigned char)*byte < 0x20 || *byte == 0x7f)
            *byte = '?'; // a file name must not command the terminal
    if (text->len >= terminal_width())
        g_string_truncate(text, terminal_width() - 1);
    (void)fprintf(stderr, "\r\033[K%s", text->str);
    (void)fflush(stderr);
}

static void print_status(ProgressLine *line)
{
    double elapsed = (double)(clock_monotonic_ms() - line->started_ms) / 1000;

    output_json(status_json(line->progress, elapsed));
    (void)fflush(stdout); // whoever follows it by a pipe is not told late
}

static bool wait_or_stop(ProgressLine *line)
{
    struct timespec until;
    bool stop;

    (void)clock_gettime(CLOCK_REALTIME, &until); // cannot fail with this clock
    until.tv_nsec += INTERVAL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&line->mutex);
    if (!line->stop)
        (void)pthread_cond_timedwait(&line->changed, &line->mutex, &until); // early is fine
    stop = line->stop;
    pthread_mutex_unlock(&line->mutex);
    return stop;
}

static void *line_main(void *arg)
{
    ProgressLine *line = arg;

    while (!wait_or_stop(line)) {
        if (line->json)
            print_status(line);
        else
            draw(line);
    }
    return NULL;
}

ProgressLine *progress_line_start(const Settings *settings, Progress *progress)
{
    ProgressLine *line;

    if (!progress || !progress_line_wanted(settings))
        return NULL;
    line = g_new0(ProgressLine, 1);
    line->progress = progress;
    line->json = settings->json;
    line->started_ms = clock_monotonic_ms();
    pthread_mutex_init(&line->mutex, NULL);
    pthread_cond_init(&line->changed, NULL);
    g_assert(pthread_create(&line->thread, NULL, line_main, line) == 0);
    return line;
}

void progress_line_stop(ProgressLine *line)
{
    if (!line)
        return;
    pthread_mutex_lock(&line->mutex);
    line->stop = true;
    pthread_cond_signal(&line->changed);
    pthread_mutex_unlock(&line->mutex);
    pthread_join(line->thread, NULL);
    if (!line->json)
        (void)fputs("\r\033[K", stderr);
    pthread_cond_destroy(&line->changed);
    pthread_mutex_destroy(&line->mutex);
    g_free(line);
}

Progress *progress_show(ShownProgress *shown, const Settings *settings, bool wanted)
{
    wanted = wanted && progress_line_wanted(settings);
    progress_init(&shown->counters);
    shown->line = wanted ? progress_line_start(settings, &shown->counters) : NULL;
    return wanted ? &shown->counters : NULL;
}

void progress_hide(ShownProgress *shown)
{
    progress_line_stop(shown->line);
    progress_done(&shown->counters);
}
