/* SPDX-License-Identifier: Apache-2.0 */
/* All key files of a repository, and the one that a password opens. */
#pragma once
#include "repo/keyfile.h"
#include "store/store.h"

typedef struct {
    const char *hint; /* id prefix of the key file to try first, or NULL */
    /* Whole id, as hex, of the one that is likely to open, or NULL. It is asked for by itself; only
     * when it is gone or does not open the others are listed. */
    const char *likely;
} KeyringWish;

/*
 * Damaged key files are passed over; one
 * whose content does not match its name but that can be read is tried last, for it may be the only
 * way to the data. BS_ERROR_PASSWORD when none opens; the text names the damaged ones. Other
 * errors: of the store.
 */
bool keyring_open(Store *store, const Secret *password, const KeyringWish *wish,
                  SealKey *ret_master, Id *ret_key, GError **error);
