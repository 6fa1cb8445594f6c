/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scheduleopen.h"

void schedule_merge_defaults(json_t *schedule, const json_t *defaults)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)defaults, key, value) if (!json_object_get(schedule, key))
        json_object_set_new(schedule, key, json_deep_copy(value));
}

static bool has_labels(const json_t *source, const json_t *wanted)
{
    const json_t *labels = json_object_get(source, "labels"), *value;
    const char *label;

    json_object_foreach((json_t *)wanted, label, value)
    {
        if (!json_equal(json_object_get(labels, label), value))
            return false;
    }
    return true;
}

static json_t *names_with(const json_t *sources, const json_t *wanted)
{
    json_t *names = json_array();
    const json_t *source;
    const char *name;

    json_object_foreach((json_t *)sources, name, source)
    {
        if (has_labels(source, wanted))
            json_array_append_new(names, json_string(name));
    }
    return names;
}

void schedule_select(const Check *check, json_t *schedule, bool strict, const char *pointer)
{
    const json_t *wanted = json_object_get(schedule, "select"),
                 *given = json_object_get(schedule, "sources");
    g_autofree char *place = pointer_join(pointer, "select");
    json_t *names;

    if (!wanted || !check->sections)
        return;
    names = names_with(json_object_get(check->sections, "sources"), wanted);
    // no label at all would be every source, also those that are written some day
    if (json_object_size(wanted) == 0)
        problems_add_key(check->problems, place, "write at least one label");
    else if (json_array_size(names) == 0)
        problems_add_key(check->problems, place, "no source has these labels");
    else if (strict && given && !json_equal(given, names))
        problems_add_key(check->problems, place, "sources and select: leave one");
    json_object_set_new(schedule, "sources", names);
}
