/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server is told of the recovery that it shall make: the lines in postgresql.auto.conf,
 * which the server reads last, and the command that brings it the WAL. PostgreSQL documentation,
 * "Archive Recovery" and "Recovery Target". Pure.
 */
#pragma once
#include "config/settings.h"
#include "op/recoverytarget.h"
#include "pg/control.h"

typedef struct {
    const WalTarget *target; /* never NONE: a recovery without one ends wherever the WAL does */
    uint32_t timeline;
    RecoveryAction action;
    const char *restore_command;
    uint32_t limits[PG_LIMITS]; /* that the server had meanwhile, with less of which a recovery
                                   stops anywhere; 0: as it is set */
    bool no_prefetch;           /* do not read ahead of what is replayed; only with release >= 15 */
} RecoverySettings;

/* The text of the file: what old says (NULL: nothing) without its settings of a recovery, then
 * these. Other settings of a recovery, wherever they stand, are set to nothing. */
char *recovery_settings_text(const char *old, size_t len, const RecoverySettings *settings);

typedef struct {
    char *text; /* of restore_command */
    char *file; /* that the server must be able to read: of the key or the password; or NULL */
    char *hint; /* what else it needs; or NULL */
} RecoveryCommand;
void recovery_command_clear(RecoveryCommand *command);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RecoveryCommand, recovery_command_clear)

/*
 * program (absolute), the repository and how it is opened, with the words quoted for the shell and
 * percent signs for the server. No secret is in it: a password that did not come from a file or a
 * command is left out. BS_ERROR_USAGE: there is no repository.
 */
bool recovery_command(const Settings *settings, const char *program, RecoveryCommand *ret_command,
                      GError **error);

/* A word for a shell, quoted where it must be. To be freed. */
char *recovery_shell_word(const char *word);
