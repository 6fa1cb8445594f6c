/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/event.h"

#include "base/id.h"
#include "codec/hash.h"
#include "codec/rfc3339.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define ID_BYTES 16
#define KEY_MAX  255 /* of PagerDuty's dedup_key */

static const struct {
    EventKind kind;
    const char *name;
} kinds[] = {
    { EVENT_OPENED, "opened" },     { EVENT_REMINDED, "reminded" },
    { EVENT_RESOLVED, "resolved" }, { EVENT_SUCCEEDED, "succeeded" },
    { EVENT_STARTED, "started" },   { EVENT_ENDED, "ended" },
    { EVENT_REPORT, "report" },     { EVENT_TEST, "test" },
    { EVENT_GROUP, "group" },
};

const char *event_kind_name(EventKind kind)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "";
}

EventKind event_kind(const json_t *event)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i].name, event_text(event, "kind")) == 0)
            return kinds[i].kind;
    return 0;
}

/* So that ids are in the order of time, as those of runs. */
static char *new_id(int64_t at)
{
    uint8_t bytes[ID_BYTES];
    GString *id = g_string_new(NULL);

    random_bytes(bytes, sizeof bytes);
    g_string_printf(id, "%012" PRIx64, (uint64_t)MAX(at, 0) * 1000 & 0xffffffffffff);
    for (size_t i = 6; i < sizeof bytes; i++)
        g_string_append_printf(id, "%02x", bytes[i]);
    return g_string_free(id, FALSE);
}

json_t *event_new(EventKind kind, const char *instance, int64_t at)
{
    g_autofree char *id = new_id(at);
    json_t *event = json_object();
    char time[RFC3339_MAX];

    (void)rfc3339_format((Timestamp){ .sec = at }, time);
    json_object_set_new(event, "version", json_integer(1));
    event_set(event, "id", id);
    event_set(event, "kind", event_kind_name(kind));
    event_set(event, "time", time);
    event_set(event, "instance", instance);
    return event;
}

const char *event_text(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));

    return text ? text : "";
}

void event_set(json_t *event, const char *key, const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

    if (valid)
        json_object_set_new(event, key, json_string(valid));
}

void event_add_fact(json_t *event, const char *name, const char *format, ...)
{
    json_t *facts = json_object_get(event, "facts");
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    if (!facts) {
        facts = json_object();
        json_object_set_new(event, "facts", facts);
    }
    event_set(facts, name, text);
}

char *event_incident_key(const json_t *event)
{
    const char *instance = event_text(event, "instance"), *asset = event_text(event, "asset");
    const char *condition = event_text(event, "condition");
    g_autofree char *key = g_strdup_printf("backstay/%s/%s/%s", instance, asset, condition);
    Id id;

    if (strlen(key) <= KEY_MAX)
        return g_steal_pointer(&key);
    hash_bytes(key, strlen(key), &id);
    return g_strdup_printf("backstay/%s", id_hex(&id).text);
}

char *event_cut(const char *text, size_t n)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *head = NULL;

    if ((size_t)g_utf8_strlen(valid, -1) <= n)
        return g_steal_pointer(&valid);
    head = g_utf8_substring(valid, 0, (glong)n - 1);
    return g_strconcat(head, "\xe2\x80\xa6", NULL);
}
