/* SPDX-License-Identifier: Apache-2.0 */
#include "config/configuration.h"

#include "base/error.h"
#include <string.h>

#define REPOSITORIES "repositories:\n  main:\n    location: /srv/backup\n"
#define SOURCES      "sources:\n  files:\n    paths: [/etc]\n"
#define BASE         REPOSITORIES SOURCES /* six lines */

static Configuration *parsed(const char *text)
{
    g_autoptr(GError) error = NULL;
    Configuration *configuration = NULL;

    configuration_parse("b.yaml", text, strlen(text), &configuration, &error);
    g_assert_no_error(error);
    return configuration;
}

static void assert_refused(const char *text, const char *want)
{
    g_autoptr(GError) error = NULL;
    Configuration *configuration = NULL;

    g_assert_false(configuration_parse("b.yaml", text, strlen(text), &configuration, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CONFIG);
    g_assert_cmpstr(error->message, ==, want);
    g_assert_null(configuration);
}

static void problems_name_line_and_column(void)
{
    static const struct {
        const char *label, *text, *want;
    } cases[] = {
        { "unknown section", "repos: {}\n",
          "b.yaml:1:1: repos: unknown key; known are repositories, sources, schedules, "
          "notifications, server, defaults" },
        { "unknown key",
          BASE "schedules:\n  a:\n    sources: [files]\n    repository: main\n    "
               "cron: daily\n    targets: {x: 1}\n",
          "b.yaml:12:15: schedules.a.targets.x: unknown key; known are rpo, rto, proof" },
        { "wrong type", "repositories:\n  main:\n    location: 5\n",
          "b.yaml:3:15: repositories.main.location: a number stands here; write an absolute path "
          "or s3:https://host/bucket/prefix" },
        { "plain secret", "repositories:\n  main:\n    location: /srv\n    password: hunter2\n",
          "b.yaml:4:15: repositories.main.password: secrets are not written here; say where it "
          "is: file:///PATH, env://NAME, cred://NAME or command://COMMAND" },
        { "missing key", "repositories:\n  main:\n    compression: max\n",
          "b.yaml:2:3: repositories.main.location: is missing: where it is: an absolute path, "
          "or s3:https://host/bucket/prefix" },
        { "dangling names",
          BASE
          "schedules:\n  a:\n    sources: [files, db]\n    repository: mian\n    cron: daily\n",
          "b.yaml:9:22: schedules.a.sources[1]: there is no \"db\" in sources; there is: files\n"
          "b.yaml:10:17: schedules.a.repository: there is no \"mian\" in repositories; there is: "
          "main" },
        { "list item", "sources:\n  a:\n    paths:\n      - /etc\n      - srv\n",
          "b.yaml:5:9: sources.a.paths[1]: \"srv\" is no absolute path; write /like/this" },
        { "neither", "sources:\n  a: {secret: true}\n",
          "b.yaml:2:3: sources.a: what is to be saved? write url or paths" },
        { "password in a URL", "sources:\n  a:\n    url: postgresql://u:pw@h/db\n",
          "b.yaml:3:10: sources.a.url: a password stands in the URL; leave it out, and say where "
          "it is with the key \"password\"" },
        { "channel of no kind", "notifications:\n  m:\n    type: pigeon\n",
          "b.yaml:3:11: notifications.m.type: which kind of channel? write type: one of smtp, "
          "slack, pagerduty, trello, webhook, healthchecks" },
        { "a name that is none", "sources:\n  a b:\n    paths: /etc\n",
          "b.yaml:2:3: sources.a b: is no name; write letters, digits, \".\", \"_\" and \"-\", at "
          "most 64, beginning with a letter or digit" },
        { "beyond the machine", "server:\n  listen: 0.0.0.0:80\n",
          "b.yaml:2:11: server.listen: passwords would cross the network in the clear; listen on "
          "127.0.0.1 or give tls a certificate and key" },
        { "defaults are checked once",
          BASE "defaults:\n  nice: 99\nschedules:\n  a: {sources: "
               "files, repository: main, cron: daily}\n",
          "b.yaml:8:9: defaults.nice: 99 is out of range; write a number from 0 to 19" },
        { "variable not set", "repositories:\n  main:\n    location: env://NO_SUCH_VARIABLE\n",
          "b.yaml:3:15: repositories.main.location: this value: the variable NO_SUCH_VARIABLE is "
          "not set" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].label);
        assert_refused(cases[i].text, cases[i].want);
    }
}

static void times_and_amounts_are_checked(void)
{
    static const struct {
        const char *line, *want; /* NULL: good */
    } cases[] = {
        { "cron: '*/15 * * * *'", NULL },
        { "cron: '@daily'", NULL },
        { "cron: weekly", NULL },
        { "cron: '0 0 30 2 *'", "b.yaml:10:11: schedules.a.cron: \"0 0 30 2 *\" is never due; see "
                                "the days of the month" },
        { "cron: '*/15 * * *'", "" },
        { "cron: sometimes", "" },
        { "cron:", "b.yaml:10:5: schedules.a.cron: nothing stands here; write five fields such as "
                   "0 3 * * *, or hourly, daily, weekly, monthly" },
        { "timezone: Europe/Berlin", NULL },
        { "timezone: Mars/Phobos", "b.yaml:10:15: schedules.a.timezone: \"Mars/Phobos\" is no time "
                                   "zone that is known here; write Etc/UTC or Europe/Berlin" },
        { "timezone: /etc/passwd", "" },
        { "timezone: ../../etc/passwd", "" },
        { "timezone: '+01:00'", "" },
        { "jitter: 5m", NULL },
        { "jitter: 0", NULL },
        { "jitter: 5", "b.yaml:10:13: schedules.a.jitter: \"5\" is no duration; write 30s, 5m, "
                       "1h30m or 2d" },
        { "jitter: 1ms", "" },
        { "timeout: 2d", NULL },
        { "timeout: -2d", "" },
        { "memory: 512M", NULL },
        { "memory: 512Q", "" },
        { "memory: 99999999999T", "" },
        { "retries: 3", NULL },
        { "retries: '3'", "b.yaml:10:14: schedules.a.retries: a text stands here; write a number "
                          "from 0 to 100" },
        { "retries: 3.5", "" },
        { "retries: 1e999", "" },
        { "retries: 99999999999999999999", "" },
        { "enabled: false", NULL },
        { "enabled: no", "b.yaml:10:14: schedules.a.enabled: a text stands here; write true or "
                         "false" },
        { "catch_up: 6h", NULL },
        { "catch_up: maybe", "" },
        { "paused_until: 2026-11-21T04:00:00Z", NULL },
        { "paused_until: tomorrow", "" },
        { "keep: {last: 3, daily: 7, within: 1y2m, pitr: 7d}", NULL },
        { "keep: {last: -2}", "" },
        { "keep: {within: 5x}", "" },
        { "locks: {redis: 'redis://cache:6379/1', postgresql: true}", NULL },
        { "locks: {redis: 'redis://:secret@cache'}", "" },
        { "locks: {redis: 'http://cache'}", "" },
        { "hooks: {before: 'mount /mnt', after: [a, b]}", NULL },
        { "notify: {channels: [nobody]}", "b.yaml:10:25: schedules.a.notify.channels[0]: there is "
                                          "no \"nobody\" in notifications; there is none" },
        { "notify: {recipients: [a@b.c]}", NULL },
        { "notify: {recipients: [ab.c]}", "" },
        { "notify: {recipients: ['Älteste <a@b.c>', '<a@b.c>']}", NULL },
        { "notify: {recipients: ['A <ab.c>']}", "" },
        { "notify: {recipients: ['A <a@b.c> B']}", "" },
        { "notify: {recipients: ['A <a@b.c>, B <b@b.c>']}", "" },
        { "notify: {recipients: [\"A\\r\\nBcc: <a@b.c>\"]}", "" },
        { "notify: {recipients: ['A <']}", "" },
        { "targets: {rpo: 26h, rto: 4h}", NULL },
        { "ionice: 'best-effort:8'", "" },
        { "ionice: idle", NULL },
        { "name: b", "" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool cron = g_str_has_prefix(cases[i].line, "cron");
        g_autoptr(GString) whole = g_string_new(BASE "schedules:\n  a:\n    sources: files\n");
        g_autoptr(GError) error = NULL;
        Configuration *configuration = NULL;
        bool good;

        g_string_append_printf(whole, "    %s\n    repository: main\n", cases[i].line);
        if (!cron)
            g_string_append(whole, "    cron: daily\n");
        g_test_message("%s", cases[i].line);
        good = configuration_parse("b.yaml", whole->str, whole->len, &configuration, &error);
        g_assert_cmpint(good, ==, !cases[i].want);
        if (cases[i].want && *cases[i].want)
            g_assert_cmpstr(error->message, ==, cases[i].want);
        else if (cases[i].want)
            g_assert_true(g_str_has_prefix(error->message, "b.yaml:10:"));
        configuration_free(configuration);
    }
}

static void a_pause_needs_a_group_and_its_end(void)
{
    static const struct {
        const char *keys, *want; /* NULL: good */
    } cases[] = {
        { "consistency: group, hooks: {pause: a, resume: [b, c]}, pause_limit: 1500ms", NULL },
        { "consistency: group, hooks: {pause: a, resume: b}, pause_limit: 10m", NULL },
        { "consistency: group, pause_limit: 10s", NULL },
        { "hooks: {pause: a, resume: b}",
          "hooks.pause: is for a schedule with consistency: group" },
        { "consistency: each, hooks: {resume: b}",
          "hooks.resume: is for a schedule with consistency: group" },
        { "consistency: group, hooks: {pause: a}",
          "hooks.pause: needs hooks.resume, which undoes it" },
        { "consistency: group, hooks: {before: a, resume: b}",
          "hooks.resume: needs hooks.pause, which it undoes" },
        { "consistency: group, pause_limit: 5s", "pause_limit: is for hooks.pause" },
        { "consistency: group, hooks: {pause: a, resume: b}, pause_limit: 999ms",
          "pause_limit: write a duration from 1s to 10m" },
        { "consistency: group, hooks: {pause: a, resume: b}, pause_limit: 11m",
          "pause_limit: write a duration from 1s to 10m" },
        { "consistency: group, hooks: {pause: a, resume: b}, pause_limit: 0",
          "pause_limit: write a duration from 1s to 10m" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *whole = g_strconcat(BASE "schedules:\n  a: {sources: files, repository: "
                                                  "main, cron: daily, ",
                                             cases[i].keys, "}\n", NULL);
        g_autoptr(Configuration) configuration = NULL;
        g_autoptr(GError) error = NULL;
        bool good = configuration_parse("b.yaml", whole, strlen(whole), &configuration, &error);

        g_test_message("%s: %s", cases[i].keys, error ? error->message : "good");
        g_assert_cmpint(good, ==, !cases[i].want);
        if (cases[i].want)
            g_assert_true(g_str_has_suffix(error->message, cases[i].want));
    }
}

static void what_is_paused_is_read(void)
{
    g_autoptr(Configuration) configuration =
        parsed(BASE "schedules:\n  a: {sources: files, repository: main, cron: daily, consistency: "
                    "group, hooks: {pause: [a, b], resume: c}, pause_limit: 2s}\n");
    const Schedule *a = configuration_schedule(configuration, "a");

    g_assert_cmpstr(a->pause[1], ==, "b");
    g_assert_cmpstr(a->resume[0], ==, "c");
    g_assert_cmpint(a->pause_limit_ms, ==, 2000);
}

static void everything_wrong_is_told_at_once(void)
{
    assert_refused("repositories:\n"
                   "  main: {location: srv, pack_size: 500}\n"
                   "sources:\n"
                   "  db: {url: 'ftp://x'}\n"
                   "shedules: {}\n",
                   "b.yaml:2:20: repositories.main.location: is no place for a repository; write "
                   "an absolute path or s3:https://host/bucket/prefix\n"
                   "b.yaml:2:36: repositories.main.pack_size: \"500\" is no pack size; write a "
                   "number of MiB from 4 to 128\n"
                   "b.yaml:4:13: sources.db.url: is no URL of a source; write "
                   "postgresql://user@host/database, pgcluster:/data/directory, redis://host, "
                   "sqlite:/path or volume:/path, or name files with the key \"paths\"\n"
                   "b.yaml:5:1: shedules: unknown key; known are repositories, sources, schedules, "
                   "notifications, server, defaults");
}

static void what_is_left_open_has_defaults(void)
{
    g_autoptr(Configuration) configuration =
        parsed(BASE "defaults:\n  timezone: Europe/Berlin\n  keep: {daily: 7}\n"
                    "schedules:\n  a: {sources: files, repository: main, cron: daily}\n"
                    "  b: {sources: [files], repository: main, cron: '5 4 * * *',\n"
                    "      keep: {last: 0, weekly: 4, within: 2m}, timezone: Asia/Tokyo,\n"
                    "      catch_up: 6h, memory: 1G, jitter: 90s, paused_until: "
                    "1970-01-02T00:00:00Z}\n");
    const Schedule *a = configuration_schedule(configuration, "a");
    const Schedule *b = configuration_schedule(configuration, "b");

    g_assert_cmpstr(a->id, ==, "a");
    g_assert_cmpstr(a->name, ==, "a");
    g_assert_cmpint(a->origin, ==, ORIGIN_FILE);
    g_assert_cmpstr(a->sources[0], ==, "files");
    g_assert_null(a->sources[1]);
    g_assert_cmpstr(a->cron_text, ==, "0 3 * * *");
    g_assert_cmpuint(a->cron.hours, ==, 1u << 3);
    g_assert_cmpstr(a->zone, ==, "Europe/Berlin");
    g_assert_true(a->enabled);
    g_assert_cmpint(a->catch_up, ==, CATCH_UP_ALWAYS);
    g_assert_cmpint(a->keep.last, ==, 3);
    g_assert_cmpint(a->keep.daily, ==, 7);
    g_assert_null(a->channels);
    g_assert_cmpint(a->retry_wait, ==, 600);
    g_assert_cmpstr(b->zone, ==, "Asia/Tokyo");
    g_assert_cmpint(b->keep.last, ==, 0);
    g_assert_cmpint(b->keep.daily, ==, 0);
    g_assert_cmpint(b->keep.weekly, ==, 4);
    g_assert_cmpint(b->keep.within.months, ==, 2);
    g_assert_cmpint(b->catch_up, ==, CATCH_UP_WITHIN);
    g_assert_cmpint(b->catch_up_within, ==, 6 * 3600);
    g_assert_cmpuint(b->memory, ==, G_GUINT64_CONSTANT(1) << 30);
    g_assert_cmpint(b->jitter, ==, 90);
    g_assert_cmpint(b->paused_until, ==, 86400);
    g_assert_null(configuration->server.listen);
    g_assert_cmpint(configuration->server.sweep_minute, ==, 240);
    g_assert_cmpstr(configuration->server.metrics_prefix, ==, "backstay");
}

static void a_definition_reads_back_equal(void)
{
    g_autoptr(Configuration) configuration =
        parsed(BASE "notifications:\n  ops: {type: slack, url: 'env://HOOK'}\n"
                    "schedules:\n  a:\n    sources: files\n    repository: main\n    cron: weekly\n"
                    "    hooks: {before: 'true'}\n    locks: {redis: 'env://REDIS'}\n"
                    "    notify: {channels: ops, recipients: []}\n    targets: {rpo: 26h}\n"
                    "    keep: {monthly: -1, pitr: 7d}\n    memory: 512M\n");
    const Schedule *first = configuration_schedule(configuration, "a");
    g_autoptr(Schedule) second = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Configuration) again = NULL;

    g_assert_true(schedule_from_json(configuration, first->definition, &second, &error));
    g_assert_no_error(error);
    g_assert_true(json_equal(first->definition, second->definition));
    g_assert_cmpstr(second->name, ==, "a");
    g_assert_cmpint(second->keep.monthly, ==, -1);
    g_assert_cmpint(second->keep_pitr.days, ==, 7);
    g_assert_cmpstr(second->channels[0], ==, "ops");
    g_assert_nonnull(second->recipients);
    g_assert_null(second->recipients[0]);
    g_assert_true(configuration_from_json(configuration->tree, &again, &error));
    g_assert_no_error(error);
    g_assert_true(json_equal(configuration->tree, again->tree));
}

static void the_api_gets_pointers(void)
{
    static const struct {
        const char *label, *text, *want; /* NULL: good */
    } cases[] = {
        { "good", "{'name':'Nightly run','sources':['files'],'repository':'main','cron':'hourly'}",
          NULL },
        { "null is nothing",
          "{'name':'n','sources':['files'],'repository':'main','cron':'hourly',"
          "'paused_until':null,'keep':null}",
          NULL },
        { "all at once", "{'name':'n','sources':['x'],'cron':'soon','retries':'2','colour':1}",
          "/colour: unknown key*/sources/0: there is no \"x\" in sources*/cron: *five*/retries: a "
          "text "
          "stands here*/repository: is missing: *" },
        { "no object", "[]", "a list stands here; write keys with values*" },
        { "hooks",
          "{'name':'n','sources':['files'],'repository':'main','cron':'hourly',"
          "'hooks':{'before':['id']}}",
          "/hooks: commands are written in the configuration file only" },
        { "archives",
          "{'name':'n','sources':['files'],'repository':'main','cron':'hourly',"
          "'archives':[{'to':'/etc/cron.d','format':'tar'}]}",
          "/archives: where files are written is told in the configuration file only" },
        { "references",
          "{'name':'n','sources':['files'],'repository':'main','cron':'hourly',"
          "'locks':{'redis':'file:///etc/shadow'}}",
          "/locks/redis: references are written in the configuration file only" },
        { "no look-ups", "{'name':'n','sources':['files'],'repository':'main','cron':'env://HOME'}",
          "/cron: *" },
        { "a name for a tag",
          "{'name':'a,b','sources':['files'],'repository':'main','cron':"
          "'hourly'}",
          "/name: is no name; *" },
        { "twice", "{'name':'n','sources':['files','files'],'repository':'main','cron':'hourly'}",
          "/sources/1: \"files\" stands here twice; leave one" },
        { "nothing to save", "{'name':'n','sources':[],'repository':'main','cron':'hourly'}",
          "/sources: the list is empty" },
    };
    g_autoptr(Configuration) configuration = parsed(BASE "defaults: {retries: 2}\n");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdelimit(g_strdup(cases[i].text), "'", '"');
        json_auto_t *json = json_loads(text, 0, NULL);
        g_autoptr(Schedule) schedule = NULL;
        g_autoptr(GError) error = NULL;
        bool good = schedule_from_api(configuration, json, NULL, &schedule, &error);

        g_test_message("%s: %s", cases[i].label, error ? error->message : "good");
        g_assert_cmpint(good, ==, !cases[i].want);
        if (cases[i].want) {
            g_autofree char *line = g_strdelimit(g_strdup(error->message), "\n", ' ');

            g_assert_error(error, BS_ERROR, BS_ERROR_CONFIG);
            g_assert_true(g_pattern_match_simple(cases[i].want, line));
        } else {
            g_assert_cmpint(schedule->retries, ==, 2);
            g_assert_cmpint(schedule->origin, ==, ORIGIN_API);
        }
    }
}

#define LABELLED                                                                                   \
    REPOSITORIES                                                                                   \
    "sources:\n"                                                                                   \
    "  a: {url: 'volume:/dev/vg/a', labels: {tier: gold, app: shop}}\n"                            \
    "  b: {url: 'volume:/dev/vg/b', labels: {tier: silver, app: shop}}\n"                          \
    "  c: {paths: /c}\n"                                                                           \
    "  d: {url: 'volume:/dev/vg/d', labels: {tier: gold}}\n"                                       \
    "schedules:\n"

static char *selected(const Schedule *schedule)
{
    return g_strjoinv(" ", schedule->sources);
}

static void labels_select_sources(void)
{
    static const struct {
        const char *label, *select, *want;
    } cases[] = {
        { "one label", "{tier: gold}", "a d" },
        { "another value", "{tier: silver}", "b" },
        { "all of them count", "{app: shop, tier: gold}", "a" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf(
            LABELLED "  s: {select: %s, repository: main, cron: daily, keep: {last: 1}}\n",
            cases[i].select);
        g_autoptr(Configuration) configuration = parsed(text), again = NULL;
        const Schedule *schedule = configuration_schedule(configuration, "s");
        g_autofree char *names = selected(schedule);

        g_test_message("%s", cases[i].label);
        g_assert_cmpstr(names, ==, cases[i].want);
        g_assert_cmpint(schedule->keep.last, ==, 1);
        g_assert_true(configuration_from_json(configuration->tree, &again, NULL));
        g_assert_true(json_equal(configuration->tree, again->tree));
    }
}

/* As the catalogue has it: what it was made of is asked again, and without a configuration kept. */
static void what_is_selected_follows_the_configuration(void)
{
    g_autoptr(Configuration) configuration = parsed(LABELLED "  {}\n");
    json_auto_t *definition =
        json_pack("{s:s, s:[s], s:{s:s}, s:s, s:s}", "name", "n", "sources", "b", "select", "tier",
                  "gold", "repository", "main", "cron", "hourly");
    g_autoptr(Schedule) now = NULL, kept = NULL;
    g_autofree char *names = NULL, *old_names = NULL;

    g_assert_true(schedule_from_json(configuration, definition, &now, NULL));
    names = selected(now);
    g_assert_cmpstr(names, ==, "a d");
    g_assert_true(schedule_from_json(NULL, definition, &kept, NULL));
    old_names = selected(kept);
    g_assert_cmpstr(old_names, ==, "b");
}

static void selections_are_checked(void)
{
    assert_refused(LABELLED "  s: {select: {tier: tin}, repository: main, cron: daily}\n",
                   "b.yaml:10:7: schedules.s.select: no source has these labels");
    assert_refused(LABELLED "  s: {select: {}, repository: main, cron: daily}\n",
                   "b.yaml:10:7: schedules.s.select: write at least one label");
    assert_refused(LABELLED
                   "  s: {sources: c, select: {tier: gold}, repository: main, cron: daily}\n",
                   "b.yaml:10:19: schedules.s.select: sources and select: leave one");
}

static void any_value_may_stand_elsewhere(void)
{
    g_autoptr(Configuration) configuration = NULL;

    g_setenv("WHERE", "/srv/elsewhere", TRUE);
    g_setenv("HOW_OFTEN", "7", TRUE);
    g_setenv("WHETHER", "false", TRUE);
    configuration = parsed("repositories:\n  main: {location: 'env://WHERE'}\n" SOURCES
                           "schedules:\n  a: {sources: files, repository: main, cron: daily,\n"
                           "      enabled: 'env://WHETHER', retries: 'env://HOW_OFTEN'}\n");
    g_assert_cmpstr(configuration_repository(configuration, "main")->location, ==,
                    "/srv/elsewhere");
    g_assert_cmpint(configuration_schedule(configuration, "a")->retries, ==, 7);
    g_assert_false(configuration_schedule(configuration, "a")->enabled);
}

static void sources_become_operands_and_arguments(void)
{
    g_autoptr(Configuration) configuration =
        parsed("sources:\n  a:\n    paths: [/etc, /srv]\n    options: {exclude: ['*.tmp', x], "
               "one-file-system: true, no-scan: false, tag: t}\n"
               "  b:\n    url: postgresql://u@h/db\n    password: file:///p\n"
               "    facts: [{name: v, sql: select 1}]\n");
    const SourceConfig *a = configuration_source(configuration, "a");
    const SourceConfig *b = configuration_source(configuration, "b");
    g_auto(GStrv) arguments = source_config_arguments(a);
    g_autofree char *joined = g_strjoinv(" ", arguments);
    g_autofree char *operands = g_strjoinv(" ", a->operands);

    g_assert_cmpstr(operands, ==, "/etc /srv");
    g_assert_cmpstr(joined, ==, "--tag=t --exclude=*.tmp --exclude=x --one-file-system");
    g_assert_cmpstr(b->operands[0], ==, "postgresql://u@h/db");
    g_assert_cmpstr(b->password, ==, "file:///p");
    g_assert_cmpuint(json_array_size(b->facts), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/configuration/labels-select-sources", labels_select_sources);
    g_test_add_func("/configuration/what-is-selected-follows-the-configuration",
                    what_is_selected_follows_the_configuration);
    g_test_add_func("/configuration/selections-are-checked", selections_are_checked);
    g_test_add_func("/configuration/problems_name_line_and_column", problems_name_line_and_column);
    g_test_add_func("/configuration/times_and_amounts_are_checked", times_and_amounts_are_checked);
    g_test_add_func("/configuration/a_pause_needs_a_group_and_its_end",
                    a_pause_needs_a_group_and_its_end);
    g_test_add_func("/configuration/what_is_paused_is_read", what_is_paused_is_read);
    g_test_add_func("/configuration/everything_wrong_is_told_at_once",
                    everything_wrong_is_told_at_once);
    g_test_add_func("/configuration/what_is_left_open_has_defaults",
                    what_is_left_open_has_defaults);
    g_test_add_func("/configuration/a_definition_reads_back_equal", a_definition_reads_back_equal);
    g_test_add_func("/configuration/the_api_gets_pointers", the_api_gets_pointers);
    g_test_add_func("/configuration/any_value_may_stand_elsewhere", any_value_may_stand_elsewhere);
    g_test_add_func("/configuration/sources_become_operands_and_arguments",
                    sources_become_operands_and_arguments);
    return g_test_run();
}
