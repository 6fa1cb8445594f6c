/* SPDX-License-Identifier: Apache-2.0 */
/* Roles and tablespaces, which belong to the whole server, on their way back. */
#pragma once
#include "base/cancel.h"
#include <glib.h>
#include <stdbool.h>

/*
 * globals.sql (roles and tablespaces) through psql. Statements that fail, as those for roles that
 * exist already, go to note and are counted in ret_failed.
 */
bool pg_restore_globals(const char *url, const void *sql, size_t len,
                        void (*note)(const char *text, void *user), void *user,
                        const Cancel *cancel, unsigned *ret_failed, GError **error);
