/* SPDX-License-Identifier: Apache-2.0 */
/* What a portable file is, by its first bytes. */
#include "source/importing.h"
#include "source/pgdumpfiles.h"
#include <string.h>

bool import_is_dump(const uint8_t *data, size_t n)
{
    return n >= 5 && memcmp(data, "PGDMP", 5) == 0;
}

/* Both begin with a comment that says so. */
bool import_is_sql(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;

    return g_strstr_len(text, (gssize)n, "-- PostgreSQL database dump\n") ||
           g_strstr_len(text, (gssize)n, "-- PostgreSQL database cluster dump\n");
}

bool import_is_rdb(const uint8_t *data, size_t n)
{
    return n >= 9 && memcmp(data, "REDIS", 5) == 0;
}

bool import_is_sqlite(const uint8_t *data, size_t n)
{
    return n >= 16 && memcmp(data, "SQLite format 3", 16) == 0;
}

/* POSIX.1, "pax": and so all that GNU tar has written for decades. */
bool import_is_tar(const uint8_t *data, size_t n)
{
    return n >= 512 && memcmp(data + 257, "ustar", 5) == 0;
}

/* The header of the first entry, behind those that only add to it ("pax"); NULL: not in these
 * bytes. */
static const char *first_header(const uint8_t *data, size_t n)
{
    size_t at = 0;

    while (import_is_tar(data + at, n - at)) {
        const char *header = (const char *)data + at;
        g_autofree char *octal = g_strndup(header + 124, 11);
        uint64_t size = g_ascii_strtoull(octal, NULL, 8);

        // nor folders, before what is in them
        if (header[156] != 'x' && header[156] != 'g' && header[156] != '5')
            return header;
        if (size > n - at)
            return NULL;
        at = MIN(at + 512 + ((size_t)size + 511) / 512 * 512, n);
    }
    return NULL;
}

/* What such an archive begins with; others are known by their names. */
bool import_is_application(const uint8_t *data, size_t n)
{
    const char *header = first_header(data, n);
    g_autofree char *name = header ? g_strndup(header, 100) : g_strdup("");
    const char *plain = name + (g_str_has_prefix(name, "./") ? 2 : 0);

    return strcmp(plain, "manifest.json") == 0 || g_str_has_prefix(plain, "database/");
}

/* As export writes the manifest of a snapshot that holds such a dump: keys are sorted, so that this
 * one comes before all that is long. */
static bool tells_of_dump_files(const char *text, size_t n)
{
    static const char first[] = "{\n  \"backstay_version\": ";

    return n >= sizeof first && memcmp(text, first, sizeof first - 1) == 0 &&
           g_strstr_len(text, (gssize)n, "\"format\": \"directory\"");
}

/* The first file in it, in a folder or not, bears a name that pg_dump gives, or is the manifest
 * that lies beside the folder with these. */
bool import_is_dump_files(const uint8_t *data, size_t n)
{
    const char *header = first_header(data, n);
    g_autofree char *path = header ? g_strndup(header, 100) : g_strdup("");
    g_autofree char *name = g_path_get_basename(path);
    size_t content = header ? (size_t)((const uint8_t *)header - data) + 512 : n;

    return pgdump_files_has_name(name) ||
           (strcmp(name, "manifest.json") == 0 && strchr(path, '/') && content < n &&
            tells_of_dump_files((const char *)data + content, n - content));
}
