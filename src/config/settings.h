/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user wants, typed: from options first, then BACKSTAY_* and then RESTIC_* environment
 * (conventions.md, section 1). A value, handed down; nobody changes it after settings_complete().
 */
#pragma once
#include "base/secret.h"
#include "config/s3.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The members with gboolean, gint and char * are targets of the option parser. */
typedef struct {
    char *repo, *repository_file; /* location as written: a path, s3:..., or a name */
    char *password_file, *password_command, *key_file, *key_hint;
    gboolean insecure_no_password;
    char *cache_dir; /* after settings_complete: the directory of all caches; NULL with no_cache */
    gboolean no_cache, no_lock, json, quiet, no_extra_verify;
    gint verbose;
    char *retry_lock, *compression, *pack_size;
    char *cache_size; /* of copies, as written; NULL: the default */
    char *cacert, *tls_client_cert, *limit_upload, *limit_download, *retry_deadline;
    char *stuck_request_timeout;
    char **options; /* -o, as written; settings_add_option() */
    char *config;   /* the configuration file; NULL: the usual one */
    /* Of the repository that the configuration names (config/named.h); references: */
    char *password_reference, *s3_access_key, *s3_secret_key, *s3_session_token;
    char *s3_region;
    char *source_name;     /* of the source that "@name" stands for; NULL: none */
    char *source_password; /* reference to that of the database that "@name" stands for */
    /* worked out by settings_complete: */
    int64_t retry_lock_ms;
    enum {
        SETTINGS_COMPRESS_AUTO,
        SETTINGS_COMPRESS_OFF,
        SETTINGS_COMPRESS_MAX,
        SETTINGS_COMPRESS_LEVEL
    } compress;
    int compress_level;
    uint64_t pack_bytes;           /* 0: default */
    char *state_dir;               /* of this user: lock state files */
    uint64_t limit_up, limit_down; /* bytes a second; 0: any */
    int64_t retry_deadline_ms;     /* 0: default, -1: one try */
    int64_t stuck_request_ms;      /* 0: default */
    S3Settings s3;
    Secret *password; /* known already, which comes before all else; NULL: it is not */
} Settings;

void settings_clear(Settings *settings);
/* Options may stand before and after the command, so they are gathered one by one. */
void settings_add_option(Settings *settings, const char *option);
/* Fills what options left open from the environment and checks every value. BS_ERROR_USAGE. */
bool settings_complete(Settings *settings, GError **error);

/* The location, from -r, --repository-file or the environment, BACKUP_S3_* at last. BS_ERROR_USAGE
 * says how to give one.
 */
bool settings_repository(const Settings *settings, char **ret_location, GError **error);
/* Whether anything names one, rightly or not. */
bool settings_has_repository(const Settings *settings);

/* The same of the other repository, of copy and init: from its options (NULL: not given), or from
 * BACKSTAY_FROM_REPOSITORY and BACKSTAY_FROM_REPOSITORY_FILE. NULL when none is named. */
bool settings_from_repository(const char *repo, const char *repository_file, char **ret_location,
                              GError **error);

/* Which environment names and options a password may come from: the repository itself, or the other
 * one of copy
 * ("FROM_" for BACKSTAY_FROM_PASSWORD...). */
typedef struct {
    const char *file, *command; /* options */
    const char *key_file;       /* the same: the master key instead of a password */
    bool none;                  /* --insecure-no-password */
    const char *infix;          /* "" or "FROM_" */
    const char *prompt;         /* on the terminal, when nothing else is given */
    bool confirm;               /* ask twice (init, key add) */
    const char *key_hint;       /* id prefix of the key to try first, or NULL */
    const char *reference;      /* where it is when options and environment say nothing, or NULL */
    const Secret *known;        /* instead of all that; NULL: it is not */
} PasswordFrom;

/* As restic: file and command are trimmed of white space at both ends, the environment is not.
 * Setting two forms is an error. BS_ERROR_USAGE when there is none and no terminal to ask. */
bool password_get(const PasswordFrom *from, Secret **ret_password, GError **error);

/* The file that holds the master key, which opens a repository instead of a password; NULL: there
 * is none. Options come before the environment; both forms at once are BS_ERROR_USAGE. Borrowed. */
bool password_key_file(const PasswordFrom *from, const char **ret_path, GError **error);

/* BACKSTAY_<key>, else RESTIC_<key>, else NULL; empty counts as unset. Borrowed. */
const char *settings_env(const char *key);
