/* SPDX-License-Identifier: Apache-2.0 */
#include "op/open.h"

#include "base/error.h"
#include "base/log.h"
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

bool open_repo_at(const Settings *settings, const char *location, const PasswordFrom *from,
                  OpenHow how, const Cancel *cancel, OpenRepo *ret_open, GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(Secret) password = NULL;
    RepoOptions options;

    if (!repo_options_from(settings, &options, error) ||
        !open_store(settings, location, from->infix, false, cancel, &open.at, error) ||
        !password_get(from, &password, error) ||
        !repo_open(open.at.store, password, &options, &open.repo, error) ||
        !take_lock(settings, how, cancel, &open, error))
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
