/* SPDX-License-Identifier: Apache-2.0 */
#include "op/reachnotes.h"

static void tell_damage(const Reach *reach, ReachNote note, void *user)
{
    const Snapshot *snapshot = reach->base.snapshot;
    const char *pages = snapshot_tag_value(snapshot, "damaged-pages");
    g_autofree char *text = NULL;

    if (!pages)
        return;
    text =
        g_strdup_printf("the base backup %s has damaged pages (%s), and the recovery leaves them "
                        "as they are unless the WAL writes them anew; an older base without the "
                        "tag damaged-pages has them from before: name it to begin with it",
                        id_short(&snapshot->id).text, pages);
    note(text, user);
}

static void tell_made(const Reach *reach, ReachNote note, void *user)
{
    for (guint i = 0; i < reach->made->len; i++) {
        const ReachTablespace *one = &g_array_index(reach->made, ReachTablespace, i);
        g_autofree char *text =
            g_strdup_printf("the recovery makes tablespace %u in %s: have an empty directory there "
                            "that is the server user's, which no other server uses",
                            one->oid, one->location);

        note(text, user);
    }
}

void reach_tell_notes(const Reach *reach, ReachNote note, void *user)
{
    tell_damage(reach, note, user);
    tell_made(reach, note, user);
}
