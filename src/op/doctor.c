/* SPDX-License-Identifier: Apache-2.0 */
#include "op/doctor.h"

#include "base/clock.h"
#include "base/error.h"
#include "op/openstore.h"
#include <stdlib.h>
#include <string.h>

#define NOTICE_DAYS 7                /* fewer to notice a theft are too few */
#define CLOCK_WARN  60               /* s */
#define CLOCK_FAIL  (15 * 60)        /* s; Amazon S3 API Reference, "RequestTimeTooSkewed" */
#define UPLOAD_AGE  ((int64_t)86400) /* s; what is younger may still be under way */

void doctor_finding_free(DoctorFinding *finding)
{
    g_free(finding->message);
    g_free(finding->server);
    g_free(finding->remedy);
    g_free(finding);
}

GPtrArray *doctor_findings_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)doctor_finding_free);
}

const char *doctor_state_name(DoctorState state)
{
    static const char *const names[] = {
        [DOCTOR_PASS] = "pass",
        [DOCTOR_WARN] = "warn",
        [DOCTOR_FAIL] = "fail",
    };

    return names[state];
}

static void G_GNUC_PRINTF(4, 5)
    add(GPtrArray *findings, const char *check, DoctorState state, const char *format, ...)
{
    DoctorFinding *finding = g_new0(DoctorFinding, 1);
    va_list args;

    va_start(args, format);
    finding->check = check;
    finding->state = state;
    finding->message = g_strdup_vprintf(format, args);
    va_end(args);
    g_ptr_array_add(findings, finding);
}

/* ---- what guards it ---- */

static void add_unknown(GPtrArray *findings, const char *check, const StoreGuard *guard)
{
    add(findings, check, DOCTOR_WARN, "cannot be told: %s",
        guard->why ? guard->why->message : "the server does not say");
}

static void judge_versions(const StoreGuard *guard, GPtrArray *findings)
{
    switch (guard->versions) {
    case STORE_ON:
        add(findings, "versioning", DOCTOR_PASS,
            "what is replaced or removed stays as an older version");
        break;
    case STORE_OFF:
        add(findings, "versioning", DOCTOR_WARN,
            "off: whoever may add objects can replace what is there, and so destroy history; turn "
            "it on");
        break;
    case STORE_UNKNOWN:
        add_unknown(findings, "versioning", guard);
    }
}

static void judge_default_lock(const StoreGuard *guard, const S3Settings *s3, GPtrArray *findings)
{
    if (guard->lock_mode && guard->lock_days > 0)
        add(findings, "object-lock", DOCTOR_PASS, "new objects are locked for %u days (%s)",
            guard->lock_days, guard->lock_mode);
    else if (s3->object_lock != S3_RETAIN_NONE)
        add(findings, "object-lock", DOCTOR_PASS, "what we put is locked for %u days (%s)",
            s3->object_lock_days,
            s3->object_lock == S3_RETAIN_COMPLIANCE ? "compliance" : "governance");
    else
        add(findings, "object-lock", DOCTOR_WARN,
            "the bucket can lock objects, but none is: give it a default retention, or "
            "-o s3.object-lock=MODE -o s3.object-lock-days=N");
}

static void judge_locks(const StoreGuard *guard, const S3Settings *s3, GPtrArray *findings)
{
    switch (guard->locks) {
    case STORE_ON:
        judge_default_lock(guard, s3, findings);
        break;
    case STORE_OFF:
        if (s3->object_lock != S3_RETAIN_NONE)
            add(findings, "object-lock", DOCTOR_FAIL,
                "s3.object-lock is set, but the bucket has no object lock: nothing can be put");
        else
            add(findings, "object-lock", DOCTOR_PASS,
                "off: who may remove versions can destroy history, so keep a maintainer's keys "
                "apart");
        break;
    case STORE_UNKNOWN:
        add_unknown(findings, "object-lock", guard);
    }
}

static void judge_rule(const StoreRule *rule, bool versions, GPtrArray *findings)
{
    g_autofree char *when =
        rule->days > 0 ? g_strdup_printf("after %u days", rule->days) : g_strdup("at a date");
    g_autofree char *which = g_strdup_printf("rule \"%s\" for \"%s\"", rule->name, rule->prefix);

    switch (rule->kind) {
    case STORE_RULE_EXPIRES:
        add(findings, "lifecycle", DOCTOR_FAIL,
            "%s removes objects %s that are in use, and destroys the repository; remove the rule",
            which, when);
        break;
    case STORE_RULE_FREEZES:
        add(findings, "lifecycle", DOCTOR_FAIL,
            "%s moves objects %s to where they cannot be read at once: nothing can be restored "
            "then; remove the rule",
            which, when);
        break;
    case STORE_RULE_EXPIRES_OLD:
        if (versions && rule->days < NOTICE_DAYS)
            add(findings, "lifecycle", DOCTOR_WARN,
                "%s removes older versions %s: a theft has to be noticed before that", which, when);
        else
            add(findings, "lifecycle", DOCTOR_PASS, "%s removes older versions %s", which, when);
    }
}

static void judge_rules(const StoreGuard *guard, GPtrArray *findings)
{
    if (guard->ruled == STORE_UNKNOWN)
        add_unknown(findings, "lifecycle", guard);
    for (guint i = 0; i < guard->rules->len; i++)
        judge_rule(g_ptr_array_index(guard->rules, i), guard->versions == STORE_ON, findings);
    if (guard->ruled != STORE_UNKNOWN && guard->rules->len == 0)
        add(findings, "lifecycle", DOCTOR_PASS, "no rule removes or freezes objects%s",
            guard->versions == STORE_ON ? "; none removes older versions either, so nothing that "
                                          "prune removes makes room"
                                        : "");
}

static void judge_clock(const StoreGuard *guard, GPtrArray *findings)
{
    long long off = (long long)(guard->our_time - guard->server_time);
    long long size = llabs(off);

    if (guard->server_time != 0)
        add(findings, "clock",
            size > CLOCK_FAIL   ? DOCTOR_FAIL
            : size > CLOCK_WARN ? DOCTOR_WARN
                                : DOCTOR_PASS,
            "this machine's clock is %lld s %s the server's%s", size, off < 0 ? "behind" : "before",
            size > CLOCK_WARN ? "; set it" : "");
}

bool doctor_guard(Store *store, const S3Settings *s3, GPtrArray *findings, GError **error)
{
    g_auto(StoreGuard) guard = { 0 };
    g_autoptr(GError) failure = NULL;

    if (store_guard(store, &guard, &failure)) {
        judge_versions(&guard, findings);
        judge_locks(&guard, s3, findings);
        judge_rules(&guard, findings);
        judge_clock(&guard, findings);
        return true;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED)) {
        add(findings, "versioning", DOCTOR_WARN,
            "a directory keeps no older versions: whoever may write to it can destroy history; "
            "keep "
            "a copy elsewhere");
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- what lies there ---- */

typedef struct {
    uint64_t n, bytes;
    int64_t before; /* Unix seconds: only what began before */
} Uploads;

static bool count_upload(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    Uploads *uploads = user;

    if (object->modified_at < uploads->before) {
        uploads->n++;
        uploads->bytes += object->size;
    }
    return true;
}

static bool judge_uploads(Store *store, GPtrArray *findings, GError **error)
{
    Uploads uploads = { .before = clock_now().sec - UPLOAD_AGE };
    g_autoptr(GError) failure = NULL;

    if (store_list_unfinished(store, "", count_upload, &uploads, &failure)) {
        if (uploads.n > 0)
            add(findings, "uploads", DOCTOR_WARN,
                "%" G_GUINT64_FORMAT " uploads were cut off more than a day ago and left "
                "%" G_GUINT64_FORMAT " bytes; `backstay prune` removes them",
                uploads.n, uploads.bytes);
        else
            add(findings, "uploads", DOCTOR_PASS, "none was cut off and left something");
        return true;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED)) {
        add(findings, "uploads", DOCTOR_WARN, "cannot be told: %s", failure->message);
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool judge_config(Store *store, GError **error)
{
    g_autoptr(GError) failure = NULL;
    uint64_t size;

    if (store_stat(store, "config", &size, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        g_set_error(error, BS_ERROR, BS_ERROR_NO_REPO, "repository does not exist at %s: no config",
                    store->location);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool op_doctor(const Settings *settings, const char *location, const Cancel *cancel,
               GPtrArray *findings, GError **error)
{
    g_auto(OpenStore) at = { 0 };

    return open_store(settings, location, "", false, cancel, &at, error) &&
           judge_config(at.store, error) &&
           doctor_guard(at.store, &settings->s3, findings, error) &&
           judge_uploads(at.store, findings, error);
}
