/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a password may be guessed: five times at once for an account and for an address, then
 * once in twelve seconds (five a minute). Counted before the password is looked at, whether there
 * is such an account or not; one that was right gives its turn back. What is remembered is bounded:
 * those forget first who have the most turns left. Any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

#define THROTTLE_TURNS   5
#define THROTTLE_EACH_MS 12000
#define THROTTLE_KEYS    4096u

typedef struct WebThrottle WebThrottle;
WebThrottle *web_throttle_new(void);
void web_throttle_free(WebThrottle *throttle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WebThrottle, web_throttle_free)

/* False: one of the two has no turn left, and neither loses one. account may be any text. Of an
 * IPv6 address its /64 counts, for one client has all of that. */
bool web_throttle_take(WebThrottle *throttle, const char *account, const char *address);
/* It was right. */
void web_throttle_give_back(WebThrottle *throttle, const char *account, const char *address);
