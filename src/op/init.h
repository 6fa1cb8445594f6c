/* SPDX-License-Identifier: Apache-2.0 */
/* A new repository. */
#pragma once
#include "op/open.h"

typedef struct {
    unsigned version;  /* 2 */
    bool copy_chunker; /* take the polynomial of another repository, so that restic's blobs match */
    const char *from;  /* that repository's location */
    PasswordFrom from_password;
    KeyCost cost; /* n == 0: the default */
} InitRequest;

/* ret_id, ret_location: to be freed. */
bool op_init(const Settings *settings, const InitRequest *request, const Cancel *cancel,
             char **ret_id, char **ret_location, GError **error);
