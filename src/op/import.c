/* SPDX-License-Identifier: Apache-2.0 */
#include "op/import.h"

#include "base/error.h"
#include "base/fs.h"
#include "op/importfrom.h"
#include "op/importsidecar.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* ---- the file ---- */

typedef struct {
    Inlet base;
    Inlet *next;
    int fd;
} OwnedInlet;

static bool owned_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    return inlet_read(((OwnedInlet *)base)->next, buf, len, ret_n, error);
}

static void owned_free(Inlet *base)
{
    OwnedInlet *inlet = (OwnedInlet *)base;

    inlet_free(inlet->next);
    (void)close(inlet->fd); // it was only read
    g_free(inlet);
}

static const InletOps owned_ops = {
    .name = "file",
    .read = owned_read,
    .free = owned_free,
};

/* A file, whose descriptor goes with the inlet. */
static Inlet *open_file(const char *path, const Cancel *cancel, struct stat *ret_st, GError **error)
{
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    OwnedInlet *inlet;

    if (fd < 0 || fstat(fd, ret_st) != 0) {
        bs_error_errno(error, errno, "%s", path);
        return NULL;
    }
    if (!S_ISREG(ret_st->st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "%s: not a file", path);
        return NULL;
    }
    inlet = g_new0(OwnedInlet, 1);
    inlet->base.ops = &owned_ops;
    inlet->fd = fd;
    inlet->next = inlet_fd_new(fd, path, cancel);
    fd = -1;
    return &inlet->base;
}

/* What SQLite has not yet brought into the file lies beside it, and would stay there. */
static bool is_alone(const char *path, GError **error)
{
    static const char *const logs[] = { "-wal", "-journal" };

    for (size_t i = 0; i < G_N_ELEMENTS(logs); i++) {
        g_autofree char *log = g_strconcat(path, logs[i], NULL);
        struct stat st;

        if (stat(log, &st) != 0 || st.st_size == 0)
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "%s: its last changes are in %s; save both with `backstay backup sqlite:%s`",
                    path, log, path);
        return false;
    }
    return true;
}

static Inlet *open_any(const ImportRequest *request, const Settings *settings, const Cancel *cancel,
                       int64_t *ret_modified_at, GError **error)
{
    ImportFrom from = { request->from, request->allow_private };
    struct stat st;
    Inlet *inlet;

    *ret_modified_at = -1;
    if (import_from_is(request->from))
        return import_from_open(&from, settings, cancel, error);
    inlet = open_file(request->from, cancel, &st, error);
    if (inlet)
        *ret_modified_at = st.st_mtim.tv_sec;
    return inlet;
}

static bool load_keys(const char *path, GBytes **ret_keys, GError **error)
{
    return !path || fs_read_file(path, OPENPGP_KEYS_MAX, ret_keys, error);
}

bool op_import_open(const ImportRequest *request, const Settings *settings, const Cancel *cancel,
                    Source **ret_source, GError **error)
{
    bool remote = import_from_is(request->from);
    g_autofree char *file =
        remote ? import_from_file(request->from) : g_path_get_basename(request->from);
    g_autofree char *origin =
        remote ? import_from_shown(request->from) : g_canonicalize_filename(request->from, NULL);
    g_autoptr(GBytes) keys = NULL;
    ImportOptions options = {
        .origin = origin,
        .file = file,
        .name = request->name,
        .database = request->database,
        .format = request->format,
        .bounds = request->bounds,
        .entries_max = request->entries_max,
        .modified_at = -1,
        .cancel = cancel,
    };
    json_t *sidecar = NULL;
    Source *source = NULL;
    Inlet *inlet;

    if (!load_keys(request->keys, &keys, error) ||
        !import_sidecar_load(request, settings, cancel, &sidecar, error))
        return false;
    if (!remote && g_file_test(request->from, G_FILE_TEST_IS_DIR))
        options.directory = request->from;
    inlet =
        options.directory ? NULL : open_any(request, settings, cancel, &options.modified_at, error);
    options.sidecar = sidecar;
    options.with = (OpenpgpWith){ keys, request->passphrase };
    source = inlet || options.directory ? import_source_new(inlet, &options, error) : NULL;
    json_decref(sidecar);
    if (source && !remote && import_source_format(source) == IMPORT_SQLITE &&
        !is_alone(request->from, error))
        g_clear_pointer(&source, source_free);
    *ret_source = source;
    return source != NULL;
}
