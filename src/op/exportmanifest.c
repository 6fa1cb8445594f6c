/* SPDX-License-Identifier: Apache-2.0 */
#include "op/exportmanifest.h"

#include "base/clock.h"
#include "base/error.h"
#include "codec/rfc3339.h"
#include "op/facts.h"
#include "repo/walk.h"
#include <string.h>

#define RECORDED_MAX (256u * 1024 * 1024)

/* ---- what the snapshot says ---- */

/* The one folder at the root that every source but files writes. NULL without error: there is none.
 */
static bool find_folder(Repo *repo, const Snapshot *snapshot, Id *ret_folder, bool *ret_found,
                        GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    g_autoptr(Tree) tree = NULL;
    const Node *top;

    if (!walk_load(repo, opener, &snapshot->tree, &tree, error))
        return false;
    top = tree->nodes->len == 1 ? tree->nodes->pdata[0] : NULL;
    *ret_found = top && S_ISDIR(top->mode);
    if (*ret_found)
        *ret_folder = top->subtree;
    return true;
}

static bool is_of_files(const Snapshot *snapshot)
{
    const char *kind = snapshot_tag_value(snapshot, "kind");

    return !kind || strcmp(kind, "files") == 0;
}

bool export_recorded(Repo *repo, const Snapshot *snapshot, json_t **ret_recorded, GError **error)
{
    g_autoptr(GBytes) text = NULL;
    g_autoptr(GError) failure = NULL;
    json_error_t problem;
    bool found;
    Id folder;

    *ret_recorded = NULL;
    if (is_of_files(snapshot)) {
        json_t *facts = facts_of_tags(snapshot);

        if (facts)
            *ret_recorded = json_pack("{s:o}", "facts", facts);
        return true;
    }
    if (!find_folder(repo, snapshot, &folder, &found, error))
        return false;
    if (!found)
        return true;
    if (!walk_read(repo, &folder, "manifest.json", RECORDED_MAX, &text, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true;
        g_propagate_prefixed_error(error, g_steal_pointer(&failure), "manifest.json: ");
        return false;
    }
    *ret_recorded = json_loadb(g_bytes_get_data(text, NULL), g_bytes_get_size(text),
                               JSON_REJECT_DUPLICATES, &problem);
    if (*ret_recorded)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "manifest.json of the snapshot: %s",
                problem.text);
    return false;
}

/* ---- beside the file ---- */

/* What the application's migration tool had done in the database; NULL: nothing is known. */
static json_t *migrations_of(const Exported *exported)
{
    json_t *database;
    size_t i;

    json_array_foreach(json_object_get(exported->recorded, "databases"), i, database)
    {
        const char *name = json_string_value(json_object_get(database, "name"));

        if (exported->database && g_strcmp0(name, exported->database) == 0)
            return json_object_get(database, "migrations");
    }
    // the one of SQLite
    return json_object_get(json_object_get(exported->recorded, "database"), "migrations");
}

static json_t *encryption(const Exported *exported)
{
    json_t *recipients;

    if (!exported->recipients)
        return json_pack("{s:s, s:b}", "format", "openpgp", "passphrase", 1);
    recipients = json_array();
    for (char **one = exported->recipients; *one; one++)
        json_array_append_new(recipients, json_string(*one));
    return json_pack("{s:s, s:o}", "format", "openpgp", "recipients", recipients);
}

json_t *export_manifest_new(const Snapshot *snapshot, const ExportRequest *request,
                            const Exported *exported, const char *file)
{
    char now[RFC3339_MAX], taken[RFC3339_MAX];
    json_t *manifest, *facts = json_object_get(exported->recorded, "facts");
    json_t *migrations = migrations_of(exported), *kid = json_object_get(facts, FACT_KID);

    rfc3339_format((Timestamp){ .sec = clock_now().sec }, now);
    rfc3339_format(snapshot->time, taken);
    manifest =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:s, s:{s:s, s:s, s:s}}", "manifest_version", 1,
                  "backstay_version", BS_VERSION, "generated_at", now, "file", file, "format",
                  export_format_name(&request->format), "size", (json_int_t)exported->size,
                  "sha256", id_hex(&exported->sha256).text, "snapshot", "id",
                  id_hex(&snapshot->id).text, "time", taken, "hostname", snapshot->hostname);
    if (request->encrypt)
        json_object_set_new(manifest, "encryption", encryption(exported));
    if (exported->database)
        json_object_set_new(manifest, "database", json_string(exported->database));
    if (migrations)
        json_object_set(manifest, "migrations", migrations);
    if (facts)
        json_object_set(manifest, "facts", facts);
    if (kid)
        json_object_set(manifest, "active_key_id", kid);
    if (exported->recorded) // counts, versions
        json_object_set(manifest, "recorded", exported->recorded);
    return manifest;
}
