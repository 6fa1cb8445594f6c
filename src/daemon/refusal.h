/* SPDX-License-Identifier: Apache-2.0 */
/* Why the scheduler refused, in a word: so that who asked can decide as the scheduler would. */
#pragma once
#include <glib.h>

const char *refusal_word(const GError *error); /* "not-found"; constant; "failed" for the rest */
int refusal_code(const char *word);            /* of BS_ERROR; NULL and unknown ones: FAILED */
