/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

void source_free(Source *source)
{
    if (!source)
        return;
    g_clear_pointer(&source->name, g_free);
    g_clear_pointer(&source->paths, g_strfreev);
    g_clear_pointer(&source->tags, g_ptr_array_unref);
    source->ops->free(source);
}
