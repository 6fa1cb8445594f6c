/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/channeltest.h"

#include "base/clock.h"
#include "base/error.h"
#include "config/reference.h"
#include "daemon/channel.h"

static void set_unknown(const Configuration *configuration, const char *name, GError **error)
{
    g_autofree char **names =
        (char **)g_hash_table_get_keys_as_array(configuration->channels, NULL);
    g_autofree char *list = g_strjoinv(", ", names);

    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no channel '%s'; there %s%s", name,
                *list ? "are: " : "is none", list);
}

json_t *channel_test_event(const char *instance)
{
    json_t *event = event_new(EVENT_TEST, instance, clock_now().sec);

    event_set(event, "asset", "test");
    event_set(event, "condition", "test");
    event_set(event, "severity", "info");
    event_set(event, "title", "test of Backstay's notifications");
    event_set(event, "text", "If you can read this, failures will reach you here.");
    return event;
}

bool channel_test(const Configuration *configuration, const char *name, const char *instance,
                  const Cancel *cancel, GError **error)
{
    const ChannelConfig *config = g_hash_table_lookup(configuration->channels, name);
    const ChannelOps *ops = config ? channel_ops(config->type) : NULL;
    g_auto(Delivery) delivery = { 0 };
    json_t *event, *state;
    Channel channel;

    if (!ops) {
        set_unknown(configuration, name, error);
        return false;
    }
    channel = (Channel){ .name = config->name,
                         .settings = config->settings,
                         .origins = (const char *const *)configuration->server.webhook_origins,
                         .resolve = reference_resolve,
                         .cancel = cancel };
    event = channel_test_event(instance);
    state = json_object();
    ops->send(&channel, event, state, &delivery);
    json_decref(event);
    json_decref(state);
    if (delivery.outcome == DELIVERY_DONE && !delivery.said)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "notifications.%s: %s", name,
                delivery.said ? delivery.said : "not delivered");
    return false;
}
