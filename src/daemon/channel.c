/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/channel.h"

#include <stdarg.h>
#include <string.h>

static const ChannelOps *const all[] = {
    &channel_smtp,   &channel_slack,   &channel_pagerduty,
    &channel_trello, &channel_webhook, &channel_healthchecks,
};

const ChannelOps *channel_ops(const char *type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        if (strcmp(all[i]->type, type) == 0)
            return all[i];
    return NULL;
}

void delivery_clear(Delivery *delivery)
{
    g_clear_pointer(&delivery->said, g_free);
    *delivery = (Delivery){ 0 };
}

const char *channel_setting(const Channel *channel, const char *key)
{
    const char *text = json_string_value(json_object_get(channel->settings, key));

    return text ? text : "";
}

void delivery_say(Delivery *delivery, DeliveryOutcome outcome, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_free(delivery->said);
    delivery->said = g_strdup_vprintf(format, args);
    va_end(args);
    delivery->outcome = outcome;
}

/* A file that is missing may be there again in an hour. */
Secret *channel_secret(const Channel *channel, const char *key, Delivery *delivery)
{
    g_autoptr(GError) error = NULL;
    Secret *secret = NULL;

    if (channel->resolve(key, channel_setting(channel, key), &secret, &error))
        return secret;
    delivery_say(delivery, DELIVERY_LATER, "%s: %s", key, error->message);
    return NULL;
}
