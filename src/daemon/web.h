/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `backstay daemon --web`: the process that speaks HTTP. It holds no key of a repository and tells
 * the scheduler what to do by its control socket; whatever becomes of it, no schedule stops.
 */
#pragma once
#include "base/cancel.h"
#include <glib.h>
#include <stdbool.h>

/*
 * Serves until stop. SIGHUP reads the configuration again; one that is wrong is told, and the old
 * one stays. config: NULL for the usual places. program: the command line, an absolute path; NULL:
 * that of this process. BS_ERROR_CONFIG and what opening the catalogue may fail with. In the main
 * thread, before there are others.
 */
bool web_run(const char *config, const char *program, const Cancel *stop, GError **error);
