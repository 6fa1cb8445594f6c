/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that the configuration names, with the options that `backup` has for them. */
#pragma once
#include "op/run.h"

/* As `backup` would make it. ret_made is to be cleared. */
bool backup_make_source(const SourceConfig *config, VolumeGroup *volumes, RunSource *ret_made,
                        GError **error);
