/* SPDX-License-Identifier: Apache-2.0 */
#include "op/kindsnapshot.h"

#include "base/error.h"
#include "flow/reader.h"
#include "repo/walk.h"

#define MANIFEST_MAX (16u * 1024 * 1024)

static bool refuse(const char *what, const char *found, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "the snapshot is not of %s, but %s; restore its files with --target DIR", what,
                found);
    return false;
}

static bool find_folder(const Snapshot *snapshot, const char *what, KindSnapshot *found,
                        GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(found->repo);
    g_autoptr(Tree) tree = NULL;
    const Node *top = NULL;

    if (!walk_load(found->repo, opener, &snapshot->tree, &tree, error))
        return false;
    if (tree->nodes->len == 1)
        top = g_ptr_array_index(tree->nodes, 0);
    if (!top || !S_ISDIR(top->mode))
        return refuse(what, "of files", error);
    found->tree = top->subtree;
    found->folder = g_strconcat("/", top->name, NULL);
    return true;
}

static bool load_manifest(const SourceKind *kind, KindSnapshot *found, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) text = NULL;
    const char *word;

    if (!walk_read(found->repo, &found->tree, "manifest.json", MANIFEST_MAX, &text, &problem)) {
        if (g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND))
            return refuse(kind->what, "of files", error);
        g_propagate_prefixed_error(error, g_steal_pointer(&problem), "%s: ", found->folder);
        return false;
    }
    found->manifest = json_loadb(g_bytes_get_data(text, NULL), g_bytes_get_size(text),
                                 JSON_REJECT_DUPLICATES, NULL);
    word = json_string_value(json_object_get(json_object_get(found->manifest, "source"), "kind"));
    if (g_strcmp0(word, kind->kind) != 0) {
        g_autofree char *other = g_strconcat("of kind ", word ? word : "unknown", NULL);

        return refuse(kind->what, other, error);
    }
    return true;
}

bool kind_snapshot_open(Repo *repo, const Snapshot *snapshot, const SourceKind *kind,
                        KindSnapshot *ret_snapshot, GError **error)
{
    g_auto(KindSnapshot) found = { .repo = repo };

    if (!find_folder(snapshot, kind->what, &found, error) || !load_manifest(kind, &found, error))
        return false;
    *ret_snapshot = found;
    found = (KindSnapshot){ 0 };
    return true;
}

void kind_snapshot_done(KindSnapshot *snapshot)
{
    json_decref(snapshot->manifest);
    g_free(snapshot->folder);
    *snapshot = (KindSnapshot){ 0 };
}

bool kind_snapshot_push(const KindSnapshot *snapshot, const char *name, Sink *sink,
                        Progress *progress, const Cancel *cancel, GError **error)
{
    ReaderOptions options = { .progress = progress };
    g_autoptr(Node) node = NULL;
    Id ignored;

    if (!walk_find(snapshot->repo, &snapshot->tree, name, &node, &ignored, error))
        return false;
    if (!node) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s/%s is not in the snapshot",
                    snapshot->folder, name);
        return false;
    }
    return reader_run_node(snapshot->repo, node, snapshot->folder, sink, &options, cancel, error) &&
           sink_finish(sink, error);
}
