/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restoreredis.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/output.h"
#include "cmd/restore.h"
#include <stdio.h>

static void tell_json(const RestoreRedisResult *result, bool preview)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I}", "message_type", "redis", "action",
        preview ? "would_restore" : "restored", "snapshot_id", id_hex(&result->snapshot).text,
        "keys", (json_int_t)result->restored.keys, "expired", (json_int_t)result->restored.expired,
        "functions", (json_int_t)result->restored.functions);

    if (preview)
        (void)json_object_set_new(object, "target_keys",
                                  json_integer((json_int_t)result->target_keys));
    output_json(object);
}

static void tell_text(const RestoreRedisResult *result, bool preview)
{
    const RedisRestored *restored = &result->restored;

    if (preview)
        printf("would restore snapshot %s: %" G_GUINT64_FORMAT " %s; the server holds "
               "%" G_GUINT64_FORMAT " %s\n",
               id_short(&result->snapshot).text, restored->keys,
               plural(restored->keys, "key", "keys"), result->target_keys,
               plural(result->target_keys, "key", "keys"));
    else
        printf("restored snapshot %s: %" G_GUINT64_FORMAT " %s, counted in the server; "
               "%" G_GUINT64_FORMAT " more had expired\n",
               id_short(&result->snapshot).text, restored->keys,
               plural(restored->keys, "key", "keys"), restored->expired);
}

bool restore_to_redis(const Context *context, const RestoreOptions *options, char **operands,
                      GError **error)
{
    const RestoreFacts facts = restore_facts_told(context, options);
    RestoreRedisRequest restore = {
        .snapshot = operands[0],
        .filter = { options->hosts, options->tags, options->paths },
        .url = options->to,
        .clean = options->clean,
        .preview = options->dry_run,
        .facts = &facts,
    };
    g_auto(OpenRepo) open = { 0 };
    RestoreRedisResult result;
    ShownProgress shown;
    Progress *progress;
    bool ok;

    if (restore_is_about_database(options) || options->force) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "into a Redis server everything is restored; of the options for --to only "
                    "--clean and --preview fit");
        return false;
    }
    if (!open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error))
        return false;
    progress = progress_show(&shown, context->settings, true);
    ok = op_restore_redis(&open, &restore, progress, context->cancel, &result, error);
    progress_hide(&shown);
    if (!ok)
        return false;
    if (context->settings->json)
        tell_json(&result, restore.preview);
    else if (!context->settings->quiet)
        tell_text(&result, restore.preview);
    return true;
}
