/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restoresqlite.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/output.h"
#include "cmd/restore.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

/* Texts of it are as people know them. */
static void name_it(const RestoreOptions *options, RestoreSqliteResult *result)
{
    char *target = restore_shown(options, result->target);
    char *kept = result->kept ? restore_shown(options, result->kept) : NULL;

    g_free(result->target);
    g_free(result->kept);
    result->target = target;
    result->kept = kept;
}

static void tell_json(const RestoreSqliteResult *result, bool preview)
{
    output_json(json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:b, s:o}", "message_type", "sqlite",
                          "action", preview ? "would_restore" : "restored", "snapshot_id",
                          id_hex(&result->snapshot).text, "target", json_bytes(result->target),
                          "size", (json_int_t)result->size, "rows", (json_int_t)result->rows,
                          "existed", (int)result->existed, "kept",
                          result->kept ? json_bytes(result->kept) : json_null()));
}

static void tell_text(const RestoreSqliteResult *result, bool preview)
{
    g_autofree char *size = size_format(result->size);

    printf("%s snapshot %s to %s: %s, %" G_GUINT64_FORMAT " %s\n",
           preview ? "would restore" : "restored", id_short(&result->snapshot).text, result->target,
           size, result->rows, plural(result->rows, "row", "rows"));
    if (result->kept)
        printf("the database that was there is %s now\n", result->kept);
}

bool restore_to_sqlite(const Context *context, const RestoreOptions *options, char **operands,
                       GError **error)
{
    const char *path = options->to + strlen(RESTORE_SQLITE);
    const RestoreFacts facts = restore_facts_told(context, options);
    RestoreSqliteRequest restore = {
        .snapshot = operands[0],
        .filter = { options->hosts, options->tags, options->paths },
        .target = g_str_has_prefix(path, "//") ? path + 1 : path,
        .force = options->force,
        .preview = options->dry_run,
        .facts = &facts,
        .file = options->shown != NULL,
    };
    g_auto(OpenRepo) open = { 0 };
    RestoreSqliteResult result = { 0 };
    ShownProgress shown;
    Progress *progress;
    bool ok;

    if (restore_is_about_database(options) || options->clean || !*restore.target) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "an SQLite database is restored whole: sqlite:/path/of/app.db; of the options "
                    "for --to only --force and --preview fit");
        return false;
    }
    if (!open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error))
        return false;
    progress = progress_show(&shown, context->settings, true);
    ok = op_restore_sqlite(&open, &restore, progress, context->cancel, &result, error);
    progress_hide(&shown);
    if (ok)
        name_it(options, &result);
    if (ok && context->settings->json)
        tell_json(&result, restore.preview);
    else if (ok && !context->settings->quiet)
        tell_text(&result, restore.preview);
    restore_sqlite_result_clear(&result);
    return ok;
}
