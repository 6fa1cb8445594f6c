/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "-r NAME" with a repository that the configuration names. What looks like a name is one when the
 * configuration has it, and a path otherwise; a name that is also a directory here is refused. What
 * the configuration says fills what options and BACKSTAY_* leave open; its keys of a bucket come
 * before those of BACKUP_S3_* and AWS_*, which may be anybody's.
 */
#pragma once
#include "config/settings.h"

/* Before settings_complete(). BS_ERROR_CONFIG, BS_ERROR_USAGE. */
bool settings_take_named(Settings *settings, GError **error);
/* True with BS_ERROR_USAGE: a name of the configuration could mean either. */
bool settings_name_is_directory(const char *name, GError **error);
