/* SPDX-License-Identifier: Apache-2.0 */
#include "op/open.h"

#include "base/error.h"
#include "base/log.h"
#include "config/secrets.h"
#include "plan/amount.h"

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
        .key_hint = settings->key_hint,
        .compress = modes[settings->compress],
        .compress_level = settings->compress_level,
        .pack_size = settings->pack_bytes,
        .no_verify = settings->no_extra_verify,
        .index_damaged = warn_index,
    };
    return parse_cache_size(settings->cache_size, &ret_options->cache_bytes, error);
}

static bool take_lock(const Settings *settings, OpenHow how, const Cancel *cancel, OpenRepo *open,
                      GError **error)
{
    LockOptions options = {
        .exclusive = how == OPEN_EXCLUSIVE,
        .wait_ms = settings->retry_lock_ms,
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

/* With the master key there is nothing to derive. */
static bool open_by_key_file(Store *store, const char *path, const RepoOptions *options,
                             Repo **ret_repo, GError **error)
{
    g_autoptr(Secret) text = NULL;
    SealKey master;
    bool ok;

    if (!secret_from_private_file("key", path, &text, error))
        return false;
    ok = keyfile_decode_master(secret_data(text), secret_len(text), &master, error);
    if (ok)
        ok = repo_open_master(store, &master, options, ret_repo, error);
    secret_wipe(&master, sizeof master);
    if (!ok)
        g_prefix_error(error, "%s: ", path);
    return ok;
}

static bool open_by_password(Store *store, const PasswordFrom *from, const RepoOptions *options,
                             Repo **ret_repo, GError **error)
{
    g_autoptr(Secret) password = NULL;

    return password_get(from, &password, error) &&
           repo_open(store, password, options, ret_repo, error);
}

bool open_repo_at(const Settings *settings, const char *location, const PasswordFrom *from,
                  OpenHow how, const Cancel *cancel, OpenRepo *ret_open, GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    const char *key_file;
    RepoOptions options;

    if (!repo_options_from(settings, &options, error) ||
        !password_key_file(from, &key_file, error) ||
        !open_store(settings, location, from->infix, false, cancel, &open.at, error))
        return false;
    if (key_file ? !open_by_key_file(open.at.store, key_file, &options, &open.repo, error)
                 : !open_by_password(open.at.store, from, &options, &open.repo, error))
        return false;
    if (!take_lock(settings, how, cancel, &open, error))
        return false;
    *ret_open = open;
    open = (OpenRepo){ 0 };
    return true;
}

bool open_repo(const Settings *settings, OpenHow how, bool allow_no_lock, const Cancel *cancel,
               OpenRepo *ret_open, GError **error)
{
    g_autofree char *location = NULL;
    PasswordFrom from = {
        .file = settings->password_file,
        .command = settings->password_command,
        .key_file = settings->key_file,
        .none = settings->insecure_no_password,
        .infix = "",
        .prompt = "password of the repository",
    };

    if (!settings_repository(settings, &location, error))
        return false;
    if (settings->no_lock && !allow_no_lock) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--no-lock is for commands that only read");
        return false;
    }
    return open_repo_at(settings, location, &from, settings->no_lock ? OPEN_UNLOCKED : how, cancel,
                        ret_open, error);
}

void open_done(OpenRepo *open)
{
    lock_release(open->lock);
    repo_close(open->repo);
    open_store_done(&open->at);
    *open = (OpenRepo){ 0 };
}
