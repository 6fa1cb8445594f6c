/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scheduler tells (schedules, runs, stages, progress), handed on to everybody who listens,
 * as server-sent events (HTML Living Standard, "Server-sent events"). One thread reads the control
 * socket while there is a listener, and connects again when it is lost. One who reads too slowly is
 * cut off, and comes again. Any thread.
 */
#pragma once
#include "daemon/webcall.h"

#define HUB_LISTENERS 64u

WebHub *web_hub_new(const char *control, GError **error);
/* Ends all pipes, and makes no more. */
void web_hub_stop(WebHub *hub);
void web_hub_free(WebHub *hub);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WebHub, web_hub_free)

/* A new reference to a pipe that is filled from now on; NULL: there are HUB_LISTENERS. */
WebPipe *web_hub_listen(WebHub *hub);

bool web_events(WebCall *call, WebAnswer *answer, GError **error);
