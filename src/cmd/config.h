/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `config` and of backstay.yaml(5), printed from the tables of config/. */
#pragma once
#include "config/configuration.h"
#include <stdio.h>

/* Values and where each comes from; secrets are masked. json: an array of objects. */
void config_show(const Configuration *configuration, bool json);
/* A commented example. */
void config_generate(FILE *out);
/* "a number from 1 to 5", "a list of texts": what may stand there. To be freed. */
char *config_what(const Field *field);
