/* SPDX-License-Identifier: Apache-2.0 */
/* What a request says of the recovery of a cluster, and the words of `restore` for it. */
#pragma once
#include "config/configuration.h"
#include "daemon/webshape.h"

extern const Shape recovery_shape;

typedef struct {
    json_t *words;    /* options */
    GPtrArray *roots; /* of tablespaces' places; borrowed from the configuration */
    GPtrArray *found; /* those of the places that hold something */
} RecoveryOrder;

/* BS_ERROR_USAGE: no target or several, or what makes no sense; _DENIED: a tablespace's place that
 * is not allowed. That the target can be reached is the command's to find out. */
bool recovery_order(const Configuration *configuration, const json_t *recovery,
                    RecoveryOrder *ret_order, GError **error);
void recovery_order_clear(RecoveryOrder *order);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RecoveryOrder, recovery_order_clear)
