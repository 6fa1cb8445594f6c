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

static char *request_hash(const WebCall *call)
{
    Hash *hash = hash_new();
    IdText text;
    Id id;

    hash_update(hash, call->request->path, strlen(call->request->path) + 1);
    hash_update(hash, call->request->body->data, call->request->body->len);
    hash_final(hash, &id);
    hash_free(hash);
    text = id_hex(&id);
    return g_strdup(text.text);
}

bool web_once_begin(WebCall *call, WebAnswer *answer, bool *ret_done, GError **error)
{
    g_autofree char *name = NULL, *hash = NULL;
    g_auto(OnceRow) before = { 0 };
    const int64_t now = clock_now_ms();
    bool won = false;

    *ret_done = false;
    if (!key_of(call))
        return true;
    if (!*key_of(call) || strlen(key_of(call)) > KEY_MAX)
        return web_refuse(error, 400, "idempotency-key", "Idempotency-Key must be 1 to 128 bytes");
    name = name_of(call);
    hash = request_hash(call);
    if (!catalog_once_begin(call->catalog, name, hash, now, now + KEPT_MS, &won, &before, error))
        return false;
    if (won)
        return true;
    if (strcmp(before.request_hash, hash) != 0)
        return web_refuse(error, 422, "idempotency-key",
                          "the Idempotency-Key came with another request before");
    if (before.status == 0)
        return web_refuse(error, 409, "under-way", "the first request with this key is at work");
    web_answer_text(answer, (unsigned)before.status, "application/json",
                    before.answer ? before.answer : "");
    web_answer_header(answer, "Idempotent-Replayed", "true");
    *ret_done = true;
    return true;
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
