/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text byte for byte as the repository format wants it ("Plain objects": escapes as Go's
 * encoder writes them, no white space, integers). Ids are hashes of this text. For everything that
 * need not be canonical use jansson.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The string with its quotes; bytes that are not UTF-8 become \ufffd. */
void json_append_string(GString *out, const char *text, size_t len);
void json_append_uint(GString *out, uint64_t value);
void json_append_int(GString *out, int64_t value);
void json_append_base64(GString *out, const void *data,
                        size_t len); /* quoted, standard alphabet, padded */

/* Length of the valid UTF-8 sequence at text (1..4), 0 when the first byte starts none. Overlong
 * forms, surrogates and cut sequences are not valid. ret_char may be NULL. */
size_t utf8_char(const char *text, size_t len, gunichar *ret_char);
bool utf8_valid(const char *text, size_t len);
