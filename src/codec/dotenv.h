/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of variables, such as an application's ".env": NAME=value, a line each, maybe with "export"
 * before it, the value maybe in quotes (within them it may go over several lines), comments behind
 * "#". As docker compose and the dotenv libraries read them, but that nothing is expanded. Pure.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* The value that the last line of this name gives; NULL: there is none. To be freed, and wiped. */
char *dotenv_get(const char *text, const char *name);

/* The text with "***" in place of every value. Only names stay: a comment may hold an old key, and
 * what is no line of this kind may be a part of one, so that is "***", too. */
GString *dotenv_mask(const char *text);
