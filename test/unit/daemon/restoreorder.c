/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/restoreorder.h"
#include "../lib/tempdir.h"
#include "base/error.h"

#include <string.h>

#define RUN    "0123456789abcdef0123456789abcdef"
#define BACKUP "00000000000000000000000000000001"

typedef struct {
    char *dir;
    Configuration *configuration;
    RunRow backup;
} World;

static void set_up(World *world, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *text = NULL;

    world->dir = tempdir_new();
    text = g_strdup_printf("repositories: {main: {location: /repo, password: \"env://X\"}}\n"
                           "sources:\n"
                           "  shop: {url: \"postgresql://a@db/shop\"}\n"
                           "  files: {paths: [/srv]}\n"
                           "  disk: {url: \"volume:/dev/sdx\"}\n"
                           "  app: {url: \"sqlite:/srv/app.db\"}\n"
                           "  cluster: {url: \"pgcluster:/srv/pg\"}\n"
                           "server: {restore_roots: [\"%s\"]}\n",
                           world->dir);
    g_assert_true(configuration_parse(NULL, text, strlen(text), &world->configuration, NULL));
    world->backup = (RunRow){
        .id = g_strdup(BACKUP),
        .kind = g_strdup("backup"),
        .repository = g_strdup("main"),
        .state = RUN_SUCCEEDED,
        .detail = json_loads("{\"snapshots\": ["
                             "{\"source\":\"shop\", \"snapshot_id\":\"abc1\"},"
                             "{\"source\":\"files\", \"snapshot_id\":\"abc2\"},"
                             "{\"source\":\"disk\", \"snapshot_id\":\"abc3\", \"kind\":\"volume\"},"
                             "{\"source\":\"app\", \"snapshot_id\":\"abc4\", \"kind\":\"sqlite\"},"
                             "{\"source\":\"cluster\", \"snapshot_id\":\"abc5\", \"kind\":"
                             "\"pgcluster\"},"
                             "{\"source\":\"bad\", \"snapshot_id\":\"--delete\"}]}",
                             0, NULL),
    };
}

static void tear_down(World *world, G_GNUC_UNUSED gconstpointer data)
{
    configuration_free(world->configuration);
    run_row_clear(&world->backup);
    tempdir_remove(world->dir);
}

static bool make(World *world, const char *text, const char *run, RestorePlan *plan, GError **error)
{
    json_t *json = json_loads(text, 0, NULL);
    const RestoreOrder order = {
        .configuration = world->configuration, .backup = &world->backup, .order = json, .run = run
    };
    bool ok;

    g_assert_nonnull(json);
    ok = restore_order(&order, plan, error);
    json_decref(json);
    return ok;
}

/* "word word | word word": a step each. */
static char *words_of(const RestorePlan *plan)
{
    GString *all = g_string_new(NULL);
    const json_t *step, *word;
    size_t i, k;

    json_array_foreach(plan->steps, i, step)
    {
        if (i > 0)
            g_string_append(all, " | ");
        json_array_foreach(json_object_get(step, "argv"), k, word)
            g_string_append_printf(all, "%s%s", k ? " " : "", json_string_value(word));
    }
    return g_string_free(all, FALSE);
}

static void what_is_asked_becomes_values_never_options(World *world, G_GNUC_UNUSED gconstpointer d)
{
    static const struct {
        const char *label, *order, *words; /* TOP: the root that is allowed */
    } cases[] = {
        { "a directory", "{\"source\":\"files\",\"target\":{\"directory\":\"TOP/new\"}}",
          "--repo=main restore --target=TOP/new --beneath=TOP --overwrite=refuse -- abc2" },
        { "patterns that look like options",
          "{\"source\":\"files\",\"target\":{\"directory\":\"TOP/new\"},\"include\":[\"--delete\"],"
          "\"verify\":true,\"path\":\"/--x\"}",
          "--repo=main restore --target=TOP/new --beneath=TOP --overwrite=refuse "
          "--include=--delete --verify -- "
          "abc2:/--x" },
        { "a database", "{\"source\":\"shop\",\"target\":{\"source\":\"shop\"}}",
          "--repo=main restore --to=@shop -- abc1" },
        { "another database, and a part",
          "{\"source\":\"shop\",\"target\":{\"source\":\"shop\",\"database\":\"--x\"},"
          "\"tables\":[\"-t\",\"a b\"],\"create\":true,\"no_acl\":false}",
          "--repo=main restore --to=@shop/--x --table=-t --table=a b --create -- abc1" },
        { "over what is there",
          "{\"source\":\"shop\",\"target\":{\"source\":\"shop\"},\"overwrite\":true,"
          "\"confirm\":\"shop\"}",
          "--repo=main backup --tag=safety=" RUN " -- @shop | --repo=main restore --to=@shop "
          "--clean -- abc1" },
        { "and without a safety backup",
          "{\"source\":\"shop\",\"target\":{\"source\":\"shop\"},\"overwrite\":true,"
          "\"confirm\":\"shop\",\"safety_backup\":false}",
          "--repo=main restore --to=@shop --clean -- abc1" },
        { "an empty directory needs none, and must be empty still",
          "{\"source\":\"files\",\"target\":{\"directory\":\"TOP/new\"},\"overwrite\":true,"
          "\"confirm\":\"TOP/new\"}",
          "--repo=main restore --target=TOP/new --beneath=TOP --overwrite=refuse -- abc2" },
        { "an image", "{\"source\":\"disk\",\"target\":{\"file\":\"TOP/x.img\"},\"verify\":true}",
          "--repo=main restore --to=volume:TOP/x.img --beneath=TOP --verify -- abc3" },
        { "over an image that is not there: what appears meanwhile has no safety backup",
          "{\"source\":\"disk\",\"target\":{\"file\":\"TOP/x.img\"},\"overwrite\":true,"
          "\"confirm\":\"TOP/x.img\"}",
          "--repo=main restore --to=volume:TOP/x.img --beneath=TOP -- abc3" },
        { "over a volume",
          "{\"source\":\"disk\",\"target\":{\"source\":\"disk\"},\"overwrite\":true,"
          "\"confirm\":\"disk\"}",
          "--repo=main backup --tag=safety=" RUN " -- @disk | --repo=main restore --to=@disk "
          "--force -- abc3" },
        { "a database file", "{\"source\":\"app\",\"target\":{\"file\":\"TOP/a.db\"}}",
          "--repo=main restore --to=sqlite:TOP/a.db --beneath=TOP -- abc4" },
        { "a cluster",
          "{\"source\":\"cluster\",\"target\":{\"directory\":\"TOP/pg\"},\"recovery\":{\"time\":"
          "\"--x\",\"exclusive\":true,\"timeline\":\"2\",\"action\":\"promote\",\"config_file\":"
          "\"/etc/pg.conf\",\"tablespaces\":[{\"from\":\"17\",\"to\":\"TOP/ts\"}]}}",
          "--repo=main restore --target=TOP/pg --beneath=TOP --target-time=--x --target-exclusive "
          "--target-timeline=2 --target-action=promote --config-file=/etc/pg.conf "
          "--tablespace-mapping=17=TOP/ts -- abc5" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) order = g_string_new(cases[i].order);
        g_autoptr(GString) want = g_string_new(cases[i].words);
        g_autofree char *words = NULL;
        g_autoptr(GError) error = NULL;
        g_auto(RestorePlan) plan = { 0 };

        g_test_message("%s", cases[i].label);
        g_string_replace(order, "TOP", world->dir, 0);
        g_string_replace(want, "TOP", world->dir, 0);
        g_assert_true(make(world, order->str, RUN, &plan, &error));
        words = words_of(&plan);
        g_assert_cmpstr(words, ==, want->str);
    }
}

static void a_preview_changes_nothing(World *world, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(RestorePlan) plan = { 0 };
    g_autofree char *words = NULL;

    g_assert_true(make(world,
                       "{\"source\":\"shop\",\"target\":{\"source\":\"shop\"},\"overwrite\":true}",
                       NULL, &plan, NULL));
    words = words_of(&plan);
    g_assert_cmpstr(words, ==, "--repo=main restore --to=@shop --clean --dry-run -- abc1");
}

static void what_may_not_be_asked_is_refused(World *world, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        const char *label, *order;
        int code;
    } cases[] = {
        { "no target", "{\"source\":\"shop\",\"target\":{}}", BS_ERROR_USAGE },
        { "two targets",
          "{\"source\":\"shop\",\"target\":{\"source\":\"shop\",\"directory\":\"/x\"}}",
          BS_ERROR_USAGE },
        { "a member that is none", "{\"source\":\"shop\",\"target\":{\"source\":\"shop\"},\"x\":1}",
          BS_ERROR_USAGE },
        { "a URL", "{\"source\":\"shop\",\"target\":{\"source\":\"postgresql://h/d\"}}",
          BS_ERROR_NOT_FOUND },
        { "files as a server", "{\"source\":\"shop\",\"target\":{\"source\":\"files\"}}",
          BS_ERROR_USAGE },
        { "a directory elsewhere", "{\"source\":\"files\",\"target\":{\"directory\":\"/etc\"}}",
          BS_ERROR_DENIED },
        { "no such source", "{\"source\":\"x\",\"target\":{\"source\":\"shop\"}}",
          BS_ERROR_NOT_FOUND },
        { "one of several", "{\"target\":{\"source\":\"shop\"}}", BS_ERROR_USAGE },
        { "an id that is none", "{\"source\":\"bad\",\"target\":{\"source\":\"shop\"}}",
          BS_ERROR_NOT_FOUND },
        { "to overwrite without the name",
          "{\"source\":\"shop\",\"target\":{\"source\":\"shop\"},\"overwrite\":true}",
          BS_ERROR_GUARD },
        { "with another name",
          "{\"source\":\"shop\",\"target\":{\"source\":\"shop\",\"database\":\"d\"},"
          "\"overwrite\":true,\"confirm\":\"shop\"}",
          BS_ERROR_GUARD },
        { "a file of what is none", "{\"source\":\"files\",\"target\":{\"file\":\"TOP/x\"}}",
          BS_ERROR_USAGE },
        { "a file elsewhere", "{\"source\":\"app\",\"target\":{\"file\":\"/etc/passwd\"}}",
          BS_ERROR_DENIED },
        { "a volume unasked", "{\"source\":\"disk\",\"target\":{\"source\":\"disk\"}}",
          BS_ERROR_NOT_EMPTY },
        { "a database of a volume",
          "{\"source\":\"disk\",\"target\":{\"source\":\"disk\",\"database\":\"x\"}}",
          BS_ERROR_USAGE },
        { "a recovery of files",
          "{\"source\":\"app\",\"target\":{\"directory\":\"TOP/"
          "pg\"},\"recovery\":{\"latest\":true}}",
          BS_ERROR_USAGE },
        { "a recovery to two moments",
          "{\"source\":\"cluster\",\"target\":{\"directory\":\"TOP/"
          "pg\"},\"recovery\":{\"latest\":true,"
          "\"lsn\":\"0/1\"}}",
          BS_ERROR_USAGE },
        { "a tablespace elsewhere",
          "{\"source\":\"cluster\",\"target\":{\"directory\":\"TOP/"
          "pg\"},\"recovery\":{\"latest\":true,"
          "\"tablespaces\":[{\"from\":\"1\",\"to\":\"/etc\"}]}}",
          BS_ERROR_DENIED },
        { "a cluster's source", "{\"source\":\"cluster\",\"target\":{\"source\":\"cluster\"}}",
          BS_ERROR_USAGE },
        { "options of directories",
          "{\"source\":\"shop\",\"target\":{\"source\":\"shop\"},\"include\":[\"x\"]}",
          BS_ERROR_USAGE },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) order = g_string_new(cases[i].order);
        g_auto(RestorePlan) plan = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        g_string_replace(order, "TOP", world->dir, 0);
        g_assert_false(make(world, order->str, RUN, &plan, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_null(plan.steps);
    }
}

/* Before a whole cluster is saved it is known whether its recovery can be. */
static void over_a_cluster_the_target_is_checked_first(World *world, G_GNUC_UNUSED gconstpointer d)
{
    g_autofree char *data = g_build_filename(world->dir, "pg", NULL);
    g_autofree char *file = g_build_filename(data, "PG_VERSION", NULL);
    g_autofree char *order = g_strdup_printf(
        "{\"source\":\"cluster\",\"target\":{\"directory\":\"%s\"},\"overwrite\":true,\"confirm\":"
        "\"%s\",\"recovery\":{\"latest\":true,\"delta\":true}}",
        data, data);
    g_autofree char *argv = g_strdup_printf(
        "--repo=main restore --target=%s --beneath=%s --target-latest --delta", data, world->dir);
    g_autofree char *want = g_strdup_printf("%s --dry-run -- abc5 | --repo=main backup "
                                            "--tag=safety=" RUN " -- %s | %s -- abc5",
                                            argv, data, argv);
    g_autofree char *words = NULL;
    g_auto(RestorePlan) plan = { 0 };

    g_assert_cmpint(g_mkdir_with_parents(data, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, "15", 2, NULL));
    g_assert_true(make(world, order, RUN, &plan, NULL));
    words = words_of(&plan);
    g_assert_cmpstr(words, ==, want);
}

static void a_full_directory_is_not_overwritten_unasked(World *world, G_GNUC_UNUSED gconstpointer d)
{
    g_autofree char *full = g_build_filename(world->dir, "full", NULL);
    g_autofree char *file = g_build_filename(full, "file", NULL);
    g_autofree char *order =
        g_strdup_printf("{\"source\":\"files\",\"target\":{\"directory\":\"%s\"}}", full);
    g_auto(RestorePlan) plan = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_mkdir_with_parents(full, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    g_assert_false(make(world, order, RUN, &plan, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY);
    g_assert_true(make(world, order, NULL, &plan, NULL));
    g_assert_true(plan.exists);
}

#define ADD(name, function)                                                                        \
    g_test_add("/restoreorder/" name, World, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("words", what_is_asked_becomes_values_never_options);
    ADD("preview", a_preview_changes_nothing);
    ADD("refused", what_may_not_be_asked_is_refused);
    ADD("cluster", over_a_cluster_the_target_is_checked_first);
    ADD("full", a_full_directory_is_not_overwritten_unasked);
    return g_test_run();
}
