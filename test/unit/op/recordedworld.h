/* SPDX-License-Identifier: Apache-2.0 */
/* A repository in memory that holds the WAL that a release recorded, over its three timelines. */
#pragma once
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/recorded_wal.h"
#include "repo/walobject.h"

typedef struct {
    RecordedWal *wal;
    Store *store, *flaky; /* the second is the first, but fails when told to */
    Repo *repo;
} RecordedWorld;

static inline void world_put(const RecordedWorld *world, const char *name, const void *data,
                             size_t len)
{
    g_autoptr(GError) error = NULL;
    WalObject object;

    g_assert_true(wal_object_init(&object, world->wal->system_id, name, NULL));
    wal_object_put(world->repo, &object, data, len, &(bool){ false }, NULL, &error);
    g_assert_no_error(error);
}

static inline void world_remove(const RecordedWorld *world, const char *name)
{
    g_autoptr(GError) error = NULL;
    WalObject object;

    g_assert_true(wal_object_init(&object, world->wal->system_id, name, NULL));
    store_remove(world->store, wal_object_key(&object).text, &error);
    g_assert_no_error(error);
}

static inline void world_put_history(const RecordedWorld *world, const char *name)
{
    g_autoptr(GByteArray) history = recorded(world->wal->release, name);

    world_put(world, name, history->data, history->len);
}

/* With the segments of the way to the third timeline, and its history. */
static inline RecordedWorld world_new(int release)
{
    RecordedWorld world = { .wal = recorded_wal(release), .store = memory_store_new() };

    world.flaky = flaky_store_new(world.store);
    world.repo = quick_repo(world.flaky);
    world_put_history(&world, "00000003.history");
    for (uint64_t at = 0; at < world.wal->bytes->len; at += RECORDED_SEGMENT) {
        WalName name = recorded_segment(world.wal, world.wal->start + at);

        world_put(&world, wal_name_text(&name).text, world.wal->bytes->data + at, RECORDED_SEGMENT);
    }
    return world;
}

static inline void world_done(RecordedWorld *world)
{
    repo_close(world->repo);
    store_free(world->flaky);
    store_free(world->store);
    recorded_wal_free(world->wal);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RecordedWorld, world_done)
