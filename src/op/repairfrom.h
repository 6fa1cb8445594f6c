/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check --repair-from: what is damaged or missing is brought back from another copy of the same
 * repository: a mirror, or a copy that was made by other means. Only this repository is changed,
 * and nothing is removed (repo/heal.h).
 */
#pragma once
#include "op/open.h"

typedef struct {
    bool dry_run; /* only prove that it could be brought back */
    /* problem NULL: it is back, or could be. */
    void (*told)(const char *object, const GError *problem, void *user);
    void *user;
    const Cancel *cancel;
} RepairFromWatch;

typedef struct RepairFrom RepairFrom;

/* where: the name of a mirror, or a location; named: NULL, or how a repository of that name is
 * opened, which comes after a mirror. Otherwise the copy is opened with the password of the
 * repository. It is locked shared. Borrows the settings, copies the watch. */
RepairFrom *repair_from_new(const Settings *settings, const char *where, const Settings *named,
                            const RepairFromWatch *watch, GError **error);
void repair_from_free(RepairFrom *from); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RepairFrom, repair_from_free)
const char *repair_from_location(const RepairFrom *from);

/*
 * Config and the key file, without which the repository cannot be opened. A key that was removed
 * stays so as long as there is another one. BS_ERROR_NO_REPO: nothing there is of this repository,
 * so its disk is not mounted rather than damaged; BS_ERROR_EXISTS: another repository lies there.
 */
bool repair_from_entry(RepairFrom *from, uint64_t *n_back, GError **error);

/* objects: set of what a check of the open repository found damaged, as it named them: keys of
 * objects, or ids of blobs that no index has or that cannot be read. */
bool repair_from_objects(RepairFrom *from, Repo *repo, GHashTable *objects, uint64_t *n_back,
                         GError **error);
