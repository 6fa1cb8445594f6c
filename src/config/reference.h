/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a secret is, instead of the secret: "env://NAME", "file:///path", "cred://name" (a file in
 * systemd's $CREDENTIALS_DIRECTORY) or "command://COMMAND" (what it prints). White space at both
 * ends of files and outputs does not belong to the secret. With "#password" at its end it is the
 * password within the URL that is there: env://DATABASE_URL#password.
 */
#pragma once
#include "base/secret.h"
#include <glib.h>
#include <stdbool.h>

typedef char *Reference; /* owned text */

/* Whether it begins like one. */
bool reference_is(const char *text);
/* BS_ERROR_USAGE: it is none, and how one is written. Repeats nothing of the text, which may be the
 * secret itself. Looks for nothing. */
bool reference_check(const char *text, GError **error);
/* what is for messages: "password". BS_ERROR_USAGE: it is none, or the variable or the directory is
 * not set; BS_ERROR_NOT_FOUND and others of files; BS_ERROR_FAILED of commands. */
bool reference_resolve(const char *what, const char *reference, Secret **ret_secret,
                       GError **error);
