/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "config/reference.h"
#include "config/s3.h"
#include "config/secrets.h"
#include "config/settings.h"
#include <string.h>

/* ---- keys: the first family that names any ---- */

typedef struct {
    const char *access_key, *secret_key, *session_token, *profile; /* NULL: has none */
} Family;

static const Family families[] = {
    { "BACKSTAY_S3_ACCESS_KEY", "BACKSTAY_S3_SECRET_KEY", "BACKSTAY_S3_SESSION_TOKEN",
      "BACKSTAY_S3_PROFILE" },
    { "BACKUP_S3_ACCESS_KEY", "BACKUP_S3_SECRET_KEY", NULL, NULL },
    { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE" },
};

/* Set and not empty. */
static const char *env(const char *name)
{
    const char *value = name ? g_getenv(name) : NULL;

    return value && *value ? value : NULL;
}

/* BACKSTAY_<infix>S3_<word> */
static char *own_name(const char *infix, const char *word)
{
    return g_strconcat("BACKSTAY_", infix, "S3_", word, NULL);
}

/* Of those that have an infix; the others are in the tables. */
static const char *env_own(const char *infix, const char *word)
{
    g_autofree char *name = *infix ? own_name(infix, word) : NULL;

    return env(name);
}

static const char *env_first(const char *const *names)
{
    const char *value = NULL;

    while (*names && !value)
        value = env(*names++);
    return value;
}

static bool load_word(const char *name, Secret **ret_secret, GError **error)
{
    return !name || secret_from_environment(name, ret_secret, error);
}

static bool lacks(const char *missing, const char *given, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s is set, but %s is not", given, missing);
    return false;
}

/* True with nothing in *access when the family is silent. */
static bool load_family(const Family *family, S3Access *access, GError **error)
{
    if (!load_word(family->access_key, &access->access_key, error) ||
        !load_word(family->secret_key, &access->secret_key, error) ||
        !load_word(family->session_token, &access->session_token, error))
        return false;
    if (access->secret_key && !access->access_key)
        return lacks(family->access_key, family->secret_key, error);
    if (access->access_key && !access->secret_key)
        return lacks(family->secret_key, family->access_key, error);
    if (access->session_token && !access->access_key)
        return lacks(family->access_key, family->session_token, error);
    access->profile = env(family->profile);
    return true;
}

static bool names_keys(const S3Access *access)
{
    return access->access_key || access->profile;
}

static bool load_own_family(const char *infix, S3Access *access, GError **error)
{
    g_autofree char *access_key = own_name(infix, "ACCESS_KEY");
    g_autofree char *secret_key = own_name(infix, "SECRET_KEY");
    g_autofree char *session_token = own_name(infix, "SESSION_TOKEN");
    g_autofree char *profile = own_name(infix, "PROFILE");

    return load_family(&(Family){ access_key, secret_key, session_token, profile }, access, error);
}

static bool load_keys(const char *infix, S3Access *access, GError **error)
{
    if (*infix && !load_own_family(infix, access, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(families) && !names_keys(access); i++)
        if (!load_family(&families[i], access, error))
            return false;
    return true;
}

/* ---- where ---- */

static bool load_endpoint(const char *infix, char **ret_endpoint, GError **error)
{
    static const char *const names[] = {
        "BACKSTAY_S3_ENDPOINT", "BACKUP_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL",     "AWS_ENDPOINTS",      NULL,
    };
    const char *given = env_own(infix, "ENDPOINT");
    g_autofree char *endpoint = NULL;

    if (!given)
        given = env_first(names);
    if (!given)
        return true;
    if (strpbrk(given, ", ")) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "endpoint \"%s\" from the environment: leave one endpoint", given);
        return false;
    }
    endpoint = strstr(given, "://") ? g_strdup(given) : g_strconcat("https://", given, NULL);
    while (g_str_has_suffix(endpoint, "/"))
        endpoint[strlen(endpoint) - 1] = '\0';
    *ret_endpoint = g_steal_pointer(&endpoint);
    return true;
}

static const char *region_of(const char *infix)
{
    static const char *const names[] = { "BACKSTAY_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION",
                                         NULL };
    const char *region = env_own(infix, "REGION");

    return region ? region : env_first(names);
}

void s3_access_clear(S3Access *access)
{
    g_free(access->endpoint);
    secret_free(access->access_key);
    secret_free(access->secret_key);
    secret_free(access->session_token);
    *access = (S3Access){ 0 };
}

bool s3_access_load(const char *infix, S3Access *ret_access, GError **error)
{
    g_auto(S3Access) access = {
        .region = region_of(infix),
        .web_identity_file = env("AWS_WEB_IDENTITY_TOKEN_FILE"),
        .role_arn = env("AWS_ROLE_ARN"),
        .role_session = env("AWS_ROLE_SESSION_NAME"),
        .credentials_file = env("AWS_SHARED_CREDENTIALS_FILE"),
        .config_file = env("AWS_CONFIG_FILE"),
        .assume_role_arn = settings_env("AWS_ASSUME_ROLE_ARN"),
        .assume_session = settings_env("AWS_ASSUME_ROLE_SESSION_NAME"),
        .assume_external_id = settings_env("AWS_ASSUME_ROLE_EXTERNAL_ID"),
        .assume_policy = settings_env("AWS_ASSUME_ROLE_POLICY"),
        .assume_region = settings_env("AWS_ASSUME_ROLE_REGION"),
        .sts_endpoint = settings_env("AWS_ASSUME_ROLE_STS_ENDPOINT"),
    };

    if (!access.sts_endpoint)
        access.sts_endpoint = env("AWS_ENDPOINT_URL_STS");
    if (!load_endpoint(infix, &access.endpoint, error) || !load_keys(infix, &access, error))
        return false;
    *ret_access = access;
    access = (S3Access){ 0 };
    return true;
}

static bool is_own_family_set(void)
{
    static const char *const forms[] = { "", "_FILE", "_COMMAND" };
    bool set = env(families[0].profile) != NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *name = g_strconcat(families[0].access_key, forms[i], NULL);

        set = set || env(name);
    }
    return set;
}

bool s3_access_named(const char *access_key, const char *secret_key, const char *session_token,
                     const char *region, S3Access *access, GError **error)
{
    g_autoptr(Secret) key = NULL, secret = NULL, token = NULL;

    if (region && !env("BACKSTAY_S3_REGION"))
        access->region = region;
    if (!access_key || is_own_family_set())
        return true;
    if (!reference_resolve("access_key", access_key, &key, error) ||
        !reference_resolve("secret_key", secret_key, &secret, error) ||
        (session_token && !reference_resolve("session_token", session_token, &token, error)))
        return false;
    g_clear_pointer(&access->access_key, secret_free);
    g_clear_pointer(&access->secret_key, secret_free);
    g_clear_pointer(&access->session_token, secret_free);
    access->access_key = g_steal_pointer(&key);
    access->secret_key = g_steal_pointer(&secret);
    access->session_token = g_steal_pointer(&token);
    access->profile = NULL;
    return true;
}

char *s3_location_from_environment(void)
{
    const char *endpoint = env("BACKUP_S3_ENDPOINT"), *bucket = env("BACKUP_S3_BUCKET");
    g_autofree char *trimmed = g_strdup(endpoint);

    if (!bucket)
        return NULL;
    if (!endpoint)
        return g_strconcat("s3:", bucket, NULL);
    while (g_str_has_suffix(trimmed, "/"))
        trimmed[strlen(trimmed) - 1] = '\0';
    return g_strconcat("s3:", trimmed, "/", bucket, NULL);
}
