/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of configuration and catalogue in the repository, so that a new host can begin with the
 * repository and its password alone (op/adopt.h). Sealed records of one kind:
 *
 *   backstay/installations/<group>/<time>-<digest>
 *
 * group: of one host, and of whether a catalogue is in it. time: Unix ms, 12 hexadecimal digits.
 * digest: of what is in it but for runs. Group and digest are keyed, so that names tell a bucket
 * nothing; and a listing alone says whether there is anything new, so that whoever may only add
 * needs to read nothing. An object: {"version": 1, "host", "time", "backstay_version",
 * "configuration": {"path" or null, "text"}, "catalogue": null or state/portable.h}.
 *
 * Secrets are references in a configuration, and stay such; the catalogue gives none away.
 */
#pragma once
#include "config/reference.h"
#include "repo/repo.h"
#include <jansson.h>

#define INSTALLATION_COPIES 8 /* that are kept of a group */

typedef struct {
    char *config;                 /* the file; NULL: the environment is the configuration */
    char *catalogue;              /* URL */
    Reference catalogue_password; /* NULL: none */
    bool has_catalogue;           /* false: where there is none, that is no failure */
} InstallationPlaces;
void installation_places_clear(InstallationPlaces *places);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(InstallationPlaces, installation_places_clear)

/* Writes a copy when something has changed, or the newest is older than a day, and removes those
 * above INSTALLATION_COPIES, which may fail unheard. Durable when it returns. The store is that of
 * a run: mirrors get it, too. */
bool installation_save(Repo *repo, const InstallationPlaces *places, bool *ret_written,
                       GError **error);

typedef struct {
    char *id;    /* the digest: 16 hexadecimal digits */
    char *group; /* 16 */
    char *key;
    Timestamp time;
    /* Of what is in it; NULL before installation_load(). */
    char *host, *version, *config_path, *config_text;
    json_t *catalogue; /* NULL: none */
} Installation;
void installation_free(Installation *installation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Installation, installation_free)

/* Those that a listing names, newest first. */
bool installation_list(Repo *repo, GPtrArray **ret_installations, GError **error);
/* Of each group the newest ones into another repository, under names and a seal of that. Adds to
 * *copied, and to *held_back those that cannot be read, which is logged. */
bool installation_copy(Repo *from, Repo *to, uint64_t *copied, uint64_t *held_back, GError **error);
/* BS_ERROR_CORRUPT: damaged, or of a newer program (BS_ERROR_VERSION). */
bool installation_load(Repo *repo, Installation *installation, GError **error);
