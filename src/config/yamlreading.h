/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the YAML reader share: the values (yamlnode.c), and the file around them
 * (yaml.c).
 */
#pragma once
#include "config/yaml.h"
#include <libfyaml.h>

typedef struct {
    struct fy_parser *parser;
    GHashTable *marks, *anchors; // anchors: yaml_anchors_new()
    Problems *problems;
    unsigned values;
} YamlReader;

/* Its tokens belong to it. */
typedef struct {
    struct fy_parser *parser;
    struct fy_event *event; /* NULL: there is no more, or what follows is no YAML */
} YamlEvent;

static inline YamlEvent yaml_next_event(YamlReader *reader)
{
    return (YamlEvent){ reader->parser, fy_parser_parse(reader->parser) };
}

static inline void yaml_event_done(YamlEvent *event)
{
    if (event->event)
        fy_parser_event_free(event->parser, event->event);
    event->event = NULL;
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(YamlEvent, yaml_event_done)

/* ---- yamlnode.c ---- */

/* Adds a problem; always NULL. */
json_t *yaml_refuse(YamlReader *reader, const struct fy_mark *mark, const char *text);
/* The value that begins with event, to its end, new; key: where the key stands that names it, or
 * NULL. NULL: what is wrong is a problem already, or a fault of form that libfyaml knows. */
json_t *yaml_read_node(YamlReader *reader, struct fy_event *event, const char *pointer,
                       const struct fy_mark *key, unsigned depth);
/* Names with the values that they stand for. */
GHashTable *yaml_anchors_new(void);
