/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/amount.h"
#include "base/error.h"
#include <string.h>

static const char letters[] = "BKMGT"; // each 1024 times the one before

bool size_parse(const char *text, uint64_t *ret_bytes, GError **error)
{
    uint64_t number;
    size_t n_digits = strspn(text, "0123456789");
    const char *letter = letters;
    g_autofree char *digits = g_strndup(text, n_digits);

    if (text[n_digits])
        letter = strchr(letters, g_ascii_toupper(text[n_digits]));

    bool well_formed = n_digits && letter && (!text[n_digits] || !text[n_digits + 1]);
    unsigned shift = letter ? 10 * (unsigned)(letter - letters) : 0;

    if (!well_formed) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "\"%s\" is not a size; write bytes, or a number with K, M, G or T", text);
        return false;
    }
    if (!g_ascii_string_to_unsigned(digits, 10, 0, INT64_MAX >> shift, &number, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "size \"%s\" is too large", text);
        return false;
    }
    *ret_bytes = number << shift;
    return true;
}

char *size_format(uint64_t bytes)
{
    unsigned power = 0;

    if (bytes < 1024)
        return g_strdup_printf("%" G_GUINT64_FORMAT " B", bytes);
    while (power + 2 < sizeof letters && bytes >> (10 * (power + 1)))
        power++;
    return g_strdup_printf("%.3f %ciB", (double)bytes / (double)(UINT64_C(1) << (10 * power)),
                           letters[power]);
}

bool percent_parse(const char *text, double *ret_percent, GError **error)
{
    size_t n = strspn(text, "0123456789.");
    char *end;
    double percent = g_ascii_strtod(text, &end);

    if (!n || end != text + n || strcmp(end, "%") != 0 || !(percent > 0 && percent <= 100)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "\"%s\" is not a share; write a number above 0 and up to 100 with %%", text);
        return false;
    }
    *ret_percent = percent;
    return true;
}
