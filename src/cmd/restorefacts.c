/* SPDX-License-Identifier: Apache-2.0 */
/* What a restore tells of its target: notes, and what is not as it was saved. */
#include "cmd/output.h"
#include "cmd/restore.h"
#include <stdio.h>
#include <string.h>

void restore_tell_note(const char *text, void *user)
{
    const Settings *settings = user;

    if (settings->json)
        output_json(json_pack("{s:s, s:o}", "message_type", "note", "message", json_bytes(text)));
    else
        fprintf(stderr, "note: %s\n", text);
}

static json_t *text_or_null(const char *text)
{
    return text ? json_bytes(text) : json_null();
}

void restore_tell_difference(const RestoreDifference *difference, void *user)
{
    const Settings *settings = user;
    const char *source = difference->source;
    g_autofree char *whose = source ? g_strconcat("source ", source, NULL) : g_strdup("the target");

    if (settings->json)
        output_json(json_pack("{s:s, s:o, s:o, s:o, s:o}", "message_type", "difference", "what",
                              json_bytes(difference->what), "saved",
                              text_or_null(difference->saved), "target",
                              text_or_null(difference->now), "source", text_or_null(source)));
    else if (!settings->quiet)
        printf("differs: %s: saved %s, %s has %s\n", difference->what,
               difference->saved ? difference->saved : "none", whose,
               difference->now ? difference->now : "none");
}

/* What bears a name below a directory that others may write to is not opened by that name. */
static const char *server_of(const RestoreOptions *options)
{
    return options->shown ? NULL : options->to;
}

RestoreFacts restore_facts_told(const Context *context, const RestoreOptions *options)
{
    const char *there = options->to ? options->to : options->target;

    return (RestoreFacts){
        .config = context->settings->config,
        .named = options->named,
        .target = options->shown ? options->shown : there,
        .directory = !options->to,
        .server = server_of(options),
        .preview = options->dry_run,
        .differs = restore_tell_difference,
        .note = restore_tell_note,
        .user = (void *)context->settings,
    };
}
