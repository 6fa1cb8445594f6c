/* SPDX-License-Identifier: Apache-2.0 */
#include "op/policy.h"

#include "base/error.h"
#include <string.h>

#define VERSION "2012-10-17" /* of the policy language */

/* ---- the rights ---- */

typedef struct {
    const char *name; /* letters and digits */
    bool denies;
    const char *const *actions;
    const char *const *places; /* below the prefix; NULL: the bucket itself */
    bool by_prefix;            /* only when what is listed lies below the prefix */
} Right;

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

#define LISTING WORDS("s3:ListBucket")
#define ASKING                                                                                     \
    WORDS("s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration", \
          "s3:GetLifecycleConfiguration")
#define EVERYTHING WORDS("*")
#define HISTORY    WORDS("data/*", "index/*", "snapshots/*", "wal/*")

static const Right writer[] = {
    { "List", false, LISTING, NULL, true },
    { "Ask", false, ASKING, NULL, false },
    { "Add", false, WORDS("s3:PutObject"),
      WORDS("data/*", "index/*", "snapshots/*", "locks/*", "wal/*", "backstay/wal-slots/*",
            "backstay/installations/*"),
      false },
    { "Read", false, WORDS("s3:GetObject"),
      WORDS("config", "keys/*", "index/*", "snapshots/*", "locks/*", "wal/*", "backstay/mirrors/*",
            "backstay/wal-floor/*"),
      false },
    { "Unlock", false, WORDS("s3:DeleteObject"), WORDS("locks/*"), false },
    { "GiveUp", false, WORDS("s3:AbortMultipartUpload"), WORDS("wal/*"), false },
    { "NoContent", true, WORDS("s3:GetObject"), WORDS("data/*"), false },
    { "NoRemoval", true, WORDS("s3:DeleteObject"),
      WORDS("config", "keys/*", "data/*", "index/*", "snapshots/*", "wal/*", "backstay/*"), false },
    { "NoOtherKeys", true, WORDS("s3:PutObject"), WORDS("config", "keys/*", "backstay/mirrors/*"),
      false },
    { "NoOldVersions", true, WORDS("s3:GetObjectVersion", "s3:DeleteObjectVersion"), EVERYTHING,
      false },
    { "NoWayRound", true,
      WORDS("s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:PutObjectTagging",
            "s3:PutObjectVersionTagging", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention"),
      EVERYTHING, false },
};

/* A lock that a writer sets it can never shorten without the right to bypass it. */
static const Right writer_locks = { "Lock", false, WORDS("s3:PutObjectRetention"), HISTORY, false };
static const Right writer_locks_not = { "NoLock", true, WORDS("s3:PutObjectRetention"), EVERYTHING,
                                        false };

static const Right maintainer[] = {
    { "List", false, WORDS("s3:ListBucket", "s3:ListBucketVersions"), NULL, true },
    // no server knows s3:prefix here
    { "ListUploads", false, WORDS("s3:ListBucketMultipartUploads"), NULL, false },
    { "Ask", false, ASKING, NULL, false },
    { "Keep", false,
      WORDS("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion",
            "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
            "s3:GetObjectRetention", "s3:PutObjectRetention", "s3:GetObjectLegalHold"),
      EVERYTHING, false },
};

static const Right reader[] = {
    { "List", false, LISTING, NULL, true },
    { "Ask", false, ASKING, NULL, false },
    { "Read", false, WORDS("s3:GetObject"), EVERYTHING, false },
};

static const struct {
    const char *word, *title; /* title: in the names of statements */
    const Right *rights;
    size_t n;
} roles[] = {
    [POLICY_WRITER] = { "writer", "BackstayWriter", writer, G_N_ELEMENTS(writer) },
    [POLICY_MAINTAINER] = { "maintainer", "BackstayMaintainer", maintainer,
                            G_N_ELEMENTS(maintainer) },
    [POLICY_READER] = { "reader", "BackstayReader", reader, G_N_ELEMENTS(reader) },
};

bool policy_role_parse(const char *text, PolicyRole *ret_role, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(roles); i++)
        if (strcmp(text, roles[i].word) == 0) {
            *ret_role = (PolicyRole)i;
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: write writer, maintainer or reader", text);
    return false;
}

/* ---- as JSON ---- */

typedef struct {
    char *bucket; /* ARN */
    char *below;  /* "<bucket ARN>/<prefix>/" */
    char *prefix; /* "<prefix>/", or "" */
    char *word;   /* the prefix in letters and digits: names of statements are unique in a bucket */
} Place;

static void place_done(Place *place)
{
    g_free(place->bucket);
    g_free(place->below);
    g_free(place->prefix);
    g_free(place->word);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_done)

/* "apps/app-1" is AppsApp1. */
static char *word_of(const char *prefix)
{
    GString *word = g_string_new(NULL);
    bool begins = true;

    for (; *prefix; prefix++) {
        if (g_ascii_isalnum(*prefix))
            g_string_append_c(word, begins ? g_ascii_toupper(*prefix) : *prefix);
        begins = !g_ascii_isalnum(*prefix);
    }
    return g_string_free(word, FALSE);
}

static json_t *list_of(const char *before, const char *const *words)
{
    json_t *list = json_array();

    for (; *words; words++) {
        g_autofree char *text = g_strconcat(before, *words, NULL);

        json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *statement_of(const Right *right, const char *title, const Place *place,
                            char *const *users)
{
    g_autofree char *name = g_strconcat(title, place->word, right->name, NULL);
    json_t *statement =
        json_pack("{s:s, s:s}", "Sid", name, "Effect", right->denies ? "Deny" : "Allow");

    if (users && *users)
        json_object_set_new(statement, "Principal",
                            json_pack("{s:o}", "AWS", list_of("", (const char *const *)users)));
    json_object_set_new(statement, "Action", list_of("", right->actions));
    json_object_set_new(statement, "Resource",
                        right->places ? list_of(place->below, right->places)
                                      : json_pack("[s]", place->bucket));
    if (right->by_prefix && *place->prefix)
        json_object_set_new(
            statement, "Condition",
            json_pack("{s:{s:o}}", "StringLike", "s3:prefix", list_of(place->prefix, WORDS("*"))));
    return statement;
}

static void add_role(json_t *statements, PolicyRole role, const Place *place, char *const *users)
{
    for (size_t i = 0; i < roles[role].n; i++)
        json_array_append_new(
            statements, statement_of(&roles[role].rights[i], roles[role].title, place, users));
}

/* ---- from what is given ---- */

/* "arn:aws:iam::123456789012:user/name"; Ceph's have a tenant, or nothing, for the account. */
static bool check_user(const char *user, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(user, ":", 6);

    if (g_strv_length(parts) == 6 && strcmp(parts[0], "arn") == 0 && *parts[1] && *parts[5] &&
        g_utf8_validate(user, -1, NULL))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s: write arn:aws:iam::ACCOUNT:user/NAME, on Ceph arn:aws:iam:::user/NAME", user);
    return false;
}

static bool check_users(char *const *users, GError **error)
{
    for (; users && *users; users++)
        if (!check_user(*users, error))
            return false;
    return true;
}

/* "aws", or that of China or of a government. */
static char *partition_of(char *const *users)
{
    g_auto(GStrv) parts = users && *users ? g_strsplit(*users, ":", 3) : NULL;

    return g_strdup(parts ? parts[1] : "aws");
}

static bool make_place(const char *bucket, const char *prefix, char *const *users, Place *ret_place,
                       GError **error)
{
    g_autofree char *partition = partition_of(users);

    if (strpbrk(prefix, "*?$") || !g_utf8_validate(prefix, -1, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the prefix \"%s\" has characters that mean something else in a policy",
                    prefix);
        return false;
    }
    *ret_place = (Place){
        .bucket = g_strdup_printf("arn:%s:s3:::%s", partition, bucket),
        .prefix = g_strconcat(prefix, *prefix ? "/" : "", NULL),
    };
    ret_place->word = word_of(prefix);
    ret_place->below = g_strconcat(ret_place->bucket, "/", ret_place->prefix, NULL);
    return true;
}

bool policy_build(const char *bucket, const char *prefix, const PolicyRequest *request,
                  json_t **ret_policy, GError **error)
{
    g_auto(Place) place = { 0 };
    json_t *statements;

    if (!check_users(request->users, error) || !check_users(request->maintainers, error) ||
        !make_place(bucket, prefix, request->users, &place, error))
        return false;
    statements = json_array();
    add_role(statements, request->role, &place, request->users);
    if (request->role == POLICY_WRITER)
        json_array_append_new(
            statements, statement_of(request->locks_objects ? &writer_locks : &writer_locks_not,
                                     roles[POLICY_WRITER].title, &place, request->users));
    if (request->users && *request->users && request->maintainers && *request->maintainers &&
        request->role != POLICY_MAINTAINER)
        add_role(statements, POLICY_MAINTAINER, &place, request->maintainers);
    *ret_policy = json_pack("{s:s, s:o}", "Version", VERSION, "Statement", statements);
    return true;
}
