/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server is told of the recovery that it shall make: the lines in postgresql.auto.conf,
 * which the server reads last, and the command that brings it the WAL. PostgreSQL documentation,
 * "Archive Recovery" and "Recovery Target". Pure.
 */
#pragma once
#include "config/settings.h"
#include "op/recoverytarget.h"

typedef struct {
    const WalTarget *target; /* never NONE: a recovery without one ends wherever the WAL does */
    uint32_t timeline;
    RecoveryAction action;
    const char *restore_command;
    bool no_prefetch; /* do not read ahead of what is replayed; only with release >= 15 */
} RecoverySettings;

/* The text of the file: what old says (NULL: nothing) without its settings of a recovery, then
 * these. Other settings of a recovery, wherever they stand, are set to nothing. */
char *recovery_settings_text(const char *old, size_t len, const RecoverySettings *settings);

/*
 * restore_command: program (absolute), the repository and how it is opened, with the words quoted
 * for the shell and percent signs for the server. No secret is in it: a password that did not come
 * from a file or a command is left out, and *ret_hint says what the server needs; else it is NULL.
 * BS_ERROR_USAGE: there is no repository.
 */
bool recovery_command(const Settings *settings, const char *program, char **ret_command,
                      char **ret_hint, GError **error);
