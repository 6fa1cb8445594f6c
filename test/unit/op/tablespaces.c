/* SPDX-License-Identifier: Apache-2.0 */
#include "op/tablespaces.h"

#include "base/error.h"

#include <string.h>

static const BaseTablespace two[] = {
    { 16384, (char *)"/srv/one", false },
    { 16385, (char *)"/srv/t=wo", false },
    { 16386, (char *)"pg_tblspc/16386", true },
};

static bool place(const char *const *words, GArray **ret_places, GError **error)
{
    ClusterBase base = { .tablespaces = g_array_new(FALSE, FALSE, sizeof(BaseTablespace)) };
    bool ok;

    g_array_append_vals(base.tablespaces, two, G_N_ELEMENTS(two));
    ok = tablespaces_place(&base, (char *const *)words, NULL, "/data", ret_places, error);
    g_array_unref(base.tablespaces);
    return ok;
}

static void places_by_directory_and_by_number(void)
{
    static const struct {
        const char *words[3];
        const char *one, *other;
    } cases[] = {
        { { "/srv/one=/new/1", "/srv/t=wo=/new/2" }, "/new/1", "/new/2" },
        { { "16384=/new/1", "16385=/new/=2" }, "/new/1", "/new/=2" },
        { { "/srv//one/=/new/1/", "16385=/new/2/../3" }, "/new/1", "/new/3" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GArray) places = NULL;
        g_autoptr(GError) error = NULL;

        place(cases[i].words, &places, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(places->len, ==, 2);
        g_assert_cmpuint(g_array_index(places, TablespacePlace, 0).oid, ==, 16384);
        g_assert_cmpstr(g_array_index(places, TablespacePlace, 0).dir, ==, cases[i].one);
        g_assert_cmpstr(g_array_index(places, TablespacePlace, 1).dir, ==, cases[i].other);
    }
}

static void refuses_what_is_not_clear(void)
{
    static const struct {
        const char *words[4];
        const char *says;
    } cases[] = {
        { { NULL }, "--tablespace-mapping /srv/one=NEWDIR --tablespace-mapping /srv/t=wo=NEWDIR" },
        { { "16384=/new/1" }, "/srv/t=wo=NEWDIR" },
        { { "16384=/new/1", "/srv/one=/new/2", "16385=/new/3" }, "twice" },
        { { "16384=/new/1", "16385=/new/2", "17=/new/3" }, "17=/new/3" },
        { { "16384=", "16385=/new/2" }, "16384=" },
        { { "16384=/new/1", "16385=/new/1" }, "/new/1" },
        { { "16384=/new/1", "16385=/new/1/2" }, "/new/1/2" },
        { { "16384=/data/1", "16385=/new/1" }, "/data/1" },
        { { "16384=/new/1", "16385=/" }, "/data" },
        { { "16386=/new/0", "16384=/new/1", "16385=/new/2" }, "16386=/new/0" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GArray) places = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_false(place(cases[i].words, &places, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        if (!strstr(error->message, cases[i].says))
            g_error("%s: %s", cases[i].says, error->message);
    }
}

static void places_beside_each_other_are_apart(void)
{
    static const char *const words[] = { "16384=/database", "16385=/datab", NULL };
    g_autoptr(GArray) places = NULL;

    g_assert_true(place(words, &places, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/op/tablespaces/places", places_by_directory_and_by_number);
    g_test_add_func("/op/tablespaces/refusals", refuses_what_is_not_clear);
    g_test_add_func("/op/tablespaces/apart", places_beside_each_other_are_apart);
    return g_test_run();
}
