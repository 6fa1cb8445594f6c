/* SPDX-License-Identifier: Apache-2.0 */
#include "config/yaml.h"

#include "config/yamlreading.h"

/* ---- marks ---- */

GHashTable *marks_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

const Mark *marks_find(GHashTable *marks, const char *pointer)
{
    return g_hash_table_lookup(marks, pointer);
}

/* ---- problems ---- */

/* What libfyaml found wrong with the form. */
static void tell_syntax(YamlReader *reader, struct fy_diag *diag)
{
    void *at = NULL;
    const struct fy_diag_error *found = fy_diag_errors_iterate(diag, &at);

    if (reader->problems->len > 0)
        return;
    if (found)
        problems_add_at(reader->problems, (unsigned)MAX(found->line, 1),
                        (unsigned)MAX(found->column, 1), "this is no YAML: %s", found->msg);
    else
        problems_add_at(reader->problems, 1, 1, "this is no YAML");
}

/* ---- the file ---- */

/* False: there is none of that type. */
static bool skip_event(YamlReader *reader, enum fy_event_type type)
{
    g_auto(YamlEvent) event = yaml_next_event(reader);

    return event.event && event.event->type == type;
}

static json_t *read_document(YamlReader *reader)
{
    g_auto(YamlEvent) event = yaml_next_event(reader);

    if (!event.event)
        return NULL;
    if (event.event->type == FYET_STREAM_END)
        return json_object();
    if (event.event->type != FYET_DOCUMENT_START)
        return NULL;
    yaml_event_done(&event);
    event = yaml_next_event(reader);
    return event.event ? yaml_read_node(reader, event.event, "", NULL, 0) : NULL;
}

static bool nothing_follows(YamlReader *reader)
{
    for (;;) {
        g_auto(YamlEvent) event = yaml_next_event(reader);

        if (!event.event || event.event->type == FYET_STREAM_END)
            return event.event != NULL;
        if (event.event->type == FYET_DOCUMENT_START) {
            (void)yaml_refuse(reader,
                              fy_token_start_mark(event.event->document_start.document_start),
                              "a second document begins; leave one");
            return false;
        }
    }
}

static json_t *read_stream(YamlReader *reader)
{
    json_t *root = NULL;

    if (!skip_event(reader, FYET_STREAM_START))
        return NULL;
    root = read_document(reader);
    if (root && g_hash_table_size(reader->marks) > 0 && !nothing_follows(reader))
        g_clear_pointer(&root, json_decref);
    return root;
}

static bool is_text(const char *text, size_t len, Problems *problems)
{
    const char *end, *line = text;
    unsigned n = 1;

    if (len > YAML_BYTES_MAX) {
        problems_add_at(problems, 1, 1, "larger than %u KiB; is this the right file?",
                        YAML_BYTES_MAX / 1024);
        return false;
    }
    if (g_utf8_validate_len(text, len, &end))
        return true;
    for (const char *at = text; at < end; at++)
        if (*at == '\n') {
            line = at + 1;
            n++;
        }
    problems_add_at(problems, n, (unsigned)g_utf8_strlen(line, end - line) + 1,
                    "not a text in UTF-8");
    return false;
}

bool yaml_parse(const char *text, size_t len, json_t **ret_root, GHashTable *marks,
                Problems *problems)
{
    static const struct fy_diag_cfg quiet = { .level = FYET_ERROR };
    struct fy_diag *diag;
    YamlReader reader = { .marks = marks, .problems = problems };
    json_t *root = NULL;

    if (!is_text(text, len, problems))
        return false;
    diag = fy_diag_create(&quiet);
    fy_diag_set_collect_errors(diag, true);
    reader.parser = fy_parser_create(&(struct fy_parse_cfg){
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2,
        .diag = diag,
    });
    reader.anchors = yaml_anchors_new();
    if (fy_parser_set_string(reader.parser, text, len) == 0)
        root = read_stream(&reader);
    if (!root)
        tell_syntax(&reader, diag);
    g_hash_table_unref(reader.anchors);
    fy_parser_destroy(reader.parser);
    fy_diag_destroy(diag);
    if (root)
        *ret_root = root;
    return root != NULL;
}
