/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

void source_init(Source *source, const SourceOps *ops, char *name)
{
    source->ops = ops;
    source->name = name;
    source->paths = g_new0(char *, 2);
    source->paths[0] = g_strconcat("/", name, NULL);
    source->tags = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(source->tags, g_strconcat("source=", name, NULL));
    g_ptr_array_add(source->tags, g_strconcat("kind=", ops->kind, NULL));
    source->notes = g_ptr_array_new_with_free_func(g_free);
}

void source_free(Source *source)
{
    if (!source)
        return;
    g_clear_pointer(&source->name, g_free);
    g_clear_pointer(&source->paths, g_strfreev);
    g_clear_pointer(&source->tags, g_ptr_array_unref);
    g_clear_pointer(&source->notes, g_ptr_array_unref);
    source->ops->free(source);
}
