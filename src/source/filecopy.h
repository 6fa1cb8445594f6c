/* SPDX-License-Identifier: Apache-2.0 */
/* How the readers of a file tree read one file: as it is, and whatever is wrong with it goes to
 * problem. */
#pragma once
#include "source/filereader.h"

/* All borrowed. */
typedef struct {
    Sink *sink;
    const SourceRun *run;
    bool with_atime;
} FileCopy;

/* A FileRead; its user is a FileCopy. Any thread. */
bool file_copy(void *user, FileJob *job, uint8_t *buffer, GError **error);
