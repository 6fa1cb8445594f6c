/* SPDX-License-Identifier: Apache-2.0 */
/* A repository beside that of -r, which the configuration names: copy --from-repo NAME. */
#pragma once
#include "config/settings.h"

/* Settings of a repository of the configuration. NULL takes no name. */
typedef struct NamedRepo NamedRepo;

/*
 * name: NULL for none. *ret_named is NULL when the configuration has no such name: it is a location
 * then. Otherwise that repository is opened as -r NAME would be, by its own password and keys; what
 * it does not say is that of given. BS_ERROR_CONFIG; BS_ERROR_USAGE: it is a directory here, too.
 */
bool named_repo_find(const Settings *given, const char *name, NamedRepo **ret_named,
                     GError **error);
const Settings *named_repo_settings(const NamedRepo *named); /* NULL of NULL */
void named_repo_free(NamedRepo *named);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NamedRepo, named_repo_free)
