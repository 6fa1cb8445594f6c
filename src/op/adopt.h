/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new host takes over what another has left in the repository (op/installation.h): configuration
 * and catalogue. Nothing that is there is written over unless force is set, and then it is kept
 * under another name.
 */
#pragma once
#include "op/installation.h"
#include "state/catalog.h"

/*
 * Which copy: id (the beginning of one; NULL: the newest) of host (NULL: the only one); of two
 * hosts' BS_ERROR_USAGE, which names them. One with a catalogue comes before one without. The
 * others that the listing names are loaded, too, as far as needed; those that cannot be read are
 * passed over when another can. Borrowed of list. BS_ERROR_NOT_FOUND.
 */
bool adopt_choose(Repo *repo, const GPtrArray *list, const char *host, const char *id,
                  Installation **ret_chosen, GError **error);

/* A secret, or another value, that the configuration says the place of. */
typedef struct {
    char *place;     /* "repositories.main.password" */
    char *reference; /* "env://NAME" */
    char *problem;   /* why there is nothing here; NULL: it is there, or would have to be run */
} AdoptSecret;

/* What a configuration asks for, read without believing that it is whole. */
typedef struct {
    GPtrArray *secrets;   /* of AdoptSecret */
    GPtrArray *schedules; /* names: of char * */
    char *catalogue;      /* server.catalogue; NULL: the daemon's own file */
    Reference catalogue_password;
    char *repository; /* the name of that whose location was given; NULL: none is there */
} AdoptNeeds;
/* BS_ERROR_CORRUPT: the text is no YAML. */
bool adopt_needs(const Installation *installation, const char *location, AdoptNeeds *ret_needs,
                 GError **error);
void adopt_needs_clear(AdoptNeeds *needs);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AdoptNeeds, adopt_needs_clear)

/* BS_ERROR_EXISTS: another file is there, and force is not set; *ret_same: it is there as it is to
 * be. */
bool adopt_check_config(const Installation *installation, const char *path, bool force,
                        bool *ret_same, GError **error);
/* The same of a catalogue; *ret_missing: there is none, or an empty one. One in PostgreSQL that is
 * in use is no error but *ret_shared: it outlived the host. */
bool adopt_check_catalogue(const char *url, const Secret *password, bool force, bool *ret_missing,
                           bool *ret_shared, GError **error);

/* Durable. *ret_aside: where the old one is now; NULL: there was none. */
bool adopt_write_config(const Installation *installation, const char *path, char **ret_aside,
                        GError **error);
/* Opens the catalogue and fills it: what was there is set aside unless missing. All schedules, also
 * those of the configuration, are paused until then (Unix ms; 0: as they were). */
bool adopt_fill_catalogue(const Installation *installation, const AdoptNeeds *needs,
                          const char *url, const Secret *password, bool missing,
                          int64_t paused_until, Catalog **ret_catalog, char **ret_aside,
                          GError **error);
