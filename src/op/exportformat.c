/* SPDX-License-Identifier: Apache-2.0 */
#include "op/exportformat.h"

#include "base/error.h"
#include <string.h>

#define PLAIN_LEVELS 0
#define GZIP_LEVELS  9
#define ZSTD_LEVELS  19

static const struct {
    const char *name;
    ExportFormat format;
} formats[] = {
    { "dump", { EXPORT_DUMP, EXPORT_PLAIN, 0 } },  { "sql", { EXPORT_SQL, EXPORT_PLAIN, 0 } },
    { "sql.gz", { EXPORT_SQL, EXPORT_GZIP, 0 } },  { "sql.zst", { EXPORT_SQL, EXPORT_ZSTD, 0 } },
    { "tar", { EXPORT_TAR, EXPORT_PLAIN, 0 } },    { "tar.gz", { EXPORT_TAR, EXPORT_GZIP, 0 } },
    { "tar.zst", { EXPORT_TAR, EXPORT_ZSTD, 0 } }, { "rdb", { EXPORT_RDB, EXPORT_PLAIN, 0 } },
    { "rdb.gz", { EXPORT_RDB, EXPORT_GZIP, 0 } },  { "rdb.zst", { EXPORT_RDB, EXPORT_ZSTD, 0 } },
    { "db", { EXPORT_DB, EXPORT_PLAIN, 0 } },      { "db.gz", { EXPORT_DB, EXPORT_GZIP, 0 } },
    { "db.zst", { EXPORT_DB, EXPORT_ZSTD, 0 } },   { "app", { EXPORT_APP, EXPORT_GZIP, 0 } },
};

bool export_format_parse(const char *text, ExportFormat *ret_format, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (strcmp(text, formats[i].name) == 0) {
            *ret_format = formats[i].format;
            return true;
        }
    }
    g_set_error(
        error, BS_ERROR, BS_ERROR_USAGE,
        "%s: must be dump, sql, tar, rdb or db, all but the first also with .gz or .zst, or app",
        text);
    return false;
}

bool export_format_guess(const char *name, ExportFormat *ret_format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *end = g_strconcat(".", formats[i].name, NULL);
        g_autofree char *sealed_end = g_strconcat(end, ".gpg", NULL);

        if (g_str_has_suffix(name, end) || g_str_has_suffix(name, sealed_end)) {
            *ret_format = formats[i].format;
            return true;
        }
    }
    return false;
}

const char *export_format_name(const ExportFormat *format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i].format.kind == format->kind &&
            formats[i].format.compression == format->compression)
            return formats[i].name;
    g_return_val_if_reached(NULL);
}

const char *export_format_ending(const ExportFormat *format)
{
    return format->kind == EXPORT_APP ? "tar.gz" : export_format_name(format);
}

bool export_format_set_level(ExportFormat *format, int level, GError **error)
{
    static const int most[] = {
        [EXPORT_PLAIN] = PLAIN_LEVELS,
        [EXPORT_GZIP] = GZIP_LEVELS,
        [EXPORT_ZSTD] = ZSTD_LEVELS,
    };

    format->level = level;
    if (level >= 0 && level <= most[format->compression])
        return true;
    if (format->compression == EXPORT_PLAIN)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s is not compressed, and has no levels",
                    export_format_name(format));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%d: must be 1 to %d for %s", level,
                    most[format->compression], export_format_name(format));
    return false;
}
