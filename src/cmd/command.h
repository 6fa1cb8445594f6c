/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: finds the command in the table, runs it, turns its error into the exit status.
 */
#pragma once

int command_main(int argc, char **argv);
