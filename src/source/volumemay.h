/* SPDX-License-Identifier: Apache-2.0 */
/* Which file systems may be frozen: none that this program or the machine may have to write to
 * before it is thawed. Any thread. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* mounts: the directories they are mounted at. BS_ERROR_USAGE: one of them may not be. */
bool volume_may_freeze(char *const *mounts, GError **error);
