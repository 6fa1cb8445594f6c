/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/spoolitem.h"

#include <stdio.h>
#include <string.h>

#define SUFFIX      ".json"
#define NUMBER_LEN  12
#define ID_TEXT_LEN 32

/* ---- names of files ---- */

bool spool_name_parse(const char *name, uint64_t *ret_number, char **ret_id)
{
    if (strlen(name) != NUMBER_LEN + 1 + ID_TEXT_LEN + strlen(SUFFIX) || name[NUMBER_LEN] != '-' ||
        strspn(name, "0123456789") != NUMBER_LEN ||
        strspn(name + NUMBER_LEN + 1, "0123456789abcdef") != ID_TEXT_LEN)
        return false;
    *ret_number = g_ascii_strtoull(name, NULL, 10);
    *ret_id = g_strndup(name + NUMBER_LEN + 1, ID_TEXT_LEN);
    return true;
}

char *spool_name_format(uint64_t number, const char *id)
{
    g_return_val_if_fail(strlen(id) == ID_TEXT_LEN, NULL);
    return g_strdup_printf("%0*" G_GUINT64_FORMAT "-%s" SUFFIX, NUMBER_LEN, number, id);
}

/* ---- in memory, and as text ---- */

void spool_item_free(gpointer pointer)
{
    SpoolItem *item = pointer;

    json_decref(item->event);
    json_decref(item->state);
    g_free(item->name);
    g_free(item->incident);
    g_strfreev(item->members);
    g_strfreev(item->incidents);
    g_free(item);
}

SpoolItem *spool_item_new(const char *name, json_t *event, json_t *state)
{
    SpoolItem *item = g_new0(SpoolItem, 1);

    item->name = g_strdup(name);
    item->event = event;
    item->state = state;
    if (event_kind(event) & EVENT_INCIDENT)
        item->incident = event_incident_key(event);
    return item;
}

static char **texts_of(const json_t *list)
{
    g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
    const json_t *text;
    size_t i;

    if (!list)
        return NULL;
    json_array_foreach((json_t *)list, i, text) if (json_is_string(text))
        g_strv_builder_add(texts, json_string_value(text));
    return g_strv_builder_end(texts);
}

static json_t *json_texts(char *const *texts)
{
    json_t *list = json_array();

    for (; *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}

SpoolItem *spool_item_decode(const char *name, const char *id, GBytes *bytes)
{
    SpoolItem *item;
    json_t *json = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), 0, NULL);
    json_t *event = json_object_get(json, "event"), *state = json_object_get(json, "state");

    if (!json_is_object(event) || !json_is_object(state) || event_kind(event) == 0 ||
        strcmp(event_text(event, "id"), id) != 0) {
        json_decref(json);
        return NULL;
    }
    item = spool_item_new(name, json_incref(event), json_incref(state));
    item->kept_at = json_integer_value(json_object_get(json, "kept_at"));
    item->next_at = json_integer_value(json_object_get(json, "next_at"));
    item->attempts = (unsigned)json_integer_value(json_object_get(json, "attempts"));
    item->members = texts_of(json_object_get(json, "members"));
    item->incidents = texts_of(json_object_get(json, "incidents"));
    json_decref(json);
    return item;
}

char *spool_item_encode(const SpoolItem *item)
{
    json_t *json = json_pack("{s:I, s:I, s:i, s:O, s:O}", "kept_at", (json_int_t)item->kept_at,
                             "next_at", (json_int_t)item->next_at, "attempts", (int)item->attempts,
                             "event", item->event, "state", item->state);
    char *text;

    if (item->members)
        json_object_set_new(json, "members", json_texts(item->members));
    if (item->incidents)
        json_object_set_new(json, "incidents", json_texts(item->incidents));
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}
