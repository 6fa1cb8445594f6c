/* SPDX-License-Identifier: Apache-2.0 */
/* Shell commands of a test, which must succeed. */
#pragma once
#include <glib.h>

/* A bash command; asserts status 0, returns what it printed. Takes environment. */
GBytes *shell_run(char **environment, const char *command);
/* As text, without the last line's end. Takes bytes. */
char *shell_text(GBytes *bytes);
