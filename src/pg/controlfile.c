/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/controlfile.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>

#define TORN_TRIES    20
#define TORN_PAUSE_MS 20 /* the server writes one sector */

static bool read_once(const char *path, PgControl *ret_control, GBytes **ret_bytes, GError **error)
{
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    uint8_t data[PG_CONTROL_FILE_LEN];
    size_t len;

    if (fd < 0) {
        bs_error_errno(error, errno, "open %s", path);
        return false;
    }
    if (!fs_read_full(fd, data, sizeof data, &len, path, error))
        return false;
    if (pg_control_parse(data, len, ret_control, error)) {
        if (ret_bytes)
            *ret_bytes = g_bytes_new(data, len);
        return true;
    }
    g_prefix_error(error, "%s: ", path);
    return false;
}

bool pg_control_load(const char *pgdata, PgControl *ret_control, GBytes **ret_bytes, GError **error)
{
    g_autofree char *path = g_build_filename(pgdata, "global", "pg_control", NULL);

    for (unsigned tries = 1;; tries++) {
        g_autoptr(GError) failure = NULL;

        if (read_once(path, ret_control, ret_bytes, &failure))
            return true;
        if (!g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) || tries == TORN_TRIES) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        clock_sleep_ms(TORN_PAUSE_MS);
    }
}

bool pg_control_read(const char *pgdata, PgControl *ret_control, GError **error)
{
    return pg_control_load(pgdata, ret_control, NULL, error);
}
