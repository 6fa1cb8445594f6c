/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a restored data directory is started. A data_directory in postgresql.conf wins over the
 * directory that pg_ctl -D names, and sends a server that was restored to the data of the one that
 * was saved, which may still be in use; only the server's command line is stronger
 * (PostgreSQL documentation, "File Locations"). Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Of the text of a postgresql.conf (NULL: it is empty): does it name a data directory, or include
 * files that may? *ret_directory: what it names itself, to be freed; NULL: nothing. */
bool start_config_names_data(const char *text, size_t len, char **ret_directory);

/* Whoever starts it in another way than by our command shall know what would be started. named: by
 * its postgresql.conf. To be freed; NULL: it names pgdata itself. */
char *start_note(const char *pgdata, const char *named);

/* For a shell, to be freed. config_file: where it lies, NULL: in pgdata; name_data: say on the
 * command line, too, where the data are. Both paths are absolute. */
char *start_command(const char *pgdata, const char *config_file, bool name_data);
