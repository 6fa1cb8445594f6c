/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The WAL of clusters, from one repository into another, so that what was a point in time here can
 * be one there: each file opened, proven, and sealed under the other key.
 *
 * Of a cluster of which bases are copied, all from the start of the oldest of these on, all
 * histories of timelines, and where retention has taken WAL from between bases, in either of the
 * two, only what each base needs before that floor (repo/walfloor.h): what was removed there on
 * purpose does not come back, and what is not here is no gap there. A part that `wal receive` has
 * of a segment is carried as long as there is no more of it. What is there already is left as it
 * is.
 */
#pragma once
#include "op/copy.h"

/* bases: of Snapshot; others among them are passed over. Adds to result. What is damaged is logged
 * and counted as held back. */
bool copy_wal(OpenRepo *from, OpenRepo *to, const GPtrArray *bases, const CopyWatch *watch,
              const Cancel *cancel, CopyResult *result, GError **error);
