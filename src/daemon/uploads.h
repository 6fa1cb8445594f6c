/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that clients send to be imported, in <state>/uploads: PART.part belongs to the web process
 * while it grows, RUN/NAME to the run that imports it, from its order on. Nothing else tells of
 * them, so each process removes what it finds there of its own that nobody works on.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Left free, or a twentieth of the file system where that is less. */
#define UPLOAD_SPARE (UINT64_C(1) << 30)

typedef struct Upload Upload; /* one thread at a time */

/* dir is there, and lives as long. len: bytes, which are reserved; 0: nobody knows.
 * BS_ERROR_NO_SPACE: then too little would be left. */
Upload *upload_begin(const char *dir, uint64_t len, GError **error);
/* BS_ERROR_USAGE: more than was told. BS_ERROR_NO_SPACE: as above, of an unknown length. */
bool upload_append(Upload *upload, const void *data, size_t len, GError **error);
/* All bytes have come (of an unknown length: at least one), and lie on the disk. */
bool upload_finish(Upload *upload, GError **error);
const char *upload_part(const Upload *upload); /* its id, for upload_take() */
/* Removes it, unless it was taken. */
void upload_free(Upload *upload);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Upload, upload_free)

/* BS_ERROR_USAGE: it is no plain name of a file (and must not be: hidden, or like an option). */
bool upload_name_check(const char *name, GError **error);
/* A part becomes the file of a run; both ids are checked. BS_ERROR_NOT_FOUND: there is none. */
bool upload_take(const char *dir, const char *part, const char *run, const char *name,
                 char **ret_path, GError **error);
void upload_drop(const char *dir, const char *run);

/* Of those that are the runs', all but those of runs in keep; what cannot be removed is logged. */
void uploads_clean(const char *dir, GHashTable *keep);
/* All parts. */
void uploads_clean_parts(const char *dir);
