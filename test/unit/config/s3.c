/* SPDX-License-Identifier: Apache-2.0 */
#include "config/s3.h"

#include "base/error.h"
#include "config/settings.h"
#include "lib/tempdir.h"

/* Pairs of name and value, all others of ours gone. */
static void environment(const char *const *pairs)
{
    g_auto(GStrv) names = g_listenv();

    for (char **name = names; *name; name++)
        if (g_str_has_prefix(*name, "AWS_") || g_str_has_prefix(*name, "BACKSTAY_") ||
            g_str_has_prefix(*name, "BACKUP_") || g_str_has_prefix(*name, "RESTIC_"))
            g_unsetenv(*name);
    for (; pairs && *pairs; pairs += 2)
        g_assert_true(g_setenv(pairs[0], pairs[1], TRUE));
}

/* ---- options ---- */

static void restics_and_our_options_are_understood(void)
{
    static char *const options[] = { "s3.region=eu-central-1",
                                     "s3.bucket-lookup=dns",
                                     "s3.storage-class=STANDARD_IA",
                                     "s3.connections=3",
                                     "s3.encryption=aws:kms",
                                     "s3.encryption-key=arn:aws:kms:eu-central-1:1:key/ab-cd",
                                     "s3.requests-per-second=50",
                                     "s3.retry-deadline=2m",
                                     "s3.object-lock=compliance",
                                     "s3.object-lock-days=30",
                                     "s3.layout=default",
                                     "s3.list-objects-v1=false",
                                     "s3.unsafe-anonymous-auth=false",
                                     "s3.enable-restore=0",
                                     "s3.connections=5",
                                     NULL };
    g_auto(S3Settings) settings = { 0 };
    g_autoptr(GError) error = NULL;

    environment(NULL);
    g_assert_true(s3_settings_parse(options, &settings, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(settings.region, ==, "eu-central-1");
    g_assert_cmpint(settings.lookup, ==, S3_LOOKUP_DNS);
    g_assert_cmpstr(settings.storage_class, ==, "STANDARD_IA");
    g_assert_cmpuint(settings.connections, ==, 5);
    g_assert_cmpstr(settings.encryption, ==, "aws:kms");
    g_assert_cmpstr(settings.encryption_key, ==, "arn:aws:kms:eu-central-1:1:key/ab-cd");
    g_assert_cmpuint(settings.requests_per_second, ==, 50);
    g_assert_cmpint(settings.retry_deadline_ms, ==, 120000);
    g_assert_cmpint(settings.object_lock, ==, S3_RETAIN_COMPLIANCE);
    g_assert_cmpuint(settings.object_lock_days, ==, 30);
}

static void nothing_said_is_nothing_set(void)
{
    static const S3Settings nothing = { 0 };
    g_auto(S3Settings) settings = { .connections = 9 };

    environment(NULL);
    g_assert_true(s3_settings_parse(NULL, &settings, NULL));
    g_assert_cmpmem(&settings, sizeof settings, &nothing, sizeof nothing);
}

static void wrong_options_are_refused_by_name(void)
{
    static const char *const cases[] = {
        "s3.colour=red",
        "s3.connections",
        "s3.connections=0",
        "s3.connections=65",
        "s3.connections=many",
        "s3.bucket-lookup=virtual",
        "s3.region=",
        "s3.region=eu central",
        "s3.storage-class=STANDARD\r\nx-evil: 1",
        "s3.storage-class=GLACIER",
        "s3.storage-class=DEEP_ARCHIVE",
        "s3.encryption=rot13",
        "s3.object-lock=on",
        "s3.object-lock-days=0",
        "s3.requests-per-second=0",
        "s3.retry-deadline=soon",
        "s3.layout=s3legacy",
        "s3.list-objects-v1=true",
        "s3.unsafe-anonymous-auth=true",
        "s3.enable-restore=true",
        "s3.retries=5",
        "rclone.program=x",
        "region=x",
        "",
    };

    environment(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *const options[] = { (char *)cases[i], NULL };
        g_auto(S3Settings) settings = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i]);
        g_assert_false(s3_settings_parse(options, &settings, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_null(settings.region);
        g_assert_nonnull(strstr(error->message, cases[i]));
    }
}

static void what_goes_together_is_asked_for(void)
{
    static const struct {
        const char *option, *said;
    } cases[] = {
        { "s3.encryption-key=abc", "s3.encryption=aws:kms" },
        { "s3.object-lock=governance", "s3.object-lock-days=N" },
        { "s3.object-lock-days=30", "s3.object-lock=MODE" },
    };
    static char *const none[] = { "s3.object-lock-days=30", "s3.object-lock=none", NULL };
    g_auto(S3Settings) off = { 0 };

    environment(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *const options[] = { (char *)cases[i].option, NULL };
        g_auto(S3Settings) settings = { 0 };
        g_autoptr(GError) error = NULL;

        g_assert_false(s3_settings_parse(options, &settings, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, cases[i].said));
    }
    g_assert_true(s3_settings_parse(none, &off, NULL));
    g_assert_cmpint(off.object_lock, ==, S3_RETAIN_NONE);
    g_assert_cmpuint(off.object_lock_days, ==, 0);
}

static void options_have_variables_and_come_before_them(void)
{
    static char *const options[] = { "s3.region=option", NULL };
    g_auto(S3Settings) settings = { 0 };
    g_autoptr(GError) error = NULL;

    environment((const char *const[]){ "BACKSTAY_S3_REGION", "variable",
                                       "BACKSTAY_S3_STORAGE_CLASS", "ONEZONE_IA", NULL });
    g_assert_true(s3_settings_parse(options, &settings, NULL));
    g_assert_cmpstr(settings.region, ==, "option");
    g_assert_cmpstr(settings.storage_class, ==, "ONEZONE_IA");
    environment((const char *const[]){ "BACKSTAY_S3_CONNECTIONS", "x", NULL });
    g_assert_false(s3_settings_parse(NULL, &settings, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    g_assert_nonnull(strstr(error->message, "BACKSTAY_S3_CONNECTIONS=x"));
}

/* ---- keys ---- */

static const char *text_of(const Secret *secret)
{
    return secret ? secret_data(secret) : NULL;
}

static void the_first_family_gives_all_keys(void)
{
    static const struct {
        const char *label, *infix;
        const char *pairs[14];
        const char *access, *secret, *token, *profile;
    } cases[] = {
        { "nothing", "", { NULL }, NULL, NULL, NULL, NULL },
        { "Amazon's",
          "",
          { "AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "b", "AWS_SESSION_TOKEN", "c" },
          "a",
          "b",
          "c",
          NULL },
        { "Amazon's profile beside keys",
          "",
          { "AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "b", "AWS_PROFILE", "p" },
          "a",
          "b",
          NULL,
          "p" },
        { "a profile alone", "", { "AWS_PROFILE", "p" }, NULL, NULL, NULL, "p" },
        { "those of a backup come before",
          "",
          { "AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "b", "AWS_SESSION_TOKEN", "c",
            "BACKUP_S3_ACCESS_KEY", "d", "BACKUP_S3_SECRET_KEY", "e" },
          "d",
          "e",
          NULL,
          NULL },
        { "ours come first",
          "",
          { "BACKUP_S3_ACCESS_KEY", "d", "BACKUP_S3_SECRET_KEY", "e", "BACKSTAY_S3_ACCESS_KEY", "f",
            "BACKSTAY_S3_SECRET_KEY", "g" },
          "f",
          "g",
          NULL,
          NULL },
        { "our profile comes before Amazon's keys",
          "",
          { "AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "b", "BACKSTAY_S3_PROFILE", "q" },
          NULL,
          NULL,
          NULL,
          "q" },
        { "the other repository has its own",
          "FROM_",
          { "BACKSTAY_S3_ACCESS_KEY", "f", "BACKSTAY_S3_SECRET_KEY", "g",
            "BACKSTAY_FROM_S3_ACCESS_KEY", "h", "BACKSTAY_FROM_S3_SECRET_KEY", "i" },
          "h",
          "i",
          NULL,
          NULL },
        { "which are not for this one",
          "",
          { "BACKSTAY_FROM_S3_ACCESS_KEY", "h", "BACKSTAY_FROM_S3_SECRET_KEY", "i",
            "AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "b" },
          "a",
          "b",
          NULL,
          NULL },
        { "and so does each mirror",
          "MIRROR_NAS_2_",
          { "BACKSTAY_MIRROR_NAS_2_S3_ACCESS_KEY", "j", "BACKSTAY_MIRROR_NAS_2_S3_SECRET_KEY", "k",
            "BACKSTAY_FROM_S3_ACCESS_KEY", "h", "BACKSTAY_FROM_S3_SECRET_KEY", "i" },
          "j",
          "k",
          NULL,
          NULL },
        { "or the same as this one",
          "FROM_",
          { "AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "b" },
          "a",
          "b",
          NULL,
          NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(S3Access) access = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        environment(cases[i].pairs);
        g_assert_true(s3_access_load(cases[i].infix, &access, &error));
        g_assert_no_error(error);
        g_assert_cmpstr(text_of(access.access_key), ==, cases[i].access);
        g_assert_cmpstr(text_of(access.secret_key), ==, cases[i].secret);
        g_assert_cmpstr(text_of(access.session_token), ==, cases[i].token);
        g_assert_cmpstr(access.profile, ==, cases[i].profile);
    }
}

static void secrets_may_lie_in_files(void)
{
    char *dir = tempdir_new();
    g_autofree char *file = g_build_filename(dir, "key", NULL);
    g_auto(S3Access) access = { 0 };

    g_assert_true(g_file_set_contents(file, "in/file\n", -1, NULL));
    environment((const char *const[]){ "AWS_ACCESS_KEY_ID_FILE", file, "AWS_SECRET_ACCESS_KEY_FILE",
                                       file, "AWS_SESSION_TOKEN_FILE", file, NULL });
    g_assert_true(s3_access_load("", &access, NULL));
    g_assert_cmpstr(text_of(access.access_key), ==, "in/file");
    g_assert_cmpstr(text_of(access.secret_key), ==, "in/file");
    g_assert_cmpstr(text_of(access.session_token), ==, "in/file");
    tempdir_remove(dir);
}

static void half_a_set_of_keys_is_refused(void)
{
    static const struct {
        const char *pairs[7];
        const char *tells;
    } cases[] = {
        { { "AWS_ACCESS_KEY_ID", "a" }, "AWS_SECRET_ACCESS_KEY is not" },
        { { "AWS_SECRET_ACCESS_KEY", "b" }, "AWS_ACCESS_KEY_ID is not" },
        { { "AWS_SESSION_TOKEN", "c" }, "AWS_ACCESS_KEY_ID is not" },
        { { "BACKUP_S3_ACCESS_KEY", "a", "AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "b" },
          "BACKUP_S3_SECRET_KEY is not" },
        { { "AWS_SECRET_ACCESS_KEY", "b", "AWS_SECRET_ACCESS_KEY_FILE", "/x", "AWS_ACCESS_KEY_ID",
            "a" },
          "more than one way" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(S3Access) access = { 0 };
        g_autoptr(GError) error = NULL;

        environment(cases[i].pairs);
        g_assert_false(s3_access_load("", &access, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, cases[i].tells));
    }
}

/* ---- where ---- */

static void endpoints_and_regions_have_their_order(void)
{
    static const struct {
        const char *infix;
        const char *pairs[14];
        const char *endpoint, *region;
    } cases[] = {
        { "", { NULL }, NULL, NULL },
        { "", { "AWS_ENDPOINTS", "https://nbg1.example.com" }, "https://nbg1.example.com", NULL },
        { "", { "AWS_ENDPOINTS", "http://a", "AWS_ENDPOINT_URL", "http://b/" }, "http://b", NULL },
        { "",
          { "AWS_ENDPOINT_URL", "http://b", "AWS_ENDPOINT_URL_S3", "http://c:9000//" },
          "http://c:9000",
          NULL },
        { "",
          { "AWS_ENDPOINT_URL_S3", "http://c", "BACKUP_S3_ENDPOINT", "d.example.com" },
          "https://d.example.com",
          NULL },
        { "", { "BACKUP_S3_ENDPOINT", "d", "BACKSTAY_S3_ENDPOINT", "http://e" }, "http://e", NULL },
        { "", { "AWS_DEFAULT_REGION", "r1" }, NULL, "r1" },
        { "", { "AWS_DEFAULT_REGION", "r1", "AWS_REGION", "r2" }, NULL, "r2" },
        { "", { "AWS_REGION", "r2", "BACKSTAY_S3_REGION", "r3" }, NULL, "r3" },
        { "FROM_",
          { "BACKSTAY_S3_REGION", "r3", "BACKSTAY_FROM_S3_REGION", "r4", "BACKSTAY_S3_ENDPOINT",
            "http://e", "BACKSTAY_FROM_S3_ENDPOINT", "http://f" },
          "http://f",
          "r4" },
        { "MIRROR_NAS_2_",
          { "BACKSTAY_FROM_S3_REGION", "r4", "BACKSTAY_S3_ENDPOINT", "http://e",
            "BACKSTAY_MIRROR_NAS_2_S3_REGION", "r5", "BACKSTAY_MIRROR_NAS_2_S3_ENDPOINT",
            "http://g" },
          "http://g",
          "r5" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(S3Access) access = { 0 };

        environment(cases[i].pairs);
        g_assert_true(s3_access_load(cases[i].infix, &access, NULL));
        g_assert_cmpstr(access.endpoint, ==, cases[i].endpoint);
        g_assert_cmpstr(access.region, ==, cases[i].region);
    }
}

static void several_endpoints_are_no_endpoint(void)
{
    g_auto(S3Access) access = { 0 };
    g_autoptr(GError) error = NULL;

    environment((const char *const[]){ "AWS_ENDPOINTS", "https://a,https://b", NULL });
    g_assert_false(s3_access_load("", &access, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
}

static void roles_are_read_under_their_names(void)
{
    g_auto(S3Access) access = { 0 };

    environment((const char *const[]){ "AWS_WEB_IDENTITY_TOKEN_FILE",
                                       "/token",
                                       "AWS_ROLE_ARN",
                                       "arn",
                                       "AWS_ROLE_SESSION_NAME",
                                       "me",
                                       "AWS_SHARED_CREDENTIALS_FILE",
                                       "/cred",
                                       "AWS_CONFIG_FILE",
                                       "/conf",
                                       "RESTIC_AWS_ASSUME_ROLE_ARN",
                                       "arn2",
                                       "RESTIC_AWS_ASSUME_ROLE_SESSION_NAME",
                                       "s",
                                       "RESTIC_AWS_ASSUME_ROLE_EXTERNAL_ID",
                                       "x",
                                       "RESTIC_AWS_ASSUME_ROLE_POLICY",
                                       "{}",
                                       "RESTIC_AWS_ASSUME_ROLE_REGION",
                                       "r",
                                       "RESTIC_AWS_ASSUME_ROLE_STS_ENDPOINT",
                                       "http://sts",
                                       "AWS_ENDPOINT_URL_STS",
                                       "http://other",
                                       NULL });
    g_assert_true(s3_access_load("", &access, NULL));
    g_assert_cmpstr(access.web_identity_file, ==, "/token");
    g_assert_cmpstr(access.role_arn, ==, "arn");
    g_assert_cmpstr(access.role_session, ==, "me");
    g_assert_cmpstr(access.credentials_file, ==, "/cred");
    g_assert_cmpstr(access.config_file, ==, "/conf");
    g_assert_cmpstr(access.assume_role_arn, ==, "arn2");
    g_assert_cmpstr(access.assume_session, ==, "s");
    g_assert_cmpstr(access.assume_external_id, ==, "x");
    g_assert_cmpstr(access.assume_policy, ==, "{}");
    g_assert_cmpstr(access.assume_region, ==, "r");
    g_assert_cmpstr(access.sts_endpoint, ==, "http://sts");
}

static void a_bucket_of_the_environment_is_a_repository_at_last(void)
{
    static const struct {
        const char *pairs[8];
        const char *want;
    } cases[] = {
        { { "BACKUP_S3_ENDPOINT", "https://s3.example.com/", "BACKUP_S3_BUCKET", "app" },
          "s3:https://s3.example.com/app" },
        { { "BACKUP_S3_ENDPOINT", "s3.example.com", "BACKUP_S3_BUCKET", "app/pg" },
          "s3:s3.example.com/app/pg" },
        { { "BACKUP_S3_BUCKET", "app" }, "s3:app" },
        { { "BACKUP_S3_BUCKET", "app", "RESTIC_REPOSITORY", "/srv" }, "/srv" },
        { { "BACKUP_S3_ENDPOINT", "https://s3.example.com" }, NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Settings settings = { 0 };
        g_autofree char *location = NULL;
        g_autoptr(GError) error = NULL;

        environment(cases[i].pairs);
        g_assert_cmpint(settings_repository(&settings, &location, &error), ==,
                        cases[i].want != NULL);
        g_assert_cmpstr(location, ==, cases[i].want);
        if (!cases[i].want)
            g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
}

static void settings_of_the_network_are_worked_out(void)
{
    Settings settings = { .limit_upload = g_strdup("100"), .retry_deadline = g_strdup("1m") };
    g_autoptr(GError) error = NULL;

    settings_add_option(&settings, "s3.region=a");
    settings_add_option(&settings, "s3.connections=2");
    environment((const char *const[]){ "BACKSTAY_LIMIT_DOWNLOAD", "7", "RESTIC_CACERT", "/ca",
                                       "AWS_CA_BUNDLE", "/other", "RESTIC_TLS_CLIENT_CERT", "/me",
                                       "BACKSTAY_STUCK_REQUEST_TIMEOUT", "90s", NULL });
    g_assert_true(settings_complete(&settings, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(settings.limit_up, ==, 102400);
    g_assert_cmpuint(settings.limit_down, ==, 7168);
    g_assert_cmpint(settings.retry_deadline_ms, ==, 60000);
    g_assert_cmpint(settings.stuck_request_ms, ==, 90000);
    g_assert_cmpstr(settings.cacert, ==, "/ca");
    g_assert_cmpstr(settings.tls_client_cert, ==, "/me");
    g_assert_cmpstr(settings.s3.region, ==, "a");
    g_assert_cmpuint(settings.s3.connections, ==, 2);
    settings_clear(&settings);
    environment((const char *const[]){ "AWS_CA_BUNDLE", "/other", NULL });
    g_assert_true(settings_complete(&settings, NULL));
    g_assert_cmpstr(settings.cacert, ==, "/other");
    g_assert_cmpint(settings.stuck_request_ms, ==, 0);
    settings_clear(&settings);
}

static void wrong_settings_of_the_network_are_refused(void)
{
    static const char *const cases[][2] = {
        { "BACKSTAY_LIMIT_UPLOAD", "fast" },
        { "BACKSTAY_STUCK_REQUEST_TIMEOUT", "long" },
        { "BACKSTAY_STUCK_REQUEST_TIMEOUT", "0" },
        { "BACKSTAY_STUCK_REQUEST_TIMEOUT", "999ms" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Settings settings = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s=%s", cases[i][0], cases[i][1]);
        environment((const char *const[]){ cases[i][0], cases[i][1], NULL });
        g_assert_false(settings_complete(&settings, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        settings_clear(&settings);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/s3/options", restics_and_our_options_are_understood);
    g_test_add_func("/s3/nothing", nothing_said_is_nothing_set);
    g_test_add_func("/s3/wrong-options", wrong_options_are_refused_by_name);
    g_test_add_func("/s3/together", what_goes_together_is_asked_for);
    g_test_add_func("/s3/variables", options_have_variables_and_come_before_them);
    g_test_add_func("/s3/families", the_first_family_gives_all_keys);
    g_test_add_func("/s3/files", secrets_may_lie_in_files);
    g_test_add_func("/s3/half", half_a_set_of_keys_is_refused);
    g_test_add_func("/s3/endpoints", endpoints_and_regions_have_their_order);
    g_test_add_func("/s3/several-endpoints", several_endpoints_are_no_endpoint);
    g_test_add_func("/s3/roles", roles_are_read_under_their_names);
    g_test_add_func("/s3/location", a_bucket_of_the_environment_is_a_repository_at_last);
    g_test_add_func("/s3/network", settings_of_the_network_are_worked_out);
    g_test_add_func("/s3/network-wrong", wrong_settings_of_the_network_are_refused);
    return g_test_run();
}
