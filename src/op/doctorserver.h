/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor says of a server: what it lacks to be saved. Reads only. */
#pragma once
#include "op/doctor.h"
#include "op/pgsetup.h"

/* Whether an operand names a server. */
bool doctor_is_server(const char *operand);
/* Adds to findings, of DoctorFinding. A server that does not answer, or refuses the login, is a
 * finding, too. BS_ERROR_USAGE, BS_ERROR_CANCELLED. */
bool op_doctor_server(const PgSetupRequest *request, const Cancel *cancel, GPtrArray *findings,
                      GError **error);
