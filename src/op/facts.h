/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts of the operator: values that the configuration names and that are saved with a source, in
 * its manifest (Source.facts): the version of the application, say, or which key is active. Each
 * has a time-out, and at most FACT_MAX bytes, the first line of what was found. Files have no
 * manifest, so theirs are tags of the snapshot, "fact.NAME=VALUE", shorter ones.
 */
#pragma once
#include "config/source.h"
#include "op/factways.h"
#include "repo/snapshot.h"
#include "source/source.h"

#define FACT_TAG_MAX 256 /* bytes of a value in a tag */

typedef struct {
    const SourceConfig *config;
    char *const *operands; /* of the source, with a password */
    char *const *hidden;   /* variables that commands do not get; may be NULL */
    const Cancel *cancel;
} FactsFrom;

/* Asks for all of them, or has the source ask its copy, and hangs them on the source; one that
 * cannot be had is a note of the source, or with "required: true" the failure of all. */
bool facts_gather(const FactsFrom *from, Source *source, GError **error);

/* Those in the tags of a snapshot of files, an object of the caller's; NULL: there are none. */
json_t *facts_of_tags(const Snapshot *snapshot);
