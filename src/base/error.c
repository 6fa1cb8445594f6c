/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>

GQuark bs_error_quark(void)
{
    return g_quark_from_static_string("bs-error-quark");
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
        [BS_ERROR_PARTIAL] = 3,    [BS_ERROR_NO_REPO] = 10,    [BS_ERROR_LOCKED] = 11,
        [BS_ERROR_PASSWORD] = 12,  [BS_ERROR_CONFIG] = 20,     [BS_ERROR_UNREACHABLE] = 21,
        [BS_ERROR_AUTH] = 22,      [BS_ERROR_VERSION] = 23,    [BS_ERROR_NO_SPACE] = 24,
        [BS_ERROR_NOT_EMPTY] = 25, [BS_ERROR_MISMATCH] = 27,   [BS_ERROR_GUARD] = 28,
        [BS_ERROR_SOFT_SKIP] = 75, [BS_ERROR_CANCELLED] = 130,
    };

    if (!error)
        return 0;
    if (error->domain != BS_ERROR || error->code < 0 ||
        (size_t)error->code >= G_N_ELEMENTS(statuses) || statuses[error->code] == 0)
        return 1;
    return statuses[error->code];
}
