/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses lie in the open internet. What others may name (a webhook's URL) must not make us
 * ask our own machine, our own network, or a cloud's metadata service for them. Pure; any thread.
 */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>

/* By the special-purpose registries of IANA (RFC 6890): false for loopback, private, link-local,
 * shared, documentation, multicast and reserved addresses, for IPv4 ones of that kind in any IPv6
 * form, and for families that are no internet at all. */
bool public_address(const struct sockaddr *address);
