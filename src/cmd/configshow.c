/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/config.h"
#include "cmd/output.h"
#include "config/reference.h"
#include "config/yaml.h"
#include <string.h>

typedef struct {
    const Configuration *configuration;
    json_t *rows; /* NULL: text is printed */
} Showing;

/* ---- where from ---- */

/* A schedule's value may stand in "defaults". */
static const Mark *mark_of(const Configuration *configuration, const char *pointer)
{
    const Mark *mark = marks_find(configuration->marks, pointer);
    g_auto(GStrv) parts = g_strsplit(pointer, "/", 4);
    g_autofree char *defaults = NULL;

    if (mark || strcmp(parts[1], "schedules") != 0 || !parts[2] || !parts[3])
        return mark;
    defaults = g_strconcat("/defaults/", parts[3], NULL);
    return marks_find(configuration->marks, defaults);
}

static char *origin_of(const Configuration *configuration, const Mark *mark)
{
    if (!mark)
        return g_strdup("default");
    if (mark->variable)
        return g_strconcat("$", mark->variable, NULL);
    return g_strdup_printf("%s:%u", configuration->path, mark->line);
}

static json_t *row_of(const Configuration *configuration, const char *pointer, json_t *value,
                      const Mark *mark)
{
    json_t *row = json_pack("{s:s, s:O, s:s}", "path", pointer, "value", value, "origin",
                            !mark            ? "default"
                            : mark->variable ? "environment"
                                             : "file");

    if (mark && mark->variable)
        json_object_set_new(row, "variable", json_string(mark->variable));
    else if (mark) {
        json_object_set_new(row, "file", json_bytes(configuration->path));
        json_object_set_new(row, "line", json_integer(mark->line));
    }
    return row;
}

/* ---- values ---- */

/* Where a secret may stand and something else than a reference does, it may be one. */
static json_t *masked(const FieldType *type, json_t *value)
{
    if (type && type->reference && json_is_string(value) && !reference_is(json_string_value(value)))
        return json_string("***");
    return json_incref(value);
}

static void show_value(const Showing *showing, const FieldType *type, json_t *value,
                       const char *pointer)
{
    const Mark *mark = mark_of(showing->configuration, pointer);
    json_auto_t *shown = masked(type, value);
    g_autofree char *origin = origin_of(showing->configuration, mark), *text = NULL, *path = NULL;

    if (showing->rows) {
        json_array_append_new(showing->rows, row_of(showing->configuration, pointer, shown, mark));
        return;
    }
    path = pointer_text(pointer);
    text = json_is_string(shown) ? g_strdup(json_string_value(shown))
                                 : json_dumps(shown, JSON_ENCODE_ANY);
    printf("%s: %s  # %s\n", path, g_strdelimit(text, "\n", ' '), origin);
}

static void show_object(const Showing *showing, const Table *table, const json_t *object,
                        const char *pointer);

static void show_field(const Showing *showing, const Field *field, json_t *value,
                       const char *pointer)
{
    const char *name;
    json_t *item;
    size_t i;

    if (field->kind == FIELD_OBJECT || field->kind == FIELD_JSON) {
        show_object(showing, field->table, value, pointer);
    } else if (field->kind == FIELD_OBJECTS) {
        json_array_foreach(value, i, item)
        {
            g_autofree char *place = pointer_index(pointer, i);

            show_object(showing, field->table, item, place);
        }
    } else if (field->kind == FIELD_PAIRS) {
        json_object_foreach(value, name, item)
        {
            g_autofree char *place = pointer_join(pointer, name);

            show_value(showing, field->type, item, place);
        }
    } else {
        show_value(showing, field->type, value, pointer);
    }
}

static void show_object(const Showing *showing, const Table *table, const json_t *object,
                        const char *pointer)
{
    for (size_t i = 0; i < table->n; i++) {
        json_t *value = json_object_get(object, table->fields[i].key);
        g_autofree char *place = pointer_join(pointer, table->fields[i].key);

        // the name of a schedule is in its path
        if (value && !(table == &schedule_table && strcmp(table->fields[i].key, "name") == 0))
            show_field(showing, &table->fields[i], value, place);
    }
}

/* table: NULL for channels. */
static void show_section(const Showing *showing, const char *section, const Table *table)
{
    g_autofree char *pointer = pointer_join("", section);
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(showing->configuration->tree, section), name, value)
    {
        g_autofree char *place = pointer_join(pointer, name);
        const Table *own =
            table ? table : channel_table(json_string_value(json_object_get(value, "type")));

        show_object(showing, own, value, place);
    }
}

void config_show(const Configuration *configuration, bool json)
{
    Showing showing = { configuration, json ? json_array() : NULL };

    show_section(&showing, "repositories", &repository_table);
    show_section(&showing, "sources", &source_table);
    show_section(&showing, "schedules", &schedule_table);
    show_section(&showing, "notifications", NULL);
    show_object(&showing, &server_table, json_object_get(configuration->tree, "server"), "/server");
    if (json)
        output_json(showing.rows);
}
