/* SPDX-License-Identifier: Apache-2.0 */
/* The irreducible polynomial over GF(2), degree 53, that every repository config names (repository
 * format, "Content and chunking"). We cut by the gear hash, but restic refuses a config without. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

bool polynomial_irreducible(uint64_t polynomial); /* Ben-Or; any degree up to 63 */
uint64_t polynomial_random(void);                 /* degree 53, irreducible */
