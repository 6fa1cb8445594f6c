/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child process with its standard input or output on a pipe to us, and the end of its standard
 * error kept for the error text. The child gets exactly the argv and environment named (no shell);
 * every other descriptor is closed, its signal mask is clear, and it dies with us (PDEATHSIG: with
 * the very thread that spawned it, prctl(2)). One thread per child, from spawn to free.
 */
#pragma once
#include "base/cancel.h"
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Child Child;

typedef enum {
    CHILD_STDIN_PIPE = 1 << 0,       /* else /dev/null */
    CHILD_STDOUT_PIPE = 1 << 1,      /* else /dev/null */
    CHILD_STDERR_INHERIT = 1 << 2,   /* else kept: the last 8 KiB are in the error of child_wait */
    CHILD_STDERR_TO_STDOUT = 1 << 3, /* with CHILD_STDOUT_PIPE: both in one, in their order */
    CHILD_OWN_GROUP = 1 << 4,        /* a group of its own: what ends it ends its children, too */
} ChildFlags;

/* envp: NULL for our own environment. BS_ERROR_NOT_FOUND when argv[0] is not in PATH. */
Child *child_spawn(const char *const *argv, const char *const *envp, unsigned flags,
                   GError **error);

int child_stdin(const Child *child); /* -1 when closed or not piped; does not block */
int child_stdout(const Child *child);
void child_close_stdin(Child *child); /* end of input for the child */

/* All of it into its input. *ret_deaf: the child has closed its end, or had before, and nobody
 * takes the rest; that is no error. BS_ERROR_CANCELLED: the child took nothing more until then. */
bool child_write(Child *child, const Cancel *cancel, const void *data, size_t len, bool *ret_deaf,
                 GError **error);

/* Ends its input and waits for its end (read its output to the end before, or it may never come).
 * True only for exit status 0; otherwise the error names the program, its status or signal, and the
 * last lines of its standard error. ret_status may be NULL; it is set in either case (exit status,
 * or 128 + signal). BS_ERROR_CANCELLED, with ret_status as it was: it still runs. */
bool child_wait(Child *child, const Cancel *cancel, int *ret_status, GError **error);
/* What standard error held so far (its end), as text; borrowed until the next call. */
const char *child_stderr(Child *child);

/* SIGTERM, when it still runs; its end is waited for as ever. */
void child_terminate(Child *child);
/* Kills (SIGTERM, after two seconds SIGKILL) and reaps when still running. */
void child_free(Child *child);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Child, child_free)

/* The standard output of a short command, whole, at most bound bytes. */
bool child_output(const char *const *argv, const char *const *envp, size_t bound,
                  GBytes **ret_output, GError **error);
