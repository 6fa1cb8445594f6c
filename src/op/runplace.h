/* SPDX-License-Identifier: Apache-2.0 */
/* From what the configuration says of a repository or a source to what the rest of the program
 * takes. Secrets are looked up here, and stay in memory. */
#pragma once
#include "config/configuration.h"
#include "config/repository.h"
#include "config/settings.h"
#include "config/source.h"

/* given: of the command line, for what the repository does not say. ret_settings is complete, and
 * to be cleared. BS_ERROR_USAGE, and those of reference_resolve(). */
bool run_place_settings(const RepositoryConfig *repository, const Settings *given,
                        Settings *ret_settings, GError **error);

/* The operands of a source as `backup` takes them, in the URL of a server also its
 * password. */
bool run_place_operands(const SourceConfig *source, char ***ret_operands, GError **error);
void run_place_wipe(char **operands); /* frees them; takes NULL */

/* Names of the variables that references stand for ("env://NAME"): they hold secrets. sources: of
 * SourceConfig; archives: of the schedule, may be NULL. */
GStrv run_place_hidden(const RepositoryConfig *repository, const GPtrArray *sources,
                       const json_t *archives);
/* Those of the whole configuration. */
GStrv run_place_hidden_all(const Configuration *configuration);
