/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs that no index knows although their pack is there: what an interrupted run, or the loss of
 * an index object, left behind. Whoever gives up what the index does not know looks here first. Not
 * thread-safe.
 */
#pragma once
#include "base/cancel.h"
#include "repo/index.h"
#include "repo/repo.h"

typedef struct Strays Strays;

/* Loads the repository's index. BS_ERROR_CORRUPT: it names packs that are not there, or of another
 * size; `repair index` must come first. */
bool strays_load(Repo *repo, const Cancel *cancel, Strays **ret_strays, GError **error);
void strays_free(Strays *strays);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Strays, strays_free)

/* The blob is in no index. False with BS_ERROR_CORRUPT: but a pack has it, whole; `repair index`
 * must come first. */
bool strays_lack(Strays *strays, BlobType type, const Id *id, GError **error);
