/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumeway.h"

#include "base/error.h"
#include <string.h>

bool volume_way_parse(const char *text, VolumeWay *ret_way, GError **error)
{
    static const char *const words[] = {
        [VOLUME_AUTO] = "auto", [VOLUME_LVM] = "lvm",   [VOLUME_FREEZE] = "freeze",
        [VOLUME_HOOK] = "hook", [VOLUME_NONE] = "none",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *ret_way = (VolumeWay)i;
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--consistency %s: must be auto, lvm, freeze, hook or none", text);
    return false;
}
