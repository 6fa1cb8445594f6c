/* SPDX-License-Identifier: Apache-2.0 */
/* Where a recovery shall stop and what it does there, as a person says it. PostgreSQL
 * documentation, "Recovery Target". */
#pragma once
#include "pg/walsearch.h"

/* As written; all borrowed, NULL or false: not given. */
typedef struct {
    const char *time, *lsn, *xid, *name;
    bool immediate, latest;
    bool exclusive;
    const char *timeline; /* "latest", "current", a number */
    const char *action;   /* "pause", "promote", "shutdown" */
} RecoveryWords;

typedef enum { RECOVERY_PAUSE, RECOVERY_PROMOTE, RECOVERY_SHUTDOWN } RecoveryAction;
typedef enum { RECOVERY_TIMELINE_LATEST, RECOVERY_TIMELINE_CURRENT, RECOVERY_TIMELINE } RecoveryWay;

typedef struct {
    WalTarget target; /* kind NONE: all that is held; consistent is not set; name is borrowed */
    RecoveryAction action;
    RecoveryWay way;
    uint32_t timeline; /* RECOVERY_TIMELINE */
    bool local;        /* the time came without a zone */
} RecoveryTarget;

/* Whether any of it was given that asks for a recovery. */
bool recovery_words_given(const RecoveryWords *words);
/* BS_ERROR_USAGE: none or several targets, or one that cannot be read. */
bool recovery_target_parse(const RecoveryWords *words, RecoveryTarget *ret_target, GError **error);

/*
 * RFC 3339 or as PostgreSQL writes it: "2026-11-21 10:00:00.5+01", a T or a space, seconds and
 * fractions (cut to microseconds) may be left out, as may the zone: then it is local time, which
 * must be one moment. ret_time_us: Unix. BS_ERROR_USAGE.
 */
bool recovery_time_parse(const char *text, int64_t *ret_time_us, bool *ret_local, GError **error);
const char *recovery_action_text(RecoveryAction action);
