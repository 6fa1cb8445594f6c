/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which copies a repository has, and which copy of it this is.
 *
 * The list lies in the repository itself, as records of kind "mirrors", and so in every copy. A
 * copy has a mark of its own, backstay/mirrors/this, which is never carried anywhere: it says which
 * mirror lies there. A place without it is none, however much it looks like one: a disk that is not
 * mounted, a bucket that was emptied, a copy that has become a repository of its own. Whoever
 * writes to a copy that bears a mark is told to write to the repository instead.
 *
 * Mark and entry share a token. When a mirror is promoted the others get new tokens, and the old
 * repository, should it come back, no longer takes them for its own.
 */
#pragma once
#include "repo/record.h"
#include "store/mirror.h"

#define MIRROR_NAME_MAX 32
#define MIRROR_MARK_KEY "backstay/mirrors/this"

typedef struct {
    Id id; /* of its record */
    char *name, *location, *token;
    bool required;
    Timestamp added;
} Mirror;
void mirror_free(Mirror *mirror);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Mirror, mirror_free)

/* Letters, digits and '-', as in the names of environment variables after upper-casing. */
bool mirror_name_is_valid(const char *name);

/* With a new token, added now. */
Mirror *mirror_new(const char *name, const char *location, bool required);
/* What a listing tells, which needs no key. */
typedef struct {
    GArray *ids; /* of Id: the records */
    bool marked; /* this copy bears a mark */
} MirrorNames;
bool mirror_names_list(Store *store, MirrorNames *ret_names, GError **error);
void mirror_names_clear(MirrorNames *names);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MirrorNames, mirror_names_clear)

/* Those that were listed: of Mirror, by name. Errors as below. */
bool mirrors_read(Repo *repo, const MirrorNames *names, GPtrArray **ret_mirrors, GError **error);
/* Listed and read. ret_marked: this copy bears a mark; may be NULL. BS_ERROR_CORRUPT: a record
 * is damaged, so nobody knows what else should get what is written; says what to do. */
bool mirrors_load(Repo *repo, GPtrArray **ret_mirrors, bool *ret_marked, GError **error);
/* NULL: there is none of that name. Names are the same in any case of letters. */
Mirror *mirrors_find(const GPtrArray *mirrors, const char *name);
bool mirror_save(Repo *repo, Mirror *mirror, GError **error);
bool mirror_remove(Repo *repo, const Mirror *mirror, GError **error);

typedef struct {
    char *name, *token; /* NULL: there is no mark */
} MirrorMark;
void mirror_mark_clear(MirrorMark *mark);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MirrorMark, mirror_mark_clear)

/* The mark of the copy in this store. BS_ERROR_CORRUPT: it is that of another repository, or
 * damaged. */
bool mirror_mark_load(Repo *repo, Store *store, MirrorMark *ret_mark, GError **error);
bool mirror_mark_save(Repo *repo, Store *store, const Mirror *mirror, GError **error);
/* The copy there is this mirror. BS_ERROR_NOT_FOUND: nothing says so; BS_ERROR_EXISTS: it is
 * another one, or that of a repository that was promoted. */
bool mirror_mark_check(Repo *repo, Store *store, const Mirror *mirror, GError **error);

/* For mirror_store_new(). */
MirrorKind mirror_kind(const char *key);
