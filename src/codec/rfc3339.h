/* SPDX-License-Identifier: Apache-2.0 */
/* Times as in trees and snapshots: RFC 3339, up to nine fraction digits without trailing zeros
 * (repository format, "Trees", Times). */
#pragma once
#include "base/clock.h"
#include <glib.h>
#include <stddef.h>

#define RFC3339_MAX 40

/* Always with Z; years outside 0..9999 are clamped. Returns the length written (without the zero).
 */
size_t rfc3339_format(Timestamp time, char out[RFC3339_MAX]);
/* Any offset; more than nine fraction digits are cut. BS_ERROR_CORRUPT. */
bool rfc3339_parse(const char *text, size_t len, Timestamp *ret_time, GError **error);
