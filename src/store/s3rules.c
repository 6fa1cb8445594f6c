/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3rules.h"

#include "base/error.h"
#include "store/s3xml.h"

#include <string.h>

#define DAYS_A_YEAR 365

static unsigned number_of(const char *text)
{
    guint64 n;

    return g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT32, &n, NULL) ? (unsigned)n : 0;
}

static void take(char **place, const char *text)
{
    g_free(*place);
    *place = g_strdup(text);
}

/* ---- versioning and lock ---- */

static bool is_not(const char *root, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "the answer is not a %s", root);
    return false;
}

static bool take_versioning(const char *path, const char *text, void *user,
                            G_GNUC_UNUSED GError **error)
{
    if (g_str_equal(path, "VersioningConfiguration/Status"))
        *(bool *)user = g_str_equal(text, "Enabled");
    return true;
}

bool s3_rules_read_versioning(const char *xml, size_t len, StoreGuard *guard, GError **error)
{
    bool on = false;

    if (!s3_xml_is(xml, len, "VersioningConfiguration"))
        return is_not("VersioningConfiguration", error);
    if (!s3_xml_read(xml, len, take_versioning, &on, error))
        return false;
    // what is suspended keeps the old versions, but makes no new ones
    guard->versions = on ? STORE_ON : STORE_OFF;
    return true;
}

static bool take_lock(const char *path, const char *text, void *user, G_GNUC_UNUSED GError **error)
{
    StoreGuard *guard = user;
    const char *name = strrchr(path, '/');

    if (g_str_equal(path, "ObjectLockConfiguration/ObjectLockEnabled")) {
        guard->locks = g_str_equal(text, "Enabled") ? STORE_ON : STORE_OFF;
    } else if (strstr(path, "/DefaultRetention/")) {
        if (g_str_equal(name, "/Mode")) {
            g_free(guard->lock_mode);
            guard->lock_mode = g_ascii_strdown(text, -1);
        } else if (g_str_equal(name, "/Days")) {
            guard->lock_days = number_of(text);
        } else if (g_str_equal(name, "/Years")) {
            guard->lock_days = MIN(number_of(text), 1000) * DAYS_A_YEAR;
        }
    }
    return true;
}

bool s3_rules_read_lock(const char *xml, size_t len, StoreGuard *guard, GError **error)
{
    if (!s3_xml_is(xml, len, "ObjectLockConfiguration"))
        return is_not("ObjectLockConfiguration", error);
    guard->locks = STORE_OFF;
    return s3_xml_read(xml, len, take_lock, guard, error);
}

/* ---- lifecycle ---- */

typedef struct {
    const char *prefix;
    StoreGuard *guard;
    char *name, *below, *class;
    bool on, tagged, expires, expires_old, freezes;
    unsigned days, days_old, days_frozen, days_moved;
} Reading;

static void reading_done(Reading *reading)
{
    g_free(reading->name);
    g_free(reading->below);
    g_free(reading->class);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, reading_done)

/* Of which no GET gives anything before somebody has asked for it and waited; names of Amazon and
 * of others that speak like it. */
static bool is_frozen(const char *class)
{
    return g_strcmp0(class, "GLACIER") == 0 || g_strcmp0(class, "DEEP_ARCHIVE") == 0 ||
           g_strcmp0(class, "ARCHIVE") == 0 || g_strcmp0(class, "COLD_ARCHIVE") == 0;
}

static void end_transition(Reading *reading)
{
    if (is_frozen(reading->class)) {
        reading->freezes = true;
        reading->days_frozen = reading->days_moved;
    }
    reading->days_moved = 0;
    g_clear_pointer(&reading->class, g_free);
}

static void add_rule(const Reading *reading, StoreRuleKind kind, unsigned days)
{
    const char *below = reading->below ? reading->below : "";
    size_t ours = strlen(reading->prefix);
    // where both are about the same keys one begins with the other
    const char *rest = strlen(below) > ours ? below + ours : "";

    store_guard_add_rule(reading->guard, kind, g_strdup(reading->name ? reading->name : ""),
                         g_strdup(rest), days);
}

static bool is_about_ours(const Reading *reading)
{
    const char *below = reading->below ? reading->below : "";

    return reading->on && !reading->tagged &&
           (g_str_has_prefix(below, reading->prefix) || g_str_has_prefix(reading->prefix, below));
}

static void end_rule(Reading *reading)
{
    if (is_about_ours(reading)) {
        if (reading->expires)
            add_rule(reading, STORE_RULE_EXPIRES, reading->days);
        if (reading->freezes)
            add_rule(reading, STORE_RULE_FREEZES, reading->days_frozen);
        if (reading->expires_old)
            add_rule(reading, STORE_RULE_EXPIRES_OLD, reading->days_old);
    }
    reading_done(reading);
    *reading = (Reading){ .prefix = reading->prefix, .guard = reading->guard };
}

static void take_part(Reading *reading, const char *name, const char *text)
{
    if (g_str_equal(name, "ID")) {
        take(&reading->name, text);
    } else if (g_str_equal(name, "Status")) {
        reading->on = g_str_equal(text, "Enabled");
    } else if (g_str_equal(name, "Prefix") || g_str_equal(name, "Filter/Prefix") ||
               g_str_equal(name, "Filter/And/Prefix")) {
        take(&reading->below, text);
    } else if (g_str_equal(name, "Filter/Tag") || g_str_equal(name, "Filter/And/Tag")) {
        reading->tagged = true;
    } else if (g_str_equal(name, "Expiration/Days")) {
        reading->expires = true;
        reading->days = number_of(text);
    } else if (g_str_equal(name, "Expiration/Date")) {
        reading->expires = true;
    } else if (g_str_equal(name, "NoncurrentVersionExpiration")) {
        reading->expires_old = true;
    } else if (g_str_equal(name, "NoncurrentVersionExpiration/NoncurrentDays")) {
        reading->days_old = number_of(text);
    } else if (g_str_equal(name, "Transition/StorageClass")) {
        take(&reading->class, text);
    } else if (g_str_equal(name, "Transition/Days")) {
        reading->days_moved = number_of(text);
    } else if (g_str_equal(name, "Transition")) {
        end_transition(reading);
    }
}

static bool take_element(const char *path, const char *text, void *user,
                         G_GNUC_UNUSED GError **error)
{
    static const char rule[] = "LifecycleConfiguration/Rule";
    Reading *reading = user;

    if (g_str_equal(path, rule))
        end_rule(reading);
    else if (g_str_has_prefix(path, rule) && path[sizeof rule - 1] == '/')
        take_part(reading, path + sizeof rule, text);
    return true;
}

bool s3_rules_read_lifecycle(const char *xml, size_t len, const char *prefix, StoreGuard *guard,
                             GError **error)
{
    g_auto(Reading) reading = { .prefix = prefix, .guard = guard };

    if (!s3_xml_is(xml, len, "LifecycleConfiguration"))
        return is_not("LifecycleConfiguration", error);
    if (!s3_xml_read(xml, len, take_element, &reading, error))
        return false;
    guard->ruled = guard->rules && guard->rules->len > 0 ? STORE_ON : STORE_OFF;
    return true;
}
