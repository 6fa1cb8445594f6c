/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index_claims.h"
#include <pthread.h>
#include <stdatomic.h>

static Id numbered_id(uint32_t number)
{
    Id id = { { 0 } };

    // spread as a hash would, so that shards and slots are all used
    for (unsigned i = 0; i < ID_LEN; i++)
        id.bytes[i] = (uint8_t)((number + 1) * 2654435761u >> (i % 4 * 8));
    return id;
}

static void only_the_first_takes_a_blob(void)
{
    g_autoptr(Claims) claims = claims_new();
    Id id = numbered_id(1);

    g_assert_true(claims_take(claims, BLOB_DATA, &id));
    g_assert_false(claims_take(claims, BLOB_DATA, &id));
    g_assert_true(claims_take(claims, BLOB_TREE, &id)); // another blob: the type counts
    g_assert_false(claims_take(claims, BLOB_TREE, &id));
}

static void a_claim_is_found_once_it_is_added(void)
{
    g_autoptr(Claims) claims = claims_new();
    Id id = numbered_id(1);
    Id pack = numbered_id(2);
    PackBlob blob = { id, BLOB_DATA, 46, 69, 800 };
    BlobPlace place;

    g_assert_false(claims_find(claims, BLOB_DATA, &id, &place));
    g_assert_true(claims_take(claims, BLOB_DATA, &id));
    g_assert_false(claims_find(claims, BLOB_DATA, &id, &place));
    claims_add(claims, &pack, &blob, 1);
    g_assert_true(claims_find(claims, BLOB_DATA, &id, &place));
    g_assert_cmpmem(&place.pack, ID_LEN, &pack, ID_LEN);
    g_assert_cmpuint(place.offset, ==, 46);
    g_assert_cmpuint(place.length, ==, 69);
    g_assert_cmpuint(place.plain_len, ==, 800);
    g_assert_false(claims_find(claims, BLOB_TREE, &id, &place));
    g_assert_false(claims_take(claims, BLOB_DATA, &id));
}

static void what_nobody_claimed_can_be_added(void)
{
    g_autoptr(Claims) claims = claims_new();
    Id id = numbered_id(1);
    Id first = numbered_id(2);
    Id second = numbered_id(3);
    PackBlob blob = { id, BLOB_TREE, 0, 32, 0 };
    BlobPlace place;

    claims_add(claims, &first, &blob, 1);
    claims_add(claims, &second, &blob, 1);
    g_assert_false(claims_take(claims, BLOB_TREE, &id));
    g_assert_true(claims_find(claims, BLOB_TREE, &id, &place));
    g_assert_cmpmem(&place.pack, ID_LEN, &first, ID_LEN);
}

#define THREADS 4
#define BLOBS   50000u

typedef struct {
    Claims *claims;
    Id pack;
    atomic_uint *taken;
} Race;

/* Takes every blob, each thread from another place on, adds its own in twenties, and finds them. */
static void *run_race(void *user)
{
    Race *race = user;
    PackBlob blobs[20];
    size_t n = 0;

    for (uint32_t i = 0; i < BLOBS; i++) {
        Id id = numbered_id((i + race->pack.bytes[0] * (BLOBS / THREADS)) % BLOBS);

        if (claims_take(race->claims, BLOB_DATA, &id)) {
            atomic_fetch_add(race->taken, 1);
            blobs[n++] = (PackBlob){ id, BLOB_DATA, i, 32, 0 };
        }
        if (n == G_N_ELEMENTS(blobs) || i == BLOBS - 1) {
            BlobPlace place;

            claims_add(race->claims, &race->pack, blobs, n);
            for (size_t j = 0; j < n; j++) {
                g_assert_true(claims_find(race->claims, BLOB_DATA, &blobs[j].id, &place));
                g_assert_cmpuint(place.offset, ==, blobs[j].offset);
                g_assert_true(id_equal(&place.pack, &race->pack));
            }
            n = 0;
        }
    }
    return NULL;
}

static void threads_share_them_out(void)
{
    g_autoptr(Claims) claims = claims_new();
    atomic_uint taken = 0;
    pthread_t threads[THREADS];
    Race races[THREADS];
    BlobPlace place;

    for (unsigned i = 0; i < THREADS; i++) {
        races[i] = (Race){ claims, { { (uint8_t)i } }, &taken };
        g_assert_cmpint(pthread_create(&threads[i], NULL, run_race, &races[i]), ==, 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    g_assert_cmpuint(taken, ==, BLOBS);
    for (uint32_t i = 0; i < BLOBS; i++) {
        Id id = numbered_id(i);

        g_assert_true(claims_find(claims, BLOB_DATA, &id, &place));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/index_claims/first", only_the_first_takes_a_blob);
    g_test_add_func("/index_claims/added", a_claim_is_found_once_it_is_added);
    g_test_add_func("/index_claims/unclaimed", what_nobody_claimed_can_be_added);
    g_test_add_func("/index_claims/threads", threads_share_them_out);
    return g_test_run();
}
