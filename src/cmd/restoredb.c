/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restoredb.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/output.h"
#include "cmd/restore.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    const Settings *settings;
    bool preview;
} DbTelling;

static void tell_database_json(const RestoredDb *database, bool preview)
{
    json_t *object = json_pack("{s:s, s:s, s:o, s:I}", "message_type", "database", "action",
                               preview ? "would_restore" : "restored", "name",
                               json_bytes(database->name), "size", (json_int_t)database->size);

    if (database->counted) {
        (void)json_object_set_new(object, "tables", json_integer((json_int_t)database->tables));
        (void)json_object_set_new(object, "rows", json_integer((json_int_t)database->rows));
    }
    if (preview) {
        (void)json_object_set_new(object, "target",
                                  json_string(database->target_absent    ? "absent"
                                              : database->target_objects ? "holds"
                                                                         : "empty"));
        (void)json_object_set_new(object, "target_objects", json_integer(database->target_objects));
    }
    output_json(object);
}

static char *describe_target(const RestoredDb *database, bool preview)
{
    unsigned n = database->target_objects;

    if (!preview)
        return g_strdup(database->counted ? "row counts compared" : "nothing to compare with");
    if (database->target_absent)
        return g_strdup("the target database would be made");
    if (n == 0)
        return g_strdup("the target database is empty");
    return g_strdup_printf("the target database holds %u %s", n, plural(n, "object", "objects"));
}

static void tell_database(const RestoredDb *database, void *user)
{
    const DbTelling *telling = user;
    const char *action = telling->preview ? "would restore" : "restored";
    g_autofree char *size = size_format(database->size);
    g_autofree char *target = describe_target(database, telling->preview);

    if (telling->settings->json)
        tell_database_json(database, telling->preview);
    else if (!telling->settings->quiet && database->partial)
        printf("%s a part of database %s; %s\n", action, database->name, target);
    else if (!telling->settings->quiet && !database->counted)
        printf("%s database %s: rows not counted when it was saved, dump of %s; %s\n", action,
               database->name, size, target);
    else if (!telling->settings->quiet)
        printf("%s database %s: %u %s, %" G_GUINT64_FORMAT " %s recorded, dump of %s; %s\n", action,
               database->name, database->tables, plural(database->tables, "table", "tables"),
               database->rows, plural(database->rows, "row", "rows"), size, target);
}

static void tell_note(const char *text, void *user)
{
    const DbTelling *telling = user;

    restore_tell_note(text, (void *)telling->settings);
}

static void tell_difference(const RestoreDifference *difference, void *user)
{
    const DbTelling *telling = user;

    restore_tell_difference(difference, (void *)telling->settings);
}

bool restore_to_database(const Context *context, const RestoreOptions *options, char **operands,
                         GError **error)
{
    DbTelling telling = { context->settings, options->dry_run };
    const RestoreFacts facts = restore_facts_told(context, options);
    RestoreDbRequest restore = {
        .snapshot = operands[0],
        .filter = { options->hosts, options->tags, options->paths },
        .url = options->to,
        .databases = options->databases,
        .tables = options->tables,
        .schemas = options->schemas,
        .clean = options->clean,
        .create = options->create,
        .no_owner = options->no_owner,
        .no_acl = options->no_acl,
        .force = options->force,
        .globals = options->globals,
        .preview = options->dry_run,
        .facts = &facts,
    };
    g_auto(OpenRepo) open = { 0 };
    ShownProgress shown;
    RestoreDbWatch watch = {
        .restored = tell_database,
        .note = tell_note,
        .differs = tell_difference,
        .user = &telling,
    };
    guint64 jobs = 1;
    Id snapshot;
    bool ok;

    if (options->jobs && !g_ascii_string_to_unsigned(options->jobs, 10, 1, 256, &jobs, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--jobs %s: must be a number from 1 to 256",
                    options->jobs);
        return false;
    }
    if (options->if_exists && !options->clean) { // as pg_restore has it
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE, "--if-exists needs --clean");
        return false;
    }
    restore.jobs = (unsigned)jobs;
    if (!open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error))
        return false;
    watch.progress = progress_show(&shown, context->settings, true);
    ok = op_restore_db(&open, &restore, &watch, context->cancel, &snapshot, error);
    progress_hide(&shown);
    return ok;
}
