/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody may ask to be done with a file that he uploads, and the command line that does it:
 * as restoreorder.h, the web process checks it beforehand and the scheduler again.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/webshape.h"

extern const ShapeField import_query[];

/* order: an object with import_query's members. BS_ERROR_USAGE: no such order; _CONFIG: no such
 * repository. */
bool import_order_check(const Configuration *configuration, const json_t *order, GError **error);

/* For TaskOrder, of an order that was checked. path: of the file. */
void import_order(const Configuration *configuration, const json_t *order, const char *path,
                  json_t **ret_steps, json_t **ret_about);
