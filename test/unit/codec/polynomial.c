/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/polynomial.h"
#include "lib/vectors.h"

static void polynomials_of_the_vectors_are_told_apart(void)
{
    json_t *vectors = vectors_load();
    const json_t *test;
    size_t i;

    g_assert_cmpuint(json_array_size(json_object_get(vectors, "polynomials")), >=, 6);
    json_array_foreach(json_object_get(vectors, "polynomials"), i, test)
    {
        const char *hex = vector_text(test, "hex");

        g_test_message("%s", hex);
        g_assert_cmpint(polynomial_irreducible(g_ascii_strtoull(hex, NULL, 16)), ==,
                        json_is_true(json_object_get(test, "irreducible")));
    }
    json_decref(vectors);
}

/* OEIS A001037, necklaces: so many irreducible polynomials over GF(2) have degree n */
static void there_are_as_many_of_each_degree_as_there_should_be(void)
{
    static const unsigned want[] = {
        0, 2, 1, 2, 3, 6, 9, 18, 30, 56, 99, 186, 335, 630, 1161, 2182
    };

    for (unsigned degree = 0; degree < G_N_ELEMENTS(want); degree++) {
        unsigned n = 0;

        for (uint64_t p = 1ull << degree; p < 2ull << degree; p++)
            n += polynomial_irreducible(p) ? 1 : 0;
        g_assert_cmpuint(n, ==, want[degree]);
    }
}

static uint64_t product(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;

    for (int i = 0; i < 32; i++)
        sum ^= b >> i & 1 ? a << i : 0;
    return sum;
}

static void a_product_is_not_irreducible(void)
{
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t a = (uint64_t)g_test_rand_int() | 2;
        uint64_t b = (uint64_t)(g_test_rand_int() & 0x7fffffff) | 2;

        g_assert_false(polynomial_irreducible(product(a & 0xffffffff, b)));
    }
}

static void the_largest_degree_works(void)
{
    // X^63 + X + 1 is a known primitive trinomial; X^63 + 1 has the root 1
    g_assert_true(polynomial_irreducible(1ull << 63 | 3));
    g_assert_false(polynomial_irreducible(1ull << 63 | 1));
    g_assert_false(polynomial_irreducible(0));
    g_assert_false(polynomial_irreducible(1));
}

static void random_ones_are_irreducible_of_degree_53_and_differ(void)
{
    uint64_t last = 0;

    for (unsigned i = 0; i < 20; i++) {
        uint64_t polynomial = polynomial_random();

        g_assert_cmpuint(polynomial >> 53, ==, 1);
        g_assert_true(polynomial_irreducible(polynomial));
        g_assert_cmpuint(polynomial, !=, last);
        last = polynomial;
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/polynomial/vectors", polynomials_of_the_vectors_are_told_apart);
    g_test_add_func("/polynomial/counts", there_are_as_many_of_each_degree_as_there_should_be);
    g_test_add_func("/polynomial/products", a_product_is_not_irreducible);
    g_test_add_func("/polynomial/largest", the_largest_degree_works);
    g_test_add_func("/polynomial/random", random_ones_are_irreducible_of_degree_53_and_differ);
    return g_test_run();
}
