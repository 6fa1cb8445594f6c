/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store against a real server. What servers do wrong is in s3faults.c. */
#include "store/s3.h"

#include "base/clock.h"
#include "base/error.h"
#include "conformance.h"
#include "lib/s3_store.h"

#include <string.h>

static S3Server *server; // one for all: it takes a second to start

static S3TestPlace place_in(const char *bucket, const char *prefix)
{
    return (S3TestPlace){ .endpoint = server->endpoint,
                          .bucket = bucket,
                          .prefix = prefix,
                          .access_key = server->user.access_key,
                          .secret_key = server->user.secret_key };
}

/* ---- the suite ---- */

/* A prefix of its own for each case. */
static Store *make(const S3TestPlace *place, void **ret_place)
{
    static unsigned n;
    S3TestStore *made = g_new0(S3TestStore, 1);
    S3TestPlace own = *place;
    g_autofree char *prefix = g_strdup_printf("of case/%u+%%2F\xc3\xa4", ++n);
    g_autoptr(GError) error = NULL;

    own.prefix = prefix;
    s3_test_store_open(&own, made);
    s3_create_bucket(made->store, &error);
    g_assert_no_error(error);
    *ret_place = made;
    return made->store;
}

static Store *make_plain(void **ret_place)
{
    S3TestPlace place = place_in("conformance", NULL);

    return make(&place, ret_place);
}

static Store *make_tls(void **ret_place)
{
    S3TestPlace place = place_in("conformance", NULL);

    place.endpoint = server->tls_endpoint;
    place.ca = server->ca;
    return make(&place, ret_place);
}

static void discard(G_GNUC_UNUSED Store *store, void *place)
{
    s3_test_store_close(place);
    g_free(place);
}

/* ---- what the suite does not ask ---- */

typedef struct {
    char *name;
    S3TestStore test;
    Store *store;
} Bucket;

static void bucket_set_up(Bucket *bucket, G_GNUC_UNUSED gconstpointer data)
{
    static unsigned n;
    g_autoptr(GError) error = NULL;
    S3TestPlace place;

    bucket->name = g_strdup_printf("bucket-%u", ++n);
    place = place_in(bucket->name, "in/a place");
    s3_test_store_open(&place, &bucket->test);
    bucket->store = bucket->test.store;
    s3_create_bucket(bucket->store, &error);
    g_assert_no_error(error);
}

static void bucket_tear_down(Bucket *bucket, G_GNUC_UNUSED gconstpointer data)
{
    s3_test_store_close(&bucket->test);
    g_free(bucket->name);
}

static void assert_put(Store *store, const char *key, const char *text)
{
    g_autoptr(GError) error = NULL;

    store_put(store, key, text, strlen(text), false, &error);
    g_assert_no_error(error);
}

static bool count(G_GNUC_UNUSED const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    ++*(unsigned *)user;
    return true;
}

static void assert_n_listed(Store *store, unsigned want)
{
    g_autoptr(GError) error = NULL;
    unsigned n = 0;

    store_list(store, "", count, &n, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(n, ==, want);
}

/* error by its address: the call that sets it stands in the same list of arguments. */
static void assert_failed(bool ok, GError *const *error, int code, const char *part)
{
    g_assert_false(ok);
    g_test_message("%s", (*error)->message);
    g_assert_error(*error, BS_ERROR, code);
    g_assert_nonnull(strstr((*error)->message, part));
}

static void a_bucket_may_be_made_twice(Bucket *bucket, G_GNUC_UNUSED gconstpointer data)
{
    assert_put(bucket->store, "config", "x");
    g_assert_true(s3_create_bucket(bucket->store, NULL));
    assert_n_listed(bucket->store, 1);
}

static void virtual_hosts_work(G_GNUC_UNUSED Bucket *bucket, G_GNUC_UNUSED gconstpointer data)
{
    // libcurl takes every name below localhost for this machine
    g_autofree char *endpoint =
        g_strconcat("http://s3.localhost", server->endpoint + strlen("http://127.0.0.1"), NULL);
    S3TestPlace place = place_in("virtual-bucket", NULL);
    g_autoptr(GError) error = NULL;
    S3TestStore test;
    char buf[4];

    place.endpoint = endpoint;
    place.options.style = S3_STYLE_VIRTUAL;
    s3_test_store_open(&place, &test);
    s3_create_bucket(test.store, &error);
    g_assert_no_error(error);
    assert_put(test.store, "data/ab/abc", "text");
    g_assert_true(store_get(test.store, "data/ab/abc", 0, buf, 4, NULL));
    g_assert_cmpmem(buf, 4, "text", 4);
    assert_n_listed(test.store, 1);
    s3_test_store_close(&test);
}

static void lists_only_what_is_ours(Bucket *bucket, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *command = g_strdup_printf(
        "for key in '' data/ 'data/a b' data/a+b data/x-tmp-1 'data/\xc3\xa4<&\"%%41' ment /; do\n"
        "  printf x | s3 put %s \"in/a place/$key\"\n"
        "done\n"
        "printf x | s3 put %s 'in/a placement'\n"
        "printf x | s3 put %s config\n",
        bucket->name, bucket->name, bucket->name);

    assert_put(bucket->store, "data/ours", "x");
    assert_n_listed(bucket->store, 1);
    g_bytes_unref(s3_server_shell(server, command));
    // "ment" is an object like ours
    assert_n_listed(bucket->store, 2);
}

static void bytes_are_what_their_name_says(Bucket *bucket, G_GNUC_UNUSED gconstpointer data)
{
    const char *const good =
        "data/1f/1f2b793e194e5810c322e8245ac6b0e2fcea7ee7e640dee7125b84ee2e28585b";
    g_autoptr(GError) error = NULL;

    assert_put(bucket->store, good, "hello, backup\n");
    assert_failed(store_put(bucket->store, good, "hello, backuq\n", 14, false, &error), &error,
                  BS_ERROR_CORRUPT, "memory may be failing");
    assert_n_listed(bucket->store, 1);
}

/* ---- streams that do not end ---- */

typedef struct {
    Store *store;
    size_t left;
    bool removes;
    unsigned n_seen;
    uint64_t size;
} Broken;

static bool note_unfinished(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    Broken *broken = user;

    g_assert_cmpstr(object->key, ==, "wal/x");
    broken->size = object->size;
    broken->n_seen++;
    return true;
}

/* Looks, and perhaps removes, when one part is there; then it fails. */
static bool read_and_look(void *user, void *buf, size_t size, size_t *ret_len, GError **error)
{
    static const StoreLeftovers young[] = { { "wal/", 3600 }, { "data/", 0 } };
    static const StoreLeftovers other[] = { { "data/", 0 }, { "index/", 0 } };
    static const StoreLeftovers old[] = { { "data/", 3600 }, { "wal/", 0 } };
    Broken *broken = user;
    g_autoptr(GError) failure = NULL;
    unsigned n = 0;

    *ret_len = MIN(size, broken->left);
    broken->left -= *ret_len;
    memset(buf, 'x', *ret_len);
    if (*ret_len > 0)
        return true;
    store_list_unfinished(broken->store, "wal/", note_unfinished, broken, &failure);
    g_assert_no_error(failure);
    g_assert_true(store_list_unfinished(broken->store, "data/", note_unfinished, broken, NULL));
    g_assert_true(store_remove_unfinished(broken->store, &young[0], 1, &n, NULL));
    g_assert_cmpuint(n, ==, 0);
    // several places: each has its age, and what lies elsewhere is not ours
    g_assert_true(store_remove_unfinished(broken->store, young, G_N_ELEMENTS(young), &n, NULL));
    g_assert_cmpuint(n, ==, 0);
    g_assert_true(store_remove_unfinished(broken->store, other, G_N_ELEMENTS(other), &n, NULL));
    g_assert_cmpuint(n, ==, 0);
    if (broken->removes) {
        g_assert_true(store_remove_unfinished(broken->store, old, G_N_ELEMENTS(old), &n, NULL));
        g_assert_cmpuint(n, ==, 1);
        return true;
    }
    g_set_error_literal(error, BS_ERROR, BS_ERROR_PARTIAL, "the producer died");
    return false;
}

static void unfinished_streams_are_found(Bucket *bucket, G_GNUC_UNUSED gconstpointer data)
{
    for (unsigned removes = 0; removes < 2; removes++) {
        Broken broken = { .store = bucket->store, .left = 20000000, .removes = removes };
        g_autoptr(GError) error = NULL;
        unsigned n;

        assert_failed(store_put_stream(bucket->store, "wal/x", read_and_look, &broken, &error),
                      &error, removes ? BS_ERROR_NOT_FOUND : BS_ERROR_PARTIAL,
                      removes ? "NoSuchUpload" : "the producer died");
        g_assert_cmpuint(broken.n_seen, ==, 1);
        g_assert_cmpuint(broken.size, ==, 16 * 1024 * 1024);
        g_assert_true(
            store_remove_unfinished(bucket->store, &(StoreLeftovers){ "", 0 }, 1, &n, NULL));
        g_assert_cmpuint(n, ==, 0);
        assert_n_listed(bucket->store, 0);
    }
}

/* ---- refusals ---- */

static bool read_nothing(G_GNUC_UNUSED void *user, G_GNUC_UNUSED void *buf,
                         G_GNUC_UNUSED size_t size, size_t *ret_len, G_GNUC_UNUSED GError **error)
{
    *ret_len = 0;
    return true;
}

static void assert_all_refused(const S3TestPlace *place, int code, const char *part)
{
    typedef enum { PUT, IF_ABSENT, GET, WHOLE, STAT, REMOVE, MANY, LIST, STREAM, MAKE, CALLS } What;
    S3TestStore test;

    s3_test_store_open(place, &test);
    for (What what = 0; what < CALLS; what++) {
        const char *const keys[] = { "data/a", "data/b" };
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) whole = NULL;
        Store *store = test.store;
        uint64_t size;
        unsigned n = 0;
        char buf[1];
        bool ok = true;

        switch (what) {
        case PUT:
            ok = store_put(store, "data/a", "x", 1, false, &error);
            break;
        case IF_ABSENT:
            ok = store_put(store, "data/a", "x", 1, true, &error);
            break;
        case GET:
            ok = store_get(store, "data/a", 0, buf, 1, &error);
            break;
        case WHOLE:
            ok = store_get_whole(store, "data/a", 1, &whole, &error);
            break;
        case STAT:
            ok = store_stat(store, "data/a", &size, &error);
            break;
        case REMOVE:
            ok = store_remove(store, "data/a", &error);
            break;
        case MANY:
            ok = store_remove_many(store, keys, 2, &error);
            break;
        case LIST:
            ok = store_list(store, "", count, &n, &error);
            break;
        case STREAM:
            ok = store_put_stream(store, "data/a", read_nothing, NULL, &error);
            break;
        case MAKE:
            // this one may do something about a bucket that is missing
            if (code == BS_ERROR_NO_REPO)
                continue;
            ok = s3_create_bucket(store, &error);
            break;
        case CALLS:
            break;
        }
        assert_failed(ok, &error, code, part);
    }
    s3_test_store_close(&test);
}

static void a_missing_bucket_is_no_repository(G_GNUC_UNUSED Bucket *bucket,
                                              G_GNUC_UNUSED gconstpointer data)
{
    S3TestPlace place = place_in("nobody-has-made-this", NULL);

    assert_all_refused(&place, BS_ERROR_NO_REPO, "no such bucket");
}

static void wrong_keys_are_named(Bucket *bucket, G_GNUC_UNUSED gconstpointer data)
{
    S3TestPlace secret = place_in(bucket->name, NULL), unknown = secret, foreign = secret;
    S3User *other = s3_server_user(server, "other");

    secret.secret_key = "wrong";
    assert_all_refused(&secret, BS_ERROR_DENIED, "the secret key is not the one");
    unknown.access_key = "NOBODY";
    assert_all_refused(&unknown, BS_ERROR_DENIED, "does not know this access key");
    foreign.access_key = other->access_key;
    foreign.secret_key = other->secret_key;
    assert_all_refused(&foreign, BS_ERROR_DENIED, "the access key has no right");
    s3_user_free(other);
}

/* The clock stays wrong, so this is the last one. */
static void a_wrong_clock_is_named(Bucket *bucket, G_GNUC_UNUSED gconstpointer data)
{
    S3TestPlace place = place_in(bucket->name, NULL);
    Timestamp now = clock_now();

    now.sec -= 3600;
    clock_set(now);
    assert_all_refused(&place, BS_ERROR_DENIED, "set this machine's clock");
}

int main(int argc, char **argv)
{
    static const StoreMaker plain = {
        .name = "s3 over HTTP", .open = make_plain, .close = discard, .n_listed = 2001
    };
    static const StoreMaker tls = {
        .name = "s3 over TLS", .open = make_tls, .close = discard, .n_listed = 1001
    };
    int result;

    g_test_init(&argc, &argv, NULL);
    server = s3_server_start();
    store_conformance_add(&plain);
    store_conformance_add(&tls);
#define TEST(fact, run) g_test_add("/s3/" fact, Bucket, NULL, bucket_set_up, run, bucket_tear_down)
    TEST("a bucket may be made twice", a_bucket_may_be_made_twice);
    TEST("virtual hosts work", virtual_hosts_work);
    TEST("lists only what is ours", lists_only_what_is_ours);
    TEST("bytes are what their name says", bytes_are_what_their_name_says);
    TEST("unfinished streams are found", unfinished_streams_are_found);
    TEST("a missing bucket is no repository", a_missing_bucket_is_no_repository);
    TEST("wrong keys are named", wrong_keys_are_named);
    TEST("a wrong clock is named", a_wrong_clock_is_named);
    result = g_test_run();
    s3_server_stop(server);
    return result;
}
