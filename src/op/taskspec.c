/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "op/specfile.h"
#include "op/task.h"
#include <string.h>

#define STEPS_MAX 8u
#define WORDS_MAX 1024u

static void step_clear(gpointer data)
{
    TaskStep *step = data;

    g_free(step->stage);
    g_strfreev(step->argv);
    g_free(step);
}

void task_spec_clear(TaskSpec *spec)
{
    g_free(spec->id);
    g_free(spec->kind);
    g_clear_pointer(&spec->steps, g_ptr_array_unref);
    *spec = (TaskSpec){ 0 };
}

static char **words_of(const json_t *list)
{
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    const json_t *word;
    size_t i;

    if (json_array_size(list) == 0 || json_array_size(list) > WORDS_MAX)
        return NULL;
    json_array_foreach(list, i, word)
    {
        if (!json_is_string(word) ||
            json_string_length(word) != strlen(json_string_value(word))) // a zero byte in it
            return NULL;
        g_strv_builder_add(words, json_string_value(word));
    }
    return g_strv_builder_end(words);
}

static bool add_step(TaskSpec *spec, const json_t *given, GError **error)
{
    const char *stage = json_string_value(json_object_get(given, "stage"));
    char **words = words_of(json_object_get(given, "argv"));
    TaskStep *step;

    if (!stage || !words) {
        g_strfreev(words);
        return spec_file_broken("a step lacks its stage, or its argv is no list of texts", error);
    }
    step = g_new0(TaskStep, 1);
    step->stage = g_strdup(stage);
    step->argv = words;
    g_ptr_array_add(spec->steps, step);
    return true;
}

static bool decode(const json_t *root, void *into, GError **error)
{
    TaskSpec *spec = into;
    const char *id = json_string_value(json_object_get(root, "run"));
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const json_t *steps = json_object_get(root, "steps"), *step;
    size_t i;

    if (!id || strlen(id) != 32 || strspn(id, "0123456789abcdef") != 32 || !kind)
        return spec_file_broken("it lacks run or kind", error);
    if (json_array_size(steps) == 0 || json_array_size(steps) > STEPS_MAX)
        return spec_file_broken("it has no steps, or too many", error);
    spec->id = g_strdup(id);
    spec->kind = g_strdup(kind);
    spec->steps = g_ptr_array_new_with_free_func(step_clear);
    json_array_foreach(steps, i, step)
    {
        if (!add_step(spec, step, error))
            return false;
    }
    return true;
}

bool task_spec_is(const char *path)
{
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    const bool is = json_is_array(json_object_get(root, "steps"));

    json_decref(root);
    return is;
}

bool task_spec_load(const char *path, TaskSpec *ret_spec, GError **error)
{
    g_auto(TaskSpec) spec = { 0 };

    if (!spec_file_load(path, decode, &spec, error))
        return false;
    *ret_spec = spec;
    spec = (TaskSpec){ 0 };
    return true;
}
