/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webonce.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "codec/hash.h"
#include "daemon/webproblem.h"
#include "daemon/webtoken.h"
#include "state/idempotency.h"
#include <string.h>

#define KEPT_MS (INT64_C(24) * 60 * 60 * 1000)
#define KEY_MAX 128u

/* NULL: it has none. */
static const char *key_of(const WebCall *call)
{
    return call->route->flags & ROUTE_IDEMPOTENT
               ? web_request_header(call->request, "idempotency-key")
               : NULL;
}

static char *name_of(const WebCall *call)
{
    g_autofree char *whole =
        g_strdup_printf("%s\n%s\n%s", call->who.user, call->route->id, key_of(call));

    return token_hash(whole);
}

static void hash_text(Hash *hash, const char *text)
{
    hash_update(hash, text, strlen(text) + 1);
}

/* Of a file not what is in it, which has not come when its head is looked at, but how long it is.
 */
static char *request_hash(const WebCall *call)
{
    const WebRequest *request = call->request;
    Hash *hash = hash_new();
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(request->query), (GCompareFunc)strcmp);
    IdText text;
    Id id;

    hash_text(hash, request->path);
    for (const GList *name = names; name; name = name->next) {
        hash_text(hash, name->data);
        hash_text(hash, g_hash_table_lookup(request->query, name->data));
    }
    if (request->streamed)
        hash_update(hash, &request->len, sizeof request->len);
    else
        hash_update(hash, request->body->data, request->body->len);
    hash_final(hash, &id);
    hash_free(hash);
    text = id_hex(&id);
    return g_strdup(text.text);
}

/* True also without a key: then there is none to look at. */
static bool check_key(const WebCall *call, GError **error)
{
    const char *key = key_of(call);

    return !key || (*key && strlen(key) <= KEY_MAX) ||
           web_refuse(error, 400, "idempotency-key", "Idempotency-Key must be 1 to 128 bytes");
}

static bool answer_again(const OnceRow *before, const char *hash, WebAnswer *answer, GError **error)
{
    if (strcmp(before->request_hash, hash) != 0)
        return web_refuse(error, 422, "idempotency-key",
                          "the Idempotency-Key came with another request before");
    if (before->status == 0)
        return web_refuse(error, 409, "under-way", "the first request with this key is at work");
    web_answer_text(answer, (unsigned)before->status, "application/json",
                    before->answer ? before->answer : "");
    web_answer_header(answer, "Idempotent-Replayed", "true");
    return true;
}

/* What the key is kept under, and a hash of the request; both stay as they are without a key. */
static bool keyed(WebCall *call, char **ret_name, char **ret_hash, GError **error)
{
    if (!check_key(call, error))
        return false;
    if (key_of(call)) {
        *ret_name = name_of(call);
        *ret_hash = request_hash(call);
    }
    return true;
}

bool web_once_begin(WebCall *call, WebAnswer *answer, bool *ret_done, GError **error)
{
    g_autofree char *name = NULL, *hash = NULL;
    g_auto(OnceRow) before = { 0 };
    const int64_t now = clock_now_ms();
    bool won = false;

    *ret_done = false;
    if (!keyed(call, &name, &hash, error))
        return false;
    if (!name)
        return true;
    if (!catalog_once_begin(call->catalog, name, hash, now, now + KEPT_MS, &won, &before, error))
        return false;
    *ret_done = !won;
    return won || answer_again(&before, hash, answer, error);
}

bool web_once_look(WebCall *call, WebAnswer *answer, bool *ret_done, GError **error)
{
    g_autofree char *name = NULL, *hash = NULL;
    g_auto(OnceRow) before = { 0 };

    *ret_done = false;
    if (!keyed(call, &name, &hash, error))
        return false;
    if (!name)
        return true;
    if (!catalog_once_find(call->catalog, name, clock_now_ms(), &before, error))
        return false;
    *ret_done = before.request_hash != NULL;
    return !*ret_done || answer_again(&before, hash, answer, error);
}

bool web_once_end(WebCall *call, const WebAnswer *answer, GError **error)
{
    g_autofree char *name = NULL, *text = NULL;
    gsize len = 0;
    const char *data;

    if (!key_of(call))
        return true;
    name = name_of(call);
    data = answer->body ? g_bytes_get_data(answer->body, &len) : "";
    text = g_strndup(data, len);
    return catalog_once_end(call->catalog, name, (int)answer->status, text, error);
}

void web_once_forget(WebCall *call)
{
    g_autofree char *name = NULL;
    g_autoptr(GError) error = NULL;

    if (!key_of(call))
        return;
    name = name_of(call);
    if (!catalog_once_forget(call->catalog, name, &error))
        log_warn("an Idempotency-Key stays taken for a day", "error", error->message, NULL);
}
