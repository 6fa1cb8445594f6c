/* SPDX-License-Identifier: Apache-2.0 */
/* Who and where we are, as snapshots say it. */
#pragma once
#include <glib.h>

/* The option, else BACKSTAY_HOST or RESTIC_HOST, else the machine's name. To be freed. */
char *identity_host(const char *option);
char *identity_user(void);
