/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/lock.h"

#include "base/error.h"
#include "codec/hash.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/tempdir.h"
#include "lib/vectors.h"
#include "repo/locktext.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>

#define MINUTE_MS (60 * 1000)
#define RACERS    8

/* ---- a repository in memory and a directory for state files ---- */

typedef struct {
    Store *memory;
    Store *store; /* the same, flaky */
    Repo *repo;
    char *state_dir;
} Place;

static void place_set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->memory = memory_store_new();
    repo_close(quick_repo(place->memory));
    place->store = flaky_store_new(place->memory);
    place->repo = fixture_open(place->store, FIXTURE_PASSWORD);
    place->state_dir = tempdir_new();
}

static void place_tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    repo_close(place->repo);
    store_free(place->store);
    store_free(place->memory);
    tempdir_remove(place->state_dir);
}

static Lock *try_lock(Place *place, bool exclusive, GError **error)
{
    LockOptions options = { .exclusive = exclusive, .state_dir = place->state_dir };
    Lock *lock = NULL;

    return lock_acquire(place->repo, &options, NULL, &lock, error) ? lock : NULL;
}

static Lock *take(Place *place, bool exclusive)
{
    g_autoptr(GError) error = NULL;
    Lock *lock = try_lock(place, exclusive, &error);

    g_assert_no_error(error);
    return lock;
}

static void assert_refused(Place *place, bool exclusive, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(try_lock(place, exclusive, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOCKED);
    if (!strstr(error->message, text))
        g_error("'%s' does not say '%s'", error->message, text);
}

static GArray *list(Place *place)
{
    g_autoptr(GError) error = NULL;
    GArray *locks = NULL;

    lock_list(place->repo, place->state_dir, &locks, &error);
    g_assert_no_error(error);
    return locks;
}

static void assert_n_locks(Place *place, unsigned n)
{
    g_autoptr(GArray) locks = list(place);

    g_assert_cmpuint(locks->len, ==, n);
}

static void assert_n_state_files(Place *place, unsigned n)
{
    g_assert_cmpuint(tempdir_n_files(place->state_dir), ==, n);
}

static Id only_lock(Place *place)
{
    g_autoptr(GArray) locks = list(place);

    g_assert_cmpuint(locks->len, ==, 1);
    return g_array_index(locks, LockInfo, 0).id;
}

/* A lock of somebody else, so many minutes old. */
static Id plant(Place *place, bool exclusive, int minutes)
{
    LockText text = {
        .time = { .sec = clock_now().sec - minutes * 60 },
        .exclusive = exclusive,
        .hostname = (char *)"elsewhere",
        .username = (char *)"somebody",
        .pid = 4711,
    };
    g_autofree char *json = locktext_encode(&text);
    Id id;

    g_assert_true(repo_save(place->repo, FILE_LOCK, json, strlen(json), &id, NULL));
    return id;
}

static void plant_garbage(Place *place, size_t len)
{
    static const char garbage[100] = "garbage";
    Id id;

    hash_bytes(garbage, len, &id);
    g_assert_true(
        store_put(place->memory, file_key(FILE_LOCK, &id).text, garbage, len, false, NULL));
}

/* ---- who goes with whom ---- */

static void shared_goes_with_shared_only(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    Lock *one = take(place, false), *two = take(place, false), *three;

    assert_n_locks(place, 2);
    assert_refused(place, true, "repository is locked by");
    lock_release(one);
    assert_refused(place, true, "backstay unlock");
    lock_release(two);
    three = take(place, true);
    assert_refused(place, false, "locked exclusively by");
    assert_refused(place, true, "locked exclusively by");
    g_assert_true(lock_check(three, NULL));
    lock_release(three);
}

static void nothing_stays_behind(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    Lock *lock = take(place, true);

    assert_n_locks(place, 1);
    assert_n_state_files(place, 1);
    lock_release(lock);
    assert_n_locks(place, 0);
    assert_n_state_files(place, 0);
    lock = take(place, false);
    assert_refused(place, true, "");
    assert_n_locks(place, 1);
    assert_n_state_files(place, 1);
    lock_release(lock);
}

static void no_lock_is_always_well(void)
{
    lock_release(NULL);
    g_assert_true(lock_check(NULL, NULL));
}

static void names_a_host_that_no_machine_has(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    Lock *lock = take(place, true);
    g_autoptr(GArray) locks = list(place);
    const LockInfo *info = &g_array_index(locks, LockInfo, 0);

    g_assert_true(g_str_has_prefix(info->hostname, "backstay-"));
    g_assert_cmpuint(strlen(info->hostname), ==, strlen("backstay-01234567"));
    g_assert_cmpint(info->pid, ==, getpid());
    g_assert_true(info->readable);
    g_assert_true(info->exclusive);
    g_assert_false(info->stale);
    lock_release(lock);
}

static void works_without_state_files(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const char *const dirs[] = { NULL, "/proc/no such place" };

    for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++) {
        LockOptions options = { .exclusive = true, .state_dir = dirs[i] };
        Lock *lock;

        g_assert_true(lock_acquire(place->repo, &options, NULL, &lock, NULL));
        assert_refused(place, false, "");
        lock_release(lock);
        assert_n_locks(place, 0);
    }
}

/* ---- many at once ---- */

typedef struct {
    Place *place;
    pthread_barrier_t *start;
    atomic_int *inside;
    unsigned taken;
} Racer;

static void *race(void *user)
{
    Racer *racer = user;

    pthread_barrier_wait(racer->start);
    for (unsigned i = 0; i < 20; i++) {
        g_autoptr(GError) error = NULL;
        Lock *lock = try_lock(racer->place, true, &error);

        if (!lock) {
            g_assert_error(error, BS_ERROR, BS_ERROR_LOCKED);
            continue;
        }
        g_assert_cmpint(atomic_fetch_add(racer->inside, 1), ==, 0);
        g_assert_true(lock_check(lock, NULL));
        g_assert_cmpint(atomic_fetch_sub(racer->inside, 1), ==, 1);
        lock_release(lock);
        racer->taken++;
    }
    return NULL;
}

static void never_two_exclusive_ones(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    pthread_barrier_t start;
    pthread_t threads[RACERS];
    Racer racers[RACERS];
    atomic_int inside = 0;

    pthread_barrier_init(&start, NULL, RACERS);
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] = (Racer){ place, &start, &inside, 0 };
        g_assert_cmpint(pthread_create(&threads[i], NULL, race, &racers[i]), ==, 0);
    }
    for (unsigned i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    assert_n_locks(place, 0);
    assert_n_state_files(place, 0);
    lock_release(take(place, true));
}

/* The other one comes between our first look and our own put. */
static bool put_in_the_way(Place *place, bool exclusive)
{
    FlakyPlan plan = { .call = CALL_LIST, .prefix = "locks/", .at = 1, .n = 1, .how = FLAKY_CUT };
    bool refused;
    Id id = plant(place, exclusive, 0);
    g_autoptr(GError) error = NULL;
    Lock *lock;

    // of one object the cut listing shows none
    flaky_store_plan(place->store, &plan);
    lock = try_lock(place, false, &error);
    g_assert_cmpuint(flaky_store_faults(place->store), ==, 1);
    flaky_store_plan(place->store, NULL);
    refused = !lock;
    lock_release(lock);
    assert_n_locks(place, 1);
    assert_n_state_files(place, 0);
    g_assert_true(repo_remove(place->repo, FILE_LOCK, &id, NULL));
    return refused;
}

static void looks_again_after_its_own_put(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_assert_true(put_in_the_way(place, true));
    g_assert_false(put_in_the_way(place, false));
}

static void waits_for_listings_that_lag(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    int64_t before_ms = clock_monotonic_ms();

    place->store->lists_at_once = false;
    lock_release(take(place, true));
    g_assert_cmpint(clock_monotonic_ms() - before_ms, >=, 200);
}

/* Nobody else would see that we are at work. */
static void a_lock_that_does_not_lie_there_is_none(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const FlakyPlan plans[] = {
        { .call = CALL_PUT, .prefix = "locks/", .at = 1, .n = 1, .how = FLAKY_SWALLOW },
        { .call = CALL_PUT, .prefix = "locks/", .at = 1, .n = 1, .how = FLAKY_CUT },
        // of one object the cut listing shows none: here never, after our own put
        { .call = CALL_LIST, .prefix = "locks/", .at = 2, .n = 0, .how = FLAKY_CUT },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(plans); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("plan %zu", i);
        flaky_store_plan(place->store, &plans[i]);
        g_assert_null(try_lock(place, true, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, "lock"));
        flaky_store_plan(place->store, NULL);
        assert_n_locks(place, 0);
        assert_n_state_files(place, 0);
    }
}

static void a_listing_that_lags_is_asked_again(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    FlakyPlan plan = { .call = CALL_LIST, .prefix = "locks/", .at = 2, .n = 3, .how = FLAKY_CUT };

    flaky_store_plan(place->store, &plan);
    lock_release(take(place, true));
    g_assert_cmpuint(flaky_store_faults(place->store), ==, 3);
}

/* ---- stale, dead and unreadable ones ---- */

static void takes_what_restic_wrote(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    json_t *vectors = vectors_load();
    const json_t *vector = json_object_get(vectors, "lock");
    g_autoptr(GByteArray) file = vector_bytes(vector, "file");
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(GArray) locks = NULL;
    const LockInfo *info;
    Id id;

    g_assert_true(id_parse(vector_text(vector, "file_name"), &id));
    g_assert_true(
        store_put(store, file_key(FILE_LOCK, &id).text, file->data, file->len, false, NULL));
    g_assert_true(lock_list(repo, place->state_dir, &locks, NULL));
    g_assert_cmpuint(locks->len, ==, 1);
    info = &g_array_index(locks, LockInfo, 0);
    g_assert_true(id_equal(&info->id, &id));
    g_assert_cmpstr(info->hostname, ==, "fixture-host");
    g_assert_cmpstr(info->username, ==, "root");
    g_assert_cmpint(info->pid, ==, 4242);
    g_assert_true(info->exclusive);
    g_assert_true(info->stale); // of January 2026
    json_decref(vectors);
}

static void age_decides_after_thirty_minutes(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        int minutes;
        bool stale;
    } cases[] = {
        { 0, false }, { 29, false }, { 31, true }, { 60 * 24 * 365, true }, { -60, false }
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Id id = plant(place, true, cases[i].minutes);
        g_autoptr(GArray) locks = list(place);

        g_test_message("%d minutes", cases[i].minutes);
        g_assert_cmpint(g_array_index(locks, LockInfo, 0).stale, ==, cases[i].stale);
        if (cases[i].stale) {
            lock_release(take(place, true));
            assert_n_locks(place, 0);
        } else {
            assert_refused(place, false, "somebody on elsewhere (PID 4711");
            g_assert_true(repo_remove(place->repo, FILE_LOCK, &id, NULL));
        }
    }
}

static void a_stale_lock_that_must_stay_is_no_obstacle(Place *place,
                                                       G_GNUC_UNUSED gconstpointer data)
{
    FlakyPlan plan = { .call = CALL_REMOVE, .at = 1, .n = 1, .code = BS_ERROR_DENIED };
    Lock *lock;

    plant(place, true, 60);
    flaky_store_plan(place->store, &plan);
    lock = take(place, false);
    g_assert_cmpuint(flaky_store_faults(place->store), ==, 1);
    lock_release(lock);
}

static void unreadable_ones_stop_writers_that_remove(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    unsigned n;

    plant_garbage(place, 6);
    plant_garbage(place, 100);
    plant_garbage(place, 0); // not there yet
    assert_n_locks(place, 2);
    lock_release(take(place, false));
    assert_refused(place, true, "cannot be read");
    g_assert_true(lock_remove_stale(place->repo, place->state_dir, false, &n, NULL));
    g_assert_cmpuint(n, ==, 0);
    clock_sleep_ms(31 * MINUTE_MS);
    assert_refused(place, true, "--remove-all");
    g_assert_true(lock_remove_stale(place->repo, place->state_dir, false, &n, NULL));
    g_assert_cmpuint(n, ==, 2);
    lock_release(take(place, true));
}

static void unlock_spares_the_living(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    Lock *lock = take(place, false);
    unsigned n;

    plant(place, false, 45);
    plant(place, true, 5);
    g_assert_true(lock_remove_stale(place->repo, place->state_dir, false, &n, NULL));
    g_assert_cmpuint(n, ==, 1);
    assert_n_locks(place, 2);
    g_assert_true(lock_remove_stale(place->repo, place->state_dir, true, &n, NULL));
    g_assert_cmpuint(n, ==, 2);
    assert_n_locks(place, 0);
    lock_release(lock);
    assert_n_state_files(place, 0);
}

/* A child takes the lock and dies with it. */
static void die_with_a_lock(const char *dir, const char *state_dir, bool remove_state)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        g_autoptr(Store) store = local_store_new(dir, false);
        LockOptions options = { .exclusive = true, .state_dir = state_dir };
        Lock *lock;
        Repo *repo = fixture_open(store, FIXTURE_PASSWORD);

        _exit(lock_acquire(repo, &options, NULL, &lock, NULL) ? 0 : 1);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
    if (remove_state)
        tempdir_remove(g_build_filename(state_dir, "locks", NULL));
}

static void the_dead_of_this_machine_are_known_at_once(void)
{
    char *dir = tempdir_new(), *state_dir = tempdir_new();
    g_autoptr(Store) store = local_store_new(dir, false);
    g_autoptr(Repo) repo = quick_repo(store);
    LockOptions options = { .exclusive = true, .state_dir = state_dir };
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) locks = NULL;
    Lock *lock;

    die_with_a_lock(dir, state_dir, false);
    g_assert_true(lock_list(repo, state_dir, &locks, NULL));
    g_assert_cmpuint(locks->len, ==, 1);
    g_assert_true(g_array_index(locks, LockInfo, 0).stale);
    g_assert_true(lock_acquire(repo, &options, NULL, &lock, NULL));
    lock_release(lock);
    g_assert_cmpuint(tempdir_n_files(state_dir), ==, 0);

    // nobody knows: it could be on another machine
    die_with_a_lock(dir, state_dir, true);
    g_assert_false(lock_acquire(repo, &options, NULL, &lock, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOCKED);
    g_clear_pointer(&repo, repo_close);
    tempdir_remove(dir);
    tempdir_remove(state_dir);
}

static void state_files_without_a_lock_go(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    const char *other = "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf";
    g_autofree char *ours = g_strdup_printf("locks/%s-%s.held", repo_id(place->repo), other);
    g_autofree char *foreign = g_strdup_printf("locks/%s-%s.held", other, other);
    g_autofree char *half = g_strconcat(ours, ".new", NULL), *path = NULL;
    struct timeval now[2] = { { .tv_sec = clock_now().sec }, { .tv_sec = clock_now().sec } };
    struct timeval hour_ago[2] = { { .tv_sec = clock_now().sec - 3600 },
                                   { .tv_sec = clock_now().sec - 3600 } };

    // what a crash leaves between the state file and the object, and of another repository
    tempdir_write(place->state_dir, ours, "", 0);
    tempdir_write(place->state_dir, foreign, "", 0);
    tempdir_write(place->state_dir, half, "", 0);
    tempdir_write(place->state_dir, "locks/README", "", 0);
    path = g_build_filename(place->state_dir, ours, NULL);
    g_assert_cmpint(utimes(path, now), ==, 0);
    lock_release(take(place, true));
    // the object may lie in another copy of the repository
    assert_n_state_files(place, 3);
    g_assert_cmpint(utimes(path, hour_ago), ==, 0);
    lock_release(take(place, true));
    assert_n_state_files(place, 2);
}

/* ---- as time goes by ---- */

/* The thread looks at the clock every second, and this machine may be busy. */
static bool wait_for(bool (*done)(Place *place, const void *user), Place *place, const void *user)
{
    for (unsigned i = 0; i < 1200; i++) {
        if (done(place, user))
            return true;
        g_usleep(50 * 1000);
    }
    return false;
}

static bool is_another_lock(Place *place, const void *user)
{
    g_autoptr(GArray) locks = list(place);

    return locks->len == 1 && !id_equal(&g_array_index(locks, LockInfo, 0).id, user);
}

/* The old one is gone, with its state file. */
static bool is_refreshed(Place *place, const void *user)
{
    return is_another_lock(place, user) && tempdir_n_files(place->state_dir) == 1;
}

static bool has_failed(Place *place, G_GNUC_UNUSED const void *user)
{
    return flaky_store_faults(place->store) > 0;
}

static bool is_lost(G_GNUC_UNUSED Place *place, const void *user)
{
    return !lock_check(user, NULL);
}

/* After what can be seen of it the thread notes when it is due again, which cannot be seen. */
static void let_it_note(void)
{
    g_usleep(500 * 1000);
}

static void refreshes_every_five_minutes(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    Lock *lock = take(place, true);

    for (unsigned round = 0; round < 2; round++) {
        Id before = only_lock(place);
        g_autoptr(GArray) locks = NULL;

        clock_sleep_ms(4 * MINUTE_MS);
        g_usleep(100 * 1000);
        g_assert_false(is_another_lock(place, &before));
        clock_sleep_ms(MINUTE_MS);
        g_assert_true(wait_for(is_refreshed, place, &before));
        locks = list(place);
        g_assert_cmpint(clock_now().sec - g_array_index(locks, LockInfo, 0).time.sec, <, 5);
        g_assert_true(lock_check(lock, NULL));
        let_it_note();
    }
    lock_release(lock);
    assert_n_locks(place, 0);
}

static void the_old_one_stays_until_the_new_one_lies_there(Place *place,
                                                           G_GNUC_UNUSED gconstpointer data)
{
    FlakyPlan plan = {
        .call = CALL_PUT, .prefix = "locks/", .at = 1, .n = 1, .how = FLAKY_SWALLOW
    };
    Lock *lock = take(place, true);
    Id before = only_lock(place);

    flaky_store_plan(place->store, &plan);
    clock_sleep_ms(5 * MINUTE_MS);
    g_assert_true(wait_for(has_failed, place, NULL));
    let_it_note();
    g_assert_cmpuint(flaky_store_faults(place->store), ==, 1);
    g_assert_false(is_another_lock(place, &before));
    clock_sleep_ms(MINUTE_MS);
    g_assert_true(wait_for(is_refreshed, place, &before));
    g_assert_true(lock_check(lock, NULL));
    lock_release(lock);
}

static void is_lost_when_it_could_not_be_refreshed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    FlakyPlan plan = { .call = CALL_PUT, .prefix = "locks/", .at = 1, .code = BS_ERROR_TRANSIENT };
    Lock *lock = take(place, true);
    g_autoptr(GError) error = NULL;

    flaky_store_plan(place->store, &plan);
    clock_sleep_ms(22 * MINUTE_MS);
    g_assert_true(lock_check(lock, NULL));
    clock_sleep_ms(MINUTE_MS);
    g_assert_false(lock_check(lock, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOCKED);
    // that the store works again changes nothing: somebody may have come and gone
    flaky_store_plan(place->store, NULL);
    g_usleep(1500 * 1000);
    g_assert_false(lock_check(lock, NULL));
    lock_release(lock);
    assert_n_locks(place, 0);
    assert_n_state_files(place, 0);
}

static void an_outage_of_ten_minutes_is_bridged(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    FlakyPlan plan = { .call = CALL_PUT, .prefix = "locks/", .at = 1, .code = BS_ERROR_TRANSIENT };
    Lock *lock = take(place, true);
    Id before = only_lock(place);

    flaky_store_plan(place->store, &plan);
    clock_sleep_ms(10 * MINUTE_MS);
    g_assert_true(wait_for(has_failed, place, NULL));
    let_it_note();
    flaky_store_plan(place->store, NULL);
    clock_sleep_ms(MINUTE_MS);
    g_assert_true(wait_for(is_refreshed, place, &before));
    clock_sleep_ms(15 * MINUTE_MS);
    g_assert_true(lock_check(lock, NULL));
    lock_release(lock);
}

static void is_lost_when_somebody_removed_it(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    Lock *lock = take(place, false);
    g_autoptr(GError) error = NULL;

    g_assert_true(lock_remove_stale(place->repo, place->state_dir, true, NULL, NULL));
    clock_sleep_ms(5 * MINUTE_MS);
    g_assert_true(wait_for(is_lost, place, lock));
    g_assert_false(lock_check(lock, &error));
    g_assert_nonnull(strstr(error->message, "somebody removed it"));
    lock_release(lock);
    assert_n_locks(place, 0);
}

/* No time has passed that a clock of ours could tell: the machine was halted. */
static void asks_the_store_before_others_rely_on_it(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    FlakyPlan outage = {
        .call = CALL_STAT, .prefix = "locks/", .at = 1, .n = 0, .how = FLAKY_FAIL
    };
    Lock *lock = take(place, false);
    g_autoptr(GError) error = NULL;

    g_assert_true(lock_confirm(NULL, NULL));
    g_assert_true(lock_confirm(lock, NULL));
    flaky_store_plan(place->store, &outage);
    g_assert_true(lock_confirm(lock, NULL)); // it may well lie there
    flaky_store_plan(place->store, NULL);
    g_assert_true(lock_remove_stale(place->repo, place->state_dir, true, NULL, NULL));
    g_assert_true(lock_check(lock, NULL));
    g_assert_false(lock_confirm(lock, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOCKED);
    g_assert_nonnull(strstr(error->message, "somebody removed it"));
    g_assert_false(lock_check(lock, NULL));
    lock_release(lock);
}

static void waits_as_long_as_it_was_told(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    LockOptions options = { .exclusive = true,
                            .wait_ms = 10 * MINUTE_MS,
                            .state_dir = place->state_dir };
    int64_t before_ms = clock_monotonic_ms();
    g_autoptr(GError) error = NULL;
    unsigned looks;
    Lock *lock;

    plant(place, true, 0);
    flaky_store_plan(place->store, NULL);
    g_assert_false(lock_acquire(place->repo, &options, NULL, &lock, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOCKED);
    g_assert_cmpint(clock_monotonic_ms() - before_ms, >=, 10 * MINUTE_MS);
    g_assert_cmpint(clock_monotonic_ms() - before_ms, <, 11 * MINUTE_MS);
    // 0, 5, 15, 35, 75, 135, ... seconds
    looks = flaky_store_calls(place->store, CALL_LIST);
    g_assert_cmpuint(looks, >=, 12);
    g_assert_cmpuint(looks, <=, 15);
    // the other one goes stale while we wait
    options.wait_ms = 30 * MINUTE_MS;
    g_assert_true(lock_acquire(place->repo, &options, NULL, &lock, NULL));
    lock_release(lock);
}

static void stops_waiting_when_cancelled(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    LockOptions options = { .wait_ms = 10 * MINUTE_MS, .state_dir = place->state_dir };
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(GError) error = NULL;
    Lock *lock;

    plant(place, true, 0);
    cancel_set(cancel);
    g_assert_false(lock_acquire(place->repo, &options, cancel, &lock, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
}

/* ---- whatever fails ---- */

static void a_failing_store_leaves_nothing_that_blocks(Place *place,
                                                       G_GNUC_UNUSED gconstpointer data)
{
    static const FlakyHow hows[] = { FLAKY_FAIL, FLAKY_APPLY };

    for (size_t i = 0; i < G_N_ELEMENTS(hows); i++) {
        bool ended = false;

        for (unsigned at = 1; !ended; at++) {
            // the second round of calls fails, too: what was to be taken back stays
            for (unsigned n = 1; n <= 2; n++) {
                FlakyPlan plan = { CALL_ANY, NULL, at, n, BS_ERROR_TRANSIENT, hows[i] };
                g_autoptr(GError) error = NULL;
                Lock *lock;

                flaky_store_plan(place->store, &plan);
                lock = try_lock(place, true, &error);
                if (!lock)
                    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
                lock_release(lock);
                ended = flaky_store_faults(place->store) == 0;
                flaky_store_plan(place->store, NULL);
                lock_release(take(place, true));
                assert_n_locks(place, 0);
                assert_n_state_files(place, 0);
            }
        }
    }
}

static void an_outage_is_no_absence_of_locks(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    FlakyPlan plan = { .call = CALL_GET_WHOLE, .at = 1, .n = 1, .code = BS_ERROR_TRANSIENT };
    g_autoptr(GError) error = NULL;

    plant(place, true, 0);
    flaky_store_plan(place->store, &plan);
    g_assert_null(try_lock(place, false, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
}

#define ADD(fact) g_test_add("/repo/lock/" #fact, Place, NULL, place_set_up, fact, place_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    clock_set(clock_now());
    ADD(shared_goes_with_shared_only);
    ADD(nothing_stays_behind);
    g_test_add_func("/repo/lock/no_lock_is_always_well", no_lock_is_always_well);
    ADD(names_a_host_that_no_machine_has);
    ADD(works_without_state_files);
    ADD(never_two_exclusive_ones);
    ADD(looks_again_after_its_own_put);
    ADD(waits_for_listings_that_lag);
    ADD(a_lock_that_does_not_lie_there_is_none);
    ADD(a_listing_that_lags_is_asked_again);
    ADD(takes_what_restic_wrote);
    ADD(age_decides_after_thirty_minutes);
    ADD(a_stale_lock_that_must_stay_is_no_obstacle);
    ADD(unreadable_ones_stop_writers_that_remove);
    ADD(unlock_spares_the_living);
    g_test_add_func("/repo/lock/the_dead_of_this_machine_are_known_at_once",
                    the_dead_of_this_machine_are_known_at_once);
    ADD(state_files_without_a_lock_go);
    ADD(refreshes_every_five_minutes);
    ADD(the_old_one_stays_until_the_new_one_lies_there);
    ADD(is_lost_when_it_could_not_be_refreshed);
    ADD(an_outage_of_ten_minutes_is_bridged);
    ADD(is_lost_when_somebody_removed_it);
    ADD(asks_the_store_before_others_rely_on_it);
    ADD(waits_as_long_as_it_was_told);
    ADD(stops_waiting_when_cancelled);
    ADD(a_failing_store_leaves_nothing_that_blocks);
    ADD(an_outage_is_no_absence_of_locks);
    return g_test_run();
}
