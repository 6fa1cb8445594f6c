/* SPDX-License-Identifier: Apache-2.0 */
#include "op/tag.h"

static void tags_become_what_is_asked_for(void)
{
    static const struct {
        const char *before, *set, *add, *remove, *after;
        bool changed;
    } cases[] = {
        { "a,b", NULL, "c", NULL, "a,b,c", true },  { "a,b", NULL, "b,a", NULL, "a,b", false },
        { "a,b", NULL, NULL, "a", "b", true },      { "a,b", NULL, NULL, "x", "a,b", false },
        { "a", NULL, "b,c", "a,c", "b", true },     { "a,b", "x, y", NULL, NULL, "x,y", true },
        { "a,b", "a,b", NULL, NULL, "a,b", false }, { "a,b", "", NULL, NULL, "", true },
        { "", NULL, "", NULL, "", false },          { "a,a", NULL, NULL, "a", "", true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Snapshot) snapshot = snapshot_new();
        char *set[] = { (char *)cases[i].set, NULL }, *add[] = { (char *)cases[i].add, NULL };
        char *remove[] = { (char *)cases[i].remove, NULL };
        TagRequest request = { cases[i].set ? set : NULL, add, remove };
        g_autofree char *after = NULL;

        g_strfreev(snapshot->tags);
        snapshot->tags = g_strsplit(cases[i].before, ",", -1);
        g_test_message("%s", cases[i].before);
        g_assert_cmpint(tag_apply(snapshot, &request), ==, cases[i].changed);
        after = g_strjoinv(",", snapshot->tags);
        g_assert_cmpstr(after, ==, cases[i].after);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tag/tags-become-what-is-asked-for", tags_become_what_is_asked_for);
    return g_test_run();
}
