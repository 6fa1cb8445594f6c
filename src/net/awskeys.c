/* SPDX-License-Identifier: Apache-2.0 */
#include "net/awskeys.h"

#include "base/clock.h"
#include "base/error.h"
#include "net/awsprofile.h"
#include "net/awssts.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/fs.h"

#define FRESH_S   300   /* a set that expires sooner is renewed */
#define PAUSE_MS  10000 /* between two renewals: a service that gives short lives is not flooded */
#define TOKEN_MAX (64u * 1024)
#define SESSION   "backstay"

typedef enum { FROM_GIVEN, FROM_WEB_IDENTITY, FROM_PROFILE } From;

struct AwsCredentials {
    HttpClient *http;
    From from;
    AwsKeys given;
    char *web_identity_file, *role_arn, *role_session;
    char *shared_file, *config_file, *profile, *profile_region;
    char *assume_role_arn, *assume_session, *assume_external_id, *assume_policy;
    char *sts_endpoint, *region;
    pthread_mutex_t lock;
    // under the lock:
    AwsKeys current;       // access_key NULL: none yet
    int64_t renewed_at_ms; // monotonic; of the last try
    bool tried;
    GError *problem; // what came of it, NULL: keys
};

/* ---- what was given ---- */

static bool refuse(GError **error, const char *text)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE, text);
    return false;
}

static bool read_profile(const AwsCredentials *credentials, AwsProfile *ret_profile, GError **error)
{
    g_auto(AwsProfile) profile = { 0 };

    if (!aws_profile_load(credentials->shared_file, credentials->config_file, credentials->profile,
                          &profile, error))
        return false;
    if (!profile.keys.access_key) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "profile %s has no aws_access_key_id; processes, single sign-on and roles of "
                    "profiles are not followed: give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                    credentials->profile ? credentials->profile : "default");
        return false;
    }
    *ret_profile = profile;
    profile = (AwsProfile){ 0 };
    return true;
}

/* Read now, so that a wrong name or file is told before any work. */
static bool choose_profile(AwsCredentials *credentials, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_auto(AwsProfile) profile = { 0 };

    credentials->from = FROM_PROFILE;
    if (read_profile(credentials, &profile, &problem)) {
        credentials->profile_region = g_steal_pointer(&profile.region);
        return true;
    }
    if (g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND) && !credentials->profile &&
        !credentials->shared_file)
        return refuse(error, "no credentials for the bucket; set AWS_ACCESS_KEY_ID and "
                             "AWS_SECRET_ACCESS_KEY (or ..._FILE), AWS_PROFILE, or "
                             "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN");
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

static bool choose(AwsCredentials *credentials, const AwsSources *sources, GError **error)
{
    if (sources->access_key || sources->secret_key) {
        if (!sources->access_key)
            return refuse(error, "a secret key is given, but no access key (AWS_ACCESS_KEY_ID)");
        if (!sources->secret_key)
            return refuse(error, "an access key is given, but no secret (AWS_SECRET_ACCESS_KEY)");
        credentials->from = FROM_GIVEN;
        aws_keys_set(&credentials->given, sources->access_key, sources->secret_key,
                     sources->session_token, 0);
        return true;
    }
    if (sources->session_token)
        return refuse(error, "a session token is given, but no keys (AWS_ACCESS_KEY_ID, "
                             "AWS_SECRET_ACCESS_KEY)");
    if (sources->web_identity_file) {
        if (!sources->role_arn)
            return refuse(error, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
        credentials->from = FROM_WEB_IDENTITY;
        return true;
    }
    return choose_profile(credentials, error);
}

bool aws_credentials_new(const AwsSources *sources, HttpClient *http,
                         AwsCredentials **ret_credentials, GError **error)
{
    g_autoptr(AwsCredentials) credentials = g_new0(AwsCredentials, 1);

    (void)pthread_mutex_init(&credentials->lock, NULL);
    credentials->http = http;
    credentials->web_identity_file = g_strdup(sources->web_identity_file);
    credentials->role_arn = g_strdup(sources->role_arn);
    credentials->role_session = g_strdup(sources->role_session ? sources->role_session : SESSION);
    credentials->shared_file = g_strdup(sources->shared_file);
    credentials->config_file = g_strdup(sources->config_file);
    credentials->profile = g_strdup(sources->profile);
    credentials->assume_role_arn = g_strdup(sources->assume_role_arn);
    credentials->assume_session =
        g_strdup(sources->assume_session ? sources->assume_session : SESSION);
    credentials->assume_external_id = g_strdup(sources->assume_external_id);
    credentials->assume_policy = g_strdup(sources->assume_policy);
    credentials->sts_endpoint = g_strdup(sources->sts_endpoint);
    credentials->region = g_strdup(sources->region);
    if (!choose(credentials, sources, error))
        return false;
    *ret_credentials = g_steal_pointer(&credentials);
    return true;
}

void aws_credentials_free(AwsCredentials *credentials)
{
    if (!credentials)
        return;
    aws_keys_clear(&credentials->given);
    aws_keys_clear(&credentials->current);
    g_clear_error(&credentials->problem);
    g_free(credentials->web_identity_file);
    g_free(credentials->role_arn);
    g_free(credentials->role_session);
    g_free(credentials->shared_file);
    g_free(credentials->config_file);
    g_free(credentials->profile);
    g_free(credentials->profile_region);
    g_free(credentials->assume_role_arn);
    g_free(credentials->assume_session);
    g_free(credentials->assume_external_id);
    g_free(credentials->assume_policy);
    g_free(credentials->sts_endpoint);
    g_free(credentials->region);
    (void)pthread_mutex_destroy(&credentials->lock);
    g_free(credentials);
}

const char *aws_credentials_region(const AwsCredentials *credentials)
{
    return credentials->profile_region;
}

/* ---- fetching; under the lock ---- */

static const char *sts_region(const AwsCredentials *credentials)
{
    return credentials->region ? credentials->region : credentials->profile_region;
}

/* The token is read anew each time: whoever writes the file renews it. */
static bool from_web_identity(const AwsCredentials *credentials, AwsKeys *ret_keys, GError **error)
{
    const char *path = credentials->web_identity_file;
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autofree char *token = NULL;
    size_t len;
    bool ok;

    if (fd < 0) {
        bs_error_errno(error, errno, "web identity token %s", path);
        return false;
    }
    token = g_malloc0(TOKEN_MAX + 1);
    ok = fs_read_full(fd, token, TOKEN_MAX, &len, path, error);
    g_strstrip(token);
    if (ok && (len == TOKEN_MAX || !*token)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "web identity token %s: %s", path,
                    *token ? "too long" : "the file is empty");
        ok = false;
    }
    ok = ok && sts_assume_role(credentials->http,
                               &(StsRequest){ .endpoint = credentials->sts_endpoint,
                                              .region = sts_region(credentials),
                                              .role_arn = credentials->role_arn,
                                              .session = credentials->role_session,
                                              .web_identity = token },
                               ret_keys, error);
    secret_wipe(token, TOKEN_MAX);
    return ok;
}

/* So is the file: keys are sometimes changed while we run. */
static bool from_profile(const AwsCredentials *credentials, AwsKeys *ret_keys, GError **error)
{
    g_auto(AwsProfile) profile = { 0 };

    if (!read_profile(credentials, &profile, error))
        return false;
    *ret_keys = profile.keys;
    profile.keys = (AwsKeys){ 0 };
    return true;
}

static void copy_keys(const AwsKeys *from, AwsKeys *to)
{
    aws_keys_set(to, from->access_key, from->secret_key, from->session_token, from->expires_at);
}

static bool fetch_base(AwsCredentials *credentials, AwsKeys *ret_keys, GError **error)
{
    switch (credentials->from) {
    case FROM_WEB_IDENTITY:
        return from_web_identity(credentials, ret_keys, error);
    case FROM_PROFILE:
        return from_profile(credentials, ret_keys, error);
    default:
        copy_keys(&credentials->given, ret_keys);
        return true;
    }
}

static bool fetch(AwsCredentials *credentials, AwsKeys *ret_keys, GError **error)
{
    g_auto(AwsKeys) base = { 0 };

    if (!fetch_base(credentials, &base, error))
        return false;
    if (credentials->assume_role_arn)
        return sts_assume_role(credentials->http,
                               &(StsRequest){ .endpoint = credentials->sts_endpoint,
                                              .region = sts_region(credentials),
                                              .role_arn = credentials->assume_role_arn,
                                              .session = credentials->assume_session,
                                              .signer = &base,
                                              .external_id = credentials->assume_external_id,
                                              .policy = credentials->assume_policy },
                               ret_keys, error);
    *ret_keys = base;
    base = (AwsKeys){ 0 };
    return true;
}

/* How many seconds it is still good. */
static int64_t life_s(const AwsKeys *keys)
{
    if (!keys->access_key)
        return 0;
    return keys->expires_at == 0 ? INT64_MAX : keys->expires_at - clock_now().sec;
}

static bool is_paused(const AwsCredentials *credentials)
{
    return credentials->tried && clock_monotonic_ms() - credentials->renewed_at_ms < PAUSE_MS;
}

static void renew(AwsCredentials *credentials)
{
    g_auto(AwsKeys) keys = { 0 };

    g_clear_error(&credentials->problem);
    if (fetch(credentials, &keys, &credentials->problem)) {
        aws_keys_clear(&credentials->current);
        credentials->current = keys;
        keys = (AwsKeys){ 0 };
    }
    credentials->tried = true;
    credentials->renewed_at_ms = clock_monotonic_ms();
}

/* ---- for every request ---- */

bool aws_credentials_get(AwsCredentials *credentials, AwsKeys *ret_keys, GError **error)
{
    bool ok;

    pthread_mutex_lock(&credentials->lock);
    // whoever waited for another thread's try takes what came of it
    if (life_s(&credentials->current) < FRESH_S && !is_paused(credentials))
        renew(credentials);
    ok = credentials->current.access_key &&
         (!credentials->problem || life_s(&credentials->current) > 0);
    if (ok)
        copy_keys(&credentials->current, ret_keys);
    else
        g_propagate_prefixed_error(error, g_error_copy(credentials->problem), "credentials: ");
    pthread_mutex_unlock(&credentials->lock);
    return ok;
}

static bool same_keys(const AwsKeys *a, const AwsKeys *b)
{
    return g_strcmp0(a->access_key, b->access_key) == 0 &&
           g_strcmp0(a->secret_key, b->secret_key) == 0 &&
           g_strcmp0(a->session_token, b->session_token) == 0;
}

bool aws_credentials_refused(AwsCredentials *credentials, const AwsKeys *keys)
{
    bool hope;

    pthread_mutex_lock(&credentials->lock);
    hope = !same_keys(&credentials->current, keys);
    if (!hope && (credentials->from != FROM_GIVEN || credentials->assume_role_arn) &&
        !is_paused(credentials)) {
        aws_keys_clear(&credentials->current);
        credentials->tried = false;
        hope = true;
    }
    pthread_mutex_unlock(&credentials->lock);
    return hope;
}
