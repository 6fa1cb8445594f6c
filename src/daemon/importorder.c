/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/importorder.h"

#include "base/error.h"
#include "daemon/tasksteps.h"
#include "daemon/uploads.h"

static const char *const formats[] = { "dump", "sql", "rdb", "sqlite", "app", "tar", NULL };

const ShapeField import_query[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED, "of the file, without a directory", .min = 1,
      .max = 200 },
    { "repository", SHAPE_TEXT, SHAPE_REQUIRED, "of the configuration", .min = 1, .max = 128 },
    { "source", SHAPE_TEXT, 0, "what it is a backup of (default: \"import-\" and the file's name)",
      .min = 1, .max = 128 },
    { "format", SHAPE_TEXT, 0, "what it must be (default: what it begins as)", .words = formats },
    { "database", SHAPE_TEXT, 0, "PostgreSQL: the database's name (default: what the file says)",
      .min = 1, .max = 63 },
    { NULL },
};
static const Shape import_shape = { "ImportOrder", import_query };

/* Members that are options of `import`. */
static const struct {
    const char *member, *option;
} options[] = {
    { "source", "--source" },
    { "format", "--as" },
    { "database", "--database" },
};

static bool is_plain(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

bool import_order_check(const Configuration *configuration, const json_t *order, GError **error)
{
    if (!shape_check(&import_shape, order, error) ||
        !upload_name_check(shape_text(order, "name"), error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        if (is_plain(shape_text(order, options[i].member)))
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "\"%s\" holds a control character",
                    options[i].member);
        return false;
    }
    return task_repository(configuration, shape_text(order, "repository"), error);
}

void import_order(const Configuration *configuration, const json_t *order, const char *path,
                  json_t **ret_steps, json_t **ret_about)
{
    json_t *argv = task_argv_new(configuration, shape_text(order, "repository"), "import");

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        const char *value = shape_text(order, options[i].member);

        if (value)
            task_argv_add(argv, "%s=%s", options[i].option, value);
    }
    task_argv_add(argv, "--");
    task_argv_add(argv, "%s", path);
    *ret_steps = json_array();
    task_steps_add(*ret_steps, "import", argv);
    *ret_about = json_pack("{s:s, s:s?, s:s?, s:s?}", "file", shape_text(order, "name"), "source",
                           shape_text(order, "source"), "format", shape_text(order, "format"),
                           "database", shape_text(order, "database"));
}
