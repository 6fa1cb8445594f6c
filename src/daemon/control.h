/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: JSON lines, one request and one answer, from processes of our own user and of
 * root. Who asks for "events" is told each event from then on, until he closes or reads too slowly.
 * One thread; nothing here waits.
 */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>

typedef struct Control Control;

/* The answer; a new reference. request is borrowed. */
typedef json_t *(*ControlAnswer)(const json_t *request, void *user);

/* path: what lies there is removed, so hold a lock that says that nobody listens. */
Control *control_open(const char *path, ControlAnswer answer, void *user, GError **error);
void control_free(Control *control);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Control, control_free)

/* Appends what is to be polled; what poll(2) says of it goes to control_handle(). */
void control_poll(const Control *control, GArray *polls);
/* polls: those that control_poll() appended, from the first on. */
void control_handle(Control *control, const struct pollfd *polls);

bool control_has_listeners(const Control *control);
/* To all who asked for events. Takes the reference. */
void control_tell(Control *control, json_t *event);

/* {"ok":false,"code":N,"reason":WORD,"error":TEXT}; WORD: daemon/refusal.h */
json_t *control_refusal(const GError *error);
