/* SPDX-License-Identifier: Apache-2.0 */
/* How copies of configuration and catalogue are named: for the files of op/installation.h. */
#pragma once
#include "op/installation.h"

#define INSTALLATION_KIND "installations"
#define INSTALLATION_DIR  "backstay/" INSTALLATION_KIND "/"

/* To be freed, all of them. */
char *installation_group(Repo *repo, const char *host, bool has_catalogue);
/* packed: without time and version of the program. */
char *installation_digest(Repo *repo, const json_t *packed);
char *installation_key(const char *group, int64_t time_ms, const char *digest);
