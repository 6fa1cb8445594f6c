/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a snapshot beside what is true of the target of a restore now. */
#pragma once
#include "base/cancel.h"
#include <jansson.h>
#include <stdbool.h>

/* Texts of what was saved and of what is there; NULL: nothing is known. Borrowed for the call. */
typedef struct {
    const char *source; /* of the configuration, whose fact it is; NULL: the target itself */
    const char *what;   /* "server version", "migrations of prisma", "fact version" */
    const char *saved, *now;
} RestoreDifference;
typedef void (*RestoreDiffers)(const RestoreDifference *difference, void *user);

/* A fact, texts or null each. source: of which now is, NULL: of the target. */
void restore_compare_fact(const char *name, const char *source, const json_t *saved,
                          const json_t *now, RestoreDiffers differs, void *user);

/* When the application's key is another than the one that the data was encrypted with: what that
 * means, to be freed. NULL: it is the same. source: likewise. */
char *restore_compare_key(const char *source, const json_t *saved, const json_t *now);

/* The server and the migrations of a database, by the manifest and its item of the database. name:
 * of the target database, where the URL names none. */
bool restore_compare_database(const char *url, const char *name, const json_t *manifest,
                              const json_t *database, const Cancel *cancel, RestoreDiffers differs,
                              void *user, GError **error);
