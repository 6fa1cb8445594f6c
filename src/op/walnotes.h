/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one `wal push` leaves for those that follow: which segments it has archived before they were
 * asked for. A note is <state_dir>/wal-notes/<where>/<segment>, made when the segment is durable;
 * where is a hash of the repository, its required mirrors and the cluster, so that a note of
 * another place is not even found.
 *
 * A note is never believed by itself: whoever finds one compares the file that he has with its
 * SHA-256, and asks the store whether the object with its mark is there. It only spares sealing the
 * file once more. Whatever is wrong with it, it is as if it were not there. Any thread.
 */
#pragma once
#include "op/walfile.h"

typedef struct WalNotes WalNotes;

/* Makes the directory. NULL: it cannot be used, or others may write to it. open is borrowed. */
WalNotes *wal_notes_open(const char *state_dir, OpenRepo *open, uint64_t system_id);
void wal_notes_free(WalNotes *notes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalNotes, wal_notes_free)

bool wal_notes_has(const WalNotes *notes, const WalName *name);
/* Of what was just archived, by this process. False: later it is archived once more. */
bool wal_notes_add(const WalNotes *notes, const WalFile *file, const WalPushed *pushed);
/* Whether this very file was archived and lies in the repository still; its note goes, and so do
 * those of segments before it. */
bool wal_notes_prove(const WalNotes *notes, const WalFile *file, WalPushed *ret_pushed);
