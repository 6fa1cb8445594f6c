/* SPDX-License-Identifier: Apache-2.0 */
/* A fact about the catalogue is tried with each kind of database: a file, and a schema of its own
 * in a throw-away PostgreSQL. */
#pragma once
#include <glib.h>

typedef void (*CatalogTest)(const char *url);

/* Adds /sqlite/<name> and /postgres/<name>. */
void catalog_test_add(const char *name, CatalogTest test);
/* Instead of g_test_run(): stops the server in the end. */
int catalog_test_run(void);
