/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `wal push` without a server takes along the segments that wait behind the one it was called for:
 * several are archived at once, and the calls that follow find them done (op/walnotes.h).
 */
#pragma once
#include "op/walnotes.h"

/*
 * Archives file, a segment, and up to WAL_AHEAD_MAX (op/walahead.h) behind it that wait in the
 * directory dir, up to one that is held already. What it returns, and why not, is of file alone:
 * the others are asked for one day, and whoever asks is told.
 */
bool wal_along_put(OpenRepo *open, const WalFile *file, const char *dir, const WalNotes *notes,
                   WalPushed *ret_pushed, GError **error);
