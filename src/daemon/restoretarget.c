/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/restoretarget.h"

#include "base/error.h"
#include "daemon/restoreroot.h"
#include <string.h>

static const ShapeField target_fields[] = {
    { "directory", SHAPE_TEXT, 0, "absolute, below one of server.restore_roots", .min = 2,
      .max = 4095 },
    { "file", SHAPE_TEXT, 0, "of an SQLite database or the image of a volume: as a directory",
      .min = 2, .max = 4095 },
    { "source", SHAPE_TEXT, 0,
      "a source of the configuration: a database or Redis server, an SQLite database, a volume",
      .min = 1, .max = 128 },
    { "database", SHAPE_TEXT, 0, "another database of that server", .min = 1, .max = 63 },
    { NULL },
};
const Shape restore_target_shape = { "RestoreTarget", target_fields };

static const struct {
    const char *word, *option, *operand;
} kinds[] = {
    [RESTORE_TO_DIRECTORY] = { "directory", "--target=", "" },
    [RESTORE_TO_CLUSTER] = { "cluster", "--target=", "" },
    [RESTORE_TO_IMAGE] = { "file", "--to=volume:", "volume:" },
    [RESTORE_TO_DATABASE] = { "file", "--to=sqlite:", "sqlite:" },
    [RESTORE_TO_SERVER] = { "server", "--to=@", "@" },
    [RESTORE_TO_VOLUME] = { "volume", "--to=@", "@" },
    [RESTORE_TO_SQLITE] = { "sqlite", "--to=@", "@" },
};

void restore_target_clear(RestoreTarget *target)
{
    g_clear_pointer(&target->name, g_free);
    g_clear_pointer(&target->root, g_free);
}

const char *restore_target_word(const RestoreTarget *target)
{
    return kinds[target->to].word;
}

char *restore_target_option(const RestoreTarget *target)
{
    return g_strconcat(kinds[target->to].option, target->name, NULL);
}

char *restore_target_operand(const RestoreTarget *target)
{
    return g_strconcat(kinds[target->to].operand, target->name, NULL);
}

static bool refuse(GError **error, BsErrorCode code, const char *text)
{
    g_set_error_literal(error, BS_ERROR, code, text);
    return false;
}

/* ---- below a root ---- */

static bool take_directory(const ServerConfig *server, const char *path, RestoreTarget *target,
                           GError **error)
{
    const char *root = NULL;

    if (!restore_root_check(server->restore_roots, path, &root, &target->exists, error))
        return false;
    target->name = g_strdup(path);
    target->root = g_strdup(root);
    return true;
}

static bool take_file(const ServerConfig *server, const char *path, const char *kind,
                      RestoreTarget *target, GError **error)
{
    const char *root = NULL;

    if (g_strcmp0(kind, "volume") == 0)
        target->to = RESTORE_TO_IMAGE;
    else if (g_strcmp0(kind, "sqlite") == 0)
        target->to = RESTORE_TO_DATABASE;
    else
        return refuse(error, BS_ERROR_USAGE,
                      "target.file is for snapshots of SQLite databases and of volumes");
    if (!restore_root_check_file(server->restore_roots, path, &root, &target->exists, error))
        return false;
    target->name = g_strdup(path);
    target->root = g_strdup(root);
    return true;
}

/* ---- a source ---- */

static bool is_plain(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static bool take_source(const Configuration *configuration, const char *name, const char *database,
                        RestoreTarget *target, GError **error)
{
    const SourceConfig *source = configuration_source(configuration, name);

    if (!source)
        return refuse(error, BS_ERROR_NOT_FOUND,
                      "the configuration has no source of the name in target.source");
    if (source_config_is_server(source))
        target->to = RESTORE_TO_SERVER;
    else if (source_config_is_volume(source))
        target->to = RESTORE_TO_VOLUME;
    else if (source_config_is_place(source))
        target->to = RESTORE_TO_SQLITE;
    else
        return refuse(error, BS_ERROR_USAGE,
                      "target.source is no database, no Redis server and no volume; give a "
                      "directory");
    if (database && target->to != RESTORE_TO_SERVER)
        return refuse(error, BS_ERROR_USAGE, "target.database is for a source that is a server");
    if (!is_plain(database))
        return refuse(error, BS_ERROR_USAGE, "target.database holds a control character");
    // a volume holds something, whatever it is
    target->exists = target->to == RESTORE_TO_VOLUME;
    target->name = database ? g_strdup_printf("%s/%s", name, database) : g_strdup(name);
    return true;
}

bool restore_target_take(const Configuration *configuration, const json_t *target, const char *kind,
                         bool recovery, RestoreTarget *ret_target, GError **error)
{
    const char *directory = shape_text(target, "directory"), *file = shape_text(target, "file");
    const char *source = shape_text(target, "source"), *database = shape_text(target, "database");

    if (!!directory + !!file + !!source != 1 || (database && !source))
        return refuse(error, BS_ERROR_USAGE,
                      "target must be a directory, a file, or a source with or without a database");
    if (recovery && !directory)
        return refuse(error, BS_ERROR_USAGE,
                      "a recovery needs a directory, which becomes the server's data directory");
    if (directory) {
        ret_target->to = recovery ? RESTORE_TO_CLUSTER : RESTORE_TO_DIRECTORY;
        return take_directory(&configuration->server, directory, ret_target, error);
    }
    return file ? take_file(&configuration->server, file, kind, ret_target, error)
                : take_source(configuration, source, database, ret_target, error);
}
