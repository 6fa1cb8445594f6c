/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that make up the catalogue. */
#pragma once
#include "state/catalog.h"
#include "state/db.h"

struct Catalog {
    Db *db;
    char *url;
    Secret *password; /* NULL: none */
};

/* 32 hex digits: 12 of the milliseconds, 20 random, so that ids are in order of time. */
char *catalog_new_id(int64_t at_ms);

/* An object that is stored as text; NULL is stored as null. */
void catalog_bind_json(DbQuery *query, unsigned n, const json_t *value);
/* BS_ERROR_CORRUPT: what is stored is no JSON. what: for the message. */
bool catalog_read_json(DbQuery *query, unsigned column, const char *what, json_t **ret_value,
                       GError **error);
/* Sorted keys, no white space: the same value gives the same text. */
char *catalog_json_text(const json_t *value);

/* One statement whose only parameters are texts, NULL at the end. */
bool catalog_run(Catalog *catalog, int64_t *ret_changed, GError **error, const char *sql,
                 ...) G_GNUC_NULL_TERMINATED;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)
