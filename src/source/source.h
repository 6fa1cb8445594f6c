/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source is a thing worth backing up: it knows the way out, the way back, and how to tell that
 * what came back is alive. It pushes entries into a sink and knows nothing of repositories.
 * Design.md sections 3 and 5.
 */
#pragma once
#include "base/cancel.h"
#include "flow/progress.h"
#include "flow/sink.h"
#include <jansson.h>

typedef struct Source Source;

/* An item could not be read; the run goes on and ends with exit 3. Any thread. */
typedef void (*SourceProblem)(const char *item, const GError *problem, void *user);

typedef struct {
    Progress *progress; /* totals and the path are the source's; what is done the sink counts */
    SourceProblem problem;
    void *user;
    const Cancel *cancel;
} SourceRun;

/* What the last backup of the same thing left; borrowed for the call. */
typedef struct {
    char *const *tags;
    /* A file of it, of at most bound bytes. */
    bool (*file)(void *user, const char *path, size_t bound, GBytes **ret_content, GError **error);
    void *user;
} SourceParent;

/* What a source may hold of one moment. */
typedef enum {
    SOURCE_INTERVAL, /* nothing: it changes while it is read */
    SOURCE_MOMENT,   /* what is read later is as it was then */
} SourceHold;

typedef struct {
    const char *kind; /* "files", "postgres" */
    /* Two steps before a backup that is to be of the same moment as those of other sources; then
     * cancel is borrowed until the source is freed. Both NULL: it holds no moment.
     * prepare: what takes long, logins say, so that open takes little. May be NULL. */
    bool (*prepare)(Source *source, const Cancel *cancel, GError **error);
    /* Takes hold of a moment between the call and its return, which the backup then reads. */
    bool (*open)(Source *source, const Cancel *cancel, SourceHold *ret_hold, GError **error);
    /* Fills progress totals; may run in a thread of its own beside backup. May be NULL. */
    void (*estimate)(Source *source, const SourceRun *run);
    /* The parent snapshot, before the backup: what it was cut in, say, may serve again. May be
     * NULL.
     */
    void (*inherit)(Source *source, const SourceParent *parent);
    /* The sink may take over content only when all agrees, ctime and inode, too. */
    bool strict_reuse;
    /* Pushes everything. True also when items were left out (they went to problem). The producer's
     * success decides: false when its exit status, end marker or count says that the stream is not
     * whole. */
    bool (*backup)(Source *source, Sink *sink, const SourceRun *run, GError **error);
    void (*free)(Source *source); /* what the driver added; the base is freed by source_free */
} SourceOps;

/* A question whose answer is in what is saved, and only there of the same moment. */
typedef struct {
    char *name, *sql;
    int64_t timeout_ms;
    bool required; /* the backup fails without the answer; otherwise that is a note */
} SourceQuery;

struct Source {
    const SourceOps *ops;
    char *name;       /* "postgresql-db1-app"; NULL for files */
    GStrv paths;      /* what the snapshot's paths say */
    GPtrArray *tags;  /* of char *: key=value ("source=", "kind="); the backup may add some */
    GPtrArray *notes; /* of char *: what the backup tells an operator; nothing was left out */
    json_t *facts;    /* object: the operator's own, for the manifest; NULL: none */
    json_t *group;    /* object: of which moment it is beside others, likewise */
    /* Times of clock_monotonic_ms() between which open took hold, when it knows them better than
     * its caller: what holds several may have done so for another one. 0: during the call. */
    int64_t held_from_ms, held_until_ms;
    GPtrArray *queries; /* of SourceQuery: SQLite databases answer them into facts; NULL: none */
    /* For compare with the parent: the tags that choose the parent snapshot are host and paths, as
     * in restic. */
};

/* name: taken over; also what the snapshot's path and the tag "source=" say. */
void source_init(Source *source, const SourceOps *ops, char *name);
/* For the backup to answer. sql: one statement that only reads. */
void source_add_query(Source *source, const char *name, const char *sql, int64_t timeout_ms,
                      bool required);
/* value: NULL: there is none. */
void source_set_fact(Source *source, const char *name, const char *value);
/* What a fact is of a text: its first line, valid, and at most FACT_MAX bytes. To be freed. */
#define FACT_MAX 4096
char *source_fact_line(const char *text);
/* The fact called FACT_KID is the id of the key that the application encrypts with: what looks like
 * a key itself is refused. value: NULL: there is none. */
#define FACT_KID "kid"
bool source_check_fact(const char *name, const char *value, GError **error);
/* Facts and group, into a manifest. */
void source_add_facts(const Source *source, json_t *manifest);
void source_free(Source *source); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Source, source_free)
