/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/pack.h"
#include "base/error.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/vectors.h"

static const PackBlob *blobs_of(const GArray *blobs)
{
    return (const PackBlob *)(void *)blobs->data;
}

static void the_vector_decodes_and_encodes(void)
{
    json_auto_t *vectors = vectors_load();
    const json_t *pack = json_object_get(vectors, "pack_data");
    g_autoptr(GByteArray) header = vector_bytes(pack, "header_plaintext");
    g_autoptr(GByteArray) file = vector_bytes(pack, "file");
    g_autoptr(GByteArray) again = g_byte_array_new();
    g_autoptr(GArray) blobs = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(pack_header_decode(header->data, header->len, 2, &blobs, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(blobs->len, ==, 2);
    g_assert_cmpstr(id_short(&blobs_of(blobs)[0].id).text, ==, "1f2b793e");
    g_assert_cmpint(blobs_of(blobs)[0].type, ==, BLOB_DATA);
    g_assert_cmpuint(blobs_of(blobs)[0].offset, ==, 0);
    g_assert_cmpuint(blobs_of(blobs)[0].length, ==, 46);
    g_assert_cmpuint(blobs_of(blobs)[0].plain_len, ==, 0);
    g_assert_cmpstr(id_short(&blobs_of(blobs)[1].id).text, ==, "a63fe7a7");
    g_assert_cmpint(blobs_of(blobs)[1].type, ==, BLOB_DATA);
    g_assert_cmpuint(blobs_of(blobs)[1].offset, ==, 46);
    g_assert_cmpuint(blobs_of(blobs)[1].length, ==, 69);
    g_assert_cmpuint(blobs_of(blobs)[1].plain_len, ==, 800);
    pack_header_encode(blobs_of(blobs), blobs->len, again);
    g_assert_cmpmem(again->data, again->len, header->data, header->len);
    g_assert_cmpuint(pack_size(blobs_of(blobs), blobs->len), ==, file->len);
}

#define ID_BYTES "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void what_breaks_the_header_is_corrupt(void)
{
    static const struct {
        const char *label;
        const char *hex;
        unsigned version;
        bool good;
    } cases[] = {
        { "plain data",
          "00"
          "20000000" ID_BYTES,
          2, true },
        { "plain tree",
          "01"
          "20000000" ID_BYTES,
          2, true },
        { "compressed tree",
          "03"
          "20000000"
          "01000000" ID_BYTES,
          2, true },
        { "plain data in version 1",
          "00"
          "20000000" ID_BYTES,
          1, true },
        { "compressed data in version 1",
          "02"
          "20000000"
          "01000000" ID_BYTES,
          1, false },
        { "no entries", "", 2, false },
        { "unknown type",
          "04"
          "20000000" ID_BYTES,
          2, false },
        { "high type",
          "80"
          "20000000" ID_BYTES,
          2, false },
        { "cut off in the type's first byte", "00", 2, false },
        { "cut off by a byte",
          "00"
          "20000000"
          "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"
          "",
          2, true },
        { "compressed, cut off",
          "02"
          "20000000" ID_BYTES,
          2, false },
        { "a byte more",
          "00"
          "20000000" ID_BYTES "00",
          2, false },
        { "shorter than a seal",
          "00"
          "1f000000" ID_BYTES,
          2, false },
        { "compressed without length",
          "02"
          "20000000"
          "00000000" ID_BYTES,
          2, false },
        { "ends at 4 GiB",
          "00"
          "ffffffff" ID_BYTES,
          2, true },
        { "ends beyond 4 GiB",
          "00"
          "ffffffff" ID_BYTES "00"
          "20000000" ID_BYTES,
          2, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) header = bytes_from_hex(cases[i].hex);
        g_autoptr(GArray) blobs = NULL;
        g_autoptr(GError) error = NULL;
        bool good = pack_header_decode(header->data, header->len, cases[i].version, &blobs, &error);

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(good, ==, cases[i].good);
        if (!good)
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

/* ---- with the keys of the vectors ---- */

typedef struct {
    Store *store;
    Repo *repo;
    BlobOpener *opener;
    Sealer *sealer;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer name)
{
    fixture->store = fixture_store(name);
    fixture->repo = fixture_open(fixture->store, FIXTURE_PASSWORD);
    fixture->opener = blob_opener_new(fixture->repo);
    fixture->sealer = sealer_new(repo_master_key(fixture->repo));
}

static void tear_down(Fixture *fixture, gconstpointer name)
{
    (void)name;
    sealer_free(fixture->sealer);
    blob_opener_free(fixture->opener);
    repo_close(fixture->repo);
    store_free(fixture->store);
}

static void the_vector_pack_opens(Fixture *fixture, gconstpointer name)
{
    json_auto_t *vectors = vectors_load();
    const json_t *pack = json_object_get(vectors, "pack_data");
    g_autoptr(GByteArray) file = vector_bytes(pack, "file");
    g_autoptr(GArray) blobs = NULL;
    g_autoptr(GError) error = NULL;
    PackFault fault = PACK_SHORT;
    const json_t *expected;
    size_t i;

    (void)name;
    g_assert_true(pack_open_header(fixture->opener, file->data, file->len, &blobs, &fault, &error));
    g_assert_no_error(error);
    g_assert_cmpint(fault, ==, PACK_GOOD);
    g_assert_cmpuint(blobs->len, ==, 2);
    json_array_foreach(json_object_get(pack, "blobs"), i, expected)
    {
        const PackBlob *blob = &blobs_of(blobs)[i];
        g_autoptr(GByteArray) want = vector_bytes(expected, "plaintext");
        size_t len = blob_plain_len(blob->length, blob->plain_len);
        g_autofree uint8_t *plain = g_malloc(len);

        g_assert_true(blob_open(fixture->opener, &blob->id, file->data + blob->offset, blob->length,
                                blob->plain_len, plain, &error));
        g_assert_cmpint(blob_open_fault(fixture->opener), ==, BLOB_GOOD);
        g_assert_cmpmem(plain, len, want->data, want->len);
    }
}

static void damage_of_a_header_is_named(Fixture *fixture, gconstpointer name)
{
    static const struct {
        const char *label;
        int cut;       // bytes off the end, negative: added
        unsigned from; // the byte that is flipped, counted from the end; 0: none
        PackFault want;
    } cases[] = {
        { "whole", 0, 0, PACK_GOOD },
        { "empty", 229, 0, PACK_SHORT },
        { "three bytes", 226, 0, PACK_SHORT },
        { "shorter than any pack", 229 - 104, 0, PACK_SHORT },
        { "a hundred bytes lost", 100, 0, PACK_HEADER_LENGTH },
        { "a byte more", -1, 0, PACK_HEADER_LENGTH },
        { "length far beyond", 0, 1, PACK_HEADER_LENGTH },
        { "length beyond the pack", 0, 3, PACK_HEADER_LENGTH },
        { "length slightly off", 0, 4, PACK_HEADER_MAC },
        { "MAC", 0, 5, PACK_HEADER_MAC },
        { "ciphertext", 0, 40, PACK_HEADER_MAC },
        { "IV", 0, 114, PACK_HEADER_MAC },
    };
    json_auto_t *vectors = vectors_load();
    const json_t *pack = json_object_get(vectors, "pack_data");

    (void)name;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) file = vector_bytes(pack, "file");
        g_autoptr(GArray) blobs = NULL;
        g_autoptr(GError) error = NULL;
        PackFault fault = PACK_GOOD;

        g_test_message("%s", cases[i].label);
        if (cases[i].from)
            file->data[file->len - cases[i].from] ^= 1;
        g_byte_array_set_size(file, (guint)((int)file->len - cases[i].cut));
        if (cases[i].cut < 0)
            memset(file->data + 229, 0x55, file->len - 229);
        g_assert_cmpint(
            pack_open_header(fixture->opener, file->data, file->len, &blobs, &fault, &error), ==,
            cases[i].want == PACK_GOOD);
        g_assert_cmpint(fault, ==, cases[i].want);
        if (fault != PACK_GOOD)
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

/* A pack of the vector's blobs under a header that says something else. */
static GByteArray *pack_with(const Fixture *fixture, const PackBlob *blobs, size_t n)
{
    json_auto_t *vectors = vectors_load();
    GByteArray *file = vector_bytes(json_object_get(vectors, "pack_data"), "file");
    g_autoptr(GByteArray) header = g_byte_array_new();
    uint32_t sealed_len;

    pack_header_encode(blobs, n, header);
    sealed_len = GUINT32_TO_LE(header->len + SEAL_OVERHEAD);
    g_byte_array_set_size(file, 46 + 69 + header->len + SEAL_OVERHEAD);
    seal(fixture->sealer, header->data, header->len, file->data + 46 + 69);
    g_byte_array_append(file, (const uint8_t *)&sealed_len, sizeof(sealed_len));
    return file;
}

static void a_header_that_does_not_fill_the_pack_is_broken(Fixture *fixture, gconstpointer name)
{
    PackBlob blobs[] = { { { { 1 } }, BLOB_DATA, 0, 46, 0 },
                         { { { 2 } }, BLOB_DATA, 46, 69, 800 } };
    g_autoptr(GByteArray) whole = pack_with(fixture, blobs, 2);
    g_autoptr(GByteArray) lacking = pack_with(fixture, blobs, 1);
    g_autoptr(GByteArray) none = pack_with(fixture, blobs, 0);
    g_autoptr(GArray) read = NULL;
    PackFault fault;

    (void)name;
    g_assert_true(pack_open_header(fixture->opener, whole->data, whole->len, &read, &fault, NULL));
    g_assert_false(
        pack_open_header(fixture->opener, lacking->data, lacking->len, &read, &fault, NULL));
    g_assert_cmpint(fault, ==, PACK_HEADER_BROKEN);
    g_assert_false(pack_open_header(fixture->opener, none->data, none->len, &read, &fault, NULL));
    g_assert_cmpint(fault, ==, PACK_HEADER_BROKEN);
}

static void what_is_wrong_with_a_blob_is_told_apart(Fixture *fixture, gconstpointer name)
{
    static const struct {
        const char *label;
        const char *zstd; // hex of what is sealed; NULL: the vector's own frame
        uint32_t plain_len;
        bool flip_mac, other_id;
        BlobFault want;
    } cases[] = {
        { "good", NULL, 800, false, false, BLOB_GOOD },
        { "MAC", NULL, 800, true, false, BLOB_BAD_MAC },
        { "another id", NULL, 800, false, true, BLOB_BAD_HASH },
        { "index says too little", NULL, 799, false, false, BLOB_BAD_LENGTH },
        { "index says too much", NULL, 801, false, false, BLOB_BAD_LENGTH },
        { "index says not compressed", NULL, 0, false, false, BLOB_BAD_HASH },
        { "no frame", "00112233", 800, false, false, BLOB_BAD_ZSTD },
        { "nothing at all", "", 800, false, false, BLOB_BAD_ZSTD },
        { "frame cut off", "28b52ffd602002dd0000a061206c696e6520746861", 800, false, false,
          BLOB_BAD_ZSTD },
    };
    json_auto_t *vectors = vectors_load();
    const json_t *blob =
        json_array_get(json_object_get(json_object_get(vectors, "pack_data"), "blobs"), 1);
    Id id;

    (void)name;
    g_assert_true(id_parse(vector_text(blob, "id"), &id));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) frame =
            cases[i].zstd ? bytes_from_hex(cases[i].zstd) : vector_bytes(blob, "zstd");
        size_t len = frame->len + SEAL_OVERHEAD;
        g_autofree uint8_t *sealed = g_malloc(len);
        g_autofree uint8_t *plain = g_malloc(1024);
        g_autoptr(GError) error = NULL;
        Id wanted = id;

        g_test_message("%s", cases[i].label);
        seal(fixture->sealer, frame->data, frame->len, sealed);
        sealed[len - 1] ^= cases[i].flip_mac;
        wanted.bytes[31] ^= cases[i].other_id;
        g_assert_cmpint(
            blob_open(fixture->opener, &wanted, sealed, len, cases[i].plain_len, plain, &error), ==,
            cases[i].want == BLOB_GOOD);
        g_assert_cmpint(blob_open_fault(fixture->opener), ==, cases[i].want);
        if (cases[i].want != BLOB_GOOD)
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

/* ---- in a store ---- */

static uint64_t size_of(Store *store, const char *key)
{
    uint64_t size = 0;

    g_assert_true(store_stat(store, key, &size, NULL));
    return size;
}

static bool header_agrees(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                          GError **error)
{
    Repo *repo = user;
    uint64_t size = size_of(repo_store(repo), file_key(FILE_PACK, pack).text);
    g_autoptr(GArray) read = NULL;

    g_assert_cmpuint(pack_size(blobs, n), ==, size);
    if (!pack_read_header(repo, pack, size, &read, error))
        return false;
    g_assert_cmpmem(read->data, read->len * sizeof(PackBlob), blobs, n * sizeof(PackBlob));
    return true;
}

static bool blobs_open(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    Repo *repo = user;
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);

    (void)pack;
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GBytes) plain = NULL;

        if (!blob_load(repo, opener, blobs[i].type, &blobs[i].id, &plain, error))
            return false;
        g_assert_cmpuint(g_bytes_get_size(plain), ==,
                         blob_plain_len(blobs[i].length, blobs[i].plain_len));
    }
    return true;
}

static void headers_of_the_fixtures_agree_with_the_index_and_every_blob_opens(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fixture_names); i++) {
        g_autoptr(Store) store = fixture_store(fixture_names[i]);
        g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", fixture_names[i]);
        g_assert_true(repo_load_index(repo, NULL, &error));
        g_assert_no_error(error);
        g_assert_true(index_each_pack(repo_index(repo), header_agrees, repo, &error));
        g_assert_no_error(error);
        g_assert_true(index_each_pack(repo_index(repo), blobs_open, repo, &error));
        g_assert_no_error(error);
    }
}

/* More blobs than one request for the header brings. */
static void a_long_header_is_read_whole(void)
{
    const size_t n = 500;
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    g_autoptr(GArray) blobs = g_array_new(false, true, sizeof(PackBlob));
    g_autoptr(GByteArray) header = g_byte_array_new();
    g_autoptr(GArray) read = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *pack = NULL;
    Id id = { { 7 } };
    size_t size, at;
    uint32_t len;

    for (size_t i = 0; i < n; i++) {
        PackBlob blob = { .offset = (uint32_t)i * 40,
                          .length = 40,
                          .plain_len = (uint32_t)(i % 3) };

        random_bytes(&blob.id, ID_LEN);
        g_array_append_val(blobs, blob);
    }
    pack_header_encode(blobs_of(blobs), n, header);
    size = (size_t)pack_size(blobs_of(blobs), n);
    pack = g_malloc0(size);
    at = size - 4 - SEAL_OVERHEAD - header->len;
    seal(sealer, header->data, header->len, pack + at);
    len = GUINT32_TO_LE(header->len + SEAL_OVERHEAD);
    memcpy(pack + size - 4, &len, 4);
    g_assert_true(store_put(store, file_key(FILE_PACK, &id).text, pack, size, true, NULL));
    g_assert_true(pack_read_header(repo, &id, size, &read, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(read->data, read->len * sizeof(PackBlob), blobs->data, n * sizeof(PackBlob));
}

static void a_pack_that_is_gone_is_not_found(Fixture *fixture, gconstpointer name)
{
    Id id = { { 7 } };
    g_autoptr(GArray) read = NULL;
    g_autoptr(GError) error = NULL;

    (void)name;
    g_assert_false(pack_read_header(fixture->repo, &id, 1000, &read, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "pack 07000000: "));
}

/* Stores the sealed text as a pack that consists of it, and indexes it as that blob. */
static void add_place(Repo *repo, uint8_t pack_byte, const Id *id, const char *text, bool damaged)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    size_t len = strlen(text) + SEAL_OVERHEAD;
    g_autofree uint8_t *sealed = g_malloc(len);
    Id pack = { { pack_byte } };
    PackBlob blob = { *id, BLOB_DATA, 0, (uint32_t)len, 0 };
    IndexText *index = index_text_new();
    const char *json;
    size_t json_len;
    Id index_id;

    seal(sealer, text, strlen(text), sealed);
    sealed[len - 1] ^= damaged;
    g_assert_true(
        store_put(repo_store(repo), file_key(FILE_PACK, &pack).text, sealed, len, true, NULL));
    index_text_add(index, &pack, &blob, 1);
    json = index_text_finish(index, &json_len);
    g_assert_true(repo_save(repo, FILE_INDEX, json, json_len, &index_id, NULL));
    index_text_free(index);
}

static void a_damaged_blob_is_read_from_its_other_place(void)
{
    static const struct {
        const char *label;
        unsigned damaged; // bits of the three places
        bool want;
    } cases[] = {
        { "all are good", 0, true },      { "the first is damaged", 1, true },
        { "two are damaged", 3, true },   { "the last is damaged", 4, true },
        { "no place is good", 7, false },
    };
    const char *text = "hello, backup\n";
    Id id;

    g_assert_true(
        id_parse("1f2b793e194e5810c322e8245ac6b0e2fcea7ee7e640dee7125b84ee2e28585b", &id));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Store) store = memory_store_new();
        g_autoptr(Repo) repo = quick_repo(store);
        g_autoptr(BlobOpener) opener = blob_opener_new(repo);
        g_autoptr(GBytes) plain = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        for (unsigned place = 0; place < 3; place++)
            add_place(repo, (uint8_t)(place + 1), &id, text, cases[i].damaged >> place & 1);
        g_assert_true(repo_load_index(repo, NULL, &error));
        g_assert_cmpint(blob_load(repo, opener, BLOB_DATA, &id, &plain, &error), ==, cases[i].want);
        if (cases[i].want)
            g_assert_cmpmem(g_bytes_get_data(plain, NULL), g_bytes_get_size(plain), text,
                            strlen(text));
        else
            g_assert_cmpstr(error->message, ==, "data blob 1f2b793e: pack 01000000: MAC wrong");
    }
}

/* Whoever gives up what is damaged must not do so because a store did not answer. */
static void a_place_that_does_not_answer_is_not_damage(void)
{
    const char *text = "hello, backup\n";
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Store) flaky = flaky_store_new(store);
    g_autoptr(Repo) repo = quick_repo(flaky);
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    Id id;

    g_assert_true(
        id_parse("1f2b793e194e5810c322e8245ac6b0e2fcea7ee7e640dee7125b84ee2e28585b", &id));
    for (unsigned place = 0; place < 3; place++)
        add_place(repo, (uint8_t)(place + 1), &id, text, true);
    g_assert_true(repo_load_index(repo, NULL, NULL));
    // what comes damaged is read twice
    for (unsigned silent = 1; silent <= 7; silent++) {
        g_autoptr(GBytes) plain = NULL;
        g_autoptr(GError) error = NULL;

        flaky_store_plan(flaky,
                         &(FlakyPlan){ CALL_GET, "data/", silent, 1, BS_ERROR_TRANSIENT, 0 });
        g_assert_false(blob_load(repo, opener, BLOB_DATA, &id, &plain, &error));
        g_assert_cmpint(error->code, ==, silent <= 6 ? BS_ERROR_TRANSIENT : BS_ERROR_CORRUPT);
    }
}

static void a_blob_of_the_other_type_is_not_found(Fixture *fixture, gconstpointer name)
{
    g_autoptr(GBytes) plain = NULL;
    g_autoptr(GError) error = NULL;
    Id id;

    (void)name;
    g_assert_true(
        id_parse("1f2b793e194e5810c322e8245ac6b0e2fcea7ee7e640dee7125b84ee2e28585b", &id));
    g_assert_true(repo_load_index(fixture->repo, NULL, NULL));
    g_assert_true(blob_load(fixture->repo, fixture->opener, BLOB_DATA, &id, &plain, NULL));
    g_clear_pointer(&plain, g_bytes_unref);
    g_assert_false(blob_load(fixture->repo, fixture->opener, BLOB_TREE, &id, &plain, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

#define ADD(path, func) g_test_add(path, Fixture, "v2-vectors", set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pack/vector", the_vector_decodes_and_encodes);
    g_test_add_func("/pack/header", what_breaks_the_header_is_corrupt);
    ADD("/pack/opens", the_vector_pack_opens);
    ADD("/pack/damage", damage_of_a_header_is_named);
    ADD("/pack/filled", a_header_that_does_not_fill_the_pack_is_broken);
    ADD("/pack/faults", what_is_wrong_with_a_blob_is_told_apart);
    g_test_add_func("/pack/fixtures",
                    headers_of_the_fixtures_agree_with_the_index_and_every_blob_opens);
    g_test_add_func("/pack/long", a_long_header_is_read_whole);
    ADD("/pack/gone", a_pack_that_is_gone_is_not_found);
    g_test_add_func("/pack/places", a_damaged_blob_is_read_from_its_other_place);
    g_test_add_func("/pack/silent-place", a_place_that_does_not_answer_is_not_damage);
    ADD("/pack/type", a_blob_of_the_other_type_is_not_found);
    return g_test_run();
}
