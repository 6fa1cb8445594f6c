/* SPDX-License-Identifier: Apache-2.0 */
/* A secret from a file, a command or the environment; never from an argument (conventions, section
 * 1). Files and commands are trimmed as restic does, the environment is not. */
#pragma once
#include "base/secret.h"
#include <stdbool.h>

/* what is for messages: "password". BS_ERROR_USAGE: longer than 64 KiB. */
bool secret_from_file(const char *what, const char *path, Secret **ret_secret, GError **error);
/* The same of a file that nobody else may read, by libpq's rule: 0600 or less, or 0640 or less when
 * root owns it. BS_ERROR_DENIED. */
bool secret_from_private_file(const char *what, const char *path, Secret **ret_secret,
                              GError **error);
/* The command's standard error and terminal are the user's: it may ask for a passphrase. */
bool secret_from_command(const char *what, const char *command, Secret **ret_secret,
                         GError **error);
/*
 * Of the variable NAME, or NAME_FILE, or NAME_COMMAND: NULL when none is set, and empty counts as
 * unset. What comes is a word, as keys are. BS_ERROR_USAGE: two of them are set, or it is no word.
 */
bool secret_from_environment(const char *name, Secret **ret_secret, GError **error);
