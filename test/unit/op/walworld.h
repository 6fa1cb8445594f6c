/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories with WAL and base backups of clusters, written down in words. */
#pragma once
#include "base/error.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "op/open.h"
#include "pg/walname.h"
#include "repo/snapshot.h"
#include "repo/walobject.h"

#include <string.h>

#define CLUSTER UINT64_C(7301234567890123456)
#define OTHER   UINT64_C(7301234567890123457)
#define MIB     (UINT64_C(1) << 20)
#define DAY     86400
#define TODAY   1800000000 /* the tests count days before this */

/* ---- a repository that holds what the words say ---- */

static inline void put(Repo *repo, uint64_t system_id, const char *name, const void *content,
                       size_t len)
{
    g_autoptr(GError) error = NULL;
    WalObject object;

    g_assert_true(wal_object_init(&object, system_id, name, NULL));
    wal_object_put(repo, &object, content, len, &(bool){ false }, NULL, &error);
    g_assert_no_error(error);
}

/* PostgreSQL sources, src/include/access/xlog_internal.h: the first page's header, little-endian */
typedef struct {
    uint16_t magic, info;
    uint32_t timeline;
    uint64_t lsn;
    uint32_t rest, pad;
    uint64_t system_id;
    uint32_t segment_size, block_size;
} Header;
G_STATIC_ASSERT(sizeof(Header) == 40);

/* "1:3" is the segment of timeline 1 that begins at 3 MiB; what follows it belongs to its name.
 * "2.history" leaves timeline 1 at 5.5 MiB. */
static inline void put_word(Repo *repo, uint64_t system_id, const char *word)
{
    uint32_t timeline = (uint32_t)atoi(word);
    char *rest;
    uint64_t lsn = strtoull(strchr(word, word[1] == '.' ? '.' : ':') + 1, &rest, 10) * MIB;
    WalName name = wal_name_of(timeline, lsn, MIB);
    g_autofree char *full = g_strconcat(wal_name_text(&name).text, rest, NULL);
    Header header = { 0xD110, 2, timeline, lsn, 0, 0, system_id, MIB, 8192 };

    if (g_str_has_suffix(word, "history"))
        put(repo, system_id, "00000002.history", "1\t0/580000\tx\n", 13);
    else
        put(repo, system_id, full, &header, sizeof header);
}

static inline void put_words(Repo *repo, uint64_t system_id, const char *words)
{
    g_auto(GStrv) each = g_strsplit(words, " ", -1);

    for (char **word = each; *word; word++)
        put_word(repo, system_id, *word);
}

/* "1:3-4 30": a base of timeline 1 from 3.25 to 4.25 MiB that ended 30 days ago. */
static inline Id put_base_tagged(Repo *repo, uint64_t system_id, const char *word, const char *tag)
{
    g_autoptr(Snapshot) snapshot = snapshot_new();
    g_autoptr(GError) error = NULL;
    unsigned timeline, start, stop, days;

    g_assert_cmpint(sscanf(word, "%u:%u-%u %u", &timeline, &start, &stop, &days), ==, 4);
    g_strfreev(snapshot->tags);
    snapshot->tags = g_new0(char *, 7);
    snapshot->tags[0] = g_strdup("kind=pgcluster");
    snapshot->tags[1] = g_strdup_printf("system-id=%" G_GUINT64_FORMAT, system_id);
    snapshot->tags[2] = g_strdup_printf("timeline=%u", timeline);
    snapshot->tags[3] = g_strconcat("start-lsn=", lsn_text(start * MIB + MIB / 4).text, NULL);
    snapshot->tags[4] = g_strconcat("stop-lsn=", lsn_text(stop * MIB + MIB / 4).text, NULL);
    snapshot->tags[5] = g_strdup(tag);
    snapshot->time.sec = TODAY - days * DAY - 60;
    snapshot->has_summary = true;
    snapshot->summary.backup_end.sec = TODAY - days * DAY;
    g_free(snapshot->hostname);
    snapshot->hostname = g_strdup("db");
    snapshot_save(repo, snapshot, &error);
    g_assert_no_error(error);
    return snapshot->id;
}

static inline Id put_base(Repo *repo, uint64_t system_id, const char *word)
{
    return put_base_tagged(repo, system_id, word, NULL);
}

typedef struct {
    Store *memory, *store; /* the second is the first, but fails when told to */
    OpenRepo open;
} World;

static inline World world_new(const char *words)
{
    World world = { .memory = memory_store_new() };

    clock_set((Timestamp){ .sec = TODAY - 100 * DAY });
    world.store = flaky_store_new(world.memory);
    world.open.repo = quick_repo(world.store);
    put_words(world.open.repo, CLUSTER, words);
    clock_set((Timestamp){ .sec = TODAY });
    return world;
}

static inline void world_done(World *world)
{
    repo_close(world->open.repo);
    store_free(world->store);
    store_free(world->memory);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_done)

/* What is held, in the words of put_word(). */
static inline char *words_of(World *world, uint64_t system_id)
{
    g_autoptr(GArray) objects = NULL;
    GString *words = g_string_new(NULL);

    g_assert_true(wal_object_list(world->open.repo, system_id, 0, &objects, NULL, NULL));
    for (guint i = 0; i < objects->len; i++) {
        const char *name = g_array_index(objects, WalInfo, i).object.name;
        g_autofree char *segment = g_strndup(name, 24);
        WalName parsed;
        uint64_t lsn;

        if (words->len)
            g_string_append_c(words, ' ');
        if (g_str_has_suffix(name, ".history")) {
            g_string_append_printf(words, "%c.history", name[7]);
            continue;
        }
        g_assert_true(wal_name_parse(segment, &parsed, NULL) &&
                      wal_name_lsn(&parsed, MIB, &lsn, NULL));
        g_string_append_printf(words, "%u:%u%s", parsed.timeline, (unsigned)(lsn / MIB), name + 24);
    }
    return g_string_free(words, FALSE);
}
