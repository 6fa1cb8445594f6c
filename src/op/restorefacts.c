/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restorefacts.h"

#include "base/clock.h"
#include "base/secret.h"
#include "config/types.h"
#include "op/exportmanifest.h"
#include "op/factsource.h"
#include "op/factways.h"
#include "op/runplace.h"
#include "pg/url.h"
#include "source/source.h"
#include <string.h>

#define TOGETHER_MS 30000 /* for all of them: somebody waits for a preview */

typedef struct {
    const RestoreFacts *facts;
    const SourceConfig *source;
    bool is_target;
    char **operands;
    char **hidden;
    int64_t end_ms;
    const Cancel *cancel;
} Comparing;

/* ---- telling ---- */

static void tell(const RestoreFacts *facts, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void tell(const RestoreFacts *facts, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    facts->note(text, facts->user);
}

static char *quoted(const json_t *value)
{
    const char *text = json_string_value(value);

    return text ? g_strdup_printf("\"%s\"", text) : g_strdup("none");
}

/* why: begins with the name of the fact. */
static void tell_unknown(const Comparing *comparing, const char *why, const json_t *saved)
{
    g_autofree char *text = quoted(saved);

    tell(comparing->facts, "%s; it was %s when this was saved, and is not compared", why, text);
}

/* None of them. */
static void tell_nothing(const RestoreFacts *facts, const json_t *saved, const char *why)
{
    const json_t *kid = json_object_get(saved, FACT_KID);
    g_autoptr(GString) names = g_string_new(NULL);
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)saved, name, value)
    {
        g_string_append_printf(names, "%s%s", names->len ? ", " : "", name);
        if (value == kid)
            g_string_append_printf(names, " \"%s\"", json_string_value(kid));
    }
    tell(facts, "facts of the snapshot are not compared with what is now (%s): %s", names->str,
         why);
}

/* ---- asking ---- */

static const char *source_name(const Comparing *comparing)
{
    return comparing->is_target ? NULL : comparing->source->name;
}

static void compare(const Comparing *comparing, const char *name, const json_t *saved,
                    const char *now)
{
    const RestoreFacts *facts = comparing->facts;
    json_auto_t *value = now ? json_string(now) : json_null();
    g_autofree char *key = NULL;

    if (facts->preview)
        restore_compare_fact(name, source_name(comparing), saved, value, facts->differs,
                             facts->user);
    if (strcmp(name, FACT_KID) == 0)
        key = restore_compare_key(source_name(comparing), saved, value);
    if (key)
        facts->note(key, facts->user);
}

/* False when it cannot be had; *ret_why is why. */
static bool ask(const Comparing *comparing, const char *name, char **ret_value, char **ret_why)
{
    const json_t *fact = fact_source_asks(comparing->source, name);
    const int64_t left_ms = comparing->end_ms - clock_monotonic_ms();
    const FactAsking asking = { .fact = fact,
                                .operands = comparing->operands,
                                .hidden = comparing->hidden,
                                .cancel = comparing->cancel,
                                .most_ms = left_ms };
    g_autoptr(GError) failure = NULL;

    if (!fact)
        *ret_why = g_strdup_printf("fact %s: source %s of the configuration does not ask for it",
                                   name, comparing->source->name);
    else if (fact_needs_server(fact) && !comparing->facts->server)
        *ret_why = g_strdup_printf("fact %s: it is asked of a server or database, and none can be "
                                   "asked there",
                                   name);
    else if (left_ms <= 0)
        *ret_why = g_strdup_printf("fact %s: the others took too long", name);
    else if (!fact_ask(&asking, ret_value, &failure))
        *ret_why = g_strdup(failure->message);
    return !*ret_why;
}

static bool compare_all(const Comparing *comparing, const json_t *saved, GError **error)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)saved, name, value)
    {
        g_autofree char *now = NULL, *why = NULL;

        if (ask(comparing, name, &now, &why))
            compare(comparing, name, value, now);
        else if (!cancel_check(comparing->cancel, error))
            return false;
        else
            tell_unknown(comparing, why, value);
    }
    return true;
}

/* A target without a database gets each under its own name, and there it is asked. */
static char *server_of(const RestoreFacts *facts, const SourceConfig *source)
{
    g_autoptr(PgUrl) there = NULL, here = NULL;

    if (facts->server && source->url && pg_url_is(facts->server) && pg_url_is(source->url)) {
        there = pg_url_parse(facts->server, NULL);
        here = pg_url_parse(source->url, NULL);
    }
    if (there && here && !pg_url_database(there) && pg_url_database(here))
        return url_with_database(facts->server, pg_url_database(here));
    return g_strdup(facts->server);
}

static bool ask_source(const RestoreFacts *facts, const Configuration *configuration,
                       const SourceConfig *source, bool is_target, const json_t *saved,
                       const Cancel *cancel, GError **error)
{
    g_auto(GStrv) hidden = run_place_hidden_all(configuration);
    g_autofree char *server = server_of(facts, source);
    char *operands[] = { server, NULL };
    const Comparing comparing = {
        .facts = facts,
        .source = source,
        .is_target = is_target,
        .operands = operands,
        .hidden = hidden,
        .end_ms = clock_monotonic_ms() + TOGETHER_MS,
        .cancel = cancel,
    };
    bool ok;

    if (!is_target && facts->preview)
        tell(facts,
             "facts are those of source %s of the configuration, which has saved this; the target "
             "is none of its sources",
             source->name);
    ok = compare_all(&comparing, saved, error);
    if (server)
        secret_wipe(server, strlen(server));
    return ok;
}

/* ---- all of it ---- */

/* What is asked for: of a restore only the key. */
static json_t *wanted(const RestoreFacts *facts, const json_t *manifest)
{
    json_t *saved = json_object_get(manifest, "facts"), *kid = json_object_get(saved, FACT_KID);

    if (facts->preview)
        return json_is_object(saved) ? json_incref(saved) : NULL;
    return json_is_string(kid) ? json_pack("{s:O}", FACT_KID, kid) : NULL;
}

bool restore_facts(const RestoreFacts *facts, const Snapshot *snapshot, const json_t *manifest,
                   const Cancel *cancel, GError **error)
{
    json_auto_t *saved = facts ? wanted(facts, manifest) : NULL;
    g_autoptr(Configuration) configuration = NULL;
    g_autoptr(GError) failure = NULL;
    const SourceConfig *source;
    bool is_target;

    if (json_object_size(saved) == 0)
        return true;
    if (configuration_load(facts->config, &configuration, &failure) &&
        fact_source_find(configuration,
                         &(FactTarget){ facts->named, facts->target, facts->directory }, snapshot,
                         saved, &source, &is_target, &failure))
        return ask_source(facts, configuration, source, is_target, saved, cancel, error);
    if (!cancel_check(cancel, error))
        return false;
    tell_nothing(facts, saved, failure->message);
    return true;
}

bool restore_facts_of(const RestoreFacts *facts, Repo *repo, const Snapshot *snapshot,
                      const Cancel *cancel, GError **error)
{
    g_autoptr(GError) failure = NULL;
    json_auto_t *manifest = NULL;

    if (!facts)
        return true;
    if (export_recorded(repo, snapshot, &manifest, &failure))
        return restore_facts(facts, snapshot, manifest, cancel, error);
    if (!cancel_check(cancel, error))
        return false;
    tell(facts, "facts are not compared with what is now: %s", failure->message);
    return true;
}
