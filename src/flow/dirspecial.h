/* SPDX-License-Identifier: Apache-2.0 */
/* Symbolic links, devices and pipes on their way into the target of a restore: they have no
 * content, so they are made at once. */
#pragma once
#include "flow/target.h"

/* Under a temporary name until owner and mode are set; what cannot be set is a warning. Any thread.
 * Errors are those of target_replace(), and the system's. */
bool dir_special_make(Target *target, TargetDir *dir, const Node *node, GError **error);
