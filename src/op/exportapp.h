/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive of an application out of the snapshots of its sources, as one tar.gz:
 *
 *     manifest.json            which snapshots, and what was recorded when they were taken
 *     database/<db>.sql.gz     of each PostgreSQL database its script; database/globals.sql the
 * roles documents/...            of files: what is below the path that was saved
 *     <kind>/<source>/...      of any other source its folder, such as redis/cache/dump.rdb
 *
 * Several sources of files get a folder each, documents/<source>/; one with several paths has those
 * below it. A stream: a script that does not fit into 4 MiB is made twice, since a tar wants to
 * know lengths before.
 */
#pragma once
#include "op/export.h"

/* As export_snapshot_into(), of all snapshots; exported->recorded is the manifest inside.
 * BS_ERROR_USAGE: two things would have the same name in it. */
bool export_app_into(Repo *repo, const GPtrArray *snapshots, const ExportRequest *request,
                     Outlet *out, const Cancel *cancel, Exported *exported, GError **error);
