/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive of tar as it streams past, into the top folder of an import: names, links and kinds of
 * its entries are looked at before anything of them is taken. One thread.
 */
#pragma once
#include "source/importing.h"
#include "source/pgtree.h"

typedef struct ImportTar ImportTar;

/* What becomes of an entry: it is stored, or its content is read; or neither, and it is skipped.
 * path: in the archive, clean: neither absolute nor with "..". */
typedef bool (*ImportTarTake)(ImportTar *tar, const char *path, mode_t type, void *user,
                              GError **error);

/* Of the import's inlet, into its sink. */
ImportTar *import_tar_new(Import *import);
void import_tar_free(ImportTar *tar);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImportTar, import_tar_free)

/* The top folder begins, and all entries come, to the end of the archive, and what is proved there.
 * BS_ERROR_CORRUPT: damaged, cut off, too many entries, or one that is refused, which it names. */
bool import_tar_run(ImportTar *tar, ImportTarTake take, void *user, GError **error);

/* ---- for take: of the entry at hand ---- */

/* Under this path in the top folder. */
bool import_tar_store(ImportTar *tar, const char *path, GError **error);
/* Its content, as an inlet that does not outlive the call of take. */
Inlet *import_tar_inlet(ImportTar *tar);
/* Files that are pushed by others come into the top folder itself from here on. */
bool import_tar_enter_top(ImportTar *tar, GError **error);

/* After all: the top folder is complete. */
bool import_tar_end(ImportTar *tar, GError **error);
