/* SPDX-License-Identifier: Apache-2.0 */
/* An authority of a test's own, and certificates: PEM files in a directory. */
#pragma once

/* dir/name.pem, certificate and key; the path is owned by the caller. */
char *certificate_authority(const char *dir, const char *name);
/*
 * Signed by the authority in that file; NULL: by itself. subject_alt as OpenSSL writes it, such as
 * "IP:127.0.0.1"; days: how long from now, negative: over since so long.
 */
char *certificate_new(const char *dir, const char *name, const char *authority,
                      const char *subject_alt, int days);
