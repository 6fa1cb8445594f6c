/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the check share: texts (checktext.c), and what is made of them (check.c). */
#pragma once
#include "config/check.h"

/* What is meant by a value of which a reference may stand in the file; new. NULL: that was a
 * problem. */
json_t *check_resolved(const Check *check, const Field *field, const json_t *value,
                       const char *pointer);
/* The text as its type keeps it; new. NULL: that was a problem. */
json_t *check_text(const Check *check, const Field *field, const json_t *value,
                   const char *pointer);
/* Adds a problem; always NULL. wanted: what to write instead. */
json_t *check_wrong_kind(const Check *check, const json_t *value, const char *pointer,
                         const char *wanted);
