/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel carries events to somebody: mail, Slack, PagerDuty, Trello, a webhook, pings. Its
 * settings are those that config/channel.h has checked. Sending happens in a thread of the
 * channel's own and may take as long as the other side's patience; a channel that fails never
 * concerns a run or another channel.
 */
#pragma once
#include "base/cancel.h"
#include "base/secret.h"
#include "daemon/event.h"

typedef struct {
    const char *name;
    const json_t *settings;
    /* scheme://host[:port], where requests may go although it is this network; and, when there are
     * any, the only places where a webhook may go. NULL-terminated; may be NULL. */
    const char *const *origins;
    /* As reference_resolve() of config/reference.h. */
    bool (*resolve)(const char *what, const char *reference, Secret **ret_secret, GError **error);
    const Cancel *cancel; /* may be NULL */
} Channel;

typedef enum {
    DELIVERY_LATER, /* what is not said to be otherwise */
    DELIVERY_DONE,
    DELIVERY_REFUSED, /* for good: this event will never be taken */
} DeliveryOutcome;

typedef struct {
    DeliveryOutcome outcome;
    int64_t wait_ms; /* LATER: what the other side asks for; 0: nothing */
    char *said;      /* why, without secrets; NULL with DONE, unless somebody should know */
} Delivery;
void delivery_clear(Delivery *delivery);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Delivery, delivery_clear)

typedef struct {
    const char *type;
    unsigned kinds; /* EventKind: what it has words for; others are never given to it. One that has
                     * them for EVENT_GROUP is read by people: what comes all at once is one. */
    /*
     * One attempt. state: an object that is kept between the attempts of one event (which
     * recipients have it already); empty at first. The same event may come again after an attempt
     * that nobody knows the end of: its id is the same, and goes with it.
     */
    void (*send)(const Channel *channel, const json_t *event, json_t *state,
                 Delivery *ret_delivery);
} ChannelOps;

extern const ChannelOps channel_smtp, channel_slack, channel_pagerduty, channel_trello,
    channel_webhook, channel_healthchecks;

/* NULL: no such type. */
const ChannelOps *channel_ops(const char *type);

/* ---- for channels ---- */

/* "" when it is not set; borrowed. */
const char *channel_setting(const Channel *channel, const char *key);
/* Sets an outcome and its words. */
void delivery_say(Delivery *delivery, DeliveryOutcome outcome, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* What the setting refers to. NULL: it cannot be had now, and *delivery says so. */
Secret *channel_secret(const Channel *channel, const char *key, Delivery *delivery);
