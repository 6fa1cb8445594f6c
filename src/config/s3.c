/* SPDX-License-Identifier: Apache-2.0 */
#include "config/s3.h"

#include "base/error.h"
#include "config/values.h"
#include <string.h>

#define CONNECTIONS_MAX 64 /* a thread each */
#define REQUESTS_MAX    100000
#define LOCK_DAYS_MAX   36500 /* Amazon's */

/* ---- -o s3.KEY=VALUE ---- */

typedef bool (*Take)(S3Settings *settings, const char *value, GError **error);

static bool refuse(GError **error, const char *text)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE, text);
    return false;
}

/* Goes into a header, so it has to be a word. */
static bool take_word(char **place, const char *value, const char *more, GError **error)
{
    for (const char *at = value; *at; at++)
        if (!g_ascii_isalnum(*at) && !strchr(more, *at))
            return refuse(error, "has characters that do not belong there");
    if (!*value)
        return refuse(error, "is empty");
    g_free(*place);
    *place = g_strdup(value);
    return true;
}

static bool take_number(unsigned *place, const char *value, unsigned max, GError **error)
{
    guint64 n;

    if (!g_ascii_string_to_unsigned(value, 10, 1, max, &n, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "must be a number from 1 to %u", max);
        return false;
    }
    *place = (unsigned)n;
    return true;
}

static bool take_region(S3Settings *settings, const char *value, GError **error)
{
    return take_word(&settings->region, value, "-_.", error);
}

static bool take_lookup(S3Settings *settings, const char *value, GError **error)
{
    static const char *const words[] = {
        [S3_LOOKUP_AUTO] = "auto", [S3_LOOKUP_PATH] = "path", [S3_LOOKUP_DNS] = "dns"
    };

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(value, words[i]) == 0) {
            settings->lookup = (S3Lookup)i;
            return true;
        }
    return refuse(error, "must be auto, path or dns");
}

static bool take_storage_class(S3Settings *settings, const char *value, GError **error)
{
    // what takes hours to be readable cannot be checked, pruned or restored from
    if (strcmp(value, "GLACIER") == 0 || strcmp(value, "DEEP_ARCHIVE") == 0)
        return refuse(error, "objects of this class cannot be read at once; use GLACIER_IR or "
                             "STANDARD_IA");
    return take_word(&settings->storage_class, value, "-_", error);
}

static bool take_encryption(S3Settings *settings, const char *value, GError **error)
{
    if (strcmp(value, "AES256") != 0 && strcmp(value, "aws:kms") != 0 &&
        strcmp(value, "aws:kms:dsse") != 0)
        return refuse(error, "must be AES256, aws:kms or aws:kms:dsse");
    return take_word(&settings->encryption, value, ":", error);
}

static bool take_encryption_key(S3Settings *settings, const char *value, GError **error)
{
    return take_word(&settings->encryption_key, value, "-_:/.", error);
}

static bool take_object_lock(S3Settings *settings, const char *value, GError **error)
{
    if (strcmp(value, "governance") == 0)
        settings->object_lock = S3_RETAIN_GOVERNANCE;
    else if (strcmp(value, "compliance") == 0)
        settings->object_lock = S3_RETAIN_COMPLIANCE;
    else if (strcmp(value, "none") == 0)
        settings->object_lock = S3_RETAIN_OFF;
    else
        return refuse(error, "must be governance, compliance or none");
    return true;
}

static bool take_object_lock_days(S3Settings *settings, const char *value, GError **error)
{
    return take_number(&settings->object_lock_days, value, LOCK_DAYS_MAX, error);
}

static bool take_connections(S3Settings *settings, const char *value, GError **error)
{
    return take_number(&settings->connections, value, CONNECTIONS_MAX, error);
}

static bool take_requests(S3Settings *settings, const char *value, GError **error)
{
    return take_number(&settings->requests_per_second, value, REQUESTS_MAX, error);
}

static bool take_deadline(S3Settings *settings, const char *value, GError **error)
{
    return value_deadline(value, &settings->retry_deadline_ms, error);
}

/* restic's options for what we do differently: what they stand for by default is no error. */

static bool take_layout(S3Settings *settings, const char *value, GError **error)
{
    (void)settings;
    return strcmp(value, "default") == 0 || refuse(error, "there is only the default layout");
}

static bool is_false(const char *value)
{
    return strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
}

static bool take_list_v1(S3Settings *settings, const char *value, GError **error)
{
    (void)settings;
    return is_false(value) || refuse(error, "lists are read by ListObjectsV2 only, for the older "
                                            "call does not say reliably where it was cut");
}

static bool take_anonymous(S3Settings *settings, const char *value, GError **error)
{
    (void)settings;
    return is_false(value) || refuse(error, "requests are always signed; give keys");
}

static bool take_restore(S3Settings *settings, const char *value, GError **error)
{
    (void)settings;
    return is_false(value) || refuse(error, "objects are not brought back from cold storage");
}

static bool take_retries(S3Settings *settings, const char *value, GError **error)
{
    (void)settings;
    (void)value;
    return refuse(error, "retries are bounded by time; use --retry-deadline");
}

static const struct {
    const char *key;
    Take take;
} options_known[] = {
    { "region", take_region },
    { "bucket-lookup", take_lookup },
    { "storage-class", take_storage_class },
    { "object-lock", take_object_lock },
    { "object-lock-days", take_object_lock_days },
    { "connections", take_connections },
    { "encryption", take_encryption },
    { "encryption-key", take_encryption_key },
    { "requests-per-second", take_requests },
    { "retry-deadline", take_deadline },
    { "layout", take_layout },
    { "list-objects-v1", take_list_v1 },
    { "unsafe-anonymous-auth", take_anonymous },
    { "enable-restore", take_restore },
    { "retries", take_retries },
};

static bool take(S3Settings *settings, const char *key, const char *value, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(options_known); i++)
        if (strcmp(key, options_known[i].key) == 0)
            return options_known[i].take(settings, value, error);
    return refuse(error, "no such option; see `backstay help` and the guide on S3");
}

static bool take_option(S3Settings *settings, const char *option, GError **error)
{
    const char *equals = strchr(option, '=');
    g_autofree char *key = equals ? g_strndup(option, (gsize)(equals - option)) : NULL;

    if (!key || !g_str_has_prefix(key, "s3.")) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "-o %s: write it as s3.KEY=VALUE", option);
        return false;
    }
    if (take(settings, key + strlen("s3."), equals + 1, error))
        return true;
    g_prefix_error(error, "-o %s: ", option);
    return false;
}

/* "storage-class" -> BACKSTAY_S3_STORAGE_CLASS */
static char *variable_of(const char *key)
{
    g_autofree char *upper = g_ascii_strup(key, -1);

    return g_strconcat("BACKSTAY_S3_", g_strdelimit(upper, "-", '_'), NULL);
}

static bool take_environment(S3Settings *settings, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(options_known); i++) {
        g_autofree char *variable = variable_of(options_known[i].key);
        const char *value = g_getenv(variable);

        if (!value || !*value || options_known[i].take(settings, value, error))
            continue;
        g_prefix_error(error, "%s=%s: ", variable, value);
        return false;
    }
    return true;
}

void s3_settings_clear(S3Settings *settings)
{
    g_free(settings->region);
    g_free(settings->storage_class);
    g_free(settings->encryption);
    g_free(settings->encryption_key);
    *settings = (S3Settings){ 0 };
}

/* Half of it would lock nothing while somebody believes that it does. */
static bool settle_lock(S3Settings *settings, GError **error)
{
    if (settings->object_lock == S3_RETAIN_OFF) {
        settings->object_lock = S3_RETAIN_NONE;
        settings->object_lock_days = 0;
    }
    return (settings->object_lock == S3_RETAIN_NONE) == (settings->object_lock_days == 0) ||
           refuse(error, "s3.object-lock=MODE and s3.object-lock-days=N go together");
}

bool s3_settings_parse(char *const *options, S3Settings *ret_settings, GError **error)
{
    g_auto(S3Settings) settings = { 0 };

    if (!take_environment(&settings, error))
        return false;
    for (; options && *options; options++)
        if (!take_option(&settings, *options, error))
            return false;
    if (settings.encryption_key &&
        (!settings.encryption || !g_str_has_prefix(settings.encryption, "aws:kms")))
        return refuse(error, "s3.encryption-key goes with s3.encryption=aws:kms");
    if (!settle_lock(&settings, error))
        return false;
    *ret_settings = settings;
    settings = (S3Settings){ 0 };
    return true;
}
