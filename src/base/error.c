/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>

typedef struct {
    int64_t wait_ms;
    int exit_status; // 0: that of the code
} BsErrorPrivate;

static void bs_error_private_init(BsErrorPrivate *extra)
{
    *extra = (BsErrorPrivate){ 0 };
}

static void bs_error_private_copy(const BsErrorPrivate *from, BsErrorPrivate *to)
{
    *to = *from;
}

static void bs_error_private_clear(G_GNUC_UNUSED BsErrorPrivate *extra)
{
}

// the quark, and a place beside each error of this domain
G_DEFINE_EXTENDED_ERROR(BsError, bs_error)

/* GLib registers the domain at its first use, unguarded: two threads that fail at once would do it
 * twice. So it is used before there are any. */
__attribute__((constructor)) static void register_domain(void)
{
    (void)bs_error_quark();
}

void bs_error_set_wait_ms(GError *error, int64_t wait_ms)
{
    if (error->domain == BS_ERROR)
        bs_error_get_private(error)->wait_ms = wait_ms;
}

int64_t bs_error_wait_ms(const GError *error)
{
    return error->domain == BS_ERROR ? bs_error_get_private(error)->wait_ms : 0;
}

void bs_error_set_exit_status(GError *error, int status)
{
    if (error->domain == BS_ERROR)
        bs_error_get_private(error)->exit_status = status;
}

static BsErrorCode code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
        return BS_ERROR_NOT_FOUND;
    case EEXIST:
        return BS_ERROR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return BS_ERROR_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: // a limit on the size of a file is a quota too
        return BS_ERROR_NO_SPACE;
    case ECANCELED:
        return BS_ERROR_CANCELLED;
    case EOPNOTSUPP:
    case ENOSYS:
        return BS_ERROR_UNSUPPORTED;
    case EINTR:
    case EAGAIN:
    case EBUSY:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
        return BS_ERROR_TRANSIENT;
    default:
        return BS_ERROR_FAILED;
    }
}

void bs_error_errno(GError **error, int errnum, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, BS_ERROR, (int)code_of_errno(errnum), "%s: %s", text, g_strerror(errnum));
}

int bs_error_exit_status(const GError *error)
{
    static const int statuses[] = {
        [BS_ERROR_PARTIAL] = 3,     [BS_ERROR_NO_REPO] = 10,     [BS_ERROR_LOCKED] = 11,
        [BS_ERROR_PASSWORD] = 12,   [BS_ERROR_CONFIG] = 20,      [BS_ERROR_UNREACHABLE] = 21,
        [BS_ERROR_AUTH] = 22,       [BS_ERROR_VERSION] = 23,     [BS_ERROR_NO_SPACE] = 24,
        [BS_ERROR_NOT_EMPTY] = 25,  [BS_ERROR_WAL_GAP] = 26,     [BS_ERROR_MISMATCH] = 27,
        [BS_ERROR_GUARD] = 28,      [BS_ERROR_DESTINATION] = 30, [BS_ERROR_PROTECTED] = 31,
        [BS_ERROR_LAG] = 32,        [BS_ERROR_SETUP] = 33,       [BS_ERROR_SOFT_SKIP] = 75,
        [BS_ERROR_CANCELLED] = 130,
    };

    if (!error)
        return 0;
    if (error->domain == BS_ERROR && bs_error_get_private(error)->exit_status != 0)
        return bs_error_get_private(error)->exit_status;
    if (error->domain != BS_ERROR || error->code < 0 ||
        (size_t)error->code >= G_N_ELEMENTS(statuses) || statuses[error->code] == 0)
        return 1;
    return statuses[error->code];
}
