/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/repo.h"

#include "base/error.h"
#include "codec/compress.h"
#include "codec/hash.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/vectors.h"

#include <string.h>

/* ---- helpers ---- */

static json_t *manifest_load(const char *fixture)
{
    g_autofree char *name = g_strconcat(fixture, ".manifest.json", NULL);
    g_autofree char *path = g_build_filename(g_getenv("FIXTURES"), "restic", name, NULL);
    json_t *manifest = json_load_file(path, 0, NULL);

    g_assert_nonnull(manifest);
    return manifest;
}

static GArray *list(Repo *repo, FileType type)
{
    g_autoptr(GError) error = NULL;
    GArray *files = NULL;

    repo_list(repo, type, &files, NULL, &error);
    g_assert_no_error(error);
    return files;
}

static Id nth(GArray *files, guint i)
{
    g_assert_cmpuint(i, <, files->len);
    return g_array_index(files, FileInfo, i).id;
}

/* The text with a zero behind it. */
static char *load(Repo *repo, FileType type, const Id *id)
{
    g_autoptr(GBytes) text = NULL;
    g_autoptr(GError) error = NULL;

    repo_load(repo, type, id, &text, &error);
    g_assert_no_error(error);
    return g_strndup(g_bytes_get_data(text, NULL), g_bytes_get_size(text));
}

static void put_named(Store *store, FileType type, const void *data, size_t len, Id *ret_id)
{
    hash_bytes(data, len, ret_id);
    g_assert_true(store_put(store, file_key(type, ret_id).text, data, len, false, NULL));
}

/* Stores these bytes sealed, under their right name. */
static Id put_sealed(Repo *repo, const void *plain, size_t len)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    g_autofree uint8_t *sealed = g_malloc(len + SEAL_OVERHEAD);
    Id id;

    seal(sealer, plain, len, sealed);
    put_named(repo_store(repo), FILE_SNAPSHOT, sealed, len + SEAL_OVERHEAD, &id);
    return id;
}

static GBytes *get(Store *store, const char *key)
{
    GBytes *bytes = NULL;

    g_assert_true(store_get_whole(store, key, 1 << 20, &bytes, NULL));
    return bytes;
}

static void put(Store *store, const char *key, GBytes *bytes)
{
    g_assert_true(
        store_put(store, key, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), false, NULL));
}

static bool add_key(Repo *repo, const char *password, Id *ret_id, GError **error)
{
    g_autoptr(Secret) secret = secret_new(password, strlen(password));

    return repo_add_key(repo_store(repo), repo_master_key(repo), secret, QUICK_COST, "user", "host",
                        ret_id, error);
}

/* ---- what restic wrote ---- */

/* The manifests name all files of a directory, in the order of time, and the packs with their
 * blobs. */
static void assert_ids(const json_t *want, GArray *files)
{
    guint n = 0;
    size_t i;
    const json_t *entry;

    json_array_foreach(want, i, entry)
    {
        const char *name =
            json_is_object(entry) ? vector_text(entry, "id") : json_string_value(entry);
        bool found = false;
        Id id;

        if (!id_parse(name, &id))
            continue;
        for (guint k = 0; k < files->len && !found; k++)
            found = id_equal(&g_array_index(files, FileInfo, k).id, &id);
        g_assert_true(found);
        n++;
    }
    g_assert_cmpuint(files->len, ==, n);
}

static void assert_texts(Repo *repo, FileType type, GArray *files)
{
    for (guint i = 0; i < files->len; i++) {
        g_autofree char *text = load(repo, type, &g_array_index(files, FileInfo, i).id);
        json_t *json = json_loads(text, 0, NULL);

        g_assert_true(json_is_object(json));
        json_decref(json);
    }
}

static void assert_snapshots(Repo *repo, const json_t *want)
{
    size_t i;
    const json_t *entry;

    json_array_foreach(want, i, entry)
    {
        json_t *snapshot;
        Id id;
        g_autofree char *text = NULL;

        g_assert_true(id_parse(vector_text(entry, "id"), &id));
        text = load(repo, FILE_SNAPSHOT, &id);
        snapshot = json_loads(text, 0, NULL);
        g_assert_cmpstr(vector_text(snapshot, "tree"), ==,
                        vector_text(json_object_get(entry, "snapshot"), "tree"));
        json_decref(snapshot);
    }
}

static void opens_what_restic_wrote(gconstpointer user)
{
    const char *fixture = user;
    json_t *manifest = manifest_load(fixture);
    const json_t *config = json_object_get(manifest, "config");
    g_autoptr(Store) store = fixture_store(fixture);
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(GArray) keys = list(repo, FILE_KEY);
    g_autoptr(GArray) snapshots = list(repo, FILE_SNAPSHOT);
    g_autoptr(GArray) indexes = list(repo, FILE_INDEX);
    g_autoptr(GArray) packs = list(repo, FILE_PACK);
    g_autofree char *polynomial = g_strdup_printf("%" G_GINT64_MODIFIER "x", repo_polynomial(repo));

    g_assert_cmpint(repo_version(repo), ==, vector_int(config, "version"));
    g_assert_cmpstr(repo_id(repo), ==, vector_text(config, "id"));
    g_assert_cmpstr(polynomial, ==, vector_text(config, "chunker_polynomial"));
    assert_ids(json_object_get(manifest, "keys"), keys);
    assert_ids(json_object_get(manifest, "snapshots"), snapshots);
    assert_ids(json_object_get(manifest, "indexes"), indexes);
    assert_ids(json_object_get(manifest, "packs"), packs);
    assert_texts(repo, FILE_SNAPSHOT, snapshots);
    assert_texts(repo, FILE_INDEX, indexes);
    assert_snapshots(repo, json_object_get(manifest, "snapshots"));
    for (guint i = 0; i < packs->len; i++) {
        g_autoptr(GBytes) pack = NULL;
        Id id = nth(packs, i);

        g_assert_true(repo_load_raw(repo, FILE_PACK, &id, &pack, NULL));
    }
    json_decref(manifest);
}

static void every_password_opens_its_key(void)
{
    json_t *manifest = manifest_load("v2-twokeys");
    const json_t *passwords = json_object_get(manifest, "passwords");
    g_autoptr(Store) store = fixture_store("v2-twokeys");
    g_autoptr(Repo) one = fixture_open(store, json_string_value(json_array_get(passwords, 0)));
    g_autoptr(Repo) two = fixture_open(store, json_string_value(json_array_get(passwords, 1)));

    g_assert_false(id_equal(repo_key_id(one), repo_key_id(two)));
    g_assert_cmpmem(repo_master_key(one), sizeof(SealKey), repo_master_key(two), sizeof(SealKey));
    json_decref(manifest);
}

static void reads_the_vectors(void)
{
    static const struct {
        const char *vector;
        FileType type;
    } objects[] = {
        { "index", FILE_INDEX },
        { "snapshot", FILE_SNAPSHOT },
        { "snapshot_plain_json", FILE_SNAPSHOT },
        { "lock", FILE_LOCK },
    };
    json_t *vectors = vectors_load();
    const json_t *crypto = json_object_get(vectors, "crypto");
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(GByteArray) encrypt = vector_bytes(crypto, "encrypt_key");
    g_autoptr(GByteArray) mac_k = vector_bytes(crypto, "mac_k");
    g_autoptr(GByteArray) mac_r = vector_bytes(crypto, "mac_r");
    const SealKey *master = repo_master_key(repo);

    g_assert_cmpstr(repo_config_text(repo), ==,
                    vector_text(json_object_get(vectors, "config"), "plaintext_text"));
    g_assert_cmpstr(id_hex(repo_key_id(repo)).text, ==,
                    vector_text(json_object_get(vectors, "key_file"), "file_name"));
    g_assert_cmpmem(master->encrypt, 32, encrypt->data, encrypt->len);
    g_assert_cmpmem(master->mac_k, 16, mac_k->data, mac_k->len);
    g_assert_cmpmem(master->mac_r, 16, mac_r->data, mac_r->len);
    for (size_t i = 0; i < G_N_ELEMENTS(objects); i++) {
        const json_t *vector = json_object_get(vectors, objects[i].vector);
        g_autoptr(GByteArray) file = vector_bytes(vector, "file");
        g_autofree char *text = NULL;
        Id id;

        put_named(store, objects[i].type, file->data, file->len, &id);
        g_assert_cmpstr(id_hex(&id).text, ==, vector_text(vector, "file_name"));
        text = load(repo, objects[i].type, &id);
        g_assert_cmpstr(text, ==, vector_text(vector, "plaintext_text"));
    }
    json_decref(vectors);
}

/* ---- opening that fails ---- */

static void says_when_there_is_no_repository(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(GError) error = NULL;

    g_assert_null(fixture_try_open(store, "x", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_REPO);
    g_assert_nonnull(strstr(error->message, "repository does not exist at memory"));
    g_assert_nonnull(strstr(error->message, "backstay init"));
}

static void says_when_config_was_lost(void)
{
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(GError) error = NULL;

    g_assert_true(store_remove(store, "config", NULL));
    g_assert_null(fixture_try_open(store, FIXTURE_PASSWORD, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_REPO);
    g_assert_nonnull(strstr(error->message, "lost its config"));
    g_assert_null(strstr(error->message, "init"));
}

static void tells_a_wrong_password(void)
{
    static const char *const wrong[] = { "", "backstay-fixtur", "backstay-fixture\n",
                                         " backstay-fixture", "Backstay-fixture" };
    g_autoptr(Store) store = fixture_store("v2-vectors");

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(fixture_try_open(store, wrong[i], &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_PASSWORD);
        g_assert_cmpstr(error->message, ==, "wrong password or no key found");
    }
}

static void tells_that_no_key_file_is_there(void)
{
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(GError) error = NULL;

    g_assert_true(repo_remove(repo, FILE_KEY, repo_key_id(repo), NULL));
    g_assert_null(fixture_try_open(store, FIXTURE_PASSWORD, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_PASSWORD);
    g_assert_nonnull(strstr(error->message, "has no key file"));
}

static void passes_over_damaged_keys_and_names_them(void)
{
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(Repo) repo = NULL;
    g_autoptr(GError) error = NULL;
    Id garbage, empty;

    put_named(store, FILE_KEY, "garbage", 7, &garbage);
    put_named(store, FILE_KEY, "", 0, &empty);
    repo = fixture_open(store, FIXTURE_PASSWORD);
    g_assert_null(fixture_try_open(store, "wrong", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_PASSWORD);
    g_assert_nonnull(strstr(error->message, id_short(&garbage).text));
    g_assert_nonnull(strstr(error->message, id_short(&empty).text));
    g_assert_null(strstr(error->message, id_short(repo_key_id(repo)).text));
}

static void tries_twenty_keys_the_hinted_one_first(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Secret) password = secret_new("right", 5);
    g_autoptr(Repo) opened = NULL;
    g_autoptr(GError) error = NULL;
    RepoOptions options = { 0 };
    Id right, other;

    for (unsigned i = 0; i < 24; i++)
        g_assert_true(add_key(repo, "other", &other, NULL));
    g_assert_null(fixture_try_open(store, "wrong", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_PASSWORD);
    g_assert_nonnull(strstr(error->message, "tried 20 of 25 keys"));
    g_assert_true(add_key(repo, "right", &right, NULL));
    options.key_hint = id_short(&right).text;
    g_assert_true(repo_open(store, password, &options, &opened, NULL));
    g_assert_true(id_equal(repo_key_id(opened), &right));
}

static void the_key_of_the_last_time_is_the_only_one_asked_for(void)
{
    g_autoptr(Store) memory = memory_store_new();
    g_autoptr(Store) store = flaky_store_new(memory);
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Secret) password = secret_new("right", 5);
    g_autoptr(Repo) opened = NULL, again = NULL;
    RepoOptions options = { 0 };
    Id right, other;

    g_assert_true(add_key(repo, "other", &other, NULL));
    g_assert_true(add_key(repo, "right", &right, NULL));
    options.likely_key = id_hex(&right).text;
    flaky_store_plan(store, NULL);
    g_assert_true(repo_open(store, password, &options, &opened, NULL));
    g_assert_true(id_equal(repo_key_id(opened), &right));
    g_assert_cmpuint(flaky_store_calls(store, CALL_LIST), ==, 0);
    g_assert_cmpuint(flaky_store_calls(store, CALL_ANY), ==, 2);

    // another password's: the right one is found all the same
    options.likely_key = id_hex(&other).text;
    g_assert_true(repo_open(store, password, &options, &again, NULL));
    g_assert_true(id_equal(repo_key_id(again), &right));
}

/* With this content under the name of the likely key (NULL: with none there). */
static void assert_opens_with_another(Store *store, const char *label, GBytes *content)
{
    g_autoptr(Secret) password = secret_new("right", 5);
    g_autoptr(Repo) opened = NULL;
    RepoOptions options = { 0 };
    Id likely;

    hash_bytes(label, strlen(label), &likely);
    options.likely_key = id_hex(&likely).text;
    if (content)
        g_assert_true(store_put(store, file_key(FILE_KEY, &likely).text,
                                g_bytes_get_data(content, NULL), g_bytes_get_size(content), true,
                                NULL));
    g_assert_true(repo_open(store, password, &options, &opened, NULL));
    g_assert_false(id_equal(repo_key_id(opened), &likely));
}

static void a_key_that_is_gone_or_damaged_stops_nobody(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(GBytes) empty = g_bytes_new_static("", 0), text = g_bytes_new_static("{}", 2);
    g_autoptr(GBytes) sound = NULL;
    Id key;

    g_assert_true(add_key(repo, "right", &key, NULL));
    g_assert_true(repo_load_raw(repo, FILE_KEY, &key, &sound, NULL));
    assert_opens_with_another(store, "gone", NULL);
    assert_opens_with_another(store, "empty", empty);
    assert_opens_with_another(store, "no key", text);
    assert_opens_with_another(store, "under the name of another", sound);
}

static void an_outage_is_no_wrong_password(void)
{
    g_autoptr(Store) memory = fixture_store("v2-vectors");
    g_autoptr(Store) store = flaky_store_new(memory);
    FlakyPlan plan = { .call = CALL_ANY, .n = 1, .code = BS_ERROR_TRANSIENT };
    g_autoptr(GError) error = NULL;

    for (plan.at = 1;; plan.at++) {
        g_autoptr(Repo) repo = NULL;

        flaky_store_plan(store, &plan);
        repo = fixture_try_open(store, FIXTURE_PASSWORD, &error);
        if (flaky_store_faults(store) == 0)
            break;
        g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
        g_clear_error(&error);
    }
    g_assert_no_error(error);
    g_assert_cmpuint(plan.at, >, 3);
}

/* Each byte of an object in turn, each bit of it in turn. */
typedef void (*Changed)(Store *store, const Repo *repo);

static void change_every_byte(Store *store, const Repo *repo, const char *key, Changed changed)
{
    g_autoptr(GBytes) before = get(store, key);
    size_t len;
    const uint8_t *bytes = g_bytes_get_data(before, &len);

    for (size_t i = 0; i < len; i++) {
        g_autofree uint8_t *damaged = g_memdup2(bytes, len);

        damaged[i] ^= (uint8_t)(1u << i % 8);
        g_assert_true(store_put(store, key, damaged, len, false, NULL));
        changed(store, repo);
    }
    put(store, key, before);
}

static void config_is_damaged(Store *store, G_GNUC_UNUSED const Repo *repo)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(fixture_try_open(store, FIXTURE_PASSWORD, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_true(g_str_has_prefix(error->message, "config is damaged"));
}

static void notices_every_change_of_config(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);

    change_every_byte(store, repo, "config", config_is_damaged);
    // cut short, and with something behind
    for (size_t len = 0; len < 40; len++) {
        g_autoptr(GBytes) config = get(store, "config");
        g_autoptr(GBytes) cut = g_bytes_new_from_bytes(config, 0, len);

        put(store, "config", cut);
        config_is_damaged(store, repo);
        put(store, "config", config);
    }
    repo_close(fixture_open(store, FIXTURE_PASSWORD));
}

static void key_is_damaged(Store *store, const Repo *repo)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) mismatch = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(Repo) opened = fixture_try_open(store, FIXTURE_PASSWORD, &error);

    // it may still hold the master key, but no other one
    if (opened)
        g_assert_cmpmem(repo_master_key(opened), sizeof(SealKey), repo_master_key(repo),
                        sizeof(SealKey));
    else {
        g_assert_error(error, BS_ERROR, BS_ERROR_PASSWORD);
        g_assert_nonnull(strstr(error->message, id_short(repo_key_id(repo)).text));
    }
    g_assert_false(repo_load_raw((Repo *)repo, FILE_KEY, repo_key_id(repo), &bytes, &mismatch));
    g_assert_error(mismatch, BS_ERROR, BS_ERROR_CORRUPT);
}

static void notices_every_change_of_a_key_file(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);

    change_every_byte(store, repo, file_key(FILE_KEY, repo_key_id(repo)).text, key_is_damaged);
}

static void refuses_configs_it_does_not_know(void)
{
    static const struct {
        const char *label, *text;
        int code;
    } cases[] = {
        { "from the future",
          "{\"version\":3,\"id\":"
          "\"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf\","
          "\"chunker_polynomial\":\"3da3358b4dc173\"}",
          BS_ERROR_UNSUPPORTED },
        { "no JSON", "{", BS_ERROR_CORRUPT },
    };
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        size_t len = strlen(cases[i].text);
        g_autofree uint8_t *sealed = g_malloc(len + SEAL_OVERHEAD);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        seal(sealer, cases[i].text, len, sealed);
        g_assert_true(store_put(store, "config", sealed, len + SEAL_OVERHEAD, false, NULL));
        g_assert_null(fixture_try_open(store, FIXTURE_PASSWORD, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
    }
}

/* ---- making ---- */

static void a_new_repository_opens(void)
{
    for (unsigned version = 1; version <= 2; version++) {
        g_autoptr(Store) store = memory_store_new();
        g_autoptr(Repo) repo = NULL;

        g_assert_true(quick_try_init(store, version, "p\xc3\xa4ss", NULL));
        repo = fixture_open(store, "p\xc3\xa4ss");
        g_assert_cmpuint(repo_version(repo), ==, version);
        g_assert_cmpuint(repo_polynomial(repo), ==, 0x3da3358b4dc173);
        g_assert_cmpuint(strlen(repo_id(repo)), ==, ID_HEX_LEN);
    }
}

static void two_new_repositories_share_nothing(void)
{
    g_autoptr(Store) a = memory_store_new();
    g_autoptr(Store) b = memory_store_new();
    g_autoptr(Repo) one = quick_repo(a);
    g_autoptr(Repo) two = quick_repo(b);

    g_assert_cmpstr(repo_id(one), !=, repo_id(two));
    g_assert_cmpint(memcmp(repo_master_key(one), repo_master_key(two), 32), !=, 0);
    g_assert_cmpint(memcmp(repo_gear(one), repo_gear(two), sizeof(GearTable)), !=, 0);
}

static void init_spares_what_is_there(void)
{
    static const char *const keys[] = {
        "config",
        "keys/a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
        "snapshots/a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autoptr(Store) memory = memory_store_new();
        g_autoptr(Store) store = flaky_store_new(memory);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", keys[i]);
        g_assert_true(store_put(memory, keys[i], "x", 1, false, NULL));
        g_assert_false(quick_try_init(store, 2, "x", &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
        g_assert_cmpuint(flaky_store_calls(store, CALL_PUT), ==, 0);
    }
}

/* Whatever call fails, and whether it was done or not: afterwards there is a repository that opens,
 * or none at all, or at worst a lone key; and a config never without its key. */
static void init_fails_cleanly_at_every_call(void)
{
    static const FlakyHow hows[] = { FLAKY_FAIL, FLAKY_APPLY };

    for (size_t i = 0; i < G_N_ELEMENTS(hows); i++) {
        bool ended = false;

        for (unsigned at = 1; !ended; at++) {
            g_autoptr(Store) memory = memory_store_new();
            g_autoptr(Store) store = flaky_store_new(memory);
            FlakyPlan plan = {
                .call = CALL_ANY, .at = at, .n = 1, .code = BS_ERROR_TRANSIENT, .how = hows[i]
            };
            uint64_t size;
            bool ok;

            flaky_store_plan(store, &plan);
            ok = quick_try_init(store, 2, FIXTURE_PASSWORD, NULL);
            ended = flaky_store_faults(store) == 0;
            g_assert_true(ok || !ended);
            if (ok || store_stat(memory, "config", &size, NULL))
                repo_close(fixture_open(memory, FIXTURE_PASSWORD));
        }
    }
}

static void a_key_that_arrived_cut_does_not_count(void)
{
    g_autoptr(Store) memory = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(memory);
    g_autoptr(Store) store = flaky_store_new(memory);
    g_autoptr(Secret) password = secret_new("new", 3);
    FlakyPlan plan = { .call = CALL_PUT, .at = 1, .how = FLAKY_CUT };
    g_autoptr(GArray) keys = NULL;
    g_autoptr(GError) error = NULL;
    Id id;

    flaky_store_plan(store, &plan);
    g_assert_false(
        repo_add_key(store, repo_master_key(repo), password, QUICK_COST, NULL, NULL, &id, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    keys = list(repo, FILE_KEY);
    g_assert_cmpuint(keys->len, ==, 1);
}

static void a_second_key_opens_too(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Repo) again = NULL;
    Id id;

    g_assert_true(add_key(repo, "second", &id, NULL));
    again = fixture_open(store, "second");
    g_assert_true(id_equal(repo_key_id(again), &id));
    g_assert_cmpstr(repo_id(again), ==, repo_id(repo));
}

static void the_master_key_opens_without_a_password(void)
{
    g_autoptr(Store) store = memory_store_new(), other = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store), stranger = quick_repo(other), again = NULL;
    g_autoptr(GError) error = NULL;
    RepoOptions options = { 0 };

    g_assert_true(repo_open_master(store, repo_master_key(repo), &options, &again, NULL));
    g_assert_cmpstr(repo_id(again), ==, repo_id(repo));
    g_assert_null(repo_key_id(again));
    g_assert_false(repo_open_master(store, repo_master_key(stranger), &options, &stranger, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_PASSWORD);
    g_assert_nonnull(strstr(error->message, "another one"));
}

/* ---- objects ---- */

static void what_was_saved_loads(void)
{
    for (unsigned version = 1; version <= 2; version++) {
        g_autoptr(Store) store = memory_store_new();
        g_autoptr(Repo) repo = NULL;
        g_autoptr(Sealer) sealer = NULL;
        g_autoptr(GString) long_text = g_string_new("{\"text\":\"");
        g_autofree char *again = NULL;
        g_autoptr(GBytes) raw = NULL;
        g_autofree uint8_t *plain = NULL;
        size_t len;
        Id id;

        g_assert_true(quick_try_init(store, version, FIXTURE_PASSWORD, NULL));
        repo = fixture_open(store, FIXTURE_PASSWORD);
        for (unsigned i = 0; i < 100000; i++)
            g_string_append_printf(long_text, "%x", i * 2654435761u);
        g_string_append(long_text, "\"}");
        g_assert_true(repo_save(repo, FILE_SNAPSHOT, long_text->str, long_text->len, &id, NULL));
        again = load(repo, FILE_SNAPSHOT, &id);
        g_assert_cmpstr(again, ==, long_text->str);
        // version 1 knows no compression, version 2 always compresses
        g_assert_true(repo_load_raw(repo, FILE_SNAPSHOT, &id, &raw, NULL));
        sealer = sealer_new(repo_master_key(repo));
        len = g_bytes_get_size(raw);
        plain = g_malloc(len);
        g_assert_true(unseal(sealer, g_bytes_get_data(raw, NULL), len, plain, NULL));
        g_assert_cmpuint(plain[0], ==, version == 1 ? '{' : 0x02);
        if (version == 1)
            g_assert_cmpuint(len, ==, long_text->len + SEAL_OVERHEAD);
        else
            g_assert_cmpuint(len, <, long_text->len * 3 / 4);
    }
}

static void reads_every_legal_encoding_and_no_other(void)
{
    static const struct {
        const char *label, *plain;
        size_t len;
        int code; /* 0: fine */
    } cases[] = {
        { "an object as it is", "{}", 2, 0 },
        { "an array as it is", "[]", 2, 0 },
        { "nothing: for the JSON parser to refuse", "", 0, 0 },
        { "an unknown encoding", "\x03{}", 3, BS_ERROR_UNSUPPORTED },
        { "white space first", " {}", 3, BS_ERROR_UNSUPPORTED },
        { "zstd of nothing", "\x02", 1, BS_ERROR_CORRUPT },
        { "zstd that is none", "\x02{}", 3, BS_ERROR_CORRUPT },
    };
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Id id = put_sealed(repo, cases[i].plain, cases[i].len);
        g_autoptr(GBytes) text = NULL;
        g_autoptr(GError) error = NULL;
        bool ok = repo_load(repo, FILE_SNAPSHOT, &id, &text, &error);

        g_test_message("%s", cases[i].label);
        if (cases[i].code == 0) {
            g_assert_no_error(error);
            g_assert_cmpmem(g_bytes_get_data(text, NULL), g_bytes_get_size(text), cases[i].plain,
                            cases[i].len);
        } else {
            g_assert_false(ok);
            g_assert_error(error, BS_ERROR, cases[i].code);
            g_assert_nonnull(strstr(error->message, id_hex(&id).text));
        }
    }
}

static void a_bomb_stops_at_the_bound(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Compressor) compressor = compressor_new(1);
    const size_t len = 300u * 1024 * 1024; // beyond what a snapshot may have
    g_autofree char *zeros = g_malloc0(len);
    g_autofree uint8_t *plain = g_malloc(1 + 1024 * 1024);
    g_autoptr(GBytes) text = NULL;
    g_autoptr(GError) error = NULL;
    size_t frame;
    Id id;

    plain[0] = 0x02;
    frame = compress_into(compressor, zeros, len, plain + 1, 1024 * 1024);
    g_assert_cmpuint(frame, >, 0);
    id = put_sealed(repo, plain, 1 + frame);
    g_assert_false(repo_load(repo, FILE_SNAPSHOT, &id, &text, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

static void finds_objects_that_are_not_what_their_name_says(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(GBytes) good = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) text = NULL;
    Id id, other = { { 1 } };

    g_assert_true(repo_save(repo, FILE_SNAPSHOT, "{}", 2, &id, NULL));
    good = get(store, file_key(FILE_SNAPSHOT, &id).text);
    put(store, file_key(FILE_SNAPSHOT, &other).text, good);
    g_assert_false(repo_load(repo, FILE_SNAPSHOT, &other, &text, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, "content does not match its name"));
    g_clear_error(&error);
    // well named, but sealed by nobody or too short to be sealed
    for (unsigned len = 6; len <= 200; len += 194) {
        char garbage[200] = { 'g' };

        put_named(store, FILE_SNAPSHOT, garbage, len, &other);
        g_assert_false(repo_load(repo, FILE_SNAPSHOT, &other, &text, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_clear_error(&error);
    }
    g_assert_true(repo_remove(repo, FILE_SNAPSHOT, &id, NULL));
    g_assert_false(repo_load(repo, FILE_SNAPSHOT, &id, &text, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

static void lists_ids_in_order_and_counts_the_rest(void)
{
    static const char *const foreign[] = {
        "snapshots/README",
        "snapshots/sub/dir",
        "snapshots/A0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
        "snapshots/x/a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
    };
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(GArray) files = NULL;
    unsigned n_foreign;

    for (size_t i = 0; i < G_N_ELEMENTS(foreign); i++)
        g_assert_true(store_put(store, foreign[i], "x", 1, false, NULL));
    for (uint8_t i = 0; i < 20; i++) {
        Id id = { { (uint8_t)(i * 37) } };

        g_assert_true(store_put(store, file_key(FILE_SNAPSHOT, &id).text, "xy", 2, false, NULL));
    }
    g_assert_true(repo_list(repo, FILE_SNAPSHOT, &files, &n_foreign, NULL));
    g_assert_cmpuint(n_foreign, ==, G_N_ELEMENTS(foreign));
    g_assert_cmpuint(files->len, ==, 20);
    g_assert_cmpuint(g_array_index(files, FileInfo, 7).size, ==, 2);
    for (guint i = 1; i < files->len; i++) {
        Id before = nth(files, i - 1), id = nth(files, i);

        g_assert_cmpint(id_compare(&before, &id), <, 0);
    }
}

static void resolves_prefixes(void)
{
    static const struct {
        const char *prefix;
        int code; /* 0: found */
    } cases[] = {
        { "ab", BS_ERROR_USAGE },
        { "abc", 0 },
        { "ab0", 0 },
        { "a", BS_ERROR_USAGE },
        { "c", 0 },
        { "d", BS_ERROR_NOT_FOUND },
        { "", BS_ERROR_USAGE },
        { "ABC", BS_ERROR_NOT_FOUND },
        { "../", BS_ERROR_NOT_FOUND },
        { "c000000000000000000000000000000000000000000000000000000000000000", 0 },
        { "c0000000000000000000000000000000000000000000000000000000000000000", BS_ERROR_NOT_FOUND },
    };
    static const Id ids[] = { { { 0xab, 0xc0 } }, { { 0xab, 0x00 } }, { { 0xc0 } } };
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);

    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
        g_assert_true(store_put(store, file_key(FILE_SNAPSHOT, &ids[i]).text, "x", 1, false, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Id id;
        bool ok = repo_resolve(repo, FILE_SNAPSHOT, cases[i].prefix, &id, &error);

        g_test_message("'%s'", cases[i].prefix);
        g_assert_cmpint(ok, ==, cases[i].code == 0);
        if (ok)
            g_assert_true(g_str_has_prefix(id_hex(&id).text, cases[i].prefix));
        else
            g_assert_error(error, BS_ERROR, cases[i].code);
    }
}

/* ---- options ---- */

static void options_become_levels(void)
{
    static const struct {
        unsigned version;
        CompressMode mode;
        int level, want;
    } cases[] = {
        { 2, COMPRESS_AUTO, 0, 2 },  { 2, COMPRESS_OFF, 0, 0 },     { 2, COMPRESS_MAX, 0, 11 },
        { 2, COMPRESS_LEVEL, 7, 7 }, { 2, COMPRESS_LEVEL, 99, 19 }, { 2, COMPRESS_LEVEL, -5, 1 },
        { 1, COMPRESS_AUTO, 0, 0 },  { 1, COMPRESS_MAX, 0, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Store) store = memory_store_new();
        g_autoptr(Secret) password = secret_new("x", 1);
        RepoOptions options = { .compress = cases[i].mode, .compress_level = cases[i].level };
        g_autoptr(Repo) repo = NULL;

        g_assert_true(quick_try_init(store, cases[i].version, "x", NULL));
        g_assert_true(repo_open(store, password, &options, &repo, NULL));
        g_assert_cmpint(repo_data_level(repo), ==, cases[i].want);
        g_assert_cmpuint(repo_options(repo)->pack_size, ==, 16u * 1024 * 1024);
    }
}

static void the_clamped_key_cuts_like_the_unclamped(void)
{
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(Secret) password = secret_new("clamped", 7);
    g_autoptr(GByteArray) clamped = bytes_from_hex("303132033435360738393a0b3c3d3e0f");
    SealKey master = *repo_master_key(repo);
    g_autoptr(Repo) again = NULL;
    Id id;

    memcpy(master.mac_r, clamped->data, 16);
    g_assert_cmpint(memcmp(&master, repo_master_key(repo), sizeof master), !=, 0);
    g_assert_true(repo_add_key(store, &master, password, QUICK_COST, NULL, NULL, &id, NULL));
    again = fixture_open(store, "clamped");
    g_assert_cmpmem(repo_gear(again), sizeof(GearTable), repo_gear(repo), sizeof(GearTable));
}

#define ADD(fact) g_test_add_func("/repo/repo/" #fact, fact)

int main(int argc, char **argv)
{
    static const char *const fixtures[] = { "v1",         "v1-migrated",    "v2-auto",
                                            "v2-bigfile", "v2-foreign",     "v2-max",
                                            "v2-off",     "v2-otherwriter", "v2-pruned",
                                            "v2-twokeys" };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(fixtures); i++) {
        g_autofree char *path =
            g_strconcat("/repo/repo/opens_what_restic_wrote/", fixtures[i], NULL);

        g_test_add_data_func(path, fixtures[i], opens_what_restic_wrote);
    }
    ADD(every_password_opens_its_key);
    ADD(reads_the_vectors);
    ADD(says_when_there_is_no_repository);
    ADD(says_when_config_was_lost);
    ADD(tells_a_wrong_password);
    ADD(tells_that_no_key_file_is_there);
    ADD(passes_over_damaged_keys_and_names_them);
    ADD(tries_twenty_keys_the_hinted_one_first);
    ADD(the_key_of_the_last_time_is_the_only_one_asked_for);
    ADD(a_key_that_is_gone_or_damaged_stops_nobody);
    ADD(an_outage_is_no_wrong_password);
    ADD(notices_every_change_of_config);
    ADD(notices_every_change_of_a_key_file);
    ADD(refuses_configs_it_does_not_know);
    ADD(a_new_repository_opens);
    ADD(two_new_repositories_share_nothing);
    ADD(init_spares_what_is_there);
    ADD(init_fails_cleanly_at_every_call);
    ADD(a_key_that_arrived_cut_does_not_count);
    ADD(a_second_key_opens_too);
    ADD(the_master_key_opens_without_a_password);
    ADD(what_was_saved_loads);
    ADD(reads_every_legal_encoding_and_no_other);
    ADD(a_bomb_stops_at_the_bound);
    ADD(finds_objects_that_are_not_what_their_name_says);
    ADD(lists_ids_in_order_and_counts_the_rest);
    ADD(resolves_prefixes);
    ADD(options_become_levels);
    ADD(the_clamped_key_cuts_like_the_unclamped);
    return g_test_run();
}
