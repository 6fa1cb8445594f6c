/* SPDX-License-Identifier: Apache-2.0 */
#include "op/open.h"

#include "base/error.h"
#include "base/log.h"
#include "base/parallel.h"
#include "config/secrets.h"
#include "op/remembered.h"
#include "plan/amount.h"
#include <string.h>

/* A far repository's copies: the trees of 100 million files are 7 GB (repository format, "Scale").
 */
#define CACHE_BYTES (UINT64_C(10) << 30)

static void warn_index(const Id *object, const GError *problem)
{
    log_warn("a damaged index object is not used; run `backstay repair index`", "object",
             id_hex(object).text, "error", problem->message, NULL);
}

static bool parse_cache_size(const char *text, uint64_t *ret_bytes, GError **error)
{
    *ret_bytes = CACHE_BYTES;
    if (!text || size_parse(text, ret_bytes, error))
        return true;
    g_prefix_error(error, "--cache-size: ");
    return false;
}

static bool repo_options_from(const Settings *settings, RepoOptions *ret_options, GError **error)
{
    static const CompressMode modes[] = {
        [SETTINGS_COMPRESS_AUTO] = COMPRESS_AUTO,
        [SETTINGS_COMPRESS_OFF] = COMPRESS_OFF,
        [SETTINGS_COMPRESS_MAX] = COMPRESS_MAX,
        [SETTINGS_COMPRESS_LEVEL] = COMPRESS_LEVEL,
    };

    *ret_options = (RepoOptions){
        .cache_dir = settings->cache_dir,
        .compress = modes[settings->compress],
        .compress_level = settings->compress_level,
        .pack_size = settings->pack_bytes,
        .no_verify = settings->no_extra_verify,
        .index_damaged = warn_index,
    };
    return parse_cache_size(settings->cache_size, &ret_options->cache_bytes, error);
}

static bool take_lock_within(const Settings *settings, OpenHow how, int64_t wait_ms,
                             const Cancel *cancel, OpenRepo *open, GError **error)
{
    LockOptions options = {
        .exclusive = how == OPEN_EXCLUSIVE,
        .wait_ms = wait_ms,
        .state_dir = settings->state_dir,
    };
    g_autoptr(GError) failure = NULL;

    if (how == OPEN_UNLOCKED || lock_acquire(open->repo, &options, cancel, &open->lock, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED))
        g_prefix_error(&failure, "cannot lock the repository (commands that only read take "
                                 "--no-lock): ");
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool take_lock(const Settings *settings, OpenHow how, const Cancel *cancel, OpenRepo *open,
                      GError **error)
{
    return take_lock_within(settings, how, settings->retry_lock_ms, cancel, open, error);
}

bool open_relock(const Settings *settings, OpenRepo *open, OpenHow how, int64_t wait_ms,
                 const Cancel *cancel, GError **error)
{
    g_clear_pointer(&open->lock, lock_release);
    return take_lock_within(settings, how, wait_ms, cancel, open, error);
}

/* ---- what opens it ---- */

/* One of these. */
typedef struct {
    const Secret *master; /* a SealKey; borrowed */
    const char *key_file; /* borrowed */
    Secret *password;
    const char *key_hint; /* of the password; borrowed */
} Opener;

static void opener_clear(Opener *opener)
{
    g_clear_pointer(&opener->password, secret_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Opener, opener_clear)

static bool opener_get(const PasswordFrom *from, Opener *ret_opener, GError **error)
{
    ret_opener->key_hint = from->key_hint;
    return password_key_file(from, &ret_opener->key_file, error) &&
           (ret_opener->key_file || password_get(from, &ret_opener->password, error));
}

/* With the master key there is nothing to derive. */
static bool open_by_key_file(Store *store, const char *path, const RepoOptions *options,
                             Repo **ret_repo, GError **error)
{
    g_autoptr(Secret) text = NULL;
    g_autoptr(GError) failure = NULL;
    SealKey master;
    bool ok;

    if (!secret_from_private_file("key", path, &text, error))
        return false;
    if (!keyfile_decode_master(secret_data(text), secret_len(text), &master, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    ok = repo_open_master(store, &master, options, ret_repo, &failure);
    secret_wipe(&master, sizeof master);
    if (ok)
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_PASSWORD))
        g_prefix_error(&failure, "%s: ", path);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* Whoever names a key asks for that one, whatever opened it before. */
static bool open_by_password(const Settings *settings, const char *location, Store *store,
                             const Secret *password, RepoOptions options, Repo **ret_repo,
                             GError **error)
{
    g_autofree char *likely =
        options.key_hint ? NULL : remembered_key_load(settings->state_dir, location);

    options.likely_key = likely;
    if (!repo_open(store, password, &options, ret_repo, error))
        return false;
    remembered_key_save(settings->state_dir, location, repo_key_id(*ret_repo));
    return true;
}

typedef struct {
    const Settings *settings;
    const char *location;
    const Opener *opener;
    MirrorSet *mirrors;
    const RepoOptions *options;
    Repo *repo;
    GError *failure;
} Opening;

static bool open_with(const Opening *opening, Repo **ret_repo, GError **error)
{
    const Opener *opener = opening->opener;
    Store *store = mirrorset_store(opening->mirrors);

    if (opener->master)
        return repo_open_master(store, secret_data(opener->master), opening->options, ret_repo,
                                error);
    if (opener->key_file)
        return open_by_key_file(store, opener->key_file, opening->options, ret_repo, error);
    return open_by_password(opening->settings, opening->location, store, opener->password,
                            *opening->options, ret_repo, error);
}

static void open_part(size_t i, void *user)
{
    Opening *opening = user;

    if (i == 0)
        (void)open_with(opening, &opening->repo, &opening->failure);
    else
        mirrorset_list(opening->mirrors);
}

/* The repository, and meanwhile the list of its mirrors: a distant store takes its time. */
static bool open_beside_list(Opening *opening, Repo **ret_repo, GError **error)
{
    parallel_each(2, 2, open_part, opening);
    *ret_repo = opening->repo;
    if (opening->failure)
        g_propagate_error(error, g_steal_pointer(&opening->failure));
    return opening->repo != NULL;
}

/* All but the lock. */
static bool open_unlocked(const Settings *settings, const char *location, const char *infix,
                          const Opener *opener, MirrorUse use, const Cancel *cancel,
                          OpenRepo *ret_open, GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    RepoOptions options;
    Opening opening;

    if (!repo_options_from(settings, &options, error) ||
        !open_store(settings, location, infix, false, cancel, &open.at, error))
        return false;
    options.key_hint = opener->key_hint;
    open.mirrors = mirrorset_new(settings, location, open.at.store, use, cancel);
    opening = (Opening){ settings, location, opener, open.mirrors, &options, NULL, NULL };
    if (!open_beside_list(&opening, &open.repo, error) ||
        !mirrorset_attach(open.mirrors, open.repo, error))
        return false;
    *ret_open = open;
    open = (OpenRepo){ 0 };
    return true;
}

/* ---- the repository cannot be asked ---- */

static bool is_for_mirrors(const GError *failure)
{
    static const int final[] = { BS_ERROR_PASSWORD, BS_ERROR_USAGE, BS_ERROR_CANCELLED,
                                 BS_ERROR_UNSUPPORTED };

    for (size_t i = 0; i < G_N_ELEMENTS(final); i++)
        if (g_error_matches(failure, BS_ERROR, final[i]))
            return false;
    return true;
}

static bool open_mirror(const Settings *settings, const Mirror *mirror, const char *id,
                        const Opener *opener, const Cancel *cancel, OpenRepo *ret_open)
{
    g_auto(OpenRepo) open = { 0 };
    g_autofree char *infix = mirrorset_infix(mirror);
    g_autoptr(GError) failure = NULL;

    if (open_unlocked(settings, mirror->location, infix, opener, MIRRORS_ALONE, cancel, &open,
                      &failure) &&
        strcmp(repo_id(open.repo), id) == 0) {
        *ret_open = open;
        open = (OpenRepo){ 0 };
        return true;
    }
    log_debug("no help from a mirror", "mirror", mirror->name, "why",
              failure ? failure->message : "it is another repository", NULL);
    return false;
}

/* Readers go on with a mirror that was remembered here when the repository was last read. */
static bool stand_in(const Settings *settings, const char *location, const Opener *opener,
                     const Cancel *cancel, const GError *why, OpenRepo *ret_open)
{
    g_autofree char *id = NULL;
    g_autoptr(GPtrArray) mirrors = remembered_load(settings->state_dir, location, &id);

    for (guint i = 0; mirrors && i < mirrors->len; i++) {
        const Mirror *mirror = g_ptr_array_index(mirrors, i);

        if (!open_mirror(settings, mirror, id, opener, cancel, ret_open))
            continue;
        log_warn("the repository cannot be opened; reading from a mirror, which may lack the "
                 "newest snapshots",
                 "repository", location, "error", why->message, "mirror", mirror->name, "location",
                 mirror->location, NULL);
        return true;
    }
    return false;
}

bool open_repo_at(const Settings *settings, const char *location, const PasswordFrom *from,
                  OpenHow how, MirrorUse use, const Cancel *cancel, OpenRepo *ret_open,
                  GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    g_auto(Opener) opener = { 0 };
    g_autoptr(GError) failure = NULL;

    if (!opener_get(from, &opener, error))
        return false;
    if (!open_unlocked(settings, location, from->infix, &opener, use, cancel, &open, &failure) &&
        !(use == MIRRORS_READ && is_for_mirrors(failure) &&
          stand_in(settings, location, &opener, cancel, failure, &open))) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!take_lock(settings, how, cancel, &open, error) || !mirrorset_compare(open.mirrors, error))
        return false;
    *ret_open = open;
    open = (OpenRepo){ 0 };
    return true;
}

static PasswordFrom own_password(const Settings *settings)
{
    return (PasswordFrom){
        .known = settings->password,
        .file = settings->password_file,
        .command = settings->password_command,
        .key_file = settings->key_file,
        .key_hint = settings->key_hint,
        .none = settings->insecure_no_password,
        .reference = settings->password_reference,
        .infix = "",
        .prompt = "password of the repository",
    };
}

bool open_repo_copy(const Settings *settings, const char *location, const char *infix,
                    const Cancel *cancel, OpenRepo *ret_open, GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    g_auto(Opener) opener = { 0 };
    PasswordFrom from = own_password(settings);

    if (!opener_get(&from, &opener, error) ||
        !open_unlocked(settings, location, infix, &opener, MIRRORS_ALONE, cancel, &open, error) ||
        !take_lock(settings, settings->no_lock ? OPEN_UNLOCKED : OPEN_SHARED, cancel, &open, error))
        return false;
    *ret_open = open;
    open = (OpenRepo){ 0 };
    return true;
}

bool open_repo_using(const Settings *settings, OpenHow how, MirrorUse use, bool allow_no_lock,
                     const Cancel *cancel, OpenRepo *ret_open, GError **error)
{
    g_autofree char *location = NULL;
    PasswordFrom from = own_password(settings);

    if (!settings_repository(settings, &location, error))
        return false;
    if (settings->no_lock && !allow_no_lock) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--no-lock is for commands that only read");
        return false;
    }
    return open_repo_at(settings, location, &from, settings->no_lock ? OPEN_UNLOCKED : how, use,
                        cancel, ret_open, error);
}

bool open_repo_again(const Settings *settings, const Secret *master, MirrorUse use,
                     const Cancel *cancel, OpenRepo *ret_open, GError **error)
{
    g_autofree char *location = NULL;
    g_auto(OpenRepo) open = { 0 };
    Opener opener = { .master = master };

    if (!settings_repository(settings, &location, error) ||
        !open_unlocked(settings, location, "", &opener, use, cancel, &open, error) ||
        !mirrorset_compare(open.mirrors, error))
        return false;
    *ret_open = open;
    open = (OpenRepo){ 0 };
    return true;
}

bool open_repo(const Settings *settings, OpenHow how, bool allow_no_lock, const Cancel *cancel,
               OpenRepo *ret_open, GError **error)
{
    return open_repo_using(settings, how, allow_no_lock ? MIRRORS_READ : MIRRORS_WRITE,
                           allow_no_lock, cancel, ret_open, error);
}

void open_done(OpenRepo *open)
{
    if (open->mirrors)
        mirrorset_flush(open->mirrors);
    lock_release(open->lock);
    repo_close(open->repo);
    mirrorset_free(open->mirrors);
    open_store_done(&open->at);
    *open = (OpenRepo){ 0 };
}
