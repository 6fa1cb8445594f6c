/* SPDX-License-Identifier: Apache-2.0 */
#include "config/configuration.h"

#include "base/error.h"
#include <string.h>

#define KEY "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

/* Nothing of what this process was started with. */
static void set_environment(const char *const *variables)
{
    g_auto(GStrv) names = g_listenv();

    for (char **name = names; *name; name++)
        if (!g_str_has_prefix(*name, "G_"))
            g_unsetenv(*name);
    g_setenv("HOME", "/nonexistent", TRUE);
    for (; *variables; variables++) {
        g_auto(GStrv) pair = g_strsplit(*variables, "=", 2);

        g_setenv(pair[0], pair[1], TRUE);
    }
}

static void a_container_needs_no_file(void)
{
    static const char *const variables[] = {
        "ENABLE_BACKUPS=true",
        "BACKUP_S3_ENDPOINT=https://s3.example.org",
        "BACKUP_S3_BUCKET=backups",
        "BACKUP_S3_ACCESS_KEY=AK",
        "BACKUP_S3_SECRET_KEY_FILE=/run/secrets/sk",
        "BACKUP_SCHEDULE=0 */6 * * *",
        "BACKUP_ENCRYPTION_KEY=" KEY,
        "DATABASE_URL=postgres://app:p%20w@db:5432/notes?sslmode=disable",
        "REDIS_URL=redis://:hunter2@cache:6379/0",
        "TZ=Europe/Berlin",
        "BACKSTAY_LISTEN=127.0.0.1:9900",
        "BACKSTAY_METRICS_PREFIX=leaflock",
        NULL,
    };
    g_autoptr(Configuration) configuration = NULL;
    g_autoptr(GError) error = NULL;
    const RepositoryConfig *repository;
    const Schedule *schedule;
    g_autofree char *sources = NULL;

    set_environment(variables);
    configuration_load(NULL, &configuration, &error);
    g_assert_no_error(error);
    g_assert_null(configuration->path);
    repository = configuration_repository(configuration, "main");
    g_assert_cmpstr(repository->location, ==, "s3:https://s3.example.org/backups");
    g_assert_cmpstr(repository->password, ==, "env://BACKUP_ENCRYPTION_KEY");
    g_assert_cmpstr(repository->s3_access_key, ==, "env://BACKUP_S3_ACCESS_KEY");
    g_assert_cmpstr(repository->s3_secret_key, ==, "file:///run/secrets/sk");
    g_assert_cmpstr(configuration_source(configuration, "postgresql")->operands[0], ==,
                    "postgres://app@db:5432/notes?sslmode=disable");
    g_assert_cmpstr(configuration_source(configuration, "postgresql")->password, ==,
                    "env://DATABASE_URL#password");
    g_assert_cmpstr(configuration_source(configuration, "redis")->operands[0], ==,
                    "redis://cache:6379/0");
    schedule = configuration_schedule(configuration, "backup");
    sources = g_strjoinv(" ", schedule->sources);
    g_assert_cmpstr(sources, ==, "postgresql redis");
    g_assert_cmpstr(schedule->cron_text, ==, "0 */6 * * *");
    g_assert_cmpstr(schedule->zone, ==, "Europe/Berlin");
    g_assert_cmpint(schedule->origin, ==, ORIGIN_ENVIRONMENT);
    g_assert_cmpstr(configuration->server.listen, ==, "127.0.0.1:9900");
    g_assert_cmpstr(configuration->server.metrics_prefix, ==, "leaflock");
}

static void without_its_switch_the_environment_is_not_read(void)
{
    static const char *const variables[] = { "BACKUP_S3_BUCKET=backups", "PGHOST=db",
                                             "ENABLE_BACKUPS=false", NULL };
    g_autoptr(Configuration) configuration = NULL;

    set_environment(variables);
    g_assert_true(configuration_load(NULL, &configuration, NULL));
    g_assert_cmpuint(g_hash_table_size(configuration->schedules), ==, 0);
    g_assert_cmpuint(g_hash_table_size(configuration->repositories), ==, 0);
}

static void variables_are_named_in_problems(void)
{
    static const struct {
        const char *label;
        const char *variables[6];
        const char *want;
    } cases[] = {
        { "neither where nor what",
          { "ENABLE_BACKUPS=1" },
          "*set BACKUP_S3_ENDPOINT*set BACKUP_ENCRYPTION_KEY*set DATABASE_URL*" },
        { "not yes, not no",
          { "ENABLE_BACKUPS=maybe" },
          "ENABLE_BACKUPS is \"maybe\"; write true*" },
        { "cron",
          { "ENABLE_BACKUPS=1", "BACKSTAY_REPOSITORY=/srv/b", "PGHOST=db",
            "BACKUP_ENCRYPTION_KEY=" KEY, "BACKUP_SCHEDULE=often" },
          "BACKUP_SCHEDULE: *" },
        { "a short key",
          { "ENABLE_BACKUPS=1", "BACKSTAY_REPOSITORY=/srv/b", "PGHOST=db",
            "BACKUP_ENCRYPTION_KEY=aGFsbG8=" },
          "BACKUP_ENCRYPTION_KEY is not 32 bytes in base64; *" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Configuration) configuration = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *line = NULL;

        g_test_message("%s", cases[i].label);
        set_environment(cases[i].variables);
        g_assert_false(configuration_load(NULL, &configuration, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CONFIG);
        line = g_strdelimit(g_strdup(error->message), "\n", ' ');
        g_test_message("%s", line);
        g_assert_true(g_pattern_match_simple(cases[i].want, line));
        g_assert_null(strstr(line, "aGFsbG8"));
    }
}

static void libpq_variables_are_a_source(void)
{
    static const char *const variables[] = {
        "ENABLE_BACKUPS=yes", "BACKSTAY_REPOSITORY=/srv/b", "BACKSTAY_PASSWORD_FILE=/p",
        "PGHOST=db",          "PGDATABASE=my notes",        NULL,
    };
    g_autoptr(Configuration) configuration = NULL;
    g_autoptr(GError) error = NULL;

    set_environment(variables);
    configuration_load(NULL, &configuration, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(configuration_source(configuration, "postgresql")->operands[0], ==,
                    "postgresql:///my%20notes");
    g_assert_null(configuration_repository(configuration, "main")->password);
    g_assert_cmpstr(configuration_schedule(configuration, "backup")->cron_text, ==, "0 3 * * *");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fromenv/a_container_needs_no_file", a_container_needs_no_file);
    g_test_add_func("/fromenv/without_its_switch_the_environment_is_not_read",
                    without_its_switch_the_environment_is_not_read);
    g_test_add_func("/fromenv/variables_are_named_in_problems", variables_are_named_in_problems);
    g_test_add_func("/fromenv/libpq_variables_are_a_source", libpq_variables_are_a_source);
    return g_test_run();
}
