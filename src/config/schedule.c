/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schedule.h"

#include "config/types.h"
#include <string.h>

#define AT(member)  G_STRUCT_OFFSET(Schedule, member)
#define TABLE(rows) .fields = rows, .n = G_N_ELEMENTS(rows)

static const Field keep_fields[] = {
    { "last", FIELD_NUMBER, AT(keep.last), .min = -1, .max = G_MAXINT, .fallback = "3",
      .help = "as many of the newest; in all of these -1 is all, and 0 none", .example = "3" },
    { "hourly", FIELD_NUMBER, AT(keep.hourly), .min = -1, .max = G_MAXINT,
      .help = "the last one of as many hours" },
    { "daily", FIELD_NUMBER, AT(keep.daily), .min = -1, .max = G_MAXINT, .help = "of as many days",
      .example = "7" },
    { "weekly", FIELD_NUMBER, AT(keep.weekly), .min = -1, .max = G_MAXINT,
      .help = "of as many weeks, from Monday to Sunday", .example = "4" },
    { "monthly", FIELD_NUMBER, AT(keep.monthly), .min = -1, .max = G_MAXINT,
      .help = "of as many months", .example = "12" },
    { "yearly", FIELD_NUMBER, AT(keep.yearly), .min = -1, .max = G_MAXINT,
      .help = "of as many years" },
    { "within", FIELD_TEXT, AT(keep.within), &type_within,
      .help = "all of this period before the newest" },
    { "within_hourly", FIELD_TEXT, AT(keep.within_hourly), &type_within,
      .help = "one of each hour of this period" },
    { "within_daily", FIELD_TEXT, AT(keep.within_daily), &type_within,
      .help = "one of each day of this period" },
    { "within_weekly", FIELD_TEXT, AT(keep.within_weekly), &type_within,
      .help = "one of each week of this period" },
    { "within_monthly", FIELD_TEXT, AT(keep.within_monthly), &type_within,
      .help = "one of each month of this period" },
    { "within_yearly", FIELD_TEXT, AT(keep.within_yearly), &type_within,
      .help = "one of each year of this period" },
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
};
static const Table target_table = { TABLE(target_fields) };

static const Field fields[] = {
    { "name", FIELD_TEXT, AT(name), &type_title, .required = true,
      .help = "what it is called; in the file the key that it stands under" },
    { "sources", FIELD_LIST, AT(sources), .section = "sources", .required = true,
      .help = "names of sources, saved in this order", .example = "[shop-db, uploads]" },
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
    { "locks", FIELD_OBJECT, .table = &lock_table,
      .help = "locks to hold meanwhile, besides that of the repository" },
    { "hooks", FIELD_OBJECT, .table = &hook_table, .help = "what to run before and after" },
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
