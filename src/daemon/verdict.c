/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/verdict.h"

#include "base/error.h"
#include "daemon/survey.h"
#include "state/settings.h"

#include <math.h>
#include <string.h>

#define REPOSITORY   "repository/"
#define DAYS_LEAST   7    /* conventions, section 5: "destination < 7 days" */
#define DAYS_ENOUGH  8    /* between the two nothing changes: it would come and go */
#define SHARE_LEAST  0.05 /* of the disk or quota */
#define SHARE_ENOUGH 0.06
#define LAG_BYTES    (64.0 * 1024 * 1024) /* four segments: a quiet server's last one may wait */
#define LAG_S        900
#define DISK_S       (6 * 3600) /* until pg_wal has filled its disk */
#define OLD_S        3600       /* a measurement that is later than that says nothing of now */

void verdict_free(Verdict *verdict)
{
    if (!verdict)
        return;
    g_free(verdict->subject);
    g_free(verdict->name);
    g_free(verdict->text);
    g_free(verdict);
}

static void free_verdict(gpointer verdict)
{
    verdict_free(verdict);
}

static char *size_of(double bytes)
{
    return g_format_size_full((guint64)MAX(bytes, 0), G_FORMAT_SIZE_IEC_UNITS);
}

/* ---- room ---- */

Verdict *verdict_of_room(const json_t *row, uint64_t quota)
{
    Verdict *verdict = g_new0(Verdict, 1);
    g_autofree char *left = NULL, *all = NULL;
    MeasuredRoom room;
    bool grows;

    verdict->condition = CONDITION_REPOSITORY_FULL;
    if (!measured_up(row) || !measured_room(row, quota, &room))
        return verdict;
    grows = !isnan(room.days_left);
    left = size_of(room.free);
    all = size_of(room.room);
    verdict->wrong = room.free < SHARE_LEAST * room.room || (grows && room.days_left < DAYS_LEAST);
    verdict->right =
        room.free >= SHARE_ENOUGH * room.room && (!grows || room.days_left >= DAYS_ENOUGH);
    verdict->text = grows
                        ? g_strdup_printf("%s of %s are left; at the growth of the last days that "
                                          "lasts %.1f days",
                                          left, all, room.days_left)
                        : g_strdup_printf("%s of %s are left", left, all);
    return verdict;
}

/* ---- WAL ---- */

static char *why_behind(const json_t *row, const Schedule *schedule)
{
    const double bytes = measured_number(row, "lag_bytes");
    const double seconds = measured_number(row, "lag_seconds");
    const double full = measured_number(row, "seconds_until_full");
    const json_t *archiver = json_object_get(measured_told(row), "archiver");
    const char *failed = json_string_value(json_object_get(archiver, "last_failed"));
    g_autofree char *size = size_of(isnan(bytes) ? 0 : bytes);
    const bool failing = json_is_true(json_object_get(archiver, "failing"));

    if (failing && full >= 0 && full < DISK_S)
        return g_strdup_printf("its archiver fails (%s), and in %.1f h pg_wal has filled the disk",
                               failed ? failed : "no file named", full / 3600);
    if (failing)
        return g_strdup_printf("its archiver fails (%s)", failed ? failed : "no file named");
    if (isnan(bytes)) // who promises no moment may well archive nothing
        return duration_is_zero(&schedule->keep_pitr)
                   ? NULL
                   : g_strdup("nothing of the WAL of its timeline is archived");
    if (schedule->rpo_target > 0 ? seconds > (double)schedule->rpo_target
                                 : bytes > LAG_BYTES && seconds > LAG_S)
        return g_strdup_printf("not archived: %s of WAL; the newest that is came %.0f s ago", size,
                               seconds);
    return NULL;
}

Verdict *verdict_of_lag(const json_t *row, const Schedule *schedule, int64_t every_s, int64_t now)
{
    Verdict *verdict = g_new0(Verdict, 1);

    verdict->condition = CONDITION_WAL_LAG;
    if (!measured_up(row) || now - measured_seen(row) > 3 * every_s + OLD_S)
        return verdict;
    verdict->text = why_behind(row, schedule);
    verdict->wrong = verdict->text != NULL;
    verdict->right = !verdict->wrong;
    return verdict;
}

/* One for all clusters of the schedule: wrong when any is, right when all are. */
static Verdict *judge_wal(Catalog *catalog, const Configuration *configuration,
                          const Schedule *schedule, int64_t now)
{
    Verdict *all = g_new0(Verdict, 1);
    GString *text = g_string_new(NULL);
    unsigned n = 0, n_right = 0;

    all->condition = CONDITION_WAL_LAG;
    for (char **source = schedule->sources; source && *source; source++) {
        g_autoptr(Verdict) one = NULL;
        json_t *row;

        if (!survey_server_of(configuration, *source))
            continue;
        row = survey_row(catalog, MEASURE_LAG, schedule->repository, *source);
        one = verdict_of_lag(row, schedule, configuration->server.wal_every, now);
        json_decref(row);
        n++;
        n_right += one->right;
        all->wrong = all->wrong || one->wrong;
        if (one->wrong)
            g_string_append_printf(text, "%s%s: %s", text->len > 0 ? "\n" : "", *source, one->text);
    }
    all->right = n > 0 && n_right == n;
    all->text = g_string_free(text, FALSE);
    return all;
}

/* ---- proofs ---- */

bool verdict_newest_drill(Catalog *catalog, const char *schedule, unsigned states, RunRow *ret_row,
                          GError **error)
{
    const RunQuery query = { .schedule = schedule, .kind = "drill", .states = states, .limit = 1 };
    g_autoptr(GArray) rows = NULL;

    if (!catalog_runs(catalog, &query, &rows, error))
        return false;
    if (rows->len > 0) {
        *ret_row = g_array_index(rows, RunRow, 0);
        g_array_index(rows, RunRow, 0) = (RunRow){ 0 };
    }
    return true;
}

/* Since when a proof is asked for: one that was never drilled is stale some day, too, however often
 * the daemon is started anew. Unix seconds. */
static int64_t asked_since(Catalog *catalog, const Schedule *schedule, int64_t now)
{
    g_autofree char *name = g_strconcat("measured/proof/", schedule->id, NULL);
    json_t *value = NULL;
    int64_t since = now;

    if (catalog_setting_get(catalog, name, &value, NULL, NULL)) {
        since = json_integer_value(json_object_get(value, "since"));
    } else {
        value = json_pack("{s:I}", "since", (json_int_t)now);
        (void)catalog_setting_put(catalog, name, value, 0, NULL, NULL); // the next look does
    }
    json_decref(value);
    return since;
}

static Verdict *judge_drill(const RunRow *drill)
{
    Verdict *verdict = g_new0(Verdict, 1);

    verdict->condition = CONDITION_DRILL_FAILED;
    verdict->wrong = drill->id && drill->state == RUN_FAILED;
    verdict->right = drill->id && drill->state == RUN_SUCCEEDED;
    verdict->text = g_strdup(drill->error);
    return verdict;
}

static Verdict *judge_proof(Catalog *catalog, const Schedule *schedule, const RunRow *proof,
                            int64_t now)
{
    const int64_t target = schedule->proof_target;
    Verdict *verdict = g_new0(Verdict, 1);
    int64_t since;

    verdict->condition = CONDITION_DRILL_STALE;
    verdict->right = target == 0; // nobody asks any more
    if (target == 0)
        return verdict;
    since = proof->id ? proof->ended_at / 1000 : asked_since(catalog, schedule, now);
    verdict->wrong = now - since > target;
    verdict->right = !verdict->wrong;
    verdict->text =
        g_strdup_printf("%s %.1f days, and should not for more than %.1f",
                        proof->id ? "no drill has succeeded for" : "a first drill is awaited for",
                        (double)(now - since) / 86400, (double)target / 86400);
    return verdict;
}

/* ---- all ---- */

static void add_of_schedule(GPtrArray *all, const char *what, Verdict *verdict,
                            const Schedule *schedule)
{
    verdict->subject = g_strdup(schedule->id);
    verdict->name = g_strconcat(what, schedule->name, NULL);
    verdict->schedule = schedule;
    g_ptr_array_add(all, verdict);
}

static bool judge_schedule(GPtrArray *all, Catalog *catalog, const Configuration *configuration,
                           const Schedule *schedule, int64_t now, GError **error)
{
    const unsigned ended = 1u << RUN_SUCCEEDED | 1u << RUN_FAILED | 1u << RUN_PARTIAL;
    g_auto(RunRow) drill = { 0 }, proof = { 0 };

    if (!verdict_newest_drill(catalog, schedule->id, ended, &drill, error) ||
        !verdict_newest_drill(catalog, schedule->id, 1u << RUN_SUCCEEDED, &proof, error))
        return false;
    add_of_schedule(all, "backup of ", judge_drill(&drill), schedule);
    add_of_schedule(all, "backup of ", judge_proof(catalog, schedule, &proof, now), schedule);
    add_of_schedule(all, "cluster of ", judge_wal(catalog, configuration, schedule, now), schedule);
    return true;
}

static void judge_repository(GPtrArray *all, Catalog *catalog, const RepositoryConfig *repository)
{
    json_t *row = survey_row(catalog, MEASURE_STORE, repository->name, NULL);
    Verdict *verdict = verdict_of_room(row, repository->quota);

    json_decref(row);
    verdict->subject = g_strconcat(REPOSITORY, repository->name, NULL);
    verdict->name = g_strconcat("repository ", repository->name, NULL);
    g_ptr_array_add(all, verdict);
}

GPtrArray *verdicts_of(Catalog *catalog, const Configuration *configuration,
                       const Schedule *const *schedules, size_t n, int64_t now, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(free_verdict);
    GHashTableIter iter;
    gpointer repository;

    g_hash_table_iter_init(&iter, configuration->repositories);
    while (g_hash_table_iter_next(&iter, NULL, &repository))
        judge_repository(all, catalog, repository);
    for (size_t i = 0; i < n; i++)
        if (!judge_schedule(all, catalog, configuration, schedules[i], now, error))
            return NULL;
    return g_steal_pointer(&all);
}

bool verdict_is_of_repository(const Configuration *configuration, const char *subject)
{
    return g_str_has_prefix(subject, REPOSITORY) &&
           configuration_repository(configuration, subject + strlen(REPOSITORY));
}
