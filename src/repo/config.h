/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a repository: the text sealed in the object "config" (repository format,
 * "Config"). Fields of ours do not go there: restic drops them when it rewrites the object. */
#pragma once
#include "base/id.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_KEY "config"
#define CONFIG_MAX (64u * 1024) /* bytes as stored; restic's have 187 */

typedef struct {
    unsigned version;    /* 1 or 2 */
    Id id;               /* of the repository, wherever it is copied */
    uint64_t polynomial; /* irreducible */
} RepoConfig;

/* BS_ERROR_CORRUPT; BS_ERROR_UNSUPPORTED: a version from the future. */
bool config_decode(const char *text, size_t len, RepoConfig *ret_config, GError **error);
/* To be freed. */
char *config_encode(const RepoConfig *config);
