/* SPDX-License-Identifier: Apache-2.0 */
#include "config/yamlreading.h"

#define DEPTH_MAX  32
#define VALUES_MAX 100000 /* of 100 schedules: some thousands */

/* ---- where things stand ---- */

static Mark mark_of(const struct fy_mark *value, const struct fy_mark *key)
{
    Mark mark = { 0 };

    if (!key)
        key = value;
    if (value)
        mark = (Mark){ .line = (unsigned)value->line + 1,
                       .column = (unsigned)value->column + 1,
                       .key_line = (unsigned)key->line + 1,
                       .key_column = (unsigned)key->column + 1 };
    return mark;
}

static void set_mark(YamlReader *reader, const char *pointer, Mark mark)
{
    g_hash_table_replace(reader->marks, g_strdup(pointer), g_memdup2(&mark, sizeof mark));
}

static struct fy_token *token_of(const struct fy_event *event)
{
    switch (event->type) {
    case FYET_SCALAR:
        return event->scalar.value;
    case FYET_ALIAS:
        return event->alias.anchor;
    case FYET_SEQUENCE_START:
        return event->sequence_start.sequence_start;
    case FYET_MAPPING_START:
        return event->mapping_start.mapping_start;
    default:
        return NULL;
    }
}

/* ---- scalars ---- */

static bool is_any(const char *text, const char *const *words)
{
    return g_strv_contains(words, text);
}

static bool is_integer(const char *text, gint64 *ret_value)
{
    const char *digits = text + (*text == '-');

    return g_ascii_isdigit(*digits) && (digits[0] != '0' || digits[1] == '\0') &&
           g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, ret_value, NULL);
}

/* YAML 1.2.2, section 10.3.2 */
static json_t *plain_scalar(const char *text)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    gint64 number;

    if (is_any(text, nulls))
        return json_null();
    if (is_any(text, trues))
        return json_true();
    if (is_any(text, falses))
        return json_false();
    return is_integer(text, &number) ? json_integer(number) : json_string(text);
}

static char *text_of(struct fy_token *token)
{
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : NULL;

    return text ? g_strndup(text, len) : g_strdup("");
}

/* ---- problems ---- */

json_t *yaml_refuse(YamlReader *reader, const struct fy_mark *mark, const char *text)
{
    Mark at = mark_of(mark, NULL);

    problems_add_at(reader->problems, at.line, at.column, "%s", text);
    return NULL;
}

/* ---- nodes ---- */

static bool count_value(YamlReader *reader, const struct fy_mark *mark)
{
    if (++reader->values <= VALUES_MAX)
        return true;
    (void)yaml_refuse(reader, mark, "too many values; aliases count for what they stand for");
    return false;
}

static json_t *read_list(YamlReader *reader, const char *pointer, unsigned depth)
{
    json_t *list = json_array();

    for (;;) {
        g_auto(YamlEvent) event = yaml_next_event(reader);
        g_autofree char *place = pointer_index(pointer, json_array_size(list));
        json_t *item;

        if (event.event && event.event->type == FYET_SEQUENCE_END)
            return list;
        item = event.event ? yaml_read_node(reader, event.event, place, NULL, depth) : NULL;
        if (!item) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, item);
    }
}

/* The key as text; NULL when it cannot be one. */
static char *read_key(YamlReader *reader, const struct fy_event *event, const json_t *object)
{
    g_autofree char *key = NULL;
    const struct fy_mark *mark = fy_token_start_mark(token_of(event));

    if (event->type == FYET_SCALAR)
        key = text_of(event->scalar.value);
    if (!key || !*key || event->scalar.anchor || event->scalar.tag) {
        (void)yaml_refuse(reader, mark, "keys are plain text");
        return NULL;
    }
    if (json_object_get(object, key)) {
        Mark at = mark_of(mark, NULL);

        problems_add_at(reader->problems, at.line, at.column,
                        "the key \"%s\" stands here twice; leave one", key);
        return NULL;
    }
    return g_steal_pointer(&key);
}

static bool read_member(YamlReader *reader, struct fy_event *event, json_t *object,
                        const char *pointer, unsigned depth)
{
    g_autofree char *key = read_key(reader, event, object);
    g_autofree char *place = key ? pointer_join(pointer, key) : NULL;
    g_auto(YamlEvent) value = { 0 };
    json_t *read;

    if (!key)
        return false;
    value = yaml_next_event(reader);
    read = value.event ? yaml_read_node(reader, value.event, place,
                                        fy_token_start_mark(token_of(event)), depth)
                       : NULL;
    return read && json_object_set_new(object, key, read) == 0;
}

static json_t *read_object(YamlReader *reader, const char *pointer, unsigned depth)
{
    json_t *object = json_object();

    for (;;) {
        g_auto(YamlEvent) event = yaml_next_event(reader);

        if (event.event && event.event->type == FYET_MAPPING_END)
            return object;
        if (!event.event || !read_member(reader, event.event, object, pointer, depth)) {
            json_decref(object);
            return NULL;
        }
    }
}

/* ---- aliases ---- */

/* What an alias stands for, and where its parts stand. */
typedef struct {
    json_t *value;
    char *pointer;
} Anchor;

static void anchor_free(Anchor *anchor)
{
    json_decref(anchor->value);
    g_free(anchor->pointer);
    g_free(anchor);
}
GHashTable *yaml_anchors_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)anchor_free);
}

static void set_anchor(YamlReader *reader, struct fy_token *name, json_t *value,
                       const char *pointer)
{
    Anchor *anchor;

    if (!name)
        return;
    anchor = g_new(Anchor, 1);
    *anchor = (Anchor){ json_incref(value), g_strdup(pointer) };
    g_hash_table_replace(reader->anchors, text_of(name), anchor);
}

/* A copy whose parts stand where those of the anchor do. */
static json_t *copy_value(YamlReader *reader, const json_t *value, const char *from, const char *to)
{
    const Mark *mark = marks_find(reader->marks, from);
    json_t *copy, *item;
    const char *key;
    size_t i;

    if (++reader->values > VALUES_MAX)
        return NULL;
    set_mark(reader, to, mark ? *mark : (Mark){ 0 });
    if (!json_is_array(value) && !json_is_object(value))
        return json_deep_copy(value);
    copy = json_is_array(value) ? json_array() : json_object();
    json_array_foreach((json_t *)value, i, item)
    {
        g_autofree char *old = pointer_index(from, i), *new = pointer_index(to, i);

        json_array_append_new(copy, copy_value(reader, item, old, new)); // NULL: not appended
    }
    json_object_foreach((json_t *)value, key, item)
    {
        g_autofree char *old = pointer_join(from, key), *new = pointer_join(to, key);

        json_object_set_new(copy, key, copy_value(reader, item, old, new));
    }
    return copy;
}

static json_t *read_alias(YamlReader *reader, struct fy_event *event, const char *pointer)
{
    g_autofree char *name = text_of(event->alias.anchor);
    const struct fy_mark *mark = fy_token_start_mark(event->alias.anchor);
    const Anchor *anchor = g_hash_table_lookup(reader->anchors, name);
    json_t *copy;

    if (!anchor)
        return yaml_refuse(reader, mark, "no anchor of this name stands before");
    copy = copy_value(reader, anchor->value, anchor->pointer, pointer);
    if (copy && reader->values <= VALUES_MAX)
        return copy;
    json_decref(copy);
    return yaml_refuse(reader, mark, "too many values; aliases count for what they stand for");
}

/* ---- any node ---- */

static json_t *read_scalar(const struct fy_event *event)
{
    g_autofree char *text = text_of(event->scalar.value);

    if (fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN)
        return plain_scalar(text);
    return json_string(text);
}

static json_t *read_value(YamlReader *reader, struct fy_event *event, const char *pointer,
                          unsigned depth)
{
    const struct fy_mark *mark = fy_token_start_mark(token_of(event));
    struct fy_token *tag = NULL, *anchor = NULL;
    json_t *value = NULL;

    if (event->type == FYET_SCALAR) {
        tag = event->scalar.tag;
        anchor = event->scalar.anchor;
    } else if (event->type == FYET_SEQUENCE_START) {
        tag = event->sequence_start.tag;
        anchor = event->sequence_start.anchor;
    } else if (event->type == FYET_MAPPING_START) {
        tag = event->mapping_start.tag;
        anchor = event->mapping_start.anchor;
    }
    if (tag)
        return yaml_refuse(reader, mark, "tags have no meaning here; leave it out");
    if (event->type == FYET_SCALAR)
        value = read_scalar(event);
    else if (event->type == FYET_SEQUENCE_START)
        value = read_list(reader, pointer, depth + 1);
    else if (event->type == FYET_MAPPING_START)
        value = read_object(reader, pointer, depth + 1);
    if (value)
        set_anchor(reader, anchor, value, pointer);
    return value;
}

/* The token of an alias begins after the '*', that of a quoted text after the quote. */
static bool has_mark_before(const struct fy_event *event)
{
    enum fy_scalar_style style =
        event->type == FYET_SCALAR ? fy_token_scalar_style(event->scalar.value) : FYSS_ANY;

    return event->type == FYET_ALIAS || style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

json_t *yaml_read_node(YamlReader *reader, struct fy_event *event, const char *pointer,
                       const struct fy_mark *key, unsigned depth)
{
    const struct fy_mark *mark = fy_token_start_mark(token_of(event));
    Mark at = mark_of(mark ? mark : key, key);
    json_t *alias = NULL;

    if (has_mark_before(event))
        at.column--;

    if (depth > DEPTH_MAX)
        return yaml_refuse(reader, mark, "nested too deeply");
    if (!count_value(reader, mark))
        return NULL;
    if (event->type == FYET_ALIAS) {
        alias = read_alias(reader, event, pointer);
        if (!alias)
            return NULL;
    }
    // what is wrong with a copy is told where the alias stands, and its parts where they stand
    set_mark(reader, pointer, at);
    return alias ? alias : read_value(reader, event, pointer, depth);
}
