/* SPDX-License-Identifier: Apache-2.0 */
/* What a schedule does not say itself: the defaults of the file, and which sources bear the labels
 * that it selects. Of JSON, before it is completed. */
#pragma once
#include "config/check.h"

/* Whole values: a schedule's own "keep" is not mixed with another. */
void schedule_merge_defaults(json_t *schedule, const json_t *defaults);

/*
 * "select": {app: shop} becomes "sources", the names of all that have each of these labels, in the
 * order of the configuration; it is a problem when there is none. Nothing is done where names are
 * not compared. strict: other sources beside it are a problem; else they are what it was made of
 * before, and replaced.
 */
void schedule_select(const Check *check, json_t *schedule, bool strict, const char *pointer);
