/* SPDX-License-Identifier: Apache-2.0 */
/* Where an export goes: a file with its manifest, or an outlet. */
#include "base/error.h"
#include "base/fs.h"
#include "op/export.h"
#include "op/exportapp.h"
#include "op/exportmanifest.h"
#include "op/outfile.h"
#include "op/secretsource.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    Repo *repo;
    const GPtrArray *snapshots;
    const ExportRequest *request;
    const Cancel *cancel;
    Exported *exported;
} Writing;

/* Takes out. */
static bool push(const Writing *writing, Outlet *out, GError **error)
{
    if (writing->request->format.kind == EXPORT_APP)
        return export_app_into(writing->repo, writing->snapshots, writing->request, out,
                               writing->cancel, writing->exported, error);
    g_assert(writing->snapshots->len == 1);
    return export_snapshot_into(writing->repo, writing->snapshots->pdata[0], writing->request, out,
                                writing->cancel, writing->exported, error);
}

static bool fill(int fd, const char *name, void *user, GError **error)
{
    const Writing *writing = user;

    if (isatty(fd)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "this would go to the terminal; redirect it, or use --target FILE");
        return false;
    }
    return push(writing, outlet_fd_new(fd, name, writing->cancel), error);
}

static bool write_manifest(const Writing *writing, GError **error)
{
    const char *target = writing->request->target;
    g_autofree char *path = g_strconcat(target, EXPORT_MANIFEST_SUFFIX, NULL);
    g_autofree char *file = g_path_get_basename(target);
    json_auto_t *manifest = export_manifest_new(writing->snapshots->pdata[0], writing->request,
                                                writing->exported, file);
    g_autofree char *text = json_dumps(manifest, JSON_INDENT(2));

    return fs_write_durable(path, text, strlen(text), 0600, FS_REPLACE, error);
}

/* One of an older file must not tell of the new one, should that be as far as it gets. */
static bool remove_manifest(const char *target, GError **error)
{
    g_autofree char *path = g_strconcat(target, EXPORT_MANIFEST_SUFFIX, NULL);

    if (unlink(path) == 0 || errno == ENOENT)
        return true;
    bs_error_errno(error, errno, "remove %s", path);
    return false;
}

static bool write_file(Writing *writing, GError **error)
{
    const ExportRequest *request = writing->request;
    bool manifest = request->manifest && request->target;

    return (!manifest || remove_manifest(request->target, error)) &&
           outfile_write(request->target, fill, writing, error) &&
           (!manifest || write_manifest(writing, error));
}

/* Whoever can read the file would have what it holds. */
static bool may_export(const GPtrArray *snapshots, const ExportRequest *request, GError **error)
{
    for (guint i = 0; i < snapshots->len && !request->encrypt && !request->reveal; i++)
        if (!secret_source_refuse(snapshots->pdata[i],
                                  "encrypt the file, or say --reveal to write it as it is", error))
            return false;
    return true;
}

/* out: NULL for the file that the request names; taken. */
static bool run(Repo *repo, const GPtrArray *snapshots, const ExportRequest *request, Outlet *out,
                const Cancel *cancel, Exported *ret_exported, GError **error)
{
    g_auto(Exported) exported = { 0 };
    Writing writing = { repo, snapshots, request, cancel, &exported };

    if (!may_export(snapshots, request, error)) {
        outlet_free(out);
        return false;
    }
    if (!(out ? push(&writing, out, error) : write_file(&writing, error)))
        return false;
    *ret_exported = exported;
    exported = (Exported){ 0 };
    return true;
}

bool op_export(Repo *repo, const GPtrArray *snapshots, const ExportRequest *request,
               const Cancel *cancel, Exported *ret_exported, GError **error)
{
    return run(repo, snapshots, request, NULL, cancel, ret_exported, error);
}

bool op_export_into(Repo *repo, const GPtrArray *snapshots, const ExportRequest *request,
                    Outlet *out, const Cancel *cancel, Exported *ret_exported, GError **error)
{
    return run(repo, snapshots, request, out, cancel, ret_exported, error);
}

void exported_clear(Exported *exported)
{
    g_free(exported->database);
    g_strfreev(exported->recipients);
    json_decref(exported->recorded);
    *exported = (Exported){ 0 };
}
