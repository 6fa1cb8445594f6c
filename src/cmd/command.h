/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command is a row: its options as a GOptionEntry table whose arg_data are offsets into its
 * request, what it calls itself, and a function. Help, manual page and completion are printed from
 * the same rows. Texts are raw bytes: use ARG_TEXT and ARG_LIST, for GOption's own strings must be
 * UTF-8 in the locale.
 */
#pragma once
#include "base/cancel.h"
#include "config/settings.h"
#include <glib.h>
#include <stdbool.h>

#define ARG_TEXT G_OPTION_ARG_FILENAME       /* char * */
#define ARG_LIST G_OPTION_ARG_FILENAME_ARRAY /* char **, the option may be repeated */
#define ARG_FLAG G_OPTION_ARG_NONE           /* gboolean, never bool */
#define ARG_INT  G_OPTION_ARG_INT            /* gint */

typedef struct {
    const Settings *settings;
    const Cancel *cancel;
} Context;

typedef struct {
    const char *name;
    const char *operands;        /* "SNAPSHOT[:PATH]", "" for none */
    const char *summary;         /* one line, small first letter */
    const char *description;     /* paragraphs for help and manual page; may be NULL */
    const GOptionEntry *options; /* may be NULL */
    bool hidden;                 /* not in the help, nor in the completion */
    bool names_sources;          /* operands may be "@NAME", a source of the configuration */
    size_t request_size;
    /* Defaults other than zero; may be NULL. */
    void (*init)(void *request);
    bool (*run)(const Context *context, void *request, char **operands, GError **error);
    /* For commands whose caller reads exit statuses its own way: the status of a failure, which may
     * have come before run, that would be this one. argv: all of them. NULL: that of the error. */
    int (*exit_status)(char *const *argv, const GError *error, int status);
} Command;

/* NULL-terminated, in the order of the help. */
extern const Command *const commands[];
const Command *command_find(const char *name);
/* -r, --json and the like: offsets into Settings. */
extern const GOptionEntry global_options[];
/* -v and -o, which are counted and gathered and so have no offset. */
extern const GOptionEntry gathered_options[];

/* Parses, runs, reports an error (on stderr, and with --json as restic's exit_error line), gives
 * the exit status. */
int command_main(int argc, char **argv);

/* What a command asks for, from its own options alone, written as they are typed; to be freed with
 * command_free_request(). BS_ERROR_USAGE. */
bool command_parse_request(const Command *command, char *const *options, void **ret_request,
                           GError **error);
void command_free_request(const Command *command, void *request); /* takes NULL */

/* For commands: at least min and at most max operands (max 0: any number). BS_ERROR_USAGE. */
bool operands_between(char **operands, guint min, guint max, const char *what, GError **error);
