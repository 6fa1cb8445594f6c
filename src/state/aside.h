/* SPDX-License-Identifier: Apache-2.0 */
/* A damaged catalogue out of the way of a new one. */
#pragma once
#include "state/catalog.h"

/*
 * Renames the file of url and its log to "<file>.damaged-<UTC time>", durably; nothing is deleted.
 * BS_ERROR_LOCKED: a process has it open. BS_ERROR_UNSUPPORTED: it is no file but a server's.
 */
bool catalog_set_aside(const char *url, char **ret_moved_to, GError **error);
