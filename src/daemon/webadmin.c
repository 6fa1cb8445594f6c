/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webadmin.h"

#include "base/clock.h"
#include "base/error.h"
#include "config/types.h"
#include "daemon/webproblem.h"
#include "state/audit.h"
#include "state/settings.h"
#include <string.h>

#define PAGE         50
#define PAGE_MAX     200
#define SETTINGS     "web"
#define TEST_MS      20000 /* then it is left to itself */
#define TEST_STEP_MS 100

/* ---- shapes ---- */

#define PAGE_OF(name, item)                                                                        \
    static const ShapeField name##_fields[] = {                                                    \
        { "items", SHAPE_LIST, SHAPE_REQUIRED, .of = &(item) },                                    \
        { "next", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },                                       \
        { NULL },                                                                                  \
    }

static const ShapeField source_fields[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED },
    { "url", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL, "without a password" },
    { "paths", SHAPE_TEXTS, SHAPE_REQUIRED, .max = 4096 },
    { "labels", SHAPE_OBJECT, SHAPE_REQUIRED | SHAPE_NULL,
      "names with values, by which schedules select it" },
    { "secret", SHAPE_BOOL, SHAPE_REQUIRED, "its values are not shown" },
    { NULL },
};
static const Shape source_shape = { "Source", source_fields };
PAGE_OF(sources, source_shape);
const Shape sources_shape = { "Sources", sources_fields };

static const ShapeField repository_fields[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED },
    { "location", SHAPE_TEXT, SHAPE_REQUIRED },
    { "password", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL, "where it comes from, never itself" },
    { NULL },
};
static const Shape repository_shape = { "Repository", repository_fields };
PAGE_OF(repositories, repository_shape);
const Shape repositories_shape = { "Repositories", repositories_fields };

static const ShapeField channel_fields[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED },
    { "type", SHAPE_TEXT, SHAPE_REQUIRED },
    { NULL },
};
static const Shape channel_shape = { "Channel", channel_fields };
PAGE_OF(channels, channel_shape);
const Shape channels_shape = { "Channels", channels_fields };

static const ShapeField audit_fields[] = {
    { "seq", SHAPE_INT, SHAPE_REQUIRED },
    { "at", SHAPE_TIME, SHAPE_REQUIRED },
    { "user", SHAPE_TEXT, SHAPE_REQUIRED },
    { "action", SHAPE_TEXT, SHAPE_REQUIRED, "an operationId, \"login\", \"setup\"; \".failed\"" },
    { "detail", SHAPE_OBJECT, SHAPE_REQUIRED | SHAPE_NULL },
    { "hash", SHAPE_TEXT, SHAPE_REQUIRED, "of this line and the hash of the one before" },
    { NULL },
};
static const Shape audit_shape = { "AuditLine", audit_fields };
PAGE_OF(audit_page, audit_shape);
const Shape audit_page_shape = { "AuditLines", audit_page_fields };
const ShapeField audit_query[] = {
    { "limit", SHAPE_INT, 0, "how many", .min = 1, .max = PAGE_MAX },
    { "cursor", SHAPE_INT, 0, "\"next\" of the page before", .min = 1, .max = G_MAXINT64 },
    { "user", SHAPE_TEXT, 0, .min = 1, .max = 64 },
    { "action", SHAPE_TEXT, 0, .min = 1, .max = 64 },
    { NULL },
};

static const ShapeField values_fields[] = {
    { "session_hours", SHAPE_INT, SHAPE_REQUIRED, "how long a login lasts at most", .min = 1,
      .max = 168 },
    { "session_idle_minutes", SHAPE_INT, SHAPE_REQUIRED, "how long it lasts without a request",
      .min = 5, .max = 1440 },
    { NULL },
};
static const Shape values_shape = { "SettingsValues", values_fields };
static const ShapeField settings_fields[] = {
    { "values", SHAPE_OBJECT, SHAPE_REQUIRED, .of = &values_shape },
    { "version", SHAPE_INT, SHAPE_REQUIRED },
    { NULL },
};
const Shape settings_shape = { "Settings", settings_fields };
static const ShapeField whole_fields[] = {
    { "values", SHAPE_OBJECT, SHAPE_REQUIRED, .of = &values_shape },
    { "version", SHAPE_INT, 0, "as it was read: that of If-Match once more" },
    { NULL },
};
static const Shape whole_shape = { "SettingsWhole", whole_fields };
static const Shape *const settings_forms[] = { &whole_shape, &values_shape, NULL };
const Shape settings_body = { "SettingsChange", .forms = settings_forms };

static const ShapeField alive_fields[] = { { "status", SHAPE_TEXT, SHAPE_REQUIRED }, { NULL } };
const Shape alive_shape = { "Health", alive_fields };

/* ---- what the configuration names ---- */

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A page of all values of a table, by name. */
static void list(GHashTable *table, json_t *(*make)(const void *value), WebAnswer *answer)
{
    g_autofree char **names = (char **)g_hash_table_get_keys_as_array(table, NULL);
    json_t *items = json_array();

    qsort(names, g_hash_table_size(table), sizeof *names, by_text);
    for (char **name = names; *name; name++)
        json_array_append_new(items, make(g_hash_table_lookup(table, *name)));
    web_answer_json(answer, 200, web_page(items, NULL));
}

static json_t *source_json(const void *value)
{
    const SourceConfig *source = value;
    json_t *paths = json_array();
    g_autofree char *url =
        source->url && !source->secret ? url_without_password(source->url) : NULL;

    for (char **path = source->paths; path && *path && !source->secret; path++)
        json_array_append_new(paths, web_text(*path));
    return json_pack("{s:s, s:o, s:o, s:O?, s:b}", "name", source->name, "url", web_text(url),
                     "paths", paths, "labels", source->labels, "secret", (int)source->secret);
}

static json_t *repository_json(const void *value)
{
    const RepositoryConfig *repository = value;

    return json_pack("{s:s, s:o, s:o}", "name", repository->name, "location",
                     web_text(repository->location), "password", web_text(repository->password));
}

static json_t *channel_json(const void *value)
{
    const ChannelConfig *channel = value;

    return json_pack("{s:s, s:s}", "name", channel->name, "type", channel->type);
}

bool web_list_sources(WebCall *call, WebAnswer *answer, G_GNUC_UNUSED GError **error)
{
    list(call->web->configuration->sources, source_json, answer);
    return true;
}

bool web_list_repositories(WebCall *call, WebAnswer *answer, G_GNUC_UNUSED GError **error)
{
    list(call->web->configuration->repositories, repository_json, answer);
    return true;
}

bool web_list_channels(WebCall *call, WebAnswer *answer, G_GNUC_UNUSED GError **error)
{
    list(call->web->configuration->channels, channel_json, answer);
    return true;
}

static const char *const test_states[] = { "delivered", "waits", NULL };
static const ShapeField tested_fields[] = {
    { "state", SHAPE_TEXT, SHAPE_REQUIRED, "waits: it is in the queue still",
      .words = test_states },
    { NULL },
};
const Shape tested_shape = { "ChannelTest", tested_fields };

/* By the queue and the courier of the scheduler, which are what failures go by. */
static bool await_test(WebCall *call, const char *name, const char *id, WebAnswer *answer,
                       GError **error)
{
    const int64_t until = clock_monotonic_ms() + TEST_MS;
    const char *state = "waits", *said = NULL;
    json_auto_t *reply = NULL;

    while (strcmp(state, "waits") == 0 && clock_monotonic_ms() < until) {
        clock_sleep_ms(TEST_STEP_MS);
        json_decref(reply);
        reply = NULL;
        if (!web_ask(call, json_pack("{s:s, s:s, s:s}", "op", "tested", "channel", name, "id", id),
                     &reply, error))
            return false;
        state = shape_text(reply, "state");
        said = shape_text(reply, "said");
        if (!state || strcmp(state, "failed") == 0)
            return web_refuse(error, 502, "channel", "%s", said ? said : "it was not delivered");
    }
    web_answer_json(answer, 200, json_pack("{s:s}", "state", state));
    return true;
}

bool web_test_channel(WebCall *call, WebAnswer *answer, GError **error)
{
    const char *name = call->params[0];
    json_auto_t *reply = NULL;
    const unsigned before = atomic_fetch_add(&call->web->tests, 1);
    bool ok = false;

    if (!g_hash_table_contains(call->web->configuration->channels, name))
        (void)web_refuse(error, 404, "not-found", "there is no channel '%s'", name);
    else if (before > 0) // each keeps a worker waiting
        (void)web_refuse(error, 503, "busy", "another channel is being tried");
    else
        ok = web_ask(call, json_pack("{s:s, s:s}", "op", "test", "channel", name), &reply, error) &&
             await_test(call, name, shape_text(reply, "id"), answer, error);
    (void)atomic_fetch_sub(&call->web->tests, 1);
    return ok;
}

/* ---- settings ---- */

/* version 0: nobody has set any. */
static bool load(WebCall *call, json_t **ret_values, unsigned *ret_version, GError **error)
{
    g_autoptr(GError) failure = NULL;

    *ret_version = 0;
    if (catalog_setting_get(call->catalog, SETTINGS, ret_values, ret_version, &failure))
        return true;
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    *ret_values = json_pack("{s:i, s:i}", "session_hours", SESSION_HOURS, "session_idle_minutes",
                            SESSION_IDLE_MINUTES);
    return true;
}

bool web_settings(WebCall *call, WebSettings *ret_settings, GError **error)
{
    json_t *values = NULL;
    unsigned version;

    if (!load(call, &values, &version, error))
        return false;
    *ret_settings = (WebSettings){
        .whole_ms = shape_int(values, "session_hours", SESSION_HOURS) * 3600000,
        .idle_ms = shape_int(values, "session_idle_minutes", SESSION_IDLE_MINUTES) * 60000,
    };
    json_decref(values);
    return true;
}

bool web_get_settings(WebCall *call, WebAnswer *answer, GError **error)
{
    json_t *values = NULL;
    unsigned version;

    if (!load(call, &values, &version, error))
        return false;
    web_answer_json(answer, 200,
                    json_pack("{s:o, s:i}", "values", values, "version", (int)version));
    web_etag(answer, version);
    return true;
}

/* The values alone, or all that a GET has answered. */
bool web_put_settings(WebCall *call, WebAnswer *answer, GError **error)
{
    json_t *whole = json_object_get(call->body, "values"), *values = NULL;
    unsigned version;

    if (!load(call, &values, &version, error))
        return false;
    json_decref(values);
    if (shape_int(call->body, "version", version) != version)
        return web_refuse(error, 412, "stale",
                          "the body is of another version; read the settings again");
    return web_match(call, version, error) &&
           catalog_setting_put(call->catalog, SETTINGS, whole ? whole : call->body, version,
                               call->who.user, error) &&
           web_get_settings(call, answer, error);
}

/* ---- audit ---- */

static json_t *audit_json(const AuditRow *row)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:s}", "seq", (json_int_t)row->seq, "at",
                     web_time(row->at), "user", web_text(row->user), "action",
                     web_text(row->action), "detail",
                     row->detail ? json_incref(row->detail) : json_null(), "hash", row->hash);
}

bool web_list_audit(WebCall *call, WebAnswer *answer, GError **error)
{
    const unsigned limit = (unsigned)web_query_int(call, "limit", PAGE);
    const AuditQuery query = {
        .user = web_query(call, "user"),
        .action = web_query(call, "action"),
        .before = (uint64_t)web_query_int(call, "cursor", 0),
        .limit = limit + 1,
    };
    g_autoptr(GArray) rows = NULL;
    g_autofree char *next = NULL;
    json_t *items;

    if (!catalog_audit_list(call->catalog, &query, &rows, error))
        return false;
    items = json_array();
    for (guint i = 0; i < MIN(rows->len, limit); i++)
        json_array_append_new(items, audit_json(&g_array_index(rows, AuditRow, i)));
    if (rows->len > limit)
        next = g_strdup_printf("%" G_GINT64_FORMAT,
                               (int64_t)g_array_index(rows, AuditRow, limit - 1).seq);
    web_answer_json(answer, 200, web_page(items, next));
    return true;
}

/* ---- how we are ---- */

bool web_livez(G_GNUC_UNUSED WebCall *call, WebAnswer *answer, G_GNUC_UNUSED GError **error)
{
    web_answer_json(answer, 200, json_pack("{s:s}", "status", "alive"));
    return true;
}

bool web_readyz(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autoptr(GError) failure = NULL;
    json_t *reply = NULL;

    // why is for the log: anybody may ask
    if (!catalog_ping(call->catalog, &failure))
        return web_refuse(error, 503, "catalogue", "the catalogue cannot be read");
    if (!web_ask(call, json_pack("{s:s}", "op", "status"), &reply, error))
        return false;
    json_decref(reply);
    web_answer_json(answer, 200, json_pack("{s:s}", "status", "ready"));
    return true;
}

bool web_get_openapi(WebCall *call, WebAnswer *answer, G_GNUC_UNUSED GError **error)
{
    web_answer_json(answer, 200, web_openapi(call->web->routes));
    return true;
}
