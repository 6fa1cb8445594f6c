/* SPDX-License-Identifier: Apache-2.0 */
#include "net/public.h"

#include <glib.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* The registry of IPv4, without those that are as good as any other. */
static const struct {
    uint32_t net;
    unsigned bits;
} closed4[] = {
    { 0x00000000, 8 },  /* 0.0.0.0: this network */
    { 0x0a000000, 8 },  /* 10.0.0.0: private */
    { 0x64400000, 10 }, /* 100.64.0.0: shared, behind a provider's NAT */
    { 0x7f000000, 8 },  /* 127.0.0.0: loopback */
    { 0xa9fe0000, 16 }, /* 169.254.0.0: link-local, metadata of clouds */
    { 0xac100000, 12 }, /* 172.16.0.0: private */
    { 0xc0000000, 24 }, /* 192.0.0.0: protocol assignments */
    { 0xc0000200, 24 }, /* 192.0.2.0: documentation */
    { 0xc0586300, 24 }, /* 192.88.99.0: relays of 6to4, given up */
    { 0xc0a80000, 16 }, /* 192.168.0.0: private */
    { 0xc6120000, 15 }, /* 198.18.0.0: benchmarks */
    { 0xc6336400, 24 }, /* 198.51.100.0: documentation */
    { 0xcb007100, 24 }, /* 203.0.113.0: documentation */
    { 0xe0000000, 3 },  /* 224.0.0.0: multicast, reserved, broadcast */
};

static bool is_public4(uint32_t address)
{
    for (size_t i = 0; i < G_N_ELEMENTS(closed4); i++)
        if ((address ^ closed4[i].net) >> (32 - closed4[i].bits) == 0)
            return false;
    return true;
}

static uint32_t four(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Of IPv6 only 2000::/3 is given out (RFC 4291, 2.4), so the rest needs no list. */
static bool is_public6(const uint8_t *bytes)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:0:0/96 */
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };    /* 64:ff9b::/96 */

    if (memcmp(bytes, mapped, sizeof mapped) == 0 || memcmp(bytes, nat64, sizeof nat64) == 0)
        return is_public4(four(bytes + 12));
    if (bytes[0] == 0x20 && bytes[1] == 0x02) // 2002::/16, 6to4
        return is_public4(four(bytes + 2));
    if (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 2) // 2001::/23: Teredo and other means
        return false;
    if (four(bytes) == 0x20010db8 || (bytes[0] == 0x3f && bytes[1] == 0xff && bytes[2] < 0x10))
        return false; // documentation
    return bytes[0] >> 5 == 1;
}

bool public_address(const struct sockaddr *address)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    switch (address->sa_family) {
    case AF_INET:
        memcpy(&in4, address, sizeof in4);
        return is_public4(ntohl(in4.sin_addr.s_addr));
    case AF_INET6:
        memcpy(&in6, address, sizeof in6);
        return is_public6(in6.sin6_addr.s6_addr);
    default:
        return false;
    }
}
