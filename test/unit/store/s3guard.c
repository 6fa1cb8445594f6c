/* SPDX-License-Identifier: Apache-2.0 */
/* What a bucket guards, by a real server, asked through all wrappers. */
#include "base/clock.h"
#include "base/error.h"
#include "lib/s3_store.h"
#include "lib/tempdir.h"
#include "store/cache.h"
#include "store/limit.h"
#include "store/local.h"
#include "store/mirror.h"
#include "store/retry.h"

#include <string.h>

static S3Server *server; // one for all: it takes a second to start

typedef struct {
    char *name;
    S3TestStore test;
    Store *first; // the bucket, with retries and limits
    Store *below; // as the only place of a mirror store
    char *dir;
    Cache *cache;
    Store *store; // below that one, too
} Bucket;

static MirrorKind kind_of(const char *key)
{
    return g_str_has_prefix(key, "data/") ? MIRROR_DATA : MIRROR_NAMES;
}

static void ignore_state(G_GNUC_UNUSED const MirrorState *state, G_GNUC_UNUSED void *user)
{
}

/* kind: of s3.py's make-bucket. */
static void bucket_set_up(Bucket *bucket, gconstpointer kind)
{
    static unsigned n;
    static const char *const prefixes[] = { "data/", NULL };
    static const RetryPolicy once = { .deadline_ms = -1 };
    static const Limits limits = { .requests = 100000 };
    static const MirrorOptions mirror = { .kind = kind_of, .behind = ignore_state };
    S3TestPlace place = { .endpoint = server->endpoint,
                          .prefix = "in/a place",
                          .access_key = server->user.access_key,
                          .secret_key = server->user.secret_key };
    g_autofree char *command = NULL;

    place.bucket = bucket->name = g_strdup_printf("bucket-%u", ++n);
    command = g_strdup_printf("s3 make-bucket %s %s", bucket->name, (const char *)kind);
    g_bytes_unref(s3_server_shell(server, command));
    s3_test_store_open(&place, &bucket->test);
    bucket->first =
        retry_store_new(limit_store_new(g_steal_pointer(&bucket->test.store), &limits), &once);
    bucket->below = mirror_store_new(bucket->first, &mirror);
    bucket->dir = tempdir_new();
    bucket->cache = cache_new(bucket->dir, 1000000);
    bucket->store = cache_store_new(bucket->below, bucket->cache, prefixes);
}

static void bucket_tear_down(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    store_free(bucket->store);
    store_free(bucket->below);
    store_free(bucket->first);
    cache_free(bucket->cache);
    tempdir_remove(bucket->dir);
    s3_test_store_close(&bucket->test);
    g_free(bucket->name);
}

static void put(Store *store, const char *key, const char *text)
{
    g_autoptr(GError) error = NULL;

    store_put(store, key, text, strlen(text), false, &error);
    g_assert_no_error(error);
}

/* ---- guard ---- */

static void configure(const Bucket *bucket, const char *what, const char *xml)
{
    g_autofree char *command = g_strdup_printf(
        "/usr/bin/python3 - <<'END'\n"
        "import os, sys\n"
        "sys.path.insert(0, os.environ['FIXTURES'] + '/../lib')\n"
        "from s3 import S3\n"
        "S3(*(os.environ[n] for n in ('S3_ENDPOINT', 'S3_ACCESS_KEY', 'S3_SECRET_KEY')))."
        "configure('%s', '%s', '''%s''')\n"
        "END",
        bucket->name, what, xml);

    g_bytes_unref(s3_server_shell(server, command));
}

static void a_plain_bucket_guards_nothing(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    g_auto(StoreGuard) guard = { 0 };
    g_autoptr(GError) error = NULL;

    store_guard(bucket->store, &guard, &error);
    g_assert_no_error(error);
    g_assert_no_error(guard.why);
    g_assert_cmpint(guard.versions, ==, STORE_OFF);
    g_assert_cmpint(guard.locks, ==, STORE_OFF);
    g_assert_cmpint(guard.ruled, ==, STORE_OFF);
    g_assert_cmpuint(guard.rules->len, ==, 0);
    g_assert_cmpint(ABS(guard.server_time - guard.our_time), <=, 600); // busy, not wrong
}

static void a_locked_bucket_says_so(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    g_auto(StoreGuard) guard = { 0 };
    g_autoptr(GError) error = NULL;
    const StoreRule *rule;

    configure(bucket, "object-lock",
              "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
              "<DefaultRetention><Mode>GOVERNANCE</Mode><Days>3</Days></DefaultRetention></Rule>"
              "</ObjectLockConfiguration>");
    configure(bucket, "lifecycle",
              "<LifecycleConfiguration><Rule><ID>tidy</ID><Filter><Prefix>in/</Prefix></Filter>"
              "<Status>Enabled</Status><Expiration><Days>90</Days></Expiration></Rule>"
              "</LifecycleConfiguration>");
    store_guard(bucket->store, &guard, &error);
    g_assert_no_error(error);
    g_assert_cmpint(guard.versions, ==, STORE_ON);
    g_assert_cmpint(guard.locks, ==, STORE_ON);
    g_assert_cmpstr(guard.lock_mode, ==, "governance");
    g_assert_cmpuint(guard.lock_days, ==, 3);
    g_assert_cmpuint(guard.rules->len, ==, 1);
    rule = g_ptr_array_index(guard.rules, 0);
    g_assert_cmpstr(rule->name, ==, "tidy");
    g_assert_cmpint(rule->kind, ==, STORE_RULE_EXPIRES);
    g_assert_cmpuint(rule->days, ==, 90);
}

static void what_is_not_told_is_unknown(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    S3User *other = s3_server_user(server, "other");
    S3TestPlace place = { .endpoint = server->endpoint,
                          .bucket = bucket->name,
                          .access_key = other->access_key,
                          .secret_key = other->secret_key };
    g_auto(StoreGuard) guard = { 0 };
    g_autoptr(GError) error = NULL;
    S3TestStore test;

    s3_test_store_open(&place, &test);
    store_guard(test.store, &guard, &error);
    g_assert_no_error(error);
    g_assert_cmpint(guard.versions, ==, STORE_UNKNOWN);
    g_assert_cmpint(guard.locks, ==, STORE_UNKNOWN);
    g_assert_cmpint(guard.ruled, ==, STORE_UNKNOWN);
    g_assert_error(guard.why, BS_ERROR, BS_ERROR_DENIED);
    s3_test_store_close(&test);
    s3_user_free(other);
}

static void a_missing_bucket_is_an_error(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    g_autofree char *command = g_strdup_printf("s3 send DELETE %s </dev/null", bucket->name);
    g_auto(StoreGuard) guard = { 0 };
    g_autoptr(GError) error = NULL;

    g_bytes_unref(s3_server_shell(server, command));
    g_assert_false(store_guard(bucket->store, &guard, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_REPO);
}

static void a_directory_has_none_of_it(void)
{
    g_autoptr(Store) store = local_store_new("/nowhere", false);
    const char *key = "data/a";
    g_auto(StoreGuard) guard = { 0 };
    g_autoptr(GError) error = NULL;
    GBytes *data;

    g_assert_false(store_guard(store, &guard, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
    g_clear_error(&error);
    g_assert_false(store_get_version(store, key, "1", 1, &data, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
    g_clear_error(&error);
    g_assert_false(store_protect(store, key, 0, 0, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
    g_clear_error(&error);
    // but it can remove
    g_assert_true(store_purge_many(store, &key, 1, NULL, NULL, NULL));
}

/* ---- versions ---- */

static bool add_line(const StoreVersion *version, void *user, G_GNUC_UNUSED GError **error)
{
    GPtrArray *lines = user;

    g_assert_cmpint(ABS(version->modified_at - clock_now().sec), <=, 600);
    g_ptr_array_add(lines, g_strdup_printf("%s %" G_GUINT64_FORMAT "%s%s", version->key,
                                           version->size, version->removed ? " removed" : "",
                                           version->latest ? " latest" : ""));
    g_ptr_array_add(lines, g_strdup(version->id));
    return true;
}

/* Lines and ids in turn. */
static GPtrArray *versions_of(Store *store, const char *prefix_or_key)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;

    store_versions(store, prefix_or_key, add_line, lines, &error);
    g_assert_no_error(error);
    return lines;
}

static void assert_lines(const GPtrArray *lines, const char *const *want, guint n)
{
    g_assert_cmpuint(lines->len, ==, 2 * n);
    for (guint i = 0; i < n; i++)
        g_assert_cmpstr(g_ptr_array_index(lines, 2 * i), ==, want[i]);
}

static void older_versions_are_listed_and_given(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    static const char *const want[] = { "config 0 removed latest", "config 5", "config 3" };
    static const char *const want_all[] = { "config 0 removed latest", "config 5", "config 3",
                                            "config2 1 latest" };
    g_autoptr(GPtrArray) lines = NULL;
    g_autoptr(GPtrArray) all = NULL;
    g_autoptr(GBytes) data = NULL;
    g_autoptr(GError) error = NULL;

    put(bucket->store, "config", "old");
    put(bucket->store, "config", "newer");
    put(bucket->store, "config2", "x"); // begins like it
    g_assert_true(store_remove(bucket->store, "config", NULL));
    lines = versions_of(bucket->store, "config");
    assert_lines(lines, want, G_N_ELEMENTS(want));
    all = versions_of(bucket->store, "");
    assert_lines(all, want_all, G_N_ELEMENTS(want_all));
    store_get_version(bucket->store, "config", g_ptr_array_index(lines, 5), 3, &data, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(data, NULL), g_bytes_get_size(data), "old", 3);
    g_assert_false(
        store_get_version(bucket->store, "config", g_ptr_array_index(lines, 3), 3, &data, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT); // larger than what was asked for
}

static void many_versions_come_in_pages(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    g_autofree char *command = g_strdup_printf(
        "/usr/bin/python3 - <<'END'\n"
        "import os, sys, concurrent.futures\n"
        "sys.path.insert(0, os.environ['FIXTURES'] + '/../lib')\n"
        "from s3 import S3\n"
        "s3 = S3(*(os.environ[n] for n in ('S3_ENDPOINT', 'S3_ACCESS_KEY', 'S3_SECRET_KEY')))\n"
        "with concurrent.futures.ThreadPoolExecutor(16) as pool:\n"
        "    list(pool.map(lambda n: s3.put('%s', 'in/a place/data/%%d' %% (n %% 700), b'x'), "
        "range(1400)))\n"
        "END",
        bucket->name);
    g_autoptr(GPtrArray) lines = NULL;
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);

    g_bytes_unref(s3_server_shell(server, command));
    lines = versions_of(bucket->store, "data/");
    g_assert_cmpuint(lines->len, ==, 2 * 1400);
    for (guint i = 1; i < lines->len; i += 2)
        g_assert_true(g_hash_table_add(ids, g_ptr_array_index(lines, i)));
}

/* ---- locks and purging ---- */

typedef struct {
    GHashTable *untils; // key -> int64_t *
} Kept;

static void note_kept(const char *key, int64_t until, void *user)
{
    Kept *kept = user;

    g_assert_true(
        g_hash_table_insert(kept->untils, g_strdup(key), g_memdup2(&until, sizeof until)));
}

static void kept_init(Kept *kept)
{
    kept->untils = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void purging_leaves_nothing(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    const char *keys[150];
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) left = NULL;
    g_autoptr(GError) error = NULL;
    Kept kept;

    kept_init(&kept);
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_ptr_array_add(names, g_strdup_printf("data/%u", i));
        keys[i] = g_ptr_array_index(names, i);
        put(bucket->store, keys[i], "x");
    }
    put(bucket->store, keys[0], "again");
    g_assert_true(store_remove(bucket->store, keys[1], NULL));
    put(bucket->store, "data/stays", "x");
    // one by one, then all of the rest in one listing
    store_purge_many(bucket->store, keys, 3, note_kept, &kept, &error);
    g_assert_no_error(error);
    store_purge_many(bucket->store, keys, G_N_ELEMENTS(keys), note_kept, &kept, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_hash_table_size(kept.untils), ==, 0);
    left = versions_of(bucket->store, "");
    if (strcmp(kind, "versioned") == 0)
        g_assert_cmpstr(g_ptr_array_index(left, 0), ==, "data/stays 1 latest");
    g_assert_cmpuint(left->len, ==, 2);
    g_hash_table_unref(kept.untils);
}

static int64_t until_of(const Kept *kept, const char *key)
{
    const int64_t *until = g_hash_table_lookup(kept->untils, key);

    g_assert_nonnull(until);
    return *until;
}

static void what_is_protected_stays(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    static const char *const keys[] = { "data/a", "data/b", "data/c" };
    int64_t now = clock_now().sec;
    g_autoptr(GPtrArray) left = NULL;
    g_autoptr(GError) error = NULL;
    bool done;
    Kept kept;

    kept_init(&kept);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        put(bucket->store, keys[i], "x");
    store_protect(bucket->store, "data/a", now + 100, now + 200, &done, &error);
    g_assert_no_error(error);
    g_assert_true(done);
    // long enough, and so no request; then not any more
    g_assert_true(store_protect(bucket->store, "data/a", now + 200, now + 500, &done, NULL));
    g_assert_false(done);
    g_assert_true(store_protect(bucket->store, "data/a", now + 201, now + 300, &done, NULL));
    g_assert_true(done);
    g_assert_true(store_protect(bucket->store, "data/b", now + 1, now + 3600, NULL, NULL));

    store_purge_many(bucket->store, keys, 3, note_kept, &kept, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_hash_table_size(kept.untils), ==, 2);
    g_assert_cmpint(until_of(&kept, "data/a"), ==, now + 300);
    g_assert_cmpint(until_of(&kept, "data/b"), ==, now + 3600);
    left = versions_of(bucket->store, "");
    g_assert_cmpuint(left->len, ==, 2 * 2);
    g_hash_table_unref(kept.untils);
}

static void without_lock_nothing_is_protected(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    g_autoptr(GError) error = NULL;
    int64_t until = clock_now().sec + 60;

    put(bucket->store, "data/a", "x");
    g_assert_false(store_protect(bucket->store, "data/a", until, until, NULL, &error));
    g_test_message("%s", error->message);
    g_clear_error(&error);
    g_assert_false(store_protect(bucket->store, "data/none", until, until, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

/* What is put with a lock has it from the first moment on, but for locks/. */
static void what_is_put_is_locked(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    static const char *const keys[] = { "data/a", "wal/stream", "locks/a" };
    S3TestPlace place = { .endpoint = server->endpoint,
                          .bucket = bucket->name,
                          .access_key = server->user.access_key,
                          .secret_key = server->user.secret_key,
                          .options = { .lock = S3_LOCK_COMPLIANCE, .lock_days = 2 } };
    int64_t until = clock_now().sec + 2 * 24 * 60 * 60;
    g_autoptr(GError) error = NULL;
    S3TestStore test;
    Kept kept;

    kept_init(&kept);
    s3_test_store_open(&place, &test);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        put(test.store, keys[i], "x");
    store_purge_many(test.store, keys, G_N_ELEMENTS(keys), note_kept, &kept, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_hash_table_size(kept.untils), ==, 2);
    g_assert_cmpint(ABS(until_of(&kept, "data/a") - until), <=, 600);
    g_assert_cmpint(ABS(until_of(&kept, "wal/stream") - until), <=, 600);
    s3_test_store_close(&test);
    g_hash_table_unref(kept.untils);
}

/* A removal that lacks a right is not taken for a lock. */
static void a_missing_right_is_no_lock(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    const char *key = "data/a";
    g_autofree char *command = g_strdup_printf(
        "s3 send PUT %s '?policy' <<'END'\n"
        "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Deny\", \"Principal\": \"*\","
        " \"Action\": [\"s3:DeleteObjectVersion\"], \"Resource\": [\"arn:aws:s3:::%s/*\"]}]}\n"
        "END",
        bucket->name, bucket->name);
    g_autoptr(GError) error = NULL;
    Kept kept;

    kept_init(&kept);
    put(bucket->store, key, "x");
    g_bytes_unref(s3_server_shell(server, command));
    g_assert_false(store_purge_many(bucket->store, &key, 1, note_kept, &kept, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    g_assert_cmpuint(g_hash_table_size(kept.untils), ==, 0);
    g_hash_table_unref(kept.untils);
}

/* A server does not tell whoever may list only below a prefix that an object is absent; it says
 * "denied". */
static void a_writer_is_told_what_is_absent(Bucket *bucket, G_GNUC_UNUSED gconstpointer kind)
{
    S3User *writer = s3_server_user(server, "writer");
    S3TestPlace place = { .endpoint = server->endpoint,
                          .bucket = bucket->name,
                          .prefix = "in/a place",
                          .access_key = writer->access_key,
                          .secret_key = writer->secret_key };
    g_autofree char *command = g_strdup_printf(
        "s3 send PUT %s '?policy' <<'END'\n"
        "{\"Version\": \"2012-10-17\", \"Statement\": [\n"
        "{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": [\"arn:aws:iam:::user/writer\"]},"
        " \"Action\": [\"s3:ListBucket\"], \"Resource\": [\"arn:aws:s3:::%s\"],"
        " \"Condition\": {\"StringLike\": {\"s3:prefix\": [\"in/a place/*\"]}}},\n"
        "{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": [\"arn:aws:iam:::user/writer\"]},"
        " \"Action\": [\"s3:GetObject\", \"s3:PutObject\"],"
        " \"Resource\": [\"arn:aws:s3:::%s/in/a place/locks/*\"]}]}\n"
        "END",
        bucket->name, bucket->name, bucket->name);
    g_autoptr(GError) absent = NULL, denied = NULL;
    S3TestStore test;
    GBytes *data;
    uint64_t size;

    put(bucket->store, "data/a", "text");
    g_bytes_unref(s3_server_shell(server, command));
    s3_test_store_open(&place, &test);
    g_assert_true(store_put(test.store, "locks/b", "x", 1, true, NULL));
    g_assert_false(store_get_whole(test.store, "locks/a", 10, &data, &absent));
    g_assert_error(absent, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_false(store_get_whole(test.store, "data/a", 10, &data, &denied));
    g_assert_error(denied, BS_ERROR, BS_ERROR_DENIED);
    // and may see how large it is, although not read it
    g_assert_true(store_stat(test.store, "data/a", &size, NULL));
    g_assert_cmpuint(size, ==, 4);
    s3_test_store_close(&test);
    s3_user_free(writer);
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
    server = s3_server_start();
#define TEST(fact, kind, run)                                                                      \
    g_test_add("/s3guard/" fact, Bucket, kind, bucket_set_up, run, bucket_tear_down)
    TEST("a plain bucket guards nothing", "", a_plain_bucket_guards_nothing);
    TEST("a locked bucket says so", "locked", a_locked_bucket_says_so);
    TEST("what is not told is unknown", "", what_is_not_told_is_unknown);
    TEST("a missing bucket is an error", "", a_missing_bucket_is_an_error);
    g_test_add_func("/s3guard/a directory has none of it", a_directory_has_none_of_it);
    TEST("older versions are listed and given", "versioned", older_versions_are_listed_and_given);
    TEST("many versions come in pages", "versioned", many_versions_come_in_pages);
    TEST("purging leaves nothing", "versioned", purging_leaves_nothing);
    TEST("purging a plain bucket leaves nothing", "", purging_leaves_nothing);
    TEST("what is protected stays", "locked", what_is_protected_stays);
    TEST("without lock nothing is protected", "", without_lock_nothing_is_protected);
    TEST("what is put is locked", "locked", what_is_put_is_locked);
    TEST("a missing right is no lock", "versioned", a_missing_right_is_no_lock);
    TEST("a writer is told what is absent", "", a_writer_is_told_what_is_absent);
    result = g_test_run();
    s3_server_stop(server);
    return result;
}
