/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup that somebody wants gone: its snapshots are removed by `forget`, and then its row says
 * so. The newest good one of a schedule and the newest proven one stay, unless that was said twice.
 */
#pragma once
#include "config/configuration.h"
#include "state/catalog.h"
#include <jansson.h>

typedef struct {
    const Configuration *configuration;
    Catalog *catalog;
    const RunRow *backup;
    bool force;
    const char *confirm; /* NULL: none */
} ForgetOrder;

/* What is to be typed: the schedule's name, or the id of one that has no schedule. Of the row. */
const char *forget_order_name(const RunRow *backup);
/* For TaskOrder. BS_ERROR_NOT_FOUND: it left no backup, or is gone; _GUARD: it is the newest good
 * or the newest proven one of its schedule, and force and confirm do not both say so. */
bool forget_order(const ForgetOrder *order, json_t **ret_steps, json_t **ret_about, GError **error);

/* A task that has ended: the row of the backup that it has forgotten says so, too. Again is no
 * harm. */
bool forget_settle(Catalog *catalog, const RunRow *task, GError **error);
/* The last ones, after a start: a daemon may have died in between. */
bool forget_settle_all(Catalog *catalog, GError **error);
