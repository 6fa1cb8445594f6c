/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells systemd how a service is doing: sd_notify(3), "Notes", whose protocol is one datagram of
 * text, so no library is needed for it. Without NOTIFY_SOCKET nothing is told. Any thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Lines such as "READY=1\nSTATUS=at work". Nobody has to hear it: failing is not told. */
void notify_send(const char *state);
/* How often "WATCHDOG=1" should be sent, half of what is allowed, in ms; 0: nobody waits for it. */
int64_t notify_watchdog_ms(void);
