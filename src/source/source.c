/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

void source_free(Source *source)
{
    if (source)
        source->ops->free(source);
}
