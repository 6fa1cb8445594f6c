/* SPDX-License-Identifier: Apache-2.0 */
#include "op/patterns.h"

bool patterns_compile(char *const *texts, char *const *files, bool ignore_case,
                      PatternList **ret_list, GError **error)
{
    g_autoptr(PatternList) list = pattern_list_new(ignore_case);
    g_autoptr(GPtrArray) read = g_ptr_array_new_with_free_func(g_free);

    for (; files && *files; files++)
        if (!pattern_file_read(*files, read, error))
            return false;
    for (; texts && *texts; texts++)
        if (!pattern_list_add(list, *texts, error))
            return false;
    for (guint i = 0; i < read->len; i++)
        if (!pattern_list_add(list, g_ptr_array_index(read, i), error))
            return false;
    *ret_list = pattern_list_is_empty(list) ? NULL : g_steal_pointer(&list);
    return true;
}
