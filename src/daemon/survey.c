/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/survey.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "daemon/process.h"
#include "state/settings.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLUSTER    "pgcluster:"
#define OUTPUT_MAX (8u * 1024 * 1024)
#define STORE_MS   ((int64_t)30 * 60 * 1000) /* a bucket with millions of objects, and retries */
#define LAG_MS     ((int64_t)5 * 60 * 1000)
#define AGAIN_S    60
#define KILL_MS    10000 /* after it was asked to end */

/* One thing to measure; strings are borrowed from the configuration, name is owned. */
typedef struct {
    MeasureKind kind;
    char *name, *repository, *source;
} Subject;

struct Survey {
    const char *program, *config;
    Catalog *catalog;
    GHashTable *due; /* name -> int64_t, of clock_monotonic_ms() */
    pid_t pid;       /* 0: nothing is under way; then all of the next is empty */
    Subject subject;
    int output;
    int64_t until; /* of clock_monotonic_ms() */
    bool asked;    /* to end */
    bool news;
};

static void subject_clear(Subject *subject)
{
    g_free(subject->name);
    g_free(subject->repository);
    g_free(subject->source);
    *subject = (Subject){ 0 };
}

Survey *survey_new(const char *program, const char *config, Catalog *catalog)
{
    Survey *survey = g_new0(Survey, 1);

    survey->program = program;
    survey->config = config;
    survey->catalog = catalog;
    survey->output = -1;
    survey->due = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return survey;
}

void survey_free(Survey *survey)
{
    if (!survey)
        return;
    if (survey->pid > 0 && process_signal(survey->pid, 0, SIGKILL))
        while (waitpid(survey->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    fs_clear_fd(&survey->output);
    subject_clear(&survey->subject);
    g_hash_table_unref(survey->due);
    g_free(survey);
}

/* ---- rows ---- */

json_t *survey_row(Catalog *catalog, MeasureKind kind, const char *repository, const char *source)
{
    g_autofree char *name = measured_name(kind, repository, source);
    json_t *row = NULL;

    return catalog_setting_get(catalog, name, &row, NULL, NULL) ? row : NULL;
}

static void say_change(const Subject *subject, const json_t *before, const json_t *row)
{
    const char *what = measured_word(subject->kind);
    const char *why = json_string_value(json_object_get(row, "error"));

    if (why && (!before || measured_up(before)))
        log_warn("cannot be measured", "what", what, "repository", subject->repository, "source",
                 subject->source ? subject->source : "", "error", why, NULL);
    else if (!why && before && !measured_up(before))
        log_info("can be measured again", "what", what, "repository", subject->repository, "source",
                 subject->source ? subject->source : "", NULL);
}

static void keep(Survey *survey, const json_t *said, int status, const char *text)
{
    const Subject *subject = &survey->subject;
    g_autoptr(GError) error = NULL;
    json_t *before = NULL, *row;
    unsigned version = 0;

    if (!catalog_setting_get(survey->catalog, subject->name, &before, &version, &error) &&
        !g_error_matches(error, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        log_warn("a measurement cannot be kept", "error", error->message, NULL);
        return;
    }
    g_clear_error(&error);
    row = measured_take(subject->kind, before, said, status, text, clock_now().sec);
    say_change(subject, before, row);
    // when another daemon was faster its numbers are as good
    if (!catalog_setting_put(survey->catalog, subject->name, row, version, NULL, &error) &&
        !g_error_matches(error, BS_ERROR, BS_ERROR_STALE))
        log_warn("a measurement cannot be kept", "error", error->message, NULL);
    json_decref(before);
    json_decref(row);
    survey->news = true;
}

/* ---- a child ---- */

static bool start(Survey *survey, Subject *subject, GError **error)
{
    g_autofree char *lag = g_strconcat("@", subject->source, NULL);
    const char *const stats[] = { "stats", "--store", NULL };
    const char *const way[] = { "wal", "check", NULL };
    const char *const behind[] = { "wal", "check", "--lag", lag, NULL };
    const char *const *words = subject->kind == MEASURE_STORE ? stats
                               : subject->kind == MEASURE_WAY ? way
                                                              : behind;
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    ProcessStart child = { 0 };

    g_ptr_array_add(argv, (char *)survey->program);
    for (; *words; words++)
        g_ptr_array_add(argv, (char *)*words);
    g_ptr_array_add(argv, (char *)"--json");
    g_ptr_array_add(argv, (char *)"-r");
    g_ptr_array_add(argv, subject->repository);
    if (survey->config) {
        g_ptr_array_add(argv, (char *)"--config");
        g_ptr_array_add(argv, (char *)survey->config);
    }
    g_ptr_array_add(argv, NULL);
    survey->output = memfd_create("measure", MFD_CLOEXEC);
    if (survey->output < 0) {
        bs_error_errno(error, errno, "memfd");
        return false;
    }
    child.argv = (const char *const *)argv->pdata;
    child.output = survey->output;
    child.dies_with_us = true;
    if (!process_start(&child, &survey->pid, error)) {
        fs_clear_fd(&survey->output);
        return false;
    }
    survey->subject = *subject;
    *subject = (Subject){ 0 };
    survey->until =
        clock_monotonic_ms() + (survey->subject.kind == MEASURE_LAG ? LAG_MS : STORE_MS);
    survey->asked = false;
    return true;
}

static char *read_output(int fd)
{
    g_autofree char *text = g_malloc(OUTPUT_MAX + 1);
    size_t len = 0;
    ssize_t n;

    while (len < OUTPUT_MAX && (n = pread(fd, text + len, OUTPUT_MAX - len, (off_t)len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return g_realloc(g_steal_pointer(&text), len + 1);
}

/* Objects of a line each; anything else is what it says on standard error. */
static json_t *parse_output(const char *text, char **ret_words)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    json_t *said = json_array();
    const char *last = "";

    for (char **line = lines; *line; line++) {
        json_t *object = json_loads(*line, 0, NULL);

        if (json_is_object(object))
            json_array_append_new(said, object);
        else
            json_decref(object);
        if (!object && **line)
            last = *line;
    }
    *ret_words = g_strdup(last);
    return said;
}

bool survey_reaped(Survey *survey, pid_t pid, int status)
{
    g_autofree char *text = NULL, *words = NULL;
    json_t *said;

    if (survey->pid == 0 || pid != survey->pid)
        return false;
    text = read_output(survey->output);
    said = parse_output(text, &words);
    if (WIFSIGNALED(status)) {
        g_free(words);
        words = g_strdup(survey->asked ? "it took too long" : "it was killed");
    }
    keep(survey, said, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), words);
    json_decref(said);
    fs_clear_fd(&survey->output);
    subject_clear(&survey->subject);
    survey->pid = 0;
    return true;
}

bool survey_has_news(Survey *survey)
{
    const bool news = survey->news;

    survey->news = false;
    return news;
}

/* ---- what is due ---- */

const char *survey_server_of(const Configuration *configuration, const char *source)
{
    const SourceConfig *config = configuration_source(configuration, source);

    return config && config->url && g_str_has_prefix(config->url, CLUSTER "postgres")
               ? config->url + strlen(CLUSTER)
               : NULL;
}

static int64_t due_at(Survey *survey, const char *name, int64_t every_s)
{
    const int64_t *known = g_hash_table_lookup(survey->due, name);
    json_t *row = NULL;
    int64_t *at;

    if (known && *known > clock_monotonic_ms())
        return *known;
    // another daemon may have measured it, or this one before it was started again
    (void)catalog_setting_get(survey->catalog, name, &row, NULL, NULL);
    at = g_new(int64_t, 1);
    *at = clock_monotonic_ms() +
          CLAMP(measured_at(row) + every_s - clock_now().sec, 0, every_s) * 1000;
    json_decref(row);
    g_hash_table_insert(survey->due, g_strdup(name), at);
    return *at;
}

typedef struct {
    Survey *survey;
    Subject first; /* the most overdue */
    int64_t at;    /* when that is due; INT64_MAX: nothing is, ever */
    int64_t every_s;
} Look;

static void look_at(Look *look, MeasureKind kind, const char *repository, const char *source,
                    int64_t every_s)
{
    g_autofree char *name = measured_name(kind, repository, source);
    const int64_t at = every_s > 0 ? due_at(look->survey, name, every_s) : INT64_MAX;

    if (at >= look->at)
        return;
    subject_clear(&look->first);
    look->at = at;
    look->every_s = every_s;
    look->first = (Subject){ .kind = kind,
                             .name = g_steal_pointer(&name),
                             .repository = g_strdup(repository),
                             .source = g_strdup(source) };
}

static void look_at_all(Look *look, const Configuration *configuration,
                        const Schedule *const *schedules, size_t n)
{
    const ServerConfig *server = &configuration->server;
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, configuration->repositories);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        look_at(look, MEASURE_STORE, name, NULL, server->stores_every);
    for (size_t i = 0; i < n; i++)
        for (char **source = schedules[i]->sources; source && *source; source++) {
            if (!survey_server_of(configuration, *source))
                continue;
            look_at(look, MEASURE_LAG, schedules[i]->repository, *source, server->wal_every);
            look_at(look, MEASURE_WAY, schedules[i]->repository, NULL, server->stores_every);
        }
}

/* ---- turns ---- */

static int64_t end_slow(Survey *survey, int64_t now)
{
    if (now >= survey->until) {
        (void)process_signal(survey->pid, 0, survey->asked ? SIGKILL : SIGTERM);
        survey->asked = true;
        survey->until = now + KILL_MS;
    }
    return survey->until - now;
}

int64_t survey_turn(Survey *survey, const Configuration *configuration,
                    const Schedule *const *schedules, size_t n)
{
    const int64_t now = clock_monotonic_ms();
    Look look = { .survey = survey, .at = INT64_MAX };
    g_autoptr(GError) error = NULL;

    if (survey->pid > 0)
        return end_slow(survey, now);
    look_at_all(&look, configuration, schedules, n);
    if (look.at <= now) {
        int64_t *next = g_new(int64_t, 1);

        // should it fail to start, or its answer not be kept
        *next = now + MIN(look.every_s, AGAIN_S) * 1000;
        g_hash_table_insert(survey->due, g_strdup(look.first.name), next);
        if (!start(survey, &look.first, &error))
            log_warn("cannot be measured", "error", error->message, NULL);
        look.at = survey->pid > 0 ? survey->until : now + 1000;
    }
    subject_clear(&look.first);
    return look.at == INT64_MAX ? INT64_MAX : look.at - now;
}
