/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/restorerecovery.h"

#include "base/error.h"
#include "daemon/restoreroot.h"
#include "daemon/tasksteps.h"
#include <string.h>

static const char *const actions[] = { "pause", "promote", "shutdown", NULL };
static const ShapeField mapping_fields[] = {
    { "from", SHAPE_TEXT, SHAPE_REQUIRED, "the directory or the oid that the server had", .min = 1,
      .max = 4095 },
    { "to", SHAPE_TEXT, SHAPE_REQUIRED, "absolute, below one of server.restore_roots", .min = 2,
      .max = 4095 },
    { NULL },
};
static const Shape mapping_shape = { "TablespaceMapping", mapping_fields };
static const ShapeField recovery_fields[] = {
    { "time", SHAPE_TEXT, 0, "2026-11-21T10:00:00Z", .min = 1, .max = 64 },
    { "lsn", SHAPE_TEXT, 0, "a position in the WAL", .min = 1, .max = 32 },
    { "xid", SHAPE_TEXT, 0, "the end of a transaction", .min = 1, .max = 20 },
    { "name", SHAPE_TEXT, 0, "a restore point", .min = 1, .max = 63 },
    { "immediate", SHAPE_BOOL, 0, "the end of the base backup" },
    { "latest", SHAPE_BOOL, 0, "the last record of WAL that is held" },
    { "exclusive", SHAPE_BOOL, 0, "just before the time, position or transaction" },
    { "timeline", SHAPE_TEXT, 0, "latest (default), current or a number", .min = 1, .max = 20 },
    { "action", SHAPE_TEXT, 0, "what the server does there; pause, with latest promote",
      .words = actions },
    { "delta", SHAPE_BOOL, 0,
      "with \"overwrite\": what lies there serves as far as it is the same, if it is of this "
      "cluster" },
    { "tablespaces", SHAPE_LIST, 0, "where those go that lie outside of the data directory",
      .of = &mapping_shape },
    { "config_file", SHAPE_TEXT, 0,
      "postgresql.conf to start with, where that lies outside of the data directory (Debian)",
      .min = 2, .max = 4095 },
    { NULL },
};
const Shape recovery_shape = { "Recovery", recovery_fields };

static const struct {
    const char *member, *option;
    bool target; /* exactly one of these is needed */
} options[] = {
    { "time", "--target-time", true },
    { "lsn", "--target-lsn", true },
    { "xid", "--target-xid", true },
    { "name", "--target-name", true },
    { "immediate", "--target-immediate", true },
    { "latest", "--target-latest", true },
    { "exclusive", "--target-exclusive", false },
    { "timeline", "--target-timeline", false },
    { "action", "--target-action", false },
    { "config_file", "--config-file", false },
};

void recovery_order_clear(RecoveryOrder *order)
{
    json_decref(order->words);
    g_clear_pointer(&order->roots, g_ptr_array_unref);
    g_clear_pointer(&order->found, g_ptr_array_unref);
    order->words = NULL;
}

static bool refuse(GError **error, const char *text)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE, text);
    return false;
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static bool add_options(const json_t *recovery, json_t *words, GError **error)
{
    unsigned targets = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        const json_t *value = json_object_get(recovery, options[i].member);
        const char *text = json_string_value(value);

        if (!text && !json_is_true(value))
            continue;
        if (text && !is_plain(text)) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "recovery.%s holds a control character",
                        options[i].member);
            return false;
        }
        targets += options[i].target;
        task_argv_add(words, "%s%s%s", options[i].option, text ? "=" : "", text ? text : "");
    }
    return targets == 1 ||
           refuse(error, "recovery needs one of \"time\", \"lsn\", \"xid\", \"name\", "
                         "\"immediate\" and \"latest\"");
}

static bool add_tablespace(const Configuration *configuration, const json_t *mapping,
                           RecoveryOrder *order, GError **error)
{
    const char *from = shape_text(mapping, "from"), *to = shape_text(mapping, "to"), *root = NULL;
    bool exists = false;

    // between the two stands a '='
    if (strchr(from, '=') || strchr(to, '=') || !is_plain(from))
        return refuse(error, "recovery.tablespaces: a '=' or a control character in a path");
    if (!restore_root_check(configuration->server.restore_roots, to, &root, &exists, error))
        return false;
    task_argv_add(order->words, "--tablespace-mapping=%s=%s", from, to);
    g_ptr_array_add(order->roots, (gpointer)root);
    if (exists)
        g_ptr_array_add(order->found, g_strdup(to));
    return true;
}

bool recovery_order(const Configuration *configuration, const json_t *recovery,
                    RecoveryOrder *ret_order, GError **error)
{
    g_auto(RecoveryOrder) order = { .words = json_array(),
                                    .roots = g_ptr_array_new(),
                                    .found = g_ptr_array_new_with_free_func(g_free) };
    const json_t *mapping;
    size_t i;

    if (!add_options(recovery, order.words, error))
        return false;
    json_array_foreach(json_object_get(recovery, "tablespaces"), i, mapping)
    {
        if (!add_tablespace(configuration, mapping, &order, error))
            return false;
    }
    *ret_order = order;
    order = (RecoveryOrder){ 0 };
    return true;
}
