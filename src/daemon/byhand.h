/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run that somebody makes by hand, in the history: entered by the scheduler, who follows it by
 * its events file; and without one straight into the catalogue, where there is one, under a node of
 * its own, whose lease it renews itself. For the process that makes the run.
 */
#pragma once
#include "config/configuration.h"
#include "state/catalog.h"
#include <jansson.h>

typedef struct ByHand ByHand;

typedef struct {
    const Configuration *configuration;
    const Schedule *schedule; /* of that */
    const char *kind;         /* "backup", "sweep" */
    const char *id;           /* of the run, unless the scheduler gives it another one */
} ByHandRequest;

/*
 * BS_ERROR_LOCKED: "concurrent", another run of the schedule is under way, and this one is history
 * as failed. *ret_by_hand is NULL when there is no history that it could be in; where there should
 * be one it is logged why not, and the backup is made all the same.
 */
bool by_hand_begin(const ByHandRequest *request, ByHand **ret_by_hand, GError **error);
const char *by_hand_id(const ByHand *by_hand); /* of the run */
/* The file that the scheduler reads, open and empty, given away; 0: he does not know of it. */
int by_hand_events(ByHand *by_hand, const char **ret_path);
/* It has failed before it could tell anything; nothing when it has. */
void by_hand_fail(ByHand *by_hand, const GError *why);
/* What the run tells; one thread at a time. */
void by_hand_tell(ByHand *by_hand, const json_t *event);
/* Its end is in the history, or it is logged that it is not. Takes NULL. */
void by_hand_end(ByHand *by_hand);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ByHand, by_hand_end)

/* That of the configuration, or of the state directory; NULL: there is none. */
bool by_hand_find_catalog(const Configuration *configuration, Catalog **ret_catalog,
                          GError **error);

/*
 * A check of a repository is in the history when it has ended, if the configuration has a
 * repository of that location; config: its file, or NULL. failure: NULL when it found nothing.
 * What keeps it from being there is logged: a check counts all the same.
 */
void by_hand_checked(const char *config, const char *location, int64_t began_ms,
                     const GError *failure);
