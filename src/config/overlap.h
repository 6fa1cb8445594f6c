/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restore roots that have something in common with what is saved, or with where it is saved to: no
 * mistake for sure, but worth a warning. By names alone; links are not looked at. Pure.
 */
#pragma once
#include "config/configuration.h"

/* Sentences (char *), in the order of names; empty: there is none. To be freed. */
GPtrArray *configuration_overlaps(const Configuration *in);
