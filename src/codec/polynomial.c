/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/polynomial.h"
#include "base/id.h"

#define DEGREE 53

/* Bit i of a number is the coefficient of X^i. */

static int degree(uint64_t a)
{
    return a == 0 ? -1 : 63 - __builtin_clzll(a);
}

static uint64_t remainder_of(uint64_t a, uint64_t divisor)
{
    for (int shift = degree(a) - degree(divisor); shift >= 0; shift = degree(a) - degree(divisor))
        a ^= divisor << shift;
    return a;
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = remainder_of(a, b);

        a = b;
        b = rest;
    }
    return a;
}

/* a * b modulo the polynomial, both reduced already. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t polynomial)
{
    uint64_t top = 1ull << degree(polynomial);
    uint64_t product = 0;

    for (; b != 0; b >>= 1) {
        if (b & 1)
            product ^= a;
        a <<= 1;
        if (a & top)
            a ^= polynomial;
    }
    return product;
}

/* X^(2^i) - X is the product of all irreducible polynomials whose degree divides i: a reducible one
 * shares a factor with it for some i up to half its degree. */
bool polynomial_irreducible(uint64_t polynomial)
{
    const uint64_t x = 2;
    uint64_t power = x; // X^(2^i)

    if (degree(polynomial) < 1)
        return false;
    for (int i = 1; i <= degree(polynomial) / 2; i++) {
        power = multiply(power, power, polynomial);
        if (greatest_common_divisor(polynomial, power ^ x) != 1)
            return false;
    }
    return true;
}

uint64_t polynomial_random(void)
{
    uint64_t polynomial;

    do {
        random_bytes(&polynomial, sizeof polynomial);
        polynomial &= (1ull << (DEGREE + 1)) - 1;
        polynomial |= 1ull << DEGREE | 1;
    } while (!polynomial_irreducible(polynomial));
    return polynomial;
}
