/* SPDX-License-Identifier: Apache-2.0 */
#include "op/secretsource.h"

#include "base/error.h"
#include <string.h>

#define TAG_NAME  "secret"
#define TAG_VALUE "yes"

void secret_source_mark(const SourceConfig *config, Source *source)
{
    if (config->secret)
        g_ptr_array_add(source->tags, g_strdup(TAG_NAME "=" TAG_VALUE));
}

bool secret_source_is(const Snapshot *snapshot)
{
    const char *value = snapshot_tag_value(snapshot, TAG_NAME);

    return value && strcmp(value, TAG_VALUE) == 0;
}

bool secret_source_refuse(const Snapshot *snapshot, const char *how, GError **error)
{
    if (!secret_source_is(snapshot))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                "snapshot %s is of a source that is marked secret; %s",
                id_short(&snapshot->id).text, how);
    return false;
}
