/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private directory for what must lie in files for a while. It is gone with scratch_free(); one
 * whose process was killed is recognised by its name, owner and a lock (flock(2) on the directory)
 * that nobody holds any more, and removed by the next one made in the same place. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Scratch Scratch;

/* In the directory parent, which exists; of mode 0700. Removes what others have left there. */
Scratch *scratch_new(const char *parent, GError **error);
/* With all that is in it; free does the same, and tells of no failure. */
bool scratch_remove(Scratch *scratch, GError **error);
void scratch_free(Scratch *scratch); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scratch, scratch_free)

const char *scratch_path(const Scratch *scratch); /* borrowed */
/* BS_ERROR_NO_SPACE: its file system has less than need bytes free. */
bool scratch_check_room(const Scratch *scratch, uint64_t need, GError **error);
