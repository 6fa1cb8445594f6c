/* SPDX-License-Identifier: Apache-2.0 */
#include "source/importtarread.h"

#include "base/error.h"
#include "source/importname.h"
#include <archive.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

#define READ_LEN (1u << 18)
#define END_LEN  1024 /* two blocks of zeros */
#define HOLES    "a file with holes; make the archive without tar --sparse"

struct ImportTarReader {
    Inlet *inlet;         /* borrowed */
    const Cancel *cancel; /* borrowed */
    uint64_t entries, entries_max;
    struct archive *archive;
    bool opened;
    locale_t utf8;   /* 0 where the system has none */
    GError *failure; /* of the inlet */
    uint8_t *buffer;
    uint64_t given;      /* bytes to libarchive */
    size_t last;         /* of them with the last call */
    la_int64_t position; /* where the last entry ended */

    struct archive_entry *entry; /* at hand; borrowed of archive */
    char *path;                  /* of it */
    uint64_t left;               /* of its content */
    const uint8_t *block;        /* of that; borrowed of archive */
    size_t block_len;
};

ImportTarReader *import_tar_reader_new(Inlet *inlet, uint64_t entries_max, const Cancel *cancel)
{
    ImportTarReader *tar = g_new0(ImportTarReader, 1);

    tar->inlet = inlet;
    tar->cancel = cancel;
    tar->entries_max = entries_max;
    tar->archive = archive_read_new();
    tar->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    tar->buffer = g_malloc(READ_LEN);
    return tar;
}

void import_tar_reader_free(ImportTarReader *tar)
{
    if (!tar)
        return;
    (void)archive_read_free(tar->archive); // it was only read
    if (tar->utf8)
        freelocale(tar->utf8);
    g_clear_error(&tar->failure);
    g_free(tar->path);
    g_free(tar->buffer);
    g_free(tar);
}

/* ---- the stream ---- */

static la_ssize_t give(struct archive *archive, void *user, const void **ret_data)
{
    ImportTarReader *tar = user;
    size_t n;

    *ret_data = tar->buffer;
    if (cancel_check(tar->cancel, &tar->failure) &&
        inlet_read(tar->inlet, tar->buffer, READ_LEN, &n, &tar->failure)) {
        tar->given += n;
        tar->last = n > 0 ? n : tar->last;
        return (la_ssize_t)n;
    }
    archive_set_error(archive, EIO, "%s", tar->failure->message);
    return -1;
}

static bool fail(ImportTarReader *tar, GError **error)
{
    const char *why = archive_error_string(tar->archive);

    if (tar->failure)
        g_propagate_error(error, g_steal_pointer(&tar->failure));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tar: %s (before byte %" G_GINT64_FORMAT ")",
                    why ? why : "damaged", (gint64)archive_filter_bytes(tar->archive, 0));
    return false;
}

/* ---- entries ---- */

bool import_tar_reader_count(ImportTarReader *tar, GError **error)
{
    if (++tar->entries <= tar->entries_max)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "tar: it holds more than %" G_GUINT64_FORMAT
                " entries; if that is right, allow more with --max-files",
                tar->entries_max);
    return false;
}

static bool type_is_good(struct archive_entry *entry, const char *path, GError **error)
{
    const char *target = archive_entry_symlink(entry);

    if (archive_entry_hardlink(entry))
        return import_name_refuse(path,
                                  "a hard link, which is not followed; make the archive with tar "
                                  "--hard-dereference",
                                  error);
    if (archive_entry_sparse_count(entry) > 0)
        return import_name_refuse(path, HOLES, error);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
    case AE_IFDIR:
        return true;
    case AE_IFLNK:
        return (target && *target && import_name_link_stays(path, target)) ||
               import_name_refuse(path, "a symbolic link that leads out of the archive", error);
    default:
        return import_name_refuse(path, "neither a file nor a directory nor a link", error);
    }
}

static bool has_end(ImportTarReader *tar, GError **error)
{
    if (archive_filter_bytes(tar->archive, 0) - tar->position >= END_LEN)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "tar: it ends early: after the last entry there is no end");
    return false;
}

/* *ret_path: to be freed; NULL: there are no more. */
static bool next_entry(ImportTarReader *tar, char **ret_path, GError **error)
{
    locale_t before = uselocale(tar->utf8 ? tar->utf8 : LC_GLOBAL_LOCALE);
    int status = archive_read_next_header(tar->archive, &tar->entry);
    const char *name = status == ARCHIVE_OK ? archive_entry_pathname(tar->entry) : NULL;
    g_autofree char *path = name ? import_name_clean(name) : NULL;

    uselocale(before);
    *ret_path = NULL;
    if (status == ARCHIVE_EOF)
        return has_end(tar, error);
    if (!path)
        return fail(tar, error);
    tar->left = (uint64_t)MAX(archive_entry_size(tar->entry), 0);
    tar->block_len = 0;
    if (!import_tar_reader_count(tar, error))
        return false;
    if (!(S_ISDIR(archive_entry_filetype(tar->entry)) && !*path) &&
        !(import_name_is_good(path, error) && type_is_good(tar->entry, path, error)))
        return false;
    *ret_path = g_steal_pointer(&path);
    return true;
}

/* Of a file with holes libarchive would make zeros without end from a header alone, and it does not
 * count a hole that is all of the file; here what stands in the archive comes, or nothing. */
static bool next_block(ImportTarReader *tar, GError **error)
{
    uint64_t at = (uint64_t)archive_entry_size(tar->entry) - tar->left;
    const void *data;
    la_int64_t offset;
    int status = archive_read_data_block(tar->archive, &data, &tar->block_len, &offset);

    tar->block = data;
    if (status == ARCHIVE_EOF || (status == ARCHIVE_OK && (uint64_t)offset != at))
        return import_name_refuse(tar->path, HOLES, error);
    return status == ARCHIVE_OK || fail(tar, error);
}

bool import_tar_reader_read(ImportTarReader *tar, void *buf, size_t len, size_t *ret_n,
                            GError **error)
{
    len = MIN(len, tar->left);
    while (len > 0 && tar->block_len == 0)
        if (!next_block(tar, error))
            return false;
    *ret_n = MIN(len, tar->block_len);
    if (*ret_n == 0)
        return true;
    memcpy(buf, tar->block, *ret_n);
    tar->block += *ret_n;
    tar->block_len -= *ret_n;
    tar->left -= *ret_n;
    return true;
}

static bool skip_rest(ImportTarReader *tar, GError **error)
{
    if (archive_read_data_skip(tar->archive) != ARCHIVE_OK)
        return fail(tar, error);
    tar->position = archive_filter_bytes(tar->archive, 0);
    return true;
}

/* ---- the end ---- */

static bool only_zeros(const uint8_t *data, size_t n)
{
    return n == 0 || (*data == 0 && memcmp(data, data + 1, n - 1) == 0);
}

/* tar writes zeros up to the length of a record; libarchive stops before them. */
static bool only_zeros_follow(ImportTarReader *tar, GError **error)
{
    Inlet *inlet = tar->inlet;
    size_t n = 1;

    while (n > 0) {
        if (!inlet_read(inlet, tar->buffer, READ_LEN, &n, error))
            return false;
        if (!only_zeros(tar->buffer, n)) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tar: something comes after its end");
            return false;
        }
    }
    return true;
}

/* What was read with the last block lies behind where libarchive stopped. */
static bool rest_is_zeros(ImportTarReader *tar, GError **error)
{
    uint64_t stopped = (uint64_t)archive_filter_bytes(tar->archive, 0);
    size_t rest = (size_t)MIN(tar->given - stopped, tar->last);

    if (only_zeros(tar->buffer + tar->last - rest, rest))
        return only_zeros_follow(tar, error);
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tar: something comes after its end");
    return false;
}

static bool open_archive(ImportTarReader *tar, GError **error)
{
    tar->opened = true;
    return (archive_read_support_format_tar(tar->archive) == ARCHIVE_OK &&
            archive_read_open(tar->archive, tar, NULL, give, NULL) == ARCHIVE_OK) ||
           fail(tar, error);
}

bool import_tar_reader_next(ImportTarReader *tar, const char **ret_path,
                            struct archive_entry **ret_entry, GError **error)
{
    char *path;

    if (!(tar->opened ? skip_rest(tar, error) : open_archive(tar, error)))
        return false;
    g_clear_pointer(&tar->path, g_free);
    if (!next_entry(tar, &path, error) || (!path && !rest_is_zeros(tar, error)))
        return false;
    tar->path = path;
    *ret_path = path;
    *ret_entry = path ? tar->entry : NULL;
    return true;
}
