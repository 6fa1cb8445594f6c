/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outlet that takes a dump in custom format and passes on the SQL script that pg_restore makes
 * of it. finish() says that pg_restore took the dump for whole.
 */
#pragma once
#include "base/cancel.h"
#include "flow/outlet.h"

/* version: of the server the dump is of, as a number (150020); 0: not known. next is taken over,
 * also on failure. BS_ERROR_VERSION: no pg_restore fits. */
Outlet *pg_script_new(int version, Outlet *next, const Cancel *cancel, GError **error);
