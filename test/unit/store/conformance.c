/* SPDX-License-Identifier: Apache-2.0 */
#include "conformance.h"

#include "base/clock.h"
#include "base/error.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define RACERS 8
#define LARGE  (17u * 1024 * 1024) /* a pack */

typedef void (*Case)(Store *store, const StoreMaker *maker);

static void put(Store *store, const char *key, const char *text)
{
    g_autoptr(GError) error = NULL;

    store_put(store, key, text, strlen(text), false, &error);
    g_assert_no_error(error);
}

static void assert_holds(Store *store, const char *key, const void *data, size_t len)
{
    g_autoptr(GBytes) got = NULL;
    g_autoptr(GError) error = NULL;

    store_get_whole(store, key, len, &got, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(got, NULL), g_bytes_get_size(got), data, len);
}

static void assert_text(Store *store, const char *key, const char *text)
{
    assert_holds(store, key, text, strlen(text));
}

static void assert_absent(Store *store, const char *key)
{
    g_autoptr(GError) error = NULL;
    uint64_t size;

    g_assert_false(store_stat(store, key, &size, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

/* ---- listings ---- */

static bool note(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    GHashTable *seen = user;
    g_autofree char *facts = g_strdup_printf("%" G_GUINT64_FORMAT, object->size);

    g_assert_cmpint(ABS(object->modified_at - clock_now().sec), <, 3600);
    // each once
    g_assert_true(g_hash_table_insert(seen, g_strdup(object->key), g_steal_pointer(&facts)));
    return true;
}

/* key -> size as text */
static GHashTable *list(Store *store, const char *prefix)
{
    g_autoptr(GError) error = NULL;
    GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    store_list(store, prefix, note, seen, &error);
    g_assert_no_error(error);
    return seen;
}

static void assert_n_listed(Store *store, const char *prefix, unsigned n)
{
    g_autoptr(GHashTable) seen = list(store, prefix);

    g_assert_cmpuint(g_hash_table_size(seen), ==, n);
}

/* ---- cases ---- */

static void gives_back_what_was_put(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    uint64_t size;

    put(store, "config", "some text");
    put(store, "data/ab/abcd", "");
    assert_text(store, "config", "some text");
    assert_text(store, "data/ab/abcd", "");
    g_assert_true(store_stat(store, "config", &size, NULL));
    g_assert_cmpuint(size, ==, 9);
    g_assert_true(store_stat(store, "data/ab/abcd", &size, NULL));
    g_assert_cmpuint(size, ==, 0);
}

static void carries_every_byte(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    g_autofree uint8_t *data = g_malloc(LARGE);
    g_autofree uint8_t *part = g_malloc(LARGE);
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < LARGE; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    store_put(store, "data/00/large", data, LARGE, false, &error);
    g_assert_no_error(error);
    assert_holds(store, "data/00/large", data, LARGE);
    g_assert_true(store_get(store, "data/00/large", 12345, part, 6000000, NULL));
    g_assert_cmpmem(part, 6000000, data + 12345, 6000000);
}

static void replaces_only_when_it_may(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(store_put(store, "a/one", "1", 1, true, NULL));
    g_assert_false(store_put(store, "a/one", "2", 1, true, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    assert_text(store, "a/one", "1");
    put(store, "a/one", "three");
    assert_text(store, "a/one", "three");
}

static void gets_all_or_nothing(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    static const struct {
        const char *label;
        uint64_t offset;
        size_t len;
        bool want;
    } cases[] = {
        { "the whole", 0, 10, true },
        { "the middle", 3, 4, true },
        { "the end", 9, 1, true },
        { "one byte too many", 0, 11, false },
        { "over the end", 8, 3, false },
        { "begins beyond the end", 11, 1, false },
        { "far beyond", (uint64_t)1 << 40, 5, false },
    };

    put(store, "k", "0123456789");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        char buf[16];
        bool ok = store_get(store, "k", cases[i].offset, buf, cases[i].len, &error);

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(ok, ==, cases[i].want);
        if (ok)
            g_assert_cmpmem(buf, cases[i].len, "0123456789" + cases[i].offset, cases[i].len);
        else
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void refuses_what_is_larger_than_the_bound(Store *store,
                                                  G_GNUC_UNUSED const StoreMaker *maker)
{
    g_autoptr(GBytes) data = NULL;
    g_autoptr(GError) error = NULL;

    put(store, "k", "0123456789");
    g_assert_false(store_get_whole(store, "k", 9, &data, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_null(data);
}

static void says_what_is_not_there(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    // the first in an empty store, the second beside something
    for (unsigned round = 0; round < 2; round++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) data = NULL;
        char buf[1];

        g_assert_false(store_get(store, "a/b", 0, buf, 1, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
        g_clear_error(&error);
        g_assert_false(store_get_whole(store, "a/b", 1, &data, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
        assert_absent(store, "a/b");
        assert_absent(store, "a");
        put(store, "a/c", "x");
    }
}

static void removes_what_may_be_gone(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(store_remove(store, "a/b", &error));
    put(store, "a/b", "x");
    put(store, "a/c", "y");
    g_assert_true(store_remove(store, "a/b", &error));
    assert_absent(store, "a/b");
    g_assert_true(store_remove(store, "a/b", &error));
    g_assert_no_error(error);
    assert_text(store, "a/c", "y");
}

static void removes_many(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < 20; i++) {
        g_ptr_array_add(keys, g_strdup_printf("data/%02x/%u", i, i));
        if (i % 4 > 0) // some are gone already
            put(store, g_ptr_array_index(keys, i), "x");
    }
    put(store, "data/00/stays", "x");
    store_remove_many(store, (const char *const *)keys->pdata, keys->len, &error);
    g_assert_no_error(error);
    assert_n_listed(store, "", 1);
    g_assert_true(store_remove_many(store, NULL, 0, NULL));
}

/* ---- streams ---- */

typedef struct {
    uint64_t left;  /* bytes */
    bool fails;     /* at the end, instead of ending */
    uint32_t state; /* of the bytes */
} Stream;

static bool read_stream(void *user, void *buf, size_t size, size_t *ret_len, GError **error)
{
    Stream *stream = user;
    // short reads are part of it
    size_t len = (size_t)MIN(stream->left, MIN(size, 70001));

    if (len == 0 && stream->fails) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_PARTIAL, "the producer died");
        return false;
    }
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)((stream->state = stream->state * 1664525 + 1) >> 24);
    stream->left -= len;
    *ret_len = len;
    return true;
}

static void takes_streams_of_any_length(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    static const size_t lengths[] = { 0, 1, 70001, LARGE };

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        Stream stream = { .left = lengths[i] }, again = stream;
        g_autofree uint8_t *want = g_malloc(lengths[i] + 1);
        g_autoptr(GError) error = NULL;
        size_t len = 0, got;

        do {
            g_assert_true(read_stream(&again, want + len, lengths[i] - len, &got, NULL));
            len += got;
        } while (got > 0);
        store_put_stream(store, "wal/stream", read_stream, &stream, &error);
        g_assert_no_error(error);
        assert_holds(store, "wal/stream", want, lengths[i]);
    }
    assert_n_listed(store, "", 1);
}

static void count_unfinished(Store *store, unsigned n)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GError) error = NULL;

    store_list_unfinished(store, "", note, seen, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_hash_table_size(seen), ==, n);
}

static void keeps_nothing_of_a_stream_that_fails(Store *store,
                                                 G_GNUC_UNUSED const StoreMaker *maker)
{
    static const size_t lengths[] = { 0, 1, LARGE };

    put(store, "wal/old", "stays");
    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        Stream stream = { .left = lengths[i], .fails = true };
        g_autoptr(GError) error = NULL;

        g_assert_false(
            store_put_stream(store, i == 0 ? "wal/old" : "wal/new", read_stream, &stream, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_PARTIAL);
    }
    assert_text(store, "wal/old", "stays");
    assert_absent(store, "wal/new");
    count_unfinished(store, 0);
}

/* ---- more listings ---- */

static void lists_below_a_prefix(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    g_autoptr(GHashTable) data = NULL;

    assert_n_listed(store, "", 0);
    assert_n_listed(store, "data/", 0);
    put(store, "config", "c");
    put(store, "data/ab/x", "one");
    put(store, "data/ab/y", "");
    put(store, "data/z", "three");
    put(store, "database/x", "elsewhere");
    put(store, "wal/1/2/3", "deep");
    data = list(store, "data/");
    g_assert_cmpuint(g_hash_table_size(data), ==, 3);
    g_assert_cmpstr(g_hash_table_lookup(data, "data/ab/x"), ==, "3");
    g_assert_cmpstr(g_hash_table_lookup(data, "data/ab/y"), ==, "0");
    g_assert_cmpstr(g_hash_table_lookup(data, "data/z"), ==, "5");
    assert_n_listed(store, "data/ab/", 2);
    assert_n_listed(store, "wal/", 1);
    assert_n_listed(store, "", 6);
    assert_n_listed(store, "keys/", 0);
}

static void lists_completely(Store *store, const StoreMaker *maker)
{
    g_autoptr(GHashTable) seen = NULL;

    for (unsigned i = 0; i < maker->n_listed; i++) {
        char key[32];

        (void)snprintf(key, sizeof key, "data/%02x/%06x", i % 256, i);
        put(store, key, "x");
    }
    seen = list(store, "data/");
    g_assert_cmpuint(g_hash_table_size(seen), ==, maker->n_listed);
}

static bool stop_at_third(G_GNUC_UNUSED const StoreObject *object, void *user, GError **error)
{
    unsigned *n = user;

    if (++*n < 3)
        return true;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CANCELLED, "interrupted");
    return false;
}

static void stops_listing_when_told(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    g_autoptr(GError) error = NULL;
    unsigned n = 0;

    for (unsigned i = 0; i < 5; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "a/%u", i);
        put(store, key, "x");
    }
    g_assert_false(store_list(store, "a/", stop_at_third, &n, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_cmpuint(n, ==, 3);
}

static bool remove_it(const StoreObject *object, void *user, GError **error)
{
    return store_remove(user, object->key, error);
}

static void may_be_called_while_listing(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    g_autoptr(GError) error = NULL;

    put(store, "locks/a", "x");
    put(store, "locks/b", "x");
    g_assert_true(store_list(store, "locks/", remove_it, store, &error));
    assert_n_listed(store, "locks/", 0);
}

static void refuses_keys_that_are_none(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    static const char *const keys[] = {
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        ".",
        "a/./b",
        "a//b",
        "a/",
        "/a",
        "a b",
        "a\nb",
        "a\\b",
        "a\xc3\xa4",
        "a%2e",
        "a?b",
        "a/..",
        "*",
        "a:b",
        "data/x-tmp-1",
        "x-tmp-0abZ",
        "x-tmp-1/inside",
    };
    static const char *const prefixes[] = { "/", "data", "../", "a/../", "a//", "./", "a b/" };
    g_autofree char *longest = g_strnfill(STORE_KEY_MAX + 1, 'a');

    for (size_t i = 0; i <= G_N_ELEMENTS(keys); i++) {
        const char *key = i < G_N_ELEMENTS(keys) ? keys[i] : longest;
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) data = NULL;
        uint64_t size;
        char buf[1];

        g_test_message("'%s'", key);
        g_assert_false(store_put(store, key, "x", 1, false, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_false(store_get(store, key, 0, buf, 1, NULL));
        g_assert_false(store_get_whole(store, key, 1, &data, NULL));
        g_assert_false(store_stat(store, key, &size, NULL));
        g_assert_false(store_remove(store, key, NULL));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        g_autoptr(GError) error = NULL;
        unsigned n = 0;

        g_test_message("prefix '%s'", prefixes[i]);
        g_assert_false(store_list(store, prefixes[i], stop_at_third, &n, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
    assert_n_listed(store, "", 0);
}

static void takes_names_that_only_look_odd(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    static const char *const keys[] = {
        "a-tmp-", "-tmp-1", "a-tmp-1.x", ".hidden", "...", "A_b-c.d"
    };

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        put(store, keys[i], keys[i]);
        assert_text(store, keys[i], keys[i]);
    }
    assert_n_listed(store, "", G_N_ELEMENTS(keys));
}

typedef struct {
    Store *store;
    pthread_barrier_t *start;
    unsigned number;
    bool won;
    int code;
} Racer;

static void *race(void *user)
{
    Racer *racer = user;
    g_autoptr(GError) error = NULL;
    char text[32];

    (void)snprintf(text, sizeof text, "by %u", racer->number);
    pthread_barrier_wait(racer->start);
    racer->won = store_put(racer->store, "wal/segment", text, strlen(text), true, &error);
    racer->code = error ? error->code : -1;
    return NULL;
}

static void lets_one_of_many_win(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    for (unsigned round = 0; round < 10; round++) {
        pthread_barrier_t start;
        pthread_t threads[RACERS];
        Racer racers[RACERS];
        const Racer *winner = NULL;
        char text[32];

        pthread_barrier_init(&start, NULL, RACERS);
        for (unsigned i = 0; i < RACERS; i++) {
            racers[i] = (Racer){ .store = store, .start = &start, .number = i };
            g_assert_cmpint(pthread_create(&threads[i], NULL, race, &racers[i]), ==, 0);
        }
        for (unsigned i = 0; i < RACERS; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&start);
        for (unsigned i = 0; i < RACERS; i++) {
            if (!racers[i].won) {
                g_assert_cmpint(racers[i].code, ==, BS_ERROR_EXISTS);
                continue;
            }
            g_assert_null(winner);
            winner = &racers[i];
        }
        g_assert_nonnull(winner);
        (void)snprintf(text, sizeof text, "by %u", winner->number);
        assert_text(store, "wal/segment", text);
        g_assert_true(store_remove(store, "wal/segment", NULL));
    }
}

static void *put_many(void *user)
{
    Racer *racer = user;

    pthread_barrier_wait(racer->start);
    for (unsigned i = 0; i < 20; i++) {
        char key[32];

        (void)snprintf(key, sizeof key, "data/%02x/%u-%u", i, racer->number, i);
        racer->won = store_put(racer->store, key, key, strlen(key), false, NULL);
        if (!racer->won)
            break;
        assert_text(racer->store, key, key);
    }
    return NULL;
}

static void serves_several_threads(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    pthread_barrier_t start;
    pthread_t threads[RACERS];
    Racer racers[RACERS];

    pthread_barrier_init(&start, NULL, RACERS);
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] = (Racer){ .store = store, .start = &start, .number = i };
        g_assert_cmpint(pthread_create(&threads[i], NULL, put_many, &racers[i]), ==, 0);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        g_assert_true(racers[i].won);
    }
    pthread_barrier_destroy(&start);
    assert_n_listed(store, "data/", RACERS * 20);
}

static void tells_how_many_at_once(Store *store, G_GNUC_UNUSED const StoreMaker *maker)
{
    g_assert_cmpuint(store->connections, >=, 1);
    g_assert_nonnull(store->location);
}

/* ---- the table ---- */

static const struct {
    const char *fact;
    Case run;
} cases[] = {
    { "gives back what was put", gives_back_what_was_put },
    { "carries every byte of a large object", carries_every_byte },
    { "replaces only when it may", replaces_only_when_it_may },
    { "gets all or nothing", gets_all_or_nothing },
    { "refuses what is larger than the bound", refuses_what_is_larger_than_the_bound },
    { "says what is not there", says_what_is_not_there },
    { "removes what may be gone", removes_what_may_be_gone },
    { "removes many", removes_many },
    { "takes streams of any length", takes_streams_of_any_length },
    { "keeps nothing of a stream that fails", keeps_nothing_of_a_stream_that_fails },
    { "lists below a prefix", lists_below_a_prefix },
    { "lists completely", lists_completely },
    { "stops listing when told", stops_listing_when_told },
    { "may be called while listing", may_be_called_while_listing },
    { "refuses keys that are none", refuses_keys_that_are_none },
    { "takes names that only look odd", takes_names_that_only_look_odd },
    { "lets one of many win", lets_one_of_many_win },
    { "serves several threads", serves_several_threads },
    { "tells how many at once", tells_how_many_at_once },
};

typedef struct {
    const StoreMaker *maker;
    Case run;
} Bound;

static void run_case(gconstpointer user)
{
    const Bound *bound = user;
    void *place = NULL;
    Store *store = bound->maker->open(&place);

    bound->run(store, bound->maker);
    bound->maker->close(store, place);
}

void store_conformance_add(const StoreMaker *maker)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/store/%s/%s", maker->name, cases[i].fact);
        Bound *bound = g_new(Bound, 1);

        *bound = (Bound){ maker, cases[i].run };
        g_test_add_data_func_full(path, bound, run_case, g_free);
    }
}
