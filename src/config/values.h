/* SPDX-License-Identifier: Apache-2.0 */
/* Values of options, from text. BS_ERROR_USAGE says what is wrong, without the option's name. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* "5m", "1h30m", "90s", "0": Go's durations, of which these units make sense here; ms, s, m, h; and
 * days of 24 hours: d. */
bool value_wait(const char *text, int64_t *ret_ms, GError **error);
/* The same for how long something is tried again; "0" is one try: -1. */
bool value_deadline(const char *text, int64_t *ret_ms, GError **error);
/* KiB a second, as restic's limits; in bytes a second, 0 for none. */
bool value_rate(const char *text, uint64_t *ret_bytes, GError **error);
