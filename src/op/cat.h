/* SPDX-License-Identifier: Apache-2.0 */
/* The inner objects of a repository, for people who look for a fault. */
#pragma once
#include "op/open.h"

typedef enum {
    CAT_MASTERKEY,
    CAT_CONFIG,
    CAT_INDEX,
    CAT_SNAPSHOT,
    CAT_KEY,
    CAT_LOCK,
    CAT_PACK,
    CAT_BLOB,
    CAT_TREE, /* named by a snapshot and a path */
} CatKind;

/* BS_ERROR_USAGE lists the kinds. */
bool cat_kind_parse(const char *text, CatKind *ret_kind, GError **error);
bool cat_kind_has_name(CatKind kind); /* false: there is only one of it */
bool cat_kind_is_json(CatKind kind);  /* one JSON object; pack and blob are bytes, tree and index
                                         the text as it is */

/* name: an id or its beginning; for blobs a whole id. A pack is given even when it does not match
 * its name, which is logged. */
bool op_cat(OpenRepo *open, CatKind kind, const char *name, const Cancel *cancel,
            GBytes **ret_bytes, GError **error);
