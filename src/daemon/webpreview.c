/* SPDX-License-Identifier: Apache-2.0 */
/* What a restore would do: the command itself, told to do nothing. */
#include "base/error.h"
#include "daemon/childlines.h"
#include "daemon/webproblem.h"
#include "daemon/webrestore.h"
#include "daemon/webruns.h"
#include <string.h>

#define PREVIEW_MS   45000
#define LONG_MS      (10 * 60000)
#define OUT_OF_REACH 26
#define NOT_EMPTY    25
#define PREVIEWS_MAX 2u /* of the workers, which are WEB_WORKERS */
#define ITEMS_MAX    200u

static const ShapeField preview_fields[] = {
    { "target", SHAPE_TEXT, SHAPE_REQUIRED, "its name: to be typed as \"confirm\"" },
    { "target_kind", SHAPE_TEXT, SHAPE_REQUIRED,
      "directory, cluster, file, server, volume or sqlite" },
    { "exists", SHAPE_BOOL, SHAPE_REQUIRED, "something is there that would be replaced" },
    { "possible", SHAPE_BOOL, SHAPE_REQUIRED, "nothing stands in the way but what exists" },
    { "code", SHAPE_INT, SHAPE_REQUIRED, "exit status of the preview", .max = 255 },
    { "problem", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL, "what stands in the way" },
    { "summary", SHAPE_OBJECT, SHAPE_REQUIRED | SHAPE_NULL,
      "of a directory: how many, how much; of a cluster: how it is started" },
    { "items", SHAPE_ANY, SHAPE_REQUIRED,
      "files, databases, a server, a volume, or what a recovery reaches, as `restore --json "
      "--dry-run` tells them; the first 200" },
    { "more", SHAPE_BOOL, SHAPE_REQUIRED, "there are more" },
    { NULL },
};
const Shape preview_shape = { "RestorePreview", preview_fields };

typedef struct {
    json_t *items, *summary;
    char *problem;
    bool more, holds;
} Preview;

static void preview_done(Preview *preview)
{
    json_decref(preview->items);
    json_decref(preview->summary);
    g_free(preview->problem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Preview, preview_done)

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Databases, Redis servers and SQLite databases each say it in their way. */
static bool tells_of_something(const json_t *object)
{
    return g_strcmp0(text_of(object, "target"), "holds") == 0 ||
           json_integer_value(json_object_get(object, "target_keys")) > 0 ||
           json_is_true(json_object_get(object, "existed"));
}

static void take_object(Preview *preview, json_t *object, const char *type)
{
    preview->holds = preview->holds || tells_of_something(object);
    if (strcmp(type, "exit_error") == 0) {
        g_free(preview->problem);
        preview->problem = g_strdup(text_of(object, "message"));
    } else if (strcmp(type, "summary") == 0) {
        json_decref(preview->summary);
        preview->summary = json_incref(object);
    } else if (strcmp(type, "status") == 0) {
        return;
    } else if (json_array_size(preview->items) >= ITEMS_MAX) {
        preview->more = true;
    } else {
        json_array_append(preview->items, object);
    }
}

static void take_line(const char *line, size_t len, void *user)
{
    json_t *object = json_loadb(line, len, 0, NULL);
    const char *type = text_of(object, "message_type");

    if (type)
        take_object(user, object, type);
    json_decref(object);
}

static char **argv_of(const WebCall *call, const RestorePlan *plan)
{
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    const json_t *word;
    size_t i;

    g_strv_builder_add(words, call->web->program);
    g_strv_builder_add(words, "--json");
    json_array_foreach(json_object_get(json_array_get(plan->steps, 0), "argv"), i, word)
        g_strv_builder_add(words, json_string_value(word));
    return g_strv_builder_end(words);
}

/* Of a cluster all WAL on the way is read, of a volume all that is there. */
static bool takes_long(const RestorePlan *plan)
{
    return plan->target.to == RESTORE_TO_CLUSTER || plan->target.to == RESTORE_TO_IMAGE ||
           plan->target.to == RESTORE_TO_VOLUME;
}

static bool look(WebCall *call, const RestorePlan *plan, Preview *preview, int *ret_status,
                 GError **error)
{
    g_auto(GStrv) argv = argv_of(call, plan);
    g_autoptr(GError) failure = NULL;
    const unsigned before = atomic_fetch_add(&call->web->previews, 1);
    bool ok = false;

    if (before >= PREVIEWS_MAX)
        g_set_error(&failure, BS_ERROR, BS_ERROR_TRANSIENT, "other previews are under way");
    else
        ok = child_lines((const char *const *)argv, NULL, takes_long(plan) ? LONG_MS : PREVIEW_MS,
                         take_line, preview, ret_status, &failure);
    (void)atomic_fetch_sub(&call->web->previews, 1);
    if (!ok)
        g_propagate_prefixed_error(error, g_steal_pointer(&failure), "the preview: ");
    return ok;
}

bool web_preview_restore(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(RunRow) row = { 0 };
    g_auto(RestorePlan) plan = { 0 };
    g_auto(Preview) preview = { .items = json_array() };
    const RestoreOrder order = { .configuration = call->web->configuration,
                                 .backup = &row,
                                 .order = call->body };
    int status = 0;

    if (!web_find_backup(call, &row, error) || !restore_order(&order, &plan, error) ||
        !look(call, &plan, &preview, &status, error))
        return false;
    if (status == OUT_OF_REACH) {
        g_set_error(error, BS_ERROR, BS_ERROR_WAL_GAP, "%s",
                    preview.problem ? preview.problem : "the target cannot be reached");
        return false;
    }
    // it holds something, which "overwrite" is for
    preview.holds = preview.holds || plan.exists || status == NOT_EMPTY;
    web_answer_json(answer, 200,
                    json_pack("{s:o, s:s, s:b, s:b, s:i, s:o, s:o, s:O, s:b}", "target",
                              web_text(plan.target.name), "target_kind",
                              restore_target_word(&plan.target), "exists", (int)preview.holds,
                              "possible", status == 0 || status == NOT_EMPTY, "code", status,
                              "problem", web_text(preview.problem), "summary",
                              preview.summary ? json_incref(preview.summary) : json_null(), "items",
                              preview.items, "more", (int)preview.more));
    return true;
}
