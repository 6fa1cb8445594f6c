/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/clock.h"
#include <glib.h>

/* The ways in which restic takes times, local unless they name a zone, and RFC 3339. option: for
 * the message, without dashes. BS_ERROR_USAGE. */
bool moment_parse(const char *option, const char *text, Timestamp *ret_time, GError **error);
