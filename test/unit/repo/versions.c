/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/versions.h"

#include "base/error.h"
#include "codec/hash.h"
#include "store/memory.h"
#include <string.h>

/* ---- a store with versions of one key file ---- */

typedef struct {
    const char *text; /* NULL: the note that it was removed */
    int64_t at;
} Past;

typedef struct {
    Store base;
    Store *now;       /* what get gives */
    const Past *past; /* the newest first */
    size_t n;
    FileKey key;
    int code;     /* of get_version; 0: it works */
    bool ignores; /* what is put */
    unsigned puts;
} Versioned;

static bool versioned_put(Store *store, const char *key, const void *data, size_t len,
                          bool if_absent, GError **error)
{
    Versioned *versioned = (Versioned *)store;

    versioned->puts++;
    return versioned->ignores || store_put(versioned->now, key, data, len, if_absent, error);
}

static bool versioned_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                                GError **error)
{
    return store_get_whole(((Versioned *)store)->now, key, bound, ret_data, error);
}

static bool versioned_versions(Store *store, G_GNUC_UNUSED const char *prefix,
                               StoreEachVersion each, void *user, GError **error)
{
    const Versioned *versioned = (Versioned *)store;

    for (size_t i = 0; i < versioned->n; i++) {
        g_autofree char *id = g_strdup_printf("%zu", i);
        StoreVersion version = { .key = versioned->key.text,
                                 .id = id,
                                 .modified_at = versioned->past[i].at,
                                 .latest = i == 0,
                                 .removed = !versioned->past[i].text };

        if (!each(&version, user, error))
            return false;
    }
    return true;
}

static bool versioned_get_version(Store *store, G_GNUC_UNUSED const char *key, const char *id,
                                  G_GNUC_UNUSED size_t bound, GBytes **ret_data, GError **error)
{
    const Versioned *versioned = (Versioned *)store;
    const char *text = versioned->past[g_ascii_strtoull(id, NULL, 10)].text;

    if (versioned->code != 0) {
        g_set_error(error, BS_ERROR, versioned->code, "no");
        return false;
    }
    g_assert_nonnull(text); // a note is no object
    *ret_data = g_bytes_new(text, strlen(text));
    return true;
}

static void versioned_free(Store *store)
{
    store_free(((Versioned *)store)->now);
}

static const StoreOps versioned_ops = {
    .name = "versioned",
    .put = versioned_put,
    .get_whole = versioned_get_whole,
    .versions = versioned_versions,
    .get_version = versioned_get_version,
    .free = versioned_free,
};

/* Its name is the hash of "right". */
static void versioned_init(Versioned *versioned, const Past *past, size_t n)
{
    Id id;

    hash_bytes("right", 5, &id);
    *versioned = (Versioned){ .base.ops = &versioned_ops,
                              .now = memory_store_new(),
                              .past = past,
                              .n = n,
                              .key = file_key(FILE_KEY, &id) };
    if (n > 0 && past[0].text)
        g_assert_true(store_put(versioned->now, versioned->key.text, past[0].text,
                                strlen(past[0].text), false, NULL));
}

static bool is_right(const Versioned *versioned)
{
    g_autoptr(GBytes) data = NULL;

    return store_get_whole(versioned->now, versioned->key.text, 100, &data, NULL) &&
           g_bytes_get_size(data) == 5 && memcmp(g_bytes_get_data(data, NULL), "right", 5) == 0;
}

/* ---- facts ---- */

typedef struct {
    unsigned n;
    char version; /* 0: none */
    bool removed;
} Found;

static void note_found(const VersionsFound *found, void *user)
{
    Found *note = user;

    note->n++;
    note->version = found->version ? *found->version : '\0';
    note->removed = found->removed;
}

static void the_newest_right_version_comes_back(void)
{
    static const struct {
        const char *label;
        Past past[4];
        size_t n;
        int64_t since;
        unsigned back, lost;
        char version;
    } cases[] = {
        { "put once", { { "wrong", 5 } }, 1, 0, 0, 0, 0 }, // a check says that
        { "put again", { { "right", 5 }, { "right", 4 } }, 2, 0, 0, 0, 0 },
        { "replaced", { { "wrong", 5 }, { "right", 4 } }, 2, 0, 1, 0, '1' },
        { "twice",
          { { "w", 5 }, { "wrong", 4 }, { "right", 3 }, { "right", 2 } },
          4,
          0,
          1,
          0,
          '2' },
        { "removed and replaced", { { "w", 5 }, { NULL, 4 }, { "right", 3 } }, 3, 0, 1, 0, '2' },
        { "never right", { { "w", 5 }, { "wrong", 4 } }, 2, 0, 0, 1, 0 },
        { "removed", { { NULL, 5 }, { "right", 4 } }, 2, 0, 0, 0, 0 },
        { "removed before", { { NULL, 5 }, { "right", 4 } }, 2, 6, 0, 0, 0 },
        { "removed then", { { NULL, 5 }, { "right", 4 } }, 2, 5, 1, 0, '1' },
        { "removed for good", { { NULL, 5 } }, 1, 5, 0, 0, 0 },
        { "removed after a change", { { NULL, 5 }, { "w", 4 }, { "right", 3 } }, 3, 5, 1, 0, '2' },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Versioned versioned;
        Found found = { 0 };
        VersionsRequest request = { cases[i].since, note_found, NULL, &found, NULL };
        VersionsStats stats = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        versioned_init(&versioned, cases[i].past, cases[i].n);
        versions_repair_keys(&versioned.base, &request, &stats, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(stats.brought_back, ==, cases[i].back);
        g_assert_cmpuint(stats.lost, ==, cases[i].lost);
        g_assert_cmpuint(found.n, ==, cases[i].back + cases[i].lost);
        g_assert_cmpint(found.version, ==, cases[i].version);
        g_assert_cmpuint(versioned.puts, ==, cases[i].back);
        if (cases[i].back)
            g_assert_true(is_right(&versioned));
        versioned_free(&versioned.base);
    }
}

static bool refuse(G_GNUC_UNUSED void *user, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "the lock is lost");
    return false;
}

static void a_failure_is_no_answer(void)
{
    static const Past past[] = { { "wrong", 5 }, { "right", 4 } };
    static const struct {
        const char *label;
        int code;      /* of get_version */
        bool unlocked; /* the lock was lost */
        bool ignores;  /* what is put does not stay */
        int want;      /* 0: none */
        unsigned puts;
    } cases[] = {
        { "away", BS_ERROR_TRANSIENT, false, false, BS_ERROR_TRANSIENT, 0 },
        { "denied", BS_ERROR_DENIED, false, false, BS_ERROR_DENIED, 0 },
        { "gone meanwhile", BS_ERROR_NOT_FOUND, false, false, 0, 0 },
        { "too large", BS_ERROR_CORRUPT, false, false, 0, 0 },
        { "not locked", 0, true, false, BS_ERROR_LOCKED, 0 },
        { "put and not there", 0, false, true, BS_ERROR_CORRUPT, 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Versioned versioned;
        VersionsRequest request = { .still_locked = cases[i].unlocked ? refuse : NULL };
        VersionsStats stats = { 0 };
        g_autoptr(GError) error = NULL;
        bool ok;

        g_test_message("%s", cases[i].label);
        versioned_init(&versioned, past, G_N_ELEMENTS(past));
        versioned.code = cases[i].code;
        versioned.ignores = cases[i].ignores;
        ok = versions_repair_keys(&versioned.base, &request, &stats, &error);
        g_assert_cmpint(ok, ==, cases[i].want == 0);
        if (!ok)
            g_assert_error(error, BS_ERROR, cases[i].want);
        g_assert_cmpuint(stats.brought_back, ==, 0);
        g_assert_cmpuint(stats.lost, ==, ok);
        g_assert_cmpuint(versioned.puts, ==, cases[i].puts);
        versioned_free(&versioned.base);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/versions/newest", the_newest_right_version_comes_back);
    g_test_add_func("/versions/failure", a_failure_is_no_answer);
    return g_test_run();
}
