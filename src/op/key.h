/* SPDX-License-Identifier: Apache-2.0 */
/* The passwords of a repository: key files, each with the one master key sealed under a password.
 */
#pragma once
#include "op/open.h"

typedef struct {
    Id id;
    bool current; /* opened the repository */
    char *username, *hostname;
    Timestamp created;
} KeyInfo;

/* Of KeyInfo, which it frees. Key files that cannot be read are logged and counted. */
bool op_key_list(Repo *repo, GArray **ret_keys, unsigned *ret_unreadable, GError **error);

/* username, hostname: NULL for ours. The new key file is opened once before it counts, and removed
 * again when it does not open. */
bool op_key_add(Repo *repo, const Secret *password, const char *username, const char *hostname,
                Id *ret_id, GError **error);
/* Refuses the key in use. */
bool op_key_remove(Repo *repo, const char *name, Id *ret_id, GError **error);
/* Adds one and then removes the one in use. */
bool op_key_change(Repo *repo, const Secret *password, const char *username, const char *hostname,
                   Id *ret_id, GError **error);

/* The master key in clear, as restic's `cat masterkey`: whoever has it needs no password. */
GBytes *key_master_text(Repo *repo);
/* Writes it to a new file, readable by its owner only. BS_ERROR_EXISTS. */
bool op_key_export(Repo *repo, const char *path, GError **error);
