/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open repository: a store, the master key, the parameters of config, and the index once loaded.
 * Format: restic repository format, versions 1 (read) and 2. Everything here may be called from
 * several threads, except repo_load_index and repo_close.
 */
#pragma once
#include "base/cancel.h"
#include "base/clock.h"
#include "codec/chunker.h"
#include "repo/file.h"
#include "repo/keyfile.h"
#include "store/store.h"

typedef struct Repo Repo;
typedef struct Index Index;

#define REPO_PLAIN_MAX (1024u * 1024 * 1024) /* bound of a decompressed plain object */

typedef enum { COMPRESS_AUTO, COMPRESS_OFF, COMPRESS_MAX, COMPRESS_LEVEL } CompressMode;

typedef struct {
    const char *cache_dir; /* directory of all caches; NULL: work without one */
    uint64_t cache_bytes;  /* of copies of a far store's objects; 0: none */
    const char *key_hint;  /* id prefix of the key file to try first, or NULL */
    /* Whole id of the key file that opened it the last time, or NULL: others are listed only when
     * it does not open any more. */
    const char *likely_key;
    CompressMode compress;
    int compress_level; /* with COMPRESS_LEVEL */
    size_t pack_size;   /* target in bytes; 0: 16 MiB */
    bool no_verify;     /* do not open sealed blobs again before they count */
    /* An index object is damaged and not used: readers find what the others name, writers store
     * anew what they miss. NULL: that is an error. */
    void (*index_damaged)(const Id *object, const GError *problem);
} RepoOptions;

typedef struct {
    unsigned version; /* 2, or 1 for tests */
    KeyCost cost;     /* n == 0: key_cost_default */
    const char *username, *hostname;
    uint64_t polynomial; /* 0: a new random one */
} RepoInit;

/* BS_ERROR_EXISTS when config exists or keys/ or snapshots/ hold anything. Key first, then config.
 */
bool repo_init(Store *store, const Secret *password, const RepoInit *init, GError **error);

/* Adds a key file for this master key, reads it back and opens it: only a key that was proven
 * counts. What fails the proof is removed again. cost.n == 0: key_cost_default. */
bool repo_add_key(Store *store, const SealKey *master, const Secret *password, KeyCost cost,
                  const char *username, const char *hostname, Id *ret_id, GError **error);

/* BS_ERROR_NO_REPO: no config. BS_ERROR_PASSWORD: no key opens. BS_ERROR_CORRUPT: config damaged.
 * BS_ERROR_UNSUPPORTED: a version from the future. Damaged key files are passed over; when none
 * opens, the error names them. The store is borrowed and must outlive the repository. */
bool repo_open(Store *store, const Secret *password, const RepoOptions *options, Repo **ret_repo,
               GError **error);
/* The same with the master key itself, which nothing has to be derived for. BS_ERROR_PASSWORD: it
 * does not open config. */
bool repo_open_master(Store *store, const SealKey *master, const RepoOptions *options,
                      Repo **ret_repo, GError **error);
void repo_close(Repo *repo); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Repo, repo_close)

Store *repo_store(const Repo *repo);
/* The same for packs of trees, and only as such: a far store's are kept near. */
Store *repo_tree_store(const Repo *repo);
/* From now on only what the store gives counts, not copies of earlier runs: for check and repair.
 */
void repo_distrust_copies(Repo *repo);
/* What was read of this pack of trees is damaged. True: that was a copy, which is gone now, and
 * reading again gives what the store has. */
bool repo_drop_damaged_copy(Repo *repo, const Id *pack);
/* How many threads at once should ask for what needs little memory: objects of one kind, headers of
 * packs. */
unsigned repo_readers(const Repo *repo);
const RepoOptions *repo_options(const Repo *repo);
const SealKey *repo_master_key(const Repo *repo);
/* The key file that opened it; NULL: the master key itself did. */
const Id *repo_key_id(const Repo *repo);
const char *repo_id(const Repo *repo); /* 64 hex digits, from config */
unsigned repo_version(const Repo *repo);
uint64_t repo_polynomial(const Repo *repo);
const GearTable *repo_gear(const Repo *repo);
/* zstd level for data, 0: store plain (mode off). Trees and JSON are always compressed in
 * version 2. */
int repo_data_level(const Repo *repo);
/* The JSON text of config as stored. */
const char *repo_config_text(const Repo *repo);

/* ---- plain objects: index, snapshot, lock (plain.c) ---- */

/* The text of an object: name checked against hash, opened, decompressed. BS_ERROR_CORRUPT,
 * NOT_FOUND. */
bool repo_load(Repo *repo, FileType type, const Id *id, GBytes **ret_text, GError **error);
/* The same with what the store gave, also for key files (returned as they are) and packs. */
bool repo_load_raw(Repo *repo, FileType type, const Id *id, GBytes **ret_bytes, GError **error);
/* The text of what the store gave, whatever its name: opened, decompressed. Takes stored. bound: of
 * the text. BS_ERROR_CORRUPT. */
bool repo_decode(Repo *repo, GBytes *stored, size_t bound, GBytes **ret_text, GError **error);
/* What an object with this text is stored as, and its name; opened again and compared (unless
 * no_verify). */
bool repo_encode(Repo *repo, const char *text, size_t len, GBytes **ret_stored, Id *ret_id,
                 GError **error);
/* Durable when it returns. */
bool repo_save(Repo *repo, FileType type, const char *text, size_t len, Id *ret_id, GError **error);
/* Sorted by id; names that are no ids are passed over (counted in ret_foreign unless NULL). Of
 * FileInfo. */
bool repo_list(Repo *repo, FileType type, GArray **ret_files, unsigned *ret_foreign,
               GError **error);
bool repo_remove(Repo *repo, FileType type, const Id *id, GError **error);
/* All of ids (of Id); on an error the others of the same thousand have been tried, too. before is
 * asked before each thousand (still locked?) and may be NULL. */
bool repo_remove_many(Repo *repo, FileType type, const GArray *ids,
                      bool (*before)(void *user, GError **error), void *user, GError **error);
/* The one id that begins with prefix. BS_ERROR_NOT_FOUND, BS_ERROR_USAGE (ambiguous). */
bool repo_resolve(Repo *repo, FileType type, const char *prefix, Id *ret_id, GError **error);

/* ---- the index ---- */

/* After the snapshots were listed (repository format, "Order of operations"). Loading again brings
 * in what is new. */
bool repo_load_index(Repo *repo, const Cancel *cancel, GError **error);
/* The same, and a damaged index object is an error whatever the options say: for whoever removes.
 */
bool repo_load_index_whole(Repo *repo, const Cancel *cancel, GError **error);
Index *repo_index(Repo *repo); /* NULL before */
/* Takes over one that was loaded another way (check, repair). */
void repo_set_index(Repo *repo, Index *index);
