/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of its own for GnuPG, and gpgme working in it (flow/openpgp.h). One thread at a time.
 */
#pragma once
#include "base/secret.h"
#include <glib.h>
#include <gpgme.h>
#include <stdbool.h>

/* "io-buffer-size" of gpgme, which else hands on 512 bytes at a time. With each write it walks over
 * all that it holds, for a trace that nobody reads, and a pipe takes 64 KiB: with 1 MiB that walk
 * was most of the CPU time. */
#define GPG_BUFFER "65536"

typedef struct {
    char *dir;
    gpgme_ctx_t gpg;
    const Secret *passphrase; /* handed to GnuPG when it asks; NULL: it gets none; borrowed */
    bool asked;               /* for it */
    bool refused;             /* it asked again, so the first answer was wrong */
    bool unchecked;           /* it decrypted something without integrity check */
    bool private_keys;        /* some of those taken in are */
    GPtrArray *recipients;    /* of the last message: ids of keys (char *), as GnuPG told them */
    GHashTable *told;         /* set of the status keywords of the last operation */
} GpgHome;

/* secrets: it will have to do with passphrases or private keys. BS_ERROR_UNSUPPORTED: there is no
 * GnuPG, or not the part of it that keeps those. */
bool gpg_home_open(GpgHome *home, const Secret *passphrase, bool secrets, GError **error);
/* Takes keys in. BS_ERROR_CORRUPT: there are none. */
bool gpg_home_import(GpgHome *home, GBytes *keys, GError **error);
/* Whether GnuPG said this keyword (doc/DETAILS of GnuPG) in the last operation, or that there was
 * an ERROR at this place. */
bool gpg_home_told(const GpgHome *home, const char *keyword);
/* Ends what GnuPG has left running, and removes the directory. */
void gpg_home_close(GpgHome *home);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GpgHome, gpg_home_close)

/* Sets "<what>: <why>" with the code. */
void gpg_fail(GError **error, int code, const char *what, gpgme_error_t why);
