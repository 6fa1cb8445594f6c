/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane of a k3s server that keeps its state in SQLite, as one snapshot:
 * `/<name>/server/`, its data directory with owners and modes, in which `db/state.db` is a copy of
 * one moment (source/sqlitecopy.h), `/<name>/config/` with what lies in /etc/rancher/k3s, and
 * `manifest.json` (doc/k3s.schema.json). Without the token the state cannot be used, so there is no
 * snapshot without it.
 */
#pragma once
#include "source/source.h"

#define K3S_CONFIG "/etc/rancher/k3s" /* where its configuration is */

/* path: of the directory server, such as /var/lib/rancher/k3s/server; made absolute, and also the
 * name of the source. BS_ERROR_USAGE. */
Source *k3s_source_new(const char *path, GError **error);
