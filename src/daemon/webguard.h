/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever takes his time sending a request does not keep others out: a connection that has asked
 * for nothing whole within WEB_GUARD_WAIT_MS is cut, and the longest silent ones go first when
 * places become few. (An idle time-out alone is no help against a byte every few seconds.) Any
 * thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define WEB_GUARD_WAIT_MS  15000
#define WEB_GUARD_HURRY_MS 2000 /* when more than three quarters of the places are taken */

typedef struct WebGuard WebGuard;
typedef struct WebGuarded WebGuarded; /* one connection */

WebGuard *web_guard_new(unsigned places);
void web_guard_free(WebGuard *guard); /* no connection is left */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WebGuard, web_guard_free)

/* fd stays the caller's, who calls leave() before it is closed. */
WebGuarded *web_guard_enter(WebGuard *guard, int fd);
void web_guard_leave(WebGuard *guard, WebGuarded *guarded);
/* A request is whole and is worked on, or its answer is sent. */
void web_guard_busy(WebGuard *guard, WebGuarded *guarded);
/* It may send the next one: its time begins anew. */
void web_guard_idle(WebGuard *guard, WebGuarded *guarded);

/* Cuts what is overdue; how many. To be called about once a second. */
unsigned web_guard_sweep(WebGuard *guard);
unsigned web_guard_count(WebGuard *guard);
