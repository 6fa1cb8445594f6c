/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of a schedule: its sources in order, each one snapshot with the tags run=<id> and
 * schedule=<name>; locks and hooks around them, retention after success (doc/guide/schedules.md).
 * What happens is told as events. A source that fails does not stop the others.
 */
#pragma once
#include "config/schedule.h"
#include "config/source.h"
#include "op/backup.h"
#include "op/forget.h"
#include "op/installation.h"
#include "op/runevents.h"
#include "source/volumegroup.h"
#include "state/runstate.h"

/* A source, as it is made for each try. */
typedef struct {
    Source *source;
    BackupRequest request; /* borrows of owner */
    char *const *operands; /* with passwords; likewise */
    void *owner;
    void (*free_owner)(void *owner);
} RunSource;
void run_source_clear(RunSource *made);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunSource, run_source_clear)

typedef struct {
    const char *id; /* 32 hexadecimal digits */
    RunTrigger trigger;
    const Schedule *schedule;
    GPtrArray *sources;       /* of const SourceConfig *, in order */
    const Settings *settings; /* of the repository */
    const json_t *history; /* object: source -> sizes of its last backups; NULL: of the snapshots */
    const InstallationPlaces *installation; /* is copied into the repository, too; may be NULL */
    const char *events;                     /* file; NULL: none */
    int events_open;     /* a descriptor of that, given away; 0: it is to be opened */
    bool unattended;     /* retention is guarded (op/runretention.h) */
    char *const *hidden; /* variables that hold secrets; NULL: those known by name */
    /* volumes: what is of one moment with it; NULL: nothing. */
    bool (*make)(const SourceConfig *config, VolumeGroup *volumes, RunSource *ret_made,
                 GError **error);
    RunTell tell; /* may be NULL */
    /* A source is being read, with its progress; NULL: no longer. May be NULL. */
    void (*reading)(Progress *progress, void *user);
    void *user;
} RunRequest;

/* True only when all was done. BS_ERROR_PARTIAL, BS_ERROR_DESTINATION, BS_ERROR_SOFT_SKIP,
 * BS_ERROR_CANCELLED; BS_ERROR_LOCKED with "concurrent": another run of the schedule lives. */
bool op_run(const RunRequest *request, const Cancel *cancel, GError **error);
/* Only retention, as the daily sweep does. */
bool op_run_sweep(const RunRequest *request, const Cancel *cancel, GError **error);
/* What retention would do now. */
bool op_run_preview(const RunRequest *request, const Cancel *cancel, ForgetPlan **ret_plan,
                    GError **error);
