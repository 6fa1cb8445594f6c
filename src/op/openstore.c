/* SPDX-License-Identifier: Apache-2.0 */
#include "op/openstore.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "store/limit.h"
#include "store/local.h"
#include "store/retry.h"
#include "store/s3.h"
#include <pthread.h>
#include <string.h>

#define SAY_AGAIN_MS 10000 /* many threads meet the same silence; one line in a while will do */

struct Remote {
    HttpClient *http;
    AwsCredentials *credentials;
    Store *bucket; // below all wrappers; borrowed
    RetryPolicy policy;
    pthread_mutex_t lock; // around said_at_ms
    int64_t said_at_ms;   // monotonic; 0: nothing yet
};

static void remote_free(Remote *remote)
{
    if (!remote)
        return;
    aws_credentials_free(remote->credentials);
    http_client_free(remote->http);
    (void)pthread_mutex_destroy(&remote->lock);
    g_free(remote);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Remote, remote_free)

/* ---- trying again ---- */

static bool is_time_to_say(Remote *remote)
{
    int64_t now = clock_monotonic_ms();
    bool due;

    pthread_mutex_lock(&remote->lock);
    due = remote->said_at_ms == 0 || now - remote->said_at_ms >= SAY_AGAIN_MS;
    if (due)
        remote->said_at_ms = now;
    pthread_mutex_unlock(&remote->lock);
    return due;
}

static void say_again(const char *what, const GError *failure, int64_t pause_ms, void *user)
{
    g_autofree char *pause = g_strdup_printf("%.1f s", (double)pause_ms / 1000);

    if (is_time_to_say(user))
        log_warn("the store does not do it now; trying again", "what", what, "error",
                 failure->message, "pause", pause, NULL);
}

/* ---- a bucket ---- */

static const char *text_of(const Secret *secret)
{
    return secret ? secret_data(secret) : NULL;
}

static const char *region_of(const Settings *settings, const S3Access *access)
{
    return settings->s3.region ? settings->s3.region : access->region;
}

static Remote *remote_new(const Settings *settings, const S3Access *access, const Cancel *cancel,
                          GError **error)
{
    g_autoptr(Remote) remote = g_new0(Remote, 1);
    const char *region = region_of(settings, access);
    HttpOptions http = {
        .ca_file = settings->cacert,
        .client_cert = settings->tls_client_cert,
        .connections = settings->s3.connections,
        .stall_ms = settings->stuck_request_ms,
        .cancel = cancel,
    };
    AwsSources sources = {
        .access_key = text_of(access->access_key),
        .secret_key = text_of(access->secret_key),
        .session_token = text_of(access->session_token),
        .web_identity_file = access->web_identity_file,
        .role_arn = access->role_arn,
        .role_session = access->role_session,
        .shared_file = access->credentials_file,
        .config_file = access->config_file,
        .profile = access->profile,
        .assume_role_arn = access->assume_role_arn,
        .assume_session = access->assume_session,
        .assume_external_id = access->assume_external_id,
        .assume_policy = access->assume_policy,
        .sts_endpoint = access->sts_endpoint,
        .region = access->assume_region ? access->assume_region : region,
    };

    (void)pthread_mutex_init(&remote->lock, NULL);
    remote->policy = (RetryPolicy){
        .deadline_ms = settings->s3.retry_deadline_ms ? settings->s3.retry_deadline_ms
                                                      : settings->retry_deadline_ms,
        .cancel = cancel,
        .again = say_again,
        .user = remote,
    };
    if (!http_client_new(&http, &remote->http, error)) {
        g_prefix_error(error, "certificates: ");
        return NULL;
    }
    if (!aws_credentials_new(&sources, remote->http, &remote->credentials, error))
        return NULL;
    return g_steal_pointer(&remote);
}

static Store *bucket_new(const Settings *settings, const S3Access *access, const S3Place *place,
                         Remote *remote, const Cancel *cancel)
{
    static const S3Style styles[] = {
        [S3_LOOKUP_AUTO] = S3_STYLE_AUTO,
        [S3_LOOKUP_PATH] = S3_STYLE_PATH,
        [S3_LOOKUP_DNS] = S3_STYLE_VIRTUAL,
    };
    static const S3Lock locks[] = {
        [S3_RETAIN_NONE] = S3_LOCK_NONE,
        [S3_RETAIN_GOVERNANCE] = S3_LOCK_GOVERNANCE,
        [S3_RETAIN_COMPLIANCE] = S3_LOCK_COMPLIANCE,
    };
    const char *region = region_of(settings, access);
    S3Options options = {
        .place = place,
        .region = region ? region : aws_credentials_region(remote->credentials),
        .style = styles[settings->s3.lookup],
        .credentials = remote->credentials,
        .http = remote->http,
        .connections = settings->s3.connections,
        .storage_class = settings->s3.storage_class,
        .encryption = settings->s3.encryption,
        .encryption_key = settings->s3.encryption_key,
        .lock = locks[settings->s3.object_lock],
        .lock_days = settings->s3.object_lock_days,
        .retry = remote->policy,
        .cancel = cancel,
    };

    return s3_store_new(&options);
}

bool open_place(const char *location, S3Place *ret_place, GError **error)
{
    g_auto(S3Access) access = { 0 };

    if (!g_str_has_prefix(location, "s3:")) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "%s: only a bucket has policies; a directory has owners and permissions",
                    location);
        return false;
    }
    return s3_access_load("", &access, error) &&
           s3_place_parse(location, access.endpoint, ret_place, error);
}

/* Keys in the configuration are those of the repository, not of another one or of a mirror. */
static bool load_access(const Settings *settings, const char *infix, S3Access *access,
                        GError **error)
{
    return s3_access_load(infix, access, error) &&
           (*infix ||
            s3_access_named(settings->s3_access_key, settings->s3_secret_key,
                            settings->s3_session_token, settings->s3_region, access, error));
}

static bool open_bucket(const Settings *settings, const char *location, const char *infix,
                        const Cancel *cancel, OpenStore *open, GError **error)
{
    g_auto(S3Access) access = { 0 };
    g_auto(S3Place) place = { 0 };

    if (!load_access(settings, infix, &access, error) ||
        !s3_place_parse(location, access.endpoint, &place, error))
        return false;
    open->remote = remote_new(settings, &access, cancel, error);
    if (!open->remote)
        return false;
    open->store = bucket_new(settings, &access, &place, open->remote, cancel);
    open->remote->bucket = open->store;
    return true;
}

static bool pass_over(G_GNUC_UNUSED const StoreObject *object, G_GNUC_UNUSED void *user,
                      G_GNUC_UNUSED GError **error)
{
    return true;
}

/* Who may not make buckets may still use one that is there. */
static bool find_or_create(void *bucket, GError **error)
{
    g_autoptr(GError) absent = NULL;

    if (store_list(bucket, "keys/", pass_over, NULL, &absent))
        return true;
    if (g_error_matches(absent, BS_ERROR, BS_ERROR_NO_REPO))
        return s3_create_bucket(bucket, error);
    g_propagate_error(error, g_steal_pointer(&absent));
    return false;
}

bool open_store_create(OpenStore *open, GError **error)
{
    Remote *remote = open->remote;

    return !remote ||
           retry_run(&remote->policy, "create the bucket", find_or_create, remote->bucket, error);
}

/* ---- any ---- */

static bool is_foreign(const char *location, GError **error)
{
    static const char *const schemes[] = { "sftp:", "rest:",  "b2:",    "azure:",
                                           "gs:",   "swift:", "rclone:" };

    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (g_str_has_prefix(location, schemes[i])) {
            g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                        "%s: this version has no store \"%s\"; use a directory or s3:", location,
                        schemes[i]);
            return true;
        }
    return false;
}

/* A try that fails has used the line, too: so each of them waits for its share, and the limit lies
 * below the retries. */
static void wrap(const Settings *settings, const Cancel *cancel, OpenStore *open)
{
    Limits limits = {
        .up = settings->limit_up,
        .down = settings->limit_down,
        .requests = open->remote ? settings->s3.requests_per_second : 0,
        .cancel = cancel,
    };

    if (limits.up > 0 || limits.down > 0 || limits.requests > 0)
        open->store = limit_store_new(open->store, &limits);
    if (open->remote)
        open->store = retry_store_new(open->store, &open->remote->policy);
}

bool open_store(const Settings *settings, const char *location, const char *infix, bool create,
                const Cancel *cancel, OpenStore *ret_open, GError **error)
{
    g_auto(OpenStore) open = { 0 };

    if (is_foreign(location, error))
        return false;
    if (g_str_has_prefix(location, "s3:")) {
        if (!open_bucket(settings, location, infix, cancel, &open, error))
            return false;
    } else {
        if (g_str_has_prefix(location, "local:"))
            location += strlen("local:");
        open.store = local_store_new(location, create);
    }
    wrap(settings, cancel, &open);
    *ret_open = open;
    open = (OpenStore){ 0 };
    return true;
}

void open_store_done(OpenStore *open)
{
    store_free(open->store);
    remote_free(open->remote);
    *open = (OpenStore){ 0 };
}
