/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `backstay daemon --web`: the process that speaks HTTP. It holds no key of a repository and tells
 * the scheduler what to do by its control socket; whatever becomes of it, no schedule stops.
 */
#pragma once
#include "base/cancel.h"
#include "config/configuration.h"
#include "daemon/places.h"
#include <glib.h>
#include <stdbool.h>

/* Serves until stop. program: the command line that downloads are asked of, an absolute path; NULL:
 * that of this process. BS_ERROR_CONFIG and what opening the catalogue may fail with. */
bool web_serve(const Configuration *configuration, const Places *places, const char *program,
               const Cancel *stop, GError **error);
