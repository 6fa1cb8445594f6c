/* SPDX-License-Identifier: Apache-2.0 */
#include "op/importsidecar.h"

#include "base/error.h"
#include "base/fs.h"
#include "op/importfrom.h"

#define SIDECAR_MAX (64u << 20)
#define READ_LEN    (64u << 10)

bool import_sidecar_parse(const char *path, GBytes *text, json_t **ret_sidecar, GError **error)
{
    json_error_t problem;
    json_t *sidecar = json_loadb(g_bytes_get_data(text, NULL), g_bytes_get_size(text),
                                 JSON_REJECT_DUPLICATES, &problem);

    if (json_is_object(sidecar)) {
        *ret_sidecar = sidecar;
        return true;
    }
    json_decref(sidecar);
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: not a manifest: %s", path,
                sidecar ? "no object" : problem.text);
    return false;
}

static bool read_remote(const ImportFrom *from, const Settings *settings, const Cancel *cancel,
                        GBytes **ret_text, GError **error)
{
    g_autoptr(Inlet) inlet = import_from_open(from, settings, cancel, error);
    g_autoptr(GByteArray) text = g_byte_array_new();
    g_autofree uint8_t *buffer = g_malloc(READ_LEN);
    size_t n = 1;

    while (inlet && n > 0) {
        if (!inlet_read(inlet, buffer, READ_LEN, &n, error))
            return false;
        g_byte_array_append(text, buffer, (guint)n);
        if (text->len > SIDECAR_MAX) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "too large for a manifest");
            return false;
        }
    }
    if (inlet)
        *ret_text = g_byte_array_free_to_bytes(g_steal_pointer(&text));
    return inlet != NULL;
}

/* One that was named must be there. Servers of the web answer a question for what they do not have
 * in all ways, so they are not asked. */
bool import_sidecar_load(const ImportRequest *request, const Settings *settings,
                         const Cancel *cancel, json_t **ret_sidecar, GError **error)
{
    g_autofree char *path = request->manifest ? g_strdup(request->manifest)
                                              : g_strconcat(request->from, ".manifest.json", NULL);
    ImportFrom from = { path, request->allow_private };
    g_autoptr(GError) failure = NULL;
    g_autoptr(GBytes) text = NULL;

    if (!request->manifest && import_from_is(path) && !g_str_has_prefix(path, "s3:"))
        return true;
    if (import_from_is(path) ? read_remote(&from, settings, cancel, &text, &failure)
                             : fs_read_file(path, SIDECAR_MAX, &text, &failure))
        return import_sidecar_parse(path, text, ret_sidecar, error);
    if (!request->manifest && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}
