/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unit backstay-run@ of systemd, made for each connection to backstay-run.socket: the daemon
 * writes the id of a run there, a line, and all else lies in the run's directory. Nothing but that
 * id is taken from the connection.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* From the connection that is standard input, which is /dev/null from then on; what is printed goes
 * to the run's directory. */
bool run_accept(char **ret_spec, char **ret_events, GError **error);
