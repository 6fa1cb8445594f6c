/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the daemon keeps what: conventions.md, section 4, and systemd.exec(5) for the variables.
 * State survives a restart of the machine, what lies in runtime does not. Both are made with mode
 * 0700; a run has a directory of its own, named by its id.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *state;   /* $STATE_DIRECTORY, /var/lib/backstay, or $XDG_STATE_HOME/backstay */
    char *runtime; /* $RUNTIME_DIRECTORY, /run/backstay, or $XDG_RUNTIME_DIR/backstay */
    char *runs;    /* state/runs */
    char *queue;   /* state/queue: notifications that were not delivered yet */
    char *uploads; /* state/uploads: files on their way to an import (daemon/uploads.h) */
    char *control; /* runtime/control.sock */
} Places;

/* Makes what is missing. BS_ERROR_DENIED and the like name the directory. */
bool places_open(Places *ret_places, GError **error);
/* The file of the catalogue, unless the configuration names another one; nothing is made. */
char *places_catalogue(void);
void places_done(Places *places);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Places, places_done)

/* runs/<id>, not made. id: 32 small hexadecimal digits, anything else is a programming error. */
char *places_run(const Places *places, const char *id);
/* The same of the daemon of this user, or of the machine. */
char *places_run_usual(const char *id);
