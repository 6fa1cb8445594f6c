/* SPDX-License-Identifier: Apache-2.0 */
/* What guards a bucket. Not every server knows these questions, and not every key may ask them. */
#include "store/s3ops.h"
#include "store/s3rules.h"

#include "base/clock.h"
#include "base/error.h"

typedef bool (*ReadRules)(const char *xml, size_t len, const char *prefix, StoreGuard *guard,
                          GError **error);

static bool read_versioning(const char *xml, size_t len, G_GNUC_UNUSED const char *prefix,
                            StoreGuard *guard, GError **error)
{
    return s3_rules_read_versioning(xml, len, guard, error);
}

static bool read_lock(const char *xml, size_t len, G_GNUC_UNUSED const char *prefix,
                      StoreGuard *guard, GError **error)
{
    return s3_rules_read_lock(xml, len, guard, error);
}

/* "There is none" has a name of its own for each configuration, and vendors have others. */
static bool has_none(const S3Refusal *refusal)
{
    return refusal->status == 404 && refusal->code && !s3_refusal_has_code(refusal, "NoSuchBucket");
}

/* What answered is a server that will not say it, now or ever. */
static bool is_final(const GError *failure)
{
    return !g_error_matches(failure, BS_ERROR, BS_ERROR_TRANSIENT) &&
           !g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED) &&
           !g_error_matches(failure, BS_ERROR, BS_ERROR_NO_REPO);
}

static bool ask(S3Store *s3, const char *what, ReadRules read, StoreState *state, StoreGuard *guard,
                GError **error)
{
    g_auto(HttpReply) reply = { 0 };
    g_auto(S3Refusal) refusal = { 0 };
    g_autoptr(GError) failure = NULL;
    g_autofree char *prefix = s3_full_key(s3, "");
    g_autofree char *query = g_strconcat(what, "=", NULL);
    S3Call call = {
        .verb = "get", .method = "GET", .subject = what, .query = query, .ret_refusal = &refusal
    };

    if (s3_call(s3, &call, &reply, &failure)) {
        guard->server_time = http_reply_date(&reply);
        guard->our_time = clock_now().sec;
        if (read((const char *)reply.body->data, reply.body->len, prefix, guard, &failure))
            return true;
    } else if (has_none(&refusal)) {
        *state = STORE_OFF;
        return true;
    } else if (!is_final(failure)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    *state = STORE_UNKNOWN;
    if (!guard->why)
        guard->why = g_steal_pointer(&failure);
    return true;
}

bool s3_guard(Store *store, StoreGuard *ret_guard, GError **error)
{
    S3Store *s3 = (S3Store *)store;
    g_auto(StoreGuard) guard = { 0 };

    if (!ask(s3, "versioning", read_versioning, &guard.versions, &guard, error) ||
        !ask(s3, "object-lock", read_lock, &guard.locks, &guard, error) ||
        !ask(s3, "lifecycle", s3_rules_read_lifecycle, &guard.ruled, &guard, error))
        return false;
    *ret_guard = guard;
    guard = (StoreGuard){ 0 };
    return true;
}
