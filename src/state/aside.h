/* SPDX-License-Identifier: Apache-2.0 */
/* A catalogue out of the way of a new one. */
#pragma once
#include "state/catalog.h"

/*
 * Renames the file of url and its log to "<file>.<word>-<UTC time>", durably; nothing is deleted.
 * BS_ERROR_LOCKED: a process has it open. BS_ERROR_UNSUPPORTED: it is no file but a server's.
 */
bool catalog_set_aside(const char *url, const char *word, char **ret_moved_to, GError **error);
