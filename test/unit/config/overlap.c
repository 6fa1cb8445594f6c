/* SPDX-License-Identifier: Apache-2.0 */
#include "config/overlap.h"

#include <string.h>

static void restore_roots_lie_apart_or_are_warned_of(void)
{
    static const struct {
        const char *label, *root, *words; /* of the warning; NULL: none */
    } cases[] = {
        { "apart", "/srv/back", NULL },
        { "a name that begins like it", "/srv/uploads-back", NULL },
        { "in a source", "/srv/uploads/back", "the source files (/srv/uploads)" },
        { "around a source", "/var/lib/app", "the source app (sqlite:/var/lib/app/a.db)" },
        { "a source itself, by another spelling", "/srv//uploads/", "the source files" },
        { "around a cluster", "/data", "the source cluster (pgcluster:/data/pg)" },
        { "in a repository", "/backup/repo/x", "the repository main (/backup/repo)" },
        { "around one", "/backup", "the repository main (/backup/repo)" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf(
            "repositories:\n"
            "  main: {location: /backup/repo, password: \"env://X\"}\n"
            "  far: {location: \"s3:https://s3.example/srv/back\", password: \"env://X\"}\n"
            "sources:\n"
            "  files: {paths: [/srv/uploads]}\n"
            "  app: {url: \"sqlite:/var/lib/app/a.db\"}\n"
            "  cluster: {url: \"pgcluster:/data/pg\"}\n"
            "  shop: {url: \"postgresql://a@db/shop\"}\n"
            "server: {restore_roots: [\"%s\"]}\n",
            cases[i].root);
        g_autoptr(Configuration) configuration = NULL;
        g_autoptr(GPtrArray) found = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        configuration_parse(NULL, text, strlen(text), &configuration, &error);
        g_assert_no_error(error);
        found = configuration_overlaps(configuration);
        g_assert_cmpuint(found->len, ==, cases[i].words ? 1 : 0);
        if (cases[i].words)
            g_assert_nonnull(strstr(found->pdata[0], cases[i].words));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/overlap", restore_roots_lie_apart_or_are_warned_of);
    return g_test_run();
}
