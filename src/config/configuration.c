/* SPDX-License-Identifier: Apache-2.0 */
#include "config/configuration.h"

#include "base/error.h"
#include "base/fs.h"
#include "config/check.h"
#include "config/fromenv.h"
#include "config/reference.h"
#include "config/scheduleopen.h"
#include "config/yaml.h"
#include <string.h>
#include <unistd.h>

/* ---- sections ---- */

static bool is_section(const char *key)
{
    static const char *const sections[] = {
        "repositories", "sources", "schedules", "notifications", "server", "defaults", NULL
    };

    return g_strv_contains(sections, key);
}

static void tell_unknown(const Check *check, const json_t *root)
{
    const json_t *value;
    const char *key;

    json_object_foreach((json_t *)root, key, value)
    {
        g_autofree char *pointer = pointer_join("", key);

        if (!is_section(key))
            problems_add_key(check->problems, pointer,
                             "unknown key; known are repositories, sources, schedules, "
                             "notifications, server, defaults");
        else if (!json_is_object(value) && !json_is_null(value))
            problems_add(check->problems, pointer, "names with what they stand for belong here");
    }
}

/* A channel's table is chosen by its type. NULL after a problem. */
static const Table *table_of_channel(const Check *check, const json_t *channel, const char *pointer)
{
    const json_t *type = json_object_get(channel, "type");
    const Table *table = channel_table(json_string_value(type));
    g_autofree char *place = pointer_join(pointer, "type"), *types = channel_types();

    if (!table)
        problems_add(check->problems, type ? place : pointer,
                     "which kind of channel? write type: "
                     "one of %s",
                     types);
    return table;
}

/* In a file the name of a schedule is its key, and it may stand inside once more. */
static void check_own_name(const Check *check, const char *name, const json_t *schedule,
                           const char *pointer)
{
    const char *own = json_string_value(json_object_get(schedule, "name"));
    g_autofree char *place = pointer_join(pointer, "name");

    if (own && strcmp(own, name) != 0)
        problems_add(check->problems, place, "it is called \"%s\" by the key above; leave it out",
                     name);
}

static json_t *check_named(const Check *check, const Table *table, const char *name,
                           const json_t *value, const char *pointer)
{
    g_autoptr(GError) problem = NULL;

    if (!check_name(name, &problem))
        problems_add_key(check->problems, pointer, "%s", problem->message);
    if (!table)
        table = table_of_channel(check, value, pointer);
    return table ? check_object(check, table, value, pointer) : json_object();
}

/* table: NULL for channels. */
static json_t *check_section(const Check *check, const json_t *root, const char *section,
                             const Table *table)
{
    g_autofree char *pointer = pointer_join("", section);
    json_t *checked = json_object();
    const json_t *value;
    const char *name;

    json_object_foreach(json_object_get(root, section), name, value)
    {
        g_autofree char *place = pointer_join(pointer, name);

        json_object_set_new(checked, name, check_named(check, table, name, value, place));
    }
    return checked;
}

static void complete_section(const Check *check, json_t *section, const char *name,
                             const Table *table)
{
    g_autofree char *pointer = pointer_join("", name);
    const char *key;
    json_t *value;

    json_object_foreach(section, key, value)
    {
        g_autofree char *place = pointer_join(pointer, key);
        const Table *own =
            table ? table : channel_table(json_string_value(json_object_get(value, "type")));

        if (own)
            check_complete(check, own, value, place);
    }
}

/* ---- schedules and their defaults ---- */

static json_t *check_defaults(const Check *check, const json_t *root)
{
    const json_t *defaults = json_object_get(root, "defaults");

    if (json_object_get(defaults, "name"))
        problems_add_key(check->problems, "/defaults/name", "every schedule has its own");
    return json_is_object(defaults) ? check_object(check, &schedule_table, defaults, "/defaults")
                                    : json_object();
}

static json_t *check_schedules(const Check *check, const json_t *root, const json_t *defaults)
{
    json_t *schedules = check_section(check, root, "schedules", &schedule_table), *schedule;
    const char *name;

    json_object_foreach(schedules, name, schedule)
    {
        g_autofree char *pointer = pointer_join("/schedules", name);

        check_own_name(check, name, schedule, pointer);
        json_object_set_new(schedule, "name", json_string(name));
        schedule_merge_defaults(schedule, defaults);
        schedule_select(check, schedule, true, pointer);
    }
    complete_section(check, schedules, "schedules", &schedule_table);
    return schedules;
}

/* ---- the whole ---- */

static json_t *check_server(const Check *check, const json_t *root)
{
    const json_t *given = json_object_get(root, "server");
    json_t *server = json_is_object(given) ? check_object(check, &server_table, given, "/server")
                                           : json_object();

    check_complete(check, &server_table, server, "/server");
    return server;
}

static json_t *check_root(const Check *check, const json_t *root)
{
    json_t *tree = json_object(), *sources, *repositories, *channels;
    json_auto_t *defaults = NULL;

    if (!json_is_object(root)) {
        problems_add(check->problems, "", "a configuration begins with keys such as repositories:");
        return tree;
    }
    tell_unknown(check, root);
    repositories = check_section(check, root, "repositories", &repository_table);
    complete_section(check, repositories, "repositories", &repository_table);
    sources = check_section(check, root, "sources", &source_table);
    complete_section(check, sources, "sources", &source_table);
    channels = check_section(check, root, "notifications", NULL);
    complete_section(check, channels, "notifications", NULL);
    defaults = check_defaults(check, root);
    json_object_set_new(tree, "repositories", repositories);
    json_object_set_new(tree, "sources", sources);
    json_object_set_new(tree, "schedules", check_schedules(check, root, defaults));
    json_object_set_new(tree, "notifications", channels);
    json_object_set_new(tree, "server", check_server(check, root));
    json_object_set(tree, "defaults", defaults);
    return tree;
}

/* ---- typed ---- */

static GHashTable *hash_new(GDestroyNotify free_value)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_value);
}

static Configuration *configuration_new(const char *path, json_t *tree, const json_t *given,
                                        GHashTable *marks)
{
    Configuration *configuration = g_new0(Configuration, 1);
    Origin origin = path ? ORIGIN_FILE : ORIGIN_ENVIRONMENT;
    const char *name;
    json_t *value;

    configuration->path = g_strdup(path);
    configuration->tree = tree;
    configuration->given = json_incref((json_t *)given);
    configuration->marks = g_hash_table_ref(marks);
    configuration->repositories = hash_new((GDestroyNotify)repository_config_free);
    configuration->sources = hash_new((GDestroyNotify)source_config_free);
    configuration->schedules = hash_new((GDestroyNotify)schedule_free);
    configuration->channels = hash_new((GDestroyNotify)channel_config_free);
    json_object_foreach(json_object_get(tree, "repositories"), name, value) g_hash_table_insert(
        configuration->repositories, g_strdup(name), repository_config_new(name, value));
    json_object_foreach(json_object_get(tree, "sources"), name, value)
        g_hash_table_insert(configuration->sources, g_strdup(name), source_config_new(name, value));
    json_object_foreach(json_object_get(tree, "schedules"), name, value) g_hash_table_insert(
        configuration->schedules, g_strdup(name), schedule_new(name, origin, value));
    json_object_foreach(json_object_get(tree, "notifications"), name, value) g_hash_table_insert(
        configuration->channels, g_strdup(name), channel_config_new(name, value));
    server_config_init(&configuration->server, json_object_get(tree, "server"));
    return configuration;
}

void configuration_free(Configuration *configuration)
{
    if (!configuration)
        return;
    g_hash_table_unref(configuration->repositories);
    g_hash_table_unref(configuration->sources);
    g_hash_table_unref(configuration->schedules);
    g_hash_table_unref(configuration->channels);
    g_hash_table_unref(configuration->marks);
    server_config_done(&configuration->server);
    json_decref(configuration->tree);
    json_decref(configuration->given);
    g_free(configuration->path);
    g_free(configuration);
}

/* path: of the file, or NULL. problems: those found before. */
static bool build(const char *path, const json_t *given, GHashTable *marks, bool resolve,
                  Problems *problems, Configuration **ret, GError **error)
{
    Check check = { .problems = problems, .sections = given, .resolve = resolve };
    json_auto_t *tree = check_root(&check, given);

    problems_place(problems, marks);
    if (!problems_tell(problems, path, error))
        return false;
    *ret = configuration_new(path, g_steal_pointer(&tree), given, marks);
    return true;
}

bool configuration_parse(const char *name, const char *text, size_t len, Configuration **ret,
                         GError **error)
{
    g_autoptr(GHashTable) marks = marks_new();
    g_autoptr(GPtrArray) problems = problems_new();
    json_auto_t *given = NULL;

    if (!yaml_parse(text, len, &given, marks, problems))
        return problems_tell(problems, name, error);
    return build(name, given, marks, true, problems, ret, error);
}

bool configuration_from_json(const json_t *tree, Configuration **ret, GError **error)
{
    g_autoptr(GHashTable) marks = marks_new();
    g_autoptr(GPtrArray) problems = problems_new();

    return build(NULL, tree, marks, false, problems, ret, error);
}

/* ---- where it is ---- */

static char *in_directory(const char *directory)
{
    return g_build_filename(directory, "backstay.yaml", NULL);
}

static char *if_there(char *path)
{
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return path;
    g_free(path);
    return NULL;
}

char *configuration_path(const char *path)
{
    const char *variable = g_getenv("BACKSTAY_CONFIG"), *unit = g_getenv("CONFIGURATION_DIRECTORY");
    g_autofree char *own = g_build_filename(g_get_user_config_dir(), "backstay", NULL);
    char *found = NULL;

    if (!path && variable && *variable)
        path = variable;
    if (path)
        return g_strdup(path);
    if (unit && *unit && !strchr(unit, ':'))
        found = if_there(in_directory(unit));
    if (!found && (geteuid() != 0 || g_getenv("XDG_CONFIG_HOME")))
        found = if_there(in_directory(own));
    return found ? found : if_there(in_directory("/etc/backstay"));
}

static bool load_environment(Configuration **ret, GError **error)
{
    g_autoptr(GHashTable) marks = marks_new();
    g_autoptr(GPtrArray) problems = problems_new();
    json_auto_t *given = NULL;

    if (!environment_tree(&given, marks, problems))
        given = json_object();
    if (!problems_tell(problems, NULL, error))
        return false; // what is missing would be told once more by its consequences
    return build(NULL, given, marks, false, problems, ret, error);
}

bool configuration_load(const char *path, Configuration **ret, GError **error)
{
    g_autofree char *found = configuration_path(path);
    g_autoptr(GBytes) bytes = NULL;

    if (!found)
        return load_environment(ret, error);
    if (!fs_read_file(found, YAML_BYTES_MAX, &bytes, error)) {
        g_prefix_error(error, "configuration: ");
        return false;
    }
    return configuration_parse(found, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), ret,
                               error);
}

const RepositoryConfig *configuration_repository(const Configuration *in, const char *name)
{
    return g_hash_table_lookup(in->repositories, name);
}

const SourceConfig *configuration_source(const Configuration *in, const char *name)
{
    return g_hash_table_lookup(in->sources, name);
}

const Schedule *configuration_schedule(const Configuration *in, const char *name)
{
    return g_hash_table_lookup(in->schedules, name);
}

/* ---- one schedule ---- */

static bool make_schedule(const Check *check, json_t *definition, Schedule **ret, GError **error)
{
    schedule_select(check, definition, false, "");
    check_complete(check, &schedule_table, definition, "");
    problems_place(check->problems, NULL);
    if (!problems_tell(check->problems, NULL, error))
        return false;
    *ret = schedule_new(json_string_value(json_object_get(definition, "name")), ORIGIN_API,
                        definition);
    return true;
}

bool schedule_from_json(const Configuration *in, const json_t *definition, Schedule **ret,
                        GError **error)
{
    g_autoptr(GPtrArray) problems = problems_new();
    Check check = { .problems = problems, .sections = in ? in->tree : NULL, .nulls = true };
    json_auto_t *checked = check_object(&check, &schedule_table, definition, "");

    return make_schedule(&check, checked, ret, error);
}

/* What would run a command, or read a file, with rights that its author may not have. */
static void refuse_power(const Check *check, const json_t *schedule)
{
    const char *redis =
        json_string_value(json_object_get(json_object_get(schedule, "locks"), "redis"));

    if (json_object_get(schedule, "hooks"))
        problems_add(check->problems, "/hooks",
                     "commands are written in the configuration file only");
    if (json_object_get(schedule, "archives"))
        problems_add(check->problems, "/archives",
                     "where files are written is told in the configuration file only");
    if (redis && reference_is(redis))
        problems_add(check->problems, "/locks/redis",
                     "references are written in the configuration file only");
}

bool schedule_from_api(const Configuration *in, const json_t *definition, Problems *problems,
                       Schedule **ret, GError **error)
{
    g_autoptr(GPtrArray) own = problems ? NULL : problems_new();
    Check check = { .problems = problems ? problems : own, .sections = in->tree, .nulls = true };
    json_auto_t *checked = check_object(&check, &schedule_table, definition, "");

    refuse_power(&check, checked);
    schedule_merge_defaults(checked, json_object_get(in->tree, "defaults"));
    return make_schedule(&check, checked, ret, error);
}
