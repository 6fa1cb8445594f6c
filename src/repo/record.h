/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: what is ours and must live with the data, as sealed JSON, one object each, under
 * backstay/<kind>/<id>. Named, like everything else, by the SHA-256 of what is stored, so that a
 * copy can be proved; they never change. Stock restic ignores them (repository format, "The wal/
 * prefix"). The seal does not cover names, so each says of itself what it is: the text is an object
 * with "kind" and "repository".
 */
#pragma once
#include "repo/repo.h"
#include <jansson.h>

#define RECORD_MAX (1024u * 1024) /* bytes of text */

typedef struct {
    char text[128];
} RecordKey;

/* "backstay/<kind>/<id>" */
RecordKey record_key(const char *kind, const Id *id);
/* The id of a key that ends in one; false for others. */
bool record_parse_key(const char *key, Id *ret_id);

/* Adds "kind" and "repository" to the object, which is borrowed. Durable when it returns. */
bool record_save(Repo *repo, const char *kind, json_t *object, Id *ret_id, GError **error);
/* BS_ERROR_CORRUPT: damaged, or a record of another kind or repository. */
bool record_load(Repo *repo, const char *kind, const Id *id, json_t **ret_object, GError **error);
bool record_remove(Repo *repo, const char *kind, const Id *id, GError **error);

/* ---- objects of this form under a name of their own, in any store ---- */

bool record_put(Repo *repo, Store *store, const char *key, const char *kind, json_t *object,
                GError **error);
/* BS_ERROR_NOT_FOUND; BS_ERROR_CORRUPT as above. */
bool record_get(Repo *repo, Store *store, const char *key, const char *kind, json_t **ret_object,
                GError **error);
