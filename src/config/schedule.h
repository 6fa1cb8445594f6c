/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sources are saved, where to, when, and how long it is kept. A schedule comes from the file
 * or from the HTTP API; one table checks both.
 */
#pragma once
#include "config/field.h"
#include "config/reference.h"
#include "plan/cron.h"
#include "plan/retention.h"

typedef enum { ORIGIN_FILE, ORIGIN_API, ORIGIN_ENVIRONMENT } Origin;
typedef enum { CATCH_UP_ALWAYS, CATCH_UP_WITHIN, CATCH_UP_NEVER } CatchUp;

typedef struct {
    char *id; /* of the file: its name; of the API: given by the catalogue */
    char *name;
    Origin origin;    /* of schedule_from_json(): ORIGIN_API */
    char **sources;   /* names, in order; those that were selected, too */
    json_t *select;   /* object of labels; NULL: sources are named */
    char *repository; /* name */
    char *cron_text;  /* five fields, or @daily */
    Cron cron;
    char *zone; /* IANA */
    bool enabled;
    int64_t paused_until; /* Unix seconds; 0: not */
    char *catch_up_text;
    CatchUp catch_up;
    int64_t catch_up_within; /* seconds; of CATCH_UP_WITHIN */
    int64_t jitter;          /* seconds; 0: none */
    RetentionPolicy keep;
    Duration keep_pitr;
    json_t *archives;       /* list of objects, each for archive_config_new(); or NULL */
    bool lock_postgres;     /* advisory lock on the source database */
    Reference lock_redis;   /* or a URL without a password; NULL: none */
    char **before, **after; /* lines for the shell; NULL: none */
    char **pause, **resume; /* likewise, around the moment of a group */
    char *consistency;      /* "each" or "group" */
    bool group;             /* all sources of one moment */
    int64_t max_spread_ms;  /* that it may take up; 0: any */
    bool max_spread_fails;  /* else it is a warning */
    int64_t pause_limit_ms;
    int64_t timeout, retry_wait; /* seconds; 0: none */
    int retries;
    int nice;
    char *ionice;                  /* NULL: as it is */
    uint64_t memory;               /* bytes; 0: any */
    char **channels, **recipients; /* NULL: all channels, their own recipients */
    bool notify_success;
    int64_t rpo_target, rto_target; /* seconds; 0: none */
    int64_t proof_target;           /* seconds; 0: none */
    json_t *definition; /* canonical: keys as in the file, and "name"; what the API shows and a run
                         * is handed. schedule_from_json() makes the same of it again. */
} Schedule;

extern const Table schedule_table;

/* Of a checked and completed object with a "name". */
Schedule *schedule_new(const char *id, Origin origin, const json_t *definition);
void schedule_free(Schedule *schedule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Schedule, schedule_free)
