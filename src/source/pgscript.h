/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outlet that takes a dump in custom format and passes on the SQL script that pg_restore makes
 * of it. finish() says that pg_restore took the dump for whole.
 */
#pragma once
#include "base/cancel.h"
#include "base/child.h"
#include "flow/outlet.h"
#include "flow/sink.h"
#include <jansson.h>

/* version: of the pg_dump that made the dump, as a number (150020); 0: not known. key: letters and
 * digits nobody can guess, for the same script each time; NULL: pg_restore's own. next is taken
 * over, also on failure. BS_ERROR_VERSION: no pg_restore fits. */
Outlet *pg_script_new(int version, const char *key, Outlet *next, const Cancel *cancel,
                      GError **error);

/* The same of a dump in directory format: a sink for its files (source/pgfilessink.h), whose finish
 * passes the script on to out, which is borrowed and not finished. toc: its toc.dat; recorded: its
 * item of the manifest, borrowed. */
Sink *pg_script_files_sink_new(int version, const char *key, GBytes *toc, const json_t *recorded,
                               Outlet *out, const Cancel *cancel);

/* pg_restore that makes a script. from: a path; NULL: it reads its standard input. */
Child *pg_script_spawn(int version, const char *key, const char *from, unsigned flags,
                       GError **error);
