/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords of people, kept as scrypt (RFC 7914) with its parameters beside it:
 * "$scrypt$ln=15,r=8,p=3$SALT$HASH" in base64url. As many bytes of memory as that takes (32 MiB for
 * each of three lanes) are spent by at most two threads at once. Any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

#define PASSWORD_MIN                                                                               \
    12u /* bytes; NIST SP 800-63B-4 asks for 8 with, 15 without a second factor                    \
         */
#define PASSWORD_MAX 256u

/* BS_ERROR_USAGE: too short, too long, the name itself, or one letter over and over. */
bool password_check(const char *name, const char *password, GError **error);
/* BS_ERROR_TRANSIENT: too many are at it. */
bool password_hash(const char *password, char **ret_hash, GError **error);
/* stored NULL: there is no such user; it takes as long to say no. BS_ERROR_TRANSIENT as above,
 * BS_ERROR_CORRUPT: stored is none of ours. */
bool password_verify(const char *password, const char *stored, bool *ret_fits, GError **error);
