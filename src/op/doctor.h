/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at where a repository lies for what would destroy or hide it one day: what a check of the
 * repository itself cannot see. Reads only, and needs no password.
 */
#pragma once
#include "base/cancel.h"
#include "config/settings.h"
#include "store/store.h"

typedef enum {
    DOCTOR_PASS,
    DOCTOR_WARN, /* something is missing, or these keys may not see it */
    DOCTOR_FAIL, /* data will be lost, or nothing will work */
} DoctorState;

typedef struct {
    const char *check; /* "versioning", "object-lock", ...: stable, for programs */
    DoctorState state;
    char *message;
    char *server; /* a URL without secrets; NULL: it is of the repository */
    char *remedy; /* a statement or line that sets it right; NULL: none does */
} DoctorFinding;
void doctor_finding_free(DoctorFinding *finding);

const char *doctor_state_name(DoctorState state); /* "pass", "warn", "fail" */

/* What guards the store, of DoctorFinding: versioning, object-lock, lifecycle, clock. For a store
 * that guards nothing, such as a directory, one that says so. */
bool doctor_guard(Store *store, const S3Settings *s3, GPtrArray *findings, GError **error);

/* Of DoctorFinding. */
GPtrArray *doctor_findings_new(void);

/* All of it, added to findings. BS_ERROR_NO_REPO: there is none. */
bool op_doctor(const Settings *settings, const char *location, const Cancel *cancel,
               GPtrArray *findings, GError **error);
