/* SPDX-License-Identifier: Apache-2.0 */
/* Names that stand in archives, which anybody may have written: none may lead out of the folder
 * that the archive becomes. Pure. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* Without what says nothing, "./" before and "/" behind; to be freed. */
char *import_name_clean(const char *name);
/* Of a clean name. BS_ERROR_CORRUPT: empty, absolute, with "..", too long or too deep. */
bool import_name_is_good(const char *path, GError **error);
/* Where the link of this name leads, taken word by word, must be in the archive; that nothing lies
 * behind a link is seen with every entry. */
bool import_name_link_stays(const char *path, const char *target);
/* False, with BS_ERROR_CORRUPT: the entry, and why it is not taken. */
bool import_name_refuse(const char *path, const char *why, GError **error);
