/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive of tar, entry by entry. libarchive reads the headers, tar's and no other's: what is
 * packed is unpacked before it (flow/inlet.h), for its gzip reader compares no checksum, and that
 * an archive has its end is looked at here, for one that is cut between two entries is whole to it.
 * What would lead out of its top folder, or is neither file, directory nor link, is refused. One
 * thread.
 */
#pragma once
#include "base/cancel.h"
#include "flow/inlet.h"
#include <archive_entry.h>

typedef struct ImportTarReader ImportTarReader;

/* Borrows inlet and cancel. */
ImportTarReader *import_tar_reader_new(Inlet *inlet, uint64_t entries_max, const Cancel *cancel);
void import_tar_reader_free(ImportTarReader *tar); /* takes NULL */

/* To the next entry; what was not read of the one before is skipped. *ret_path: clean, neither
 * absolute nor with ".."; "" is the top folder itself; NULL: there are no more, and the archive has
 * its end with nothing behind it. Both are valid until the next call. BS_ERROR_CORRUPT: damaged,
 * cut off, too many entries, or one that is refused, which it names. */
bool import_tar_reader_next(ImportTarReader *tar, const char **ret_path,
                            struct archive_entry **ret_entry, GError **error);
/* Of the content of the entry at hand. *ret_n: 0 at its end. */
bool import_tar_reader_read(ImportTarReader *tar, void *buf, size_t len, size_t *ret_n,
                            GError **error);
/* One more counts, which stands in no header. BS_ERROR_CORRUPT: they are too many. */
bool import_tar_reader_count(ImportTarReader *tar, GError **error);
