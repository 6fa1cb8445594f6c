/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/refusal.h"

#include "base/error.h"
#include <string.h>

/* Not BS_ERROR_UNREACHABLE: for who asks, that is the scheduler itself. */
static const struct {
    int code;
    const char *word;
} words[] = {
    { BS_ERROR_TRANSIENT, "transient" },
    { BS_ERROR_NOT_FOUND, "not-found" },
    { BS_ERROR_EXISTS, "exists" },
    { BS_ERROR_DENIED, "denied" },
    { BS_ERROR_NO_SPACE, "no-space" },
    { BS_ERROR_USAGE, "usage" },
    { BS_ERROR_UNSUPPORTED, "unsupported" },
    { BS_ERROR_LOCKED, "locked" },
    { BS_ERROR_CONFIG, "config" },
    { BS_ERROR_NOT_EMPTY, "not-empty" },
    { BS_ERROR_GUARD, "guard" },
    { BS_ERROR_PROTECTED, "protected" },
    { BS_ERROR_LOST, "lost" },
};

const char *refusal_word(const GError *error)
{
    for (size_t i = 0; error->domain == BS_ERROR && i < G_N_ELEMENTS(words); i++)
        if (words[i].code == error->code)
            return words[i].word;
    return "failed";
}

int refusal_code(const char *word)
{
    for (size_t i = 0; word && i < G_N_ELEMENTS(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].code;
    return BS_ERROR_FAILED;
}
