/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirrors.h"

#include "base/error.h"
#include "lib/fixture.h"

#include <string.h>

static Mirror *add(Repo *repo, const char *name, const char *location, bool required)
{
    Mirror *mirror = mirror_new(name, location, required);
    g_autoptr(GError) error = NULL;

    mirror_save(repo, mirror, &error);
    g_assert_no_error(error);
    return mirror;
}

static GPtrArray *load(Repo *repo)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *mirrors = NULL;

    mirrors_load(repo, &mirrors, NULL, &error);
    g_assert_no_error(error);
    return mirrors;
}

static bool damage(const StoreObject *object, void *user, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autofree uint8_t *data = NULL;
    gsize len;

    if (!store_get_whole(user, object->key, object->size, &bytes, error))
        return false;
    data = g_bytes_unref_to_data(g_steal_pointer(&bytes), &len);
    data[len / 2] ^= 1;
    return store_put(user, object->key, data, len, false, error);
}

static void the_list_comes_back_as_it_was_written(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Mirror) far = add(repo, "Far", "s3:https://host/bucket/a", false);
    g_autoptr(Mirror) disk = add(repo, "disk", "/mnt/\xc3\xa4 disk", true);
    g_autoptr(GPtrArray) mirrors = load(repo);
    const Mirror *found;

    g_assert_cmpuint(mirrors->len, ==, 2);
    found = mirrors_find(mirrors, "DISK");
    g_assert_true(found == g_ptr_array_index(mirrors, 0)); // by name
    g_assert_cmpstr(found->location, ==, disk->location);
    g_assert_cmpstr(found->token, ==, disk->token);
    g_assert_cmpint(timestamp_compare(found->added, disk->added), ==, 0);
    g_assert_true(found->required);
    g_assert_false(mirrors_find(mirrors, "far")->required);
    g_assert_cmpstr(far->token, !=, disk->token);
    g_assert_null(mirrors_find(mirrors, "other"));
    g_assert_true(mirror_remove(repo, far, NULL));
    g_clear_pointer(&mirrors, g_ptr_array_unref);
    mirrors = load(repo);
    g_assert_cmpuint(mirrors->len, ==, 1);
}

static void a_location_must_be_text(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Mirror) mirror = mirror_new("disk", "/mnt/\xff", false);
    g_autoptr(GError) error = NULL;

    g_assert_false(mirror_save(repo, mirror, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
}

static void names_fit_into_the_environment(void)
{
    static const struct {
        const char *name;
        bool want;
    } cases[] = {
        { "far", true },
        { "region-2", true },
        { "A", true },
        { "", false },
        { "a b", false },
        { "a/b", false },
        { "a_b", false },
        { "\xc3\xa4", false },
        { "a=b", false },
        { "0123456789012345678901234567890", true },
        { "012345678901234567890123456789012", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("'%s'", cases[i].name);
        g_assert_cmpint(mirror_name_is_valid(cases[i].name), ==, cases[i].want);
    }
}

/* Who knows what else should get what is written? */
static void a_damaged_list_is_no_empty_list(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Mirror) mirror = add(repo, "far", "/mnt/far", true);
    g_autoptr(GPtrArray) mirrors = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(store_list(store, "backstay/", damage, store, NULL));
    g_assert_false(mirrors_load(repo, &mirrors, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, id_hex(&mirror->id).text));
}

/* The seal covers no names: another record, or one of another repository, must not pass. */
static void a_record_is_what_it_says(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    json_t *object = json_pack("{s:s}", "name", "far");
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GPtrArray) mirrors = NULL;
    g_autoptr(GError) error = NULL;
    Id id;

    g_assert_true(record_save(repo, "proofs", object, &id, NULL));
    json_decref(object);
    g_assert_true(store_get_whole(store, record_key("proofs", &id).text, 10000, &bytes, NULL));
    g_assert_true(store_put(store, record_key("mirrors", &id).text, g_bytes_get_data(bytes, NULL),
                            g_bytes_get_size(bytes), false, NULL));
    g_assert_false(mirrors_load(repo, &mirrors, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

static void a_place_is_a_mirror_by_its_mark(void)
{
    g_autoptr(Store) store = memory_store_new(), there = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(Mirror) far = mirror_new("far", "/far", false), again = mirror_new("far", "/", false);
    g_auto(MirrorMark) mark = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_false(mirror_mark_check(repo, there, far, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(mirror_mark_save(repo, there, far, NULL));
    g_assert_true(mirror_mark_check(repo, there, far, NULL));
    g_assert_true(mirror_mark_load(repo, there, &mark, NULL));
    g_assert_cmpstr(mark.name, ==, "far");
    // the same name with another token: promoted since
    g_assert_false(mirror_mark_check(repo, there, again, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    g_clear_error(&error);
    // the mark is no entry of the list, there or here
    g_assert_true(store_list(there, "", damage, there, NULL));
    g_assert_false(mirror_mark_check(repo, there, far, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

static void every_key_has_its_kind(void)
{
    g_assert_cmpint(mirror_kind("data/ab/abcd"), ==, MIRROR_DATA);
    g_assert_cmpint(mirror_kind("data/"), ==, MIRROR_DATA);
    g_assert_cmpint(mirror_kind("locks/abcd"), ==, MIRROR_LOCK);
    g_assert_cmpint(mirror_kind("locks/"), ==, MIRROR_LOCK);
    g_assert_cmpint(mirror_kind("config"), ==, MIRROR_NAMES);
    g_assert_cmpint(mirror_kind("backstay/mirrors/abcd"), ==, MIRROR_NAMES);
    g_assert_cmpint(mirror_kind(""), ==, MIRROR_NAMES);
    g_assert_cmpint(mirror_kind(MIRROR_MARK_KEY), ==, MIRROR_OWN);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mirrors/the-list-comes-back-as-it-was-written",
                    the_list_comes_back_as_it_was_written);
    g_test_add_func("/mirrors/a-location-must-be-text", a_location_must_be_text);
    g_test_add_func("/mirrors/names-fit-into-the-environment", names_fit_into_the_environment);
    g_test_add_func("/mirrors/a-damaged-list-is-no-empty-list", a_damaged_list_is_no_empty_list);
    g_test_add_func("/mirrors/a-record-is-what-it-says", a_record_is_what_it_says);
    g_test_add_func("/mirrors/a-place-is-a-mirror-by-its-mark", a_place_is_a_mirror_by_its_mark);
    g_test_add_func("/mirrors/every-key-has-its-kind", every_key_has_its_kind);
    return g_test_run();
}
