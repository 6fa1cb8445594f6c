/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the notifier share: what it is told (notifier.c), and what it sees when it
 * looks (notifierlook.c).
 */
#pragma once
#include "daemon/lines.h"
#include "daemon/notifier.h"
#include "daemon/reporting.h"
#include "state/incidents.h"

#include <pthread.h>

struct Notifier {
    const Configuration *configuration;
    char *instance;
    int64_t began; /* Unix seconds */
    Lines *lines;
    Reporting *reporting;
    pthread_mutex_t mutex; /* all below */
    Catalog *catalog;
    GHashTable *tellings; /* "schedule\ncondition" -> Telling */
};

/* What an incident is about: schedule NULL: of none, and all channels hear of it. */
typedef struct {
    const char *id, *name; /* name: "backup of nightly" */
    const Schedule *schedule;
} NotifierSubject;

/* ---- notifier.c: with the mutex ---- */

const char *notifier_base_url(const Notifier *notifier);
/* What people were told of an incident; made when there is none. Borrowed. */
Telling *notifier_telling(Notifier *notifier, const char *id, Condition condition);
/* That it is open, and the catalogue that it was told. What no queue could keep, or a crash
 * prevented, counts as not told. */
void notifier_tell_opened(Notifier *notifier, const Schedule *schedule, const IncidentRow *incident,
                          int64_t now);
/* Into the log. id: of a schedule, or "". */
void notifier_complain(const char *what, const char *id, const GError *error);
/* Opens the incident, and tells of it; so with its end. One that is open, or over, stays so. */
void notifier_set_wrong(Notifier *notifier, const NotifierSubject *subject, Condition condition,
                        const char *run, const char *text, int64_t now);
void notifier_set_right(Notifier *notifier, const NotifierSubject *subject, Condition condition,
                        int64_t now);
/* All conditions of a schedule that are judged. run, text: of what went wrong; may be NULL. */
void notifier_apply(Notifier *notifier, const Schedule *schedule, Judgement judgement,
                    const char *run, const char *text, int64_t now);
