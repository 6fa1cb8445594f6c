/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones by their IANA names. Any thread. */
#pragma once
#include <glib.h>

/* The caller unrefs it. UTC is known by all its names also where no tzdata is installed, as in
 * slim containers; NULL: there is no such zone here. */
GTimeZone *zone_find(const char *name);
