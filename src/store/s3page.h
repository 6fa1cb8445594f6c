/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page of a listing: of objects (ListObjectsV2), of their versions (ListObjectVersions) or of
 * unfinished uploads (ListMultipartUploads), Amazon S3 API Reference. Pure.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *key; /* as the bucket knows it */
    uint64_t size;
    int64_t modified_at;  /* Unix seconds; of an upload: when it began */
    char *id;             /* of an upload or a version; NULL for objects */
    bool latest, removed; /* of versions: what a GET gives; a delete marker */
} S3Entry;

typedef struct {
    GPtrArray *entries; /* of S3Entry, as they came */
    bool truncated;
    char *token;                            /* where the next page begins; objects */
    char *next_key_marker, *next_id_marker; /* uploads, versions */
} S3Page;
void s3_page_clear(S3Page *page);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(S3Page, s3_page_clear)

/*
 * BS_ERROR_TRANSIENT, "the listing is incomplete: ...": half a document, another one, a count that
 * does not fit, more pages but not where. What it misses without a trace nobody can see here.
 */
bool s3_page_read_objects(const char *xml, size_t len, S3Page *ret_page, GError **error);
bool s3_page_read_uploads(const char *xml, size_t len, S3Page *ret_page, GError **error);
bool s3_page_read_versions(const char *xml, size_t len, S3Page *ret_page, GError **error);

/* Every key begins with prefix and comes after *last, the last one of the page before ("" at
 * first), which is moved on. strictly: none twice. The same error. */
bool s3_page_check_order(const S3Page *page, const char *prefix, bool strictly, char **last,
                         GError **error);
bool s3_page_incomplete(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
