/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error domain. The code is for those who decide (retry, skip, exit status), the text for
 * those who read: small first letter, no full stop, no secret, and after a semicolon what to do.
 */
#pragma once
#include <glib.h>
#include <stdint.h>

#define BS_ERROR bs_error_quark()
GQuark bs_error_quark(void);

typedef enum {
    BS_ERROR_FAILED,      /* anything else */
    BS_ERROR_TRANSIENT,   /* may work when tried again */
    BS_ERROR_NOT_FOUND,   /* the thing named does not exist */
    BS_ERROR_EXISTS,      /* it exists already */
    BS_ERROR_CORRUPT,     /* foreign bytes that break their format, or do not match their hash */
    BS_ERROR_DENIED,      /* no permission */
    BS_ERROR_NO_SPACE,    /* disk or quota full */
    BS_ERROR_CANCELLED,   /* the user or a signal stopped the work */
    BS_ERROR_USAGE,       /* wrong option or operand */
    BS_ERROR_UNSUPPORTED, /* a version, type or feature we do not know */
    BS_ERROR_PARTIAL,     /* done, but some items were left out (exit 3) */
    BS_ERROR_NO_REPO,     /* there is no repository (exit 10) */
    BS_ERROR_LOCKED,      /* somebody else holds the lock (exit 11) */
    BS_ERROR_PASSWORD,    /* no key opens with this password (exit 12) */
    BS_ERROR_CONFIG,      /* configuration invalid (exit 20) */
    BS_ERROR_UNREACHABLE, /* a source or target server does not answer (exit 21) */
    BS_ERROR_AUTH,        /* a source or target server refuses the login (exit 22) */
    BS_ERROR_VERSION,     /* client, server or dump versions do not fit (exit 23) */
    BS_ERROR_WAL_GAP,     /* WAL that is needed is not held (exit 26) */
    BS_ERROR_WAL_ABSENT,  /* proven: the repository holds no WAL file of that name */
    BS_ERROR_NOT_EMPTY,   /* the target holds data (exit 25) */
    BS_ERROR_MISMATCH,    /* what was restored differs from what was recorded (exit 27) */
    BS_ERROR_GUARD,       /* retention would remove what must stay (exit 28) */
    BS_ERROR_DESTINATION, /* done, but not at every destination (exit 30) */
    BS_ERROR_PROTECTED,   /* the store keeps it until a time: object lock (exit 31) */
    BS_ERROR_LAG,         /* WAL is archived later than asked for (exit 32) */
    BS_ERROR_SETUP,       /* a server lacks what backups need (exit 33) */
    BS_ERROR_SOFT_SKIP,   /* skipped on purpose (exit 75) */
    BS_ERROR_STALE,       /* it was changed by somebody since it was read */
    BS_ERROR_LOST,        /* what was ours is another's by now: a run, a lease */
} BsErrorCode;

/* Sets *error from an errno value: "<text>: <strerror>", with the code that fits (ENOENT is
 * NOT_FOUND, EEXIST EXISTS, EACCES and EPERM DENIED, ENOSPC and EDQUOT NO_SPACE, ...). */
void bs_error_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* A server that is asked too often may say when to come back. The wait travels with the error: in
 * ms, 0 for none; nothing for errors of other domains. */
void bs_error_set_wait_ms(GError *error, int64_t wait_ms);
int64_t bs_error_wait_ms(const GError *error);

/* The process exit status for an error: conventions of restic (1, 3, 10, 11, 12, 130), ours
 * from 20. */
int bs_error_exit_status(const GError *error);
/* Another one, for programs that read statuses their own way. Errors of other domains keep theirs.
 */
void bs_error_set_exit_status(GError *error, int status);
