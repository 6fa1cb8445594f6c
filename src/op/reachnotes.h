/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator should know of a recovery that can be done. */
#pragma once
#include "op/reach.h"

typedef void (*ReachNote)(const char *text, void *user);
/* Whole sentences without their ends, none of which stands in the way. */
void reach_tell_notes(const Reach *reach, ReachNote note, void *user);
