/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schedule.h"

#include "config/archive.h"
#include "config/keep.h"
#include "config/types.h"
#include <string.h>

#define AT(member)             G_STRUCT_OFFSET(Schedule, member)
#define PAUSE_LIMIT_MIN_MS     1000
#define PAUSE_LIMIT_MAX_MS     (10 * 60 * 1000)
#define PAUSE_LIMIT_DEFAULT_MS 10000 /* as the table says */

#define TABLE(rows) .fields = rows, .n = G_N_ELEMENTS(rows)

static const Field keep_fields[] = {
    KEEP_LAST(keep, "3"),
    KEEP_REST(keep),
    { "pitr", FIELD_TEXT, AT(keep_pitr), &type_within,
      .help = "clusters: every moment of this period can be restored" },
};
static const Table keep_table = { TABLE(keep_fields) };

static const Field lock_fields[] = {
    { "postgresql", FIELD_FLAG, AT(lock_postgres), .fallback = "false",
      .help = "an advisory lock in each source database" },
    { "redis", FIELD_TEXT, AT(lock_redis), &type_redis, .help = "a lock in this Redis server",
      .example = "redis://cache:6379" },
};
static const Table lock_table = { TABLE(lock_fields) };

static const Field hook_fields[] = {
    { "before", FIELD_LIST, AT(before), &type_command,
      .help = "lines for the shell; exit status 75 skips the run" },
    { "after", FIELD_LIST, AT(after), &type_command, .help = "the same, when the run is over" },
    { "pause", FIELD_LIST, AT(pause), &type_command,
      .help = "of a group: the same, to pause who writes just before its moment",
      .example = "[shopctl pause]" },
    { "resume", FIELD_LIST, AT(resume), &type_command,
      .help = "what undoes that, in any case, as soon as all is opened",
      .example = "[shopctl resume]" },
};
static const Table hook_table = { TABLE(hook_fields) };

static const Field notify_fields[] = {
    { "channels", FIELD_LIST, AT(channels), .section = "notifications",
      .help = "names of channels; without it all of them are told" },
    { "recipients", FIELD_LIST, AT(recipients), &type_address,
      .help = "mail addresses instead of those of the channel" },
    { "success", FIELD_FLAG, AT(notify_success), .fallback = "false",
      .help = "tell of every success, too" },
};
static const Table notify_table = { TABLE(notify_fields) };

static const Field target_fields[] = {
    { "rpo", FIELD_TEXT, AT(rpo_target), &type_wait, .help = "how much time may be lost at most",
      .example = "26h" },
    { "rto", FIELD_TEXT, AT(rto_target), &type_wait, .help = "how long a restore may take" },
    { "proof", FIELD_TEXT, AT(proof_target), &type_wait,
      .help = "how old the last drill that succeeded may be", .example = "8d" },
};
static const Table target_table = { TABLE(target_fields) };

static const char *const consistencies[] = { "each", "group", NULL };

static const Field fields[] = {
    { "name", FIELD_TEXT, AT(name), &type_title, .required = true,
      .help = "what it is called; in the file the key that it stands under" },
    { "sources", FIELD_LIST, AT(sources), .section = "sources", .required = true,
      .help = "names of sources, saved in this order", .example = "[shop-db, uploads]" },
    { "select", FIELD_PAIRS, AT(select), &type_text,
      .help = "instead of sources: all that have these labels, such as {tier: gold}" },
    { "repository", FIELD_TEXT, AT(repository), .section = "repositories", .required = true,
      .help = "name of the repository to save them in", .example = "main" },
    { "cron", FIELD_TEXT, AT(cron_text), &type_cron, .required = true,
      .help = "when: five fields, or hourly, daily (03:00), weekly (Sunday, 03:00), monthly (on "
              "the 1st, 03:00)",
      .example = "daily" },
    { "timezone", FIELD_TEXT, AT(zone), &type_zone, .fallback = "\"Etc/UTC\"",
      .help = "the time zone of cron and keep", .example = "Europe/Berlin" },
    { "enabled", FIELD_FLAG, AT(enabled), .fallback = "true", .help = "whether it is due at all" },
    { "paused_until", FIELD_TEXT, AT(paused_until), &type_time,
      .help = "not due before this time, such as 2026-11-21T04:00:00Z" },
    { "catch_up", FIELD_TEXT, AT(catch_up_text), &type_catch_up, .fallback = "\"always\"",
      .help = "what was due while nobody was there is done later: always, never, or when it was "
              "due less than this time ago",
      .example = "6h" },
    { "jitter", FIELD_TEXT, AT(jitter), &type_wait, .fallback = "\"0\"",
      .help = "begin up to so much later, by chance", .example = "5m" },
    { "keep", FIELD_OBJECT, .table = &keep_table,
      .help = "which backups stay; the newest good one always does" },
    { "archives", FIELD_OBJECTS, AT(archives), .table = &archive_table,
      .help = "portable files to write of each backup, besides what the repository holds",
      .example = "[{to: /srv/archives, format: tar.gz, keep: {daily: 7, weekly: 4}}]" },
    { "locks", FIELD_OBJECT, .table = &lock_table,
      .help = "locks to hold meanwhile, besides that of the repository" },
    { "hooks", FIELD_OBJECT, .table = &hook_table, .help = "what to run before and after" },
    { "consistency", FIELD_TEXT, AT(consistency), .words = consistencies, .fallback = "\"each\"",
      .help = "group: all sources are saved as of one moment, as far as each can hold one; each: "
              "of the moment when it is read",
      .example = "group" },
    { "max_spread", FIELD_TEXT, AT(max_spread_ms), &type_span, .fallback = "\"0\"",
      .help = "how far the moments of a group may lie apart without a warning; 0: any",
      .example = "2s" },
    { "max_spread_fails", FIELD_FLAG, AT(max_spread_fails), .fallback = "false",
      .help = "fail instead of warning" },
    { "pause_limit", FIELD_TEXT, AT(pause_limit_ms), &type_span, .fallback = "\"10s\"",
      .help = "how long hooks.pause may pause at most, 1s to 10m; then it is resumed, and the run "
              "fails",
      .example = "5s" },
    { "timeout", FIELD_TEXT, AT(timeout), &type_wait, .fallback = "\"0\"",
      .help = "end the run after so long; 0: never", .example = "12h" },
    { "retries", FIELD_NUMBER, AT(retries), .max = 100, .fallback = "0",
      .help = "how often a run that failed is tried again", .example = "2" },
    { "retry_wait", FIELD_TEXT, AT(retry_wait), &type_wait, .fallback = "\"10m\"",
      .help = "how long to wait before; doubled each time" },
    { "nice", FIELD_NUMBER, AT(nice), .max = 19, .fallback = "0",
      .help = "how far the run steps back from the processor, 0 to 19" },
    { "ionice", FIELD_TEXT, AT(ionice), &type_ionice,
      .help = "how far from the disks: idle, best-effort or best-effort:7" },
    { "memory", FIELD_TEXT, AT(memory), &type_size, .help = "memory that the run may use at most",
      .example = "1G" },
    { "notify", FIELD_OBJECT, .table = &notify_table, .help = "who is told" },
    { "targets", FIELD_OBJECT, .table = &target_table, .help = "what is promised, to be measured" },
};

static bool names(const json_t *list, const json_t *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), name))
            return true;
    return false;
}

/* An archive of what the schedule does not save would never be written. */
static void verify_archives(const json_t *object, const char *pointer, Problems *problems)
{
    const json_t *archives = json_object_get(object, "archives");
    const json_t *saved = json_object_get(object, "sources");
    g_autofree char *list = pointer_join(pointer, "archives");

    for (size_t i = 0; i < json_array_size(archives); i++) {
        const json_t *sources = json_object_get(json_array_get(archives, i), "sources");
        g_autofree char *one = pointer_index(list, i), *place = pointer_join(one, "sources");

        for (size_t k = 0; k < json_array_size(sources); k++)
            if (!names(saved, json_array_get(sources, k)))
                problems_add(problems, place, "\"%s\" is no source of this schedule",
                             json_string_value(json_array_get(sources, k)));
    }
}

static int64_t span_of(const json_t *object, const char *key, int64_t otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    int64_t ms = otherwise;

    return text && type_span.parse(text, &ms, NULL) ? ms : otherwise;
}

/* Whoever pauses without resuming, or waits for what nobody pauses, meant otherwise. */
static void verify_pause(const json_t *object, bool group, const char *pointer, Problems *problems)
{
    const json_t *hooks = json_object_get(object, "hooks");
    bool pause = json_array_size(json_object_get(hooks, "pause")) > 0,
         resume = json_array_size(json_object_get(hooks, "resume")) > 0;
    int64_t limit_ms = span_of(object, "pause_limit", PAUSE_LIMIT_DEFAULT_MS);
    g_autofree char *hooks_at = pointer_join(pointer, "hooks"),
                    *limit_at = pointer_join(pointer, "pause_limit"),
                    *at = pointer_join(hooks_at, pause ? "pause" : "resume");

    if ((pause || resume) && !group)
        problems_add(problems, at, "is for a schedule with consistency: group");
    else if (pause && !resume)
        problems_add(problems, at, "needs hooks.resume, which undoes it");
    else if (resume && !pause)
        problems_add(problems, at, "needs hooks.pause, which it undoes");
    if (limit_ms < PAUSE_LIMIT_MIN_MS || limit_ms > PAUSE_LIMIT_MAX_MS)
        problems_add(problems, limit_at, "write a duration from 1s to 10m");
    else if (limit_ms != PAUSE_LIMIT_DEFAULT_MS && !pause)
        problems_add(problems, limit_at, "is for hooks.pause");
}

/* What would never take effect was meant otherwise. */
static void verify_group(const json_t *object, const char *pointer, Problems *problems)
{
    const char *consistency = json_string_value(json_object_get(object, "consistency"));
    bool spread = span_of(object, "max_spread", 0) > 0;
    bool group = g_strcmp0(consistency, "group") == 0;
    g_autofree char *place = pointer_join(pointer, "max_spread");

    if (spread && !group)
        problems_add(problems, place, "is for a schedule with consistency: group");
    if (!spread && json_is_true(json_object_get(object, "max_spread_fails")))
        problems_add(problems, place, "max_spread_fails needs it, such as 2s");
    verify_pause(object, group, pointer, problems);
}

static void verify(const json_t *object, const char *pointer, Problems *problems)
{
    const json_t *sources = json_object_get(object, "sources"), *source;
    size_t i;

    json_array_foreach((json_t *)sources, i,
                       source) for (size_t k = 0; k < i;
                                    k++) if (json_equal(source, json_array_get(sources, k)))
    {
        g_autofree char *list = pointer_join(pointer, "sources"), *place = pointer_index(list, i);

        problems_add(problems, place, "\"%s\" stands here twice; leave one",
                     json_string_value(source));
        break;
    }
    verify_archives(object, pointer, problems);
    verify_group(object, pointer, problems);
}

const Table schedule_table = {
    .title = "schedules",
    .help = "Which sources are saved, where to, when, and how long that is kept, by name. What a "
            "schedule leaves open comes from \"defaults\".",
    TABLE(fields),
    .verify = verify,
};

static void settle_catch_up(Schedule *schedule)
{
    if (strcmp(schedule->catch_up_text, "always") == 0)
        schedule->catch_up = CATCH_UP_ALWAYS;
    else if (strcmp(schedule->catch_up_text, "never") == 0)
        schedule->catch_up = CATCH_UP_NEVER;
    else {
        schedule->catch_up = CATCH_UP_WITHIN;
        (void)type_wait.parse(schedule->catch_up_text, &schedule->catch_up_within, NULL); // checked
    }
}

Schedule *schedule_new(const char *id, Origin origin, const json_t *definition)
{
    Schedule *schedule = g_new0(Schedule, 1);

    schedule->id = g_strdup(id);
    schedule->origin = origin;
    schedule->definition = json_deep_copy(definition);
    table_fill(&schedule_table, definition, schedule);
    (void)cron_parse(schedule->cron_text, &schedule->cron, NULL); // it was checked
    schedule->group = strcmp(schedule->consistency, "group") == 0;
    settle_catch_up(schedule);
    return schedule;
}

void schedule_free(Schedule *schedule)
{
    if (!schedule)
        return;
    table_clear(&schedule_table, schedule);
    json_decref(schedule->definition);
    g_free(schedule->id);
    g_free(schedule);
}
