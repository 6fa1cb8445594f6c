/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources that the configuration marks "secret: true", such as an application's ".env". Their
 * snapshots bear a tag, so that they are known as such wherever the repository is; what would print
 * content of them masks it or refuses, unless it is told to show it (--reveal).
 */
#pragma once
#include "config/source.h"
#include "repo/snapshot.h"
#include "source/source.h"

void secret_source_mark(const SourceConfig *config, Source *source);
bool secret_source_is(const Snapshot *snapshot);
/* BS_ERROR_DENIED when it is one: how says what to do instead, "encrypt it with ...". */
bool secret_source_refuse(const Snapshot *snapshot, const char *how, GError **error);
