/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which blobs trees need: a bit for every entry of the index. Each tree is read once, however many
 * snapshots share it.
 */
#pragma once
#include "base/cancel.h"
#include "repo/index.h"
#include "repo/repo.h"

typedef struct UsedBlobs UsedBlobs;

UsedBlobs *used_blobs_new(Repo *repo);
void used_blobs_free(UsedBlobs *used);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsedBlobs, used_blobs_free)

/* The tree, all below it, and their files. BS_ERROR_CORRUPT: a blob that is needed is in no index,
 * or a tree cannot be read: then nobody may remove anything. */
bool used_blobs_add(UsedBlobs *used, const Id *tree, const Cancel *cancel, GError **error);

bool used_blobs_has(const UsedBlobs *used, BlobType type, const Id *id);
/* Sets the bit and tells whether it was clear: for choosing one of several places of a blob. */
bool used_blobs_take(UsedBlobs *used, BlobType type, const Id *id);
size_t used_blobs_count(const UsedBlobs *used);
