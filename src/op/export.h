/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot as a portable file outside the repository, which can be read without Backstay: a dump
 * as pg_dump would have written it, its SQL script, or an archive of all that the snapshot holds. A
 * stream: nothing is written twice, and nothing but the result.
 */
#pragma once
#include "base/cancel.h"
#include "flow/openpgp.h"
#include "flow/progress.h"
#include "op/exportformat.h"
#include "repo/snapshot.h"
#include <jansson.h>

typedef struct {
    ExportFormat format;
    const char *database;     /* of several in the snapshot; NULL: there is but one */
    const OpenpgpTo *encrypt; /* whom to; NULL: it is not encrypted */
    const char *target;       /* a file to write, whole or not at all; NULL: standard output */
    /* Beside target, as "<target>.manifest.json": what it is, its size and SHA-256. */
    bool manifest;
    bool reveal;        /* also of sources marked secret, unencrypted */
    Progress *progress; /* may be NULL */
} ExportRequest;

typedef struct {
    uint64_t size; /* of the file as it is, encrypted or not */
    Id sha256;
    char *database;    /* of a dump or script; NULL: none */
    char **recipients; /* fingerprints; NULL: encrypted with a passphrase or not at all */
    json_t
        *recorded; /* manifest.json of the snapshot: what was recorded when it was taken; or NULL */
} Exported;
void exported_clear(Exported *exported);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Exported, exported_clear)

/* snapshots: of Snapshot *, borrowed: one, of the format "app" one or more. The index is loaded.
 * The manifest is written after the file, so that one that is there tells of a whole file. */
bool op_export(Repo *repo, const GPtrArray *snapshots, const ExportRequest *request,
               const Cancel *cancel, Exported *ret_exported, GError **error);
/* The same into an outlet, which is taken over, and finished; target and manifest mean nothing. */
bool op_export_into(Repo *repo, const GPtrArray *snapshots, const ExportRequest *request,
                    Outlet *out, const Cancel *cancel, Exported *ret_exported, GError **error);

/* ---- for op/exportfile.c and exportapp.c ---- */

/* exported: zeros; to be cleared in either case. */
bool export_snapshot_into(Repo *repo, const Snapshot *snapshot, const ExportRequest *request,
                          Outlet *out, const Cancel *cancel, Exported *exported, GError **error);
/* The last stages of an export: compression, encryption, counting, then out, which is taken over.
 * ret_recipients is set when it is encrypted to keys; ret_count by finish. */
Outlet *export_way_out(const ExportRequest *request, Outlet *out, OutletCount *ret_count,
                       char ***ret_recipients, GError **error);
