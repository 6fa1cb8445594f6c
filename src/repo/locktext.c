/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/locktext.h"

#include "base/error.h"
#include "codec/json.h"
#include "codec/rfc3339.h"

#include <jansson.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

static char *copy_string(const json_t *object, const char *field)
{
    const char *text = json_string_value(json_object_get(object, field));

    return g_strdup(text ? text : "");
}

static uint32_t get_number(const json_t *object, const char *field)
{
    json_int_t number = json_integer_value(json_object_get(object, field));

    return number > 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

bool locktext_decode(const char *text, size_t len, LockText *ret_lock, GError **error)
{
    g_autoptr(json_t) object = json_loadb(text, len, 0, NULL);
    const char *time = json_string_value(json_object_get(object, "time"));
    const json_t *exclusive = json_object_get(object, "exclusive");
    LockText lock;

    if (!time || (exclusive && !json_is_boolean(exclusive))) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "not the text of a lock");
        return false;
    }
    if (!rfc3339_parse(time, strlen(time), &lock.time, error))
        return false;
    lock.exclusive = json_is_true(exclusive);
    lock.hostname = copy_string(object, "hostname");
    lock.username = copy_string(object, "username");
    lock.pid = json_integer_value(json_object_get(object, "pid"));
    lock.uid = get_number(object, "uid");
    lock.gid = get_number(object, "gid");
    *ret_lock = lock;
    return true;
}

static void append_string(GString *text, const char *field, const char *value)
{
    g_string_append_printf(text, ",\"%s\":", field);
    json_append_string(text, value, strlen(value));
}

char *locktext_encode(const LockText *lock)
{
    GString *text = g_string_new("{\"time\":");
    char time[RFC3339_MAX];

    json_append_string(text, time, rfc3339_format(lock->time, time));
    g_string_append_printf(text, ",\"exclusive\":%s", lock->exclusive ? "true" : "false");
    append_string(text, "hostname", lock->hostname);
    append_string(text, "username", lock->username);
    g_string_append_printf(text, ",\"pid\":%" G_GINT64_FORMAT, lock->pid);
    if (lock->uid)
        g_string_append_printf(text, ",\"uid\":%u", lock->uid);
    if (lock->gid)
        g_string_append_printf(text, ",\"gid\":%u", lock->gid);
    g_string_append_c(text, '}');
    return g_string_free(text, FALSE);
}

void locktext_done(LockText *lock)
{
    g_clear_pointer(&lock->hostname, g_free);
    g_clear_pointer(&lock->username, g_free);
}
