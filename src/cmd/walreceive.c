/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walreceive.h"

#include "base/error.h"
#include "base/notify.h"
#include "base/plural.h"
#include "cmd/output.h"
#include "cmd/wal.h"
#include "config/values.h"
#include "pg/walname.h"

#define PARTIAL_INTERVAL "5s"

typedef struct {
    const Settings *settings;
    uint64_t system_id;
    unsigned segments, parts;
    uint64_t stored;
} Receiving;

/* ---- what happens ---- */

static json_t *json_event(Receiving *receiving, const char *type)
{
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, receiving->system_id);

    return json_pack("{s:s, s:s}", "message_type", type, "system_identifier", id);
}

static void tell_json(Receiving *receiving, const WalReceiveEvent *event)
{
    static const char *const types[] = {
        [WAL_RECEIVE_SLOT] = "wal_slot_created",
        [WAL_RECEIVE_STARTED] = "wal_receive_started",
        [WAL_RECEIVE_STORED] = "wal_received",
        [WAL_RECEIVE_TIMELINE] = "wal_timeline",
    };
    json_t *object = json_event(receiving, types[event->kind]);

    if (event->stored) {
        json_object_set_new(object, "name", json_string(event->stored->object.name));
        json_object_set_new(object, "whole", json_boolean(event->stored->whole));
        json_object_set_new(object, "was_there", json_boolean(event->stored->was_there));
        json_object_set_new(object, "data_added_packed",
                            json_integer((json_int_t)event->stored->stored));
    }
    if (event->timeline != 0)
        json_object_set_new(object, "timeline", json_integer(event->timeline));
    json_object_set_new(
        object, "lsn", json_string(lsn_text(event->stored ? event->stored->end : event->lsn).text));
    output_json(object);
}

static void tell_text(const Receiving *receiving, const WalReceiveEvent *event)
{
    LsnText lsn = lsn_text(event->lsn);

    switch (event->kind) {
    case WAL_RECEIVE_SLOT:
        printf("made the replication slot\n");
        break;
    case WAL_RECEIVE_STARTED:
        printf("receiving WAL of cluster %" G_GUINT64_FORMAT ", timeline %u, from %s on\n",
               event->system_id, event->timeline, lsn.text);
        break;
    case WAL_RECEIVE_STORED:
        if (event->stored->whole || receiving->settings->verbose > 0)
            printf("%s %s\n", event->stored->whole ? "segment" : "part",
                   event->stored->object.name);
        break;
    case WAL_RECEIVE_TIMELINE:
        printf("timeline %u begins at %s\n", event->timeline, lsn.text);
        break;
    }
}

static void tell_event(const WalReceiveEvent *event, void *user)
{
    Receiving *receiving = user;

    receiving->system_id = event->system_id;
    if (event->stored) {
        receiving->segments += event->stored->whole;
        receiving->parts += !event->stored->whole;
        receiving->stored += event->stored->stored;
    }
    if (receiving->settings->json)
        tell_json(receiving, event);
    else if (!receiving->settings->quiet)
        tell_text(receiving, event);
    if (event->kind == WAL_RECEIVE_STARTED)
        notify_send("READY=1\nSTATUS=receiving");
    (void)fflush(stdout); // whoever reads a pipe waits; output_close() tells when nothing arrives
}

static void tell_end(Receiving *receiving)
{
    json_t *object;

    if (!receiving->settings->json) {
        if (!receiving->settings->quiet)
            printf("stopped; %u %s received\n", receiving->segments,
                   plural(receiving->segments, "segment", "segments"));
        return;
    }
    object = json_event(receiving, "summary");
    json_object_set_new(object, "segments", json_integer(receiving->segments));
    json_object_set_new(object, "parts", json_integer(receiving->parts));
    json_object_set_new(object, "data_added_packed", json_integer((json_int_t)receiving->stored));
    output_json(object);
}

/* ---- what is asked for ---- */

static bool parse_options(const WalReceiveOptions *options, const char *system_id,
                          WalReceive *receive, GError **error)
{
    const char *interval = options->partial_interval ? options->partial_interval : PARTIAL_INTERVAL;
    guint64 id = 0;

    if (!options->slot) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "give the replication slot a name of its own: --slot NAME");
        return false;
    }
    if (system_id && !g_ascii_string_to_unsigned(system_id, 10, 1, UINT64_MAX, &id, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--system-id %s: not the system identifier of a cluster", system_id);
        return false;
    }
    if (!value_wait(interval, &receive->partial_ms, error)) {
        g_prefix_error(error, "--partial-interval %s: ", interval);
        return false;
    }
    receive->slot = options->slot;
    receive->system_id = id;
    receive->recreate = options->recreate_slot;
    receive->once = options->no_loop;
    return true;
}

bool wal_receive_run(const Context *context, const WalReceiveOptions *options,
                     const char *system_id, const char *location, GError **error)
{
    Receiving receiving = { .settings = context->settings };
    WalReceive receive = { .event = tell_event, .user = &receiving };

    if (!parse_options(options, system_id, &receive, error) ||
        !op_wal_receive(context->settings, location, &receive, context->cancel, error))
        return false;
    notify_send("STOPPING=1");
    tell_end(&receiving);
    return true;
}
