/* SPDX-License-Identifier: Apache-2.0 */
#include "op/cat.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/output.h"

/* Indented for people, field order kept; text that is no JSON as it is. */
static void print_object(const char *text, size_t len)
{
    json_t *object = json_loadb(text, len, 0, NULL);

    if (object)
        (void)json_dumpf(object, stdout, JSON_INDENT(2)); // output_close() asks
    else
        (void)fwrite(text, 1, len, stdout);
    (void)fputc('\n', stdout);
    json_decref(object);
}

static bool cat_run(const Context *context, void *request, char **operands, GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(GBytes) bytes = NULL;
    const char *data;
    CatKind kind;
    gsize len;

    (void)request;
    if (!operands_between(operands, 1, 2, "what to print, such as config", error) ||
        !cat_kind_parse(operands[0], &kind, error) ||
        !operands_between(operands, cat_kind_has_name(kind) ? 2 : 1,
                          cat_kind_has_name(kind) ? 2 : 1, "its id", error) ||
        !open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) ||
        !op_cat(&open, kind, operands[1], context->cancel, &bytes, error))
        return false;
    data = g_bytes_get_data(bytes, &len);
    if (cat_kind_is_json(kind))
        print_object(data, len);
    else
        (void)fwrite(data, 1, len, stdout); // output_close() asks whether stdout is well
    if (kind == CAT_INDEX && len > 0 && data[len - 1] != '\n')
        (void)fputc('\n', stdout);
    return true;
}

const Command cat_command = {
    .name = "cat",
    .operands = "masterkey|config|index ID|snapshot ID|key ID|lock ID|pack ID|blob ID|tree "
                "SNAPSHOT[:PATH]",
    .summary = "print an inner object of the repository",
    .description = "For people who look for a fault. Packs are printed as they lie in the store, "
                   "all else opened.",
    .run = cat_run,
};
