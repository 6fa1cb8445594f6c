/* SPDX-License-Identifier: Apache-2.0 */
/* What a bucket says of itself: its versioning, its object lock, its lifecycle rules (Amazon S3 API
 * Reference, GetBucketVersioning, GetObjectLockConfiguration, GetBucketLifecycleConfiguration).
 * Pure. BS_ERROR_CORRUPT: another document. */
#pragma once
#include "store/store.h"

bool s3_rules_read_versioning(const char *xml, size_t len, StoreGuard *guard, GError **error);
bool s3_rules_read_lock(const char *xml, size_t len, StoreGuard *guard, GError **error);
/* Only rules that are on and touch what lies below prefix ("" or ending in '/'), and do any harm or
 * make room. Ours have no tags, so rules for tagged objects do not touch them. */
bool s3_rules_read_lifecycle(const char *xml, size_t len, const char *prefix, StoreGuard *guard,
                             GError **error);
