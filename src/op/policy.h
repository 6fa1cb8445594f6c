/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keys of a machine should be allowed to do in the bucket of a repository, in the policy
 * language of Amazon (IAM User Guide, "JSON policy reference"), as far as Ceph speaks it, too.
 *
 * A writer backs up: it may list and add, and read what it needs for that, but no content; it
 * removes nothing but locks. A maintainer may do all that lies below the prefix. A reader lists and
 * reads.
 *
 * On Ceph an object belongs to whoever wrote it: its writer may read it and open it to others
 * unless a policy denies it, and nobody else may, not even the owner of the bucket, unless a policy
 * allows it. So what a writer must not do is denied, and whoever looks after what it wrote is
 * named.
 */
#pragma once
#include "config/settings.h"
#include <jansson.h>

typedef enum { POLICY_WRITER, POLICY_MAINTAINER, POLICY_READER } PolicyRole;

typedef struct {
    PolicyRole role;
    char *const *users; /* ARNs that get the role; NULL or empty: for an IAM policy */
    char *const
        *maintainers;   /* ARNs that get the rights of a maintainer beside them; may be NULL */
    bool locks_objects; /* writers set an object lock on what they put */
} PolicyRequest;

/* "writer", "maintainer", "reader". BS_ERROR_USAGE. */
bool policy_role_parse(const char *text, PolicyRole *ret_role, GError **error);

/* The bucket's policy when users are given, else one to be attached to a user or role. bucket and
 * prefix as in S3Place. BS_ERROR_USAGE: what is no ARN, or a prefix that would mean something else
 * there. */
bool policy_build(const char *bucket, const char *prefix, const PolicyRequest *request,
                  json_t **ret_policy, GError **error);
