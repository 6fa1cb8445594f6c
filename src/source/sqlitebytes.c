/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlitebytes.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define READ_LEN   (1u << 20)
#define HEADER_LEN 100

static uint32_t number_at(const uint8_t *header, size_t at)
{
    return (uint32_t)header[at] << 24 | (uint32_t)header[at + 1] << 16 |
           (uint32_t)header[at + 2] << 8 | header[at + 3];
}

/* SQLite's "Database File Format", 1.3: the number of pages holds when the version for which it
 * does is that of the last change; what is older than 2010 has none. */
static bool is_whole(const uint8_t *header, uint64_t size, GError **error)
{
    uint32_t page = (uint32_t)header[16] << 8 | header[17];
    uint64_t said;

    page = page == 1 ? 65536 : page;
    if (page < 512 || (page & (page - 1)) != 0 || size % page != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "SQLite: %" G_GUINT64_FORMAT
                    " bytes are no whole number of pages of %u; it was "
                    "cut off",
                    size, page);
        return false;
    }
    said = (uint64_t)number_at(header, 28) * page;
    if (number_at(header, 24) != number_at(header, 92) || said == 0 || said == size)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "SQLite: it has %" G_GUINT64_FORMAT
                " bytes, but says that they are %" G_GUINT64_FORMAT
                "; it was cut off, or its write-ahead log (-wal) stayed behind",
                size, said);
    return false;
}

static bool copy_bytes(Inlet *inlet, int fd, const char *path, uint8_t *header, uint64_t *ret_size,
                       GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(READ_LEN);
    uint64_t size = 0;
    size_t n = 1;

    while (n > 0) {
        if (!inlet_read_full(inlet, buffer, READ_LEN, &n, error) ||
            !fs_write_all(fd, buffer, n, path, error))
            return false;
        if (size == 0)
            memcpy(header, buffer, MIN(n, HEADER_LEN));
        size += n;
    }
    *ret_size = size;
    return true;
}

bool sqlite_take_bytes(Inlet *inlet, const char *path, GError **error)
{
    fs_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    uint8_t header[HEADER_LEN] = { 0 };
    uint64_t size;

    if (fd < 0) {
        bs_error_errno(error, errno, "%s", path);
        return false;
    }
    return copy_bytes(inlet, fd, path, header, &size, error) && is_whole(header, size, error);
}

void sqlite_distrust(sqlite3 *db)
{
    static const int off[] = { SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_TRIGGER,
                               SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION };

    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(off); i++)
        (void)sqlite3_db_config(db, off[i], 0, NULL);
    (void)sqlite3_exec(db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
}
