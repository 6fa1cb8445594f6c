#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The chunker as doc/chunker.md describes it, slow and plain. Prints the test vectors of that page."""
import hashlib
import hmac
import struct

KIB = 1024
MIN, NORMAL, MAX, WINDOW = 512 * KIB, 1024 * KIB, 8192 * KIB, 64
LABEL = b"backstay gear v1"
MASK = (1 << 64) - 1


def clamped(r):
    r = bytearray(r)
    for i in (3, 7, 11, 15):
        r[i] &= 0x0F
    for i in (4, 8, 12):
        r[i] &= 0xFC
    return bytes(r)


def hkdf(secret, info, length):
    """RFC 5869 with SHA-256 and an empty salt."""
    prk = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    okm, block = b"", b""
    for i in range(1, 256):
        if len(okm) >= length:
            break
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        okm += block
    return okm[:length]


def gear_table(master):
    secret = master[:48] + clamped(master[48:])
    return struct.unpack("<256Q", hkdf(secret, LABEL, 2048))


def chunks(gear, data):
    start = 0
    while start < len(data):
        h = 0
        n = min(MIN - WINDOW, len(data) - start)
        while start + n < len(data):
            h = (h * 2 + gear[data[start + n]]) & MASK
            n += 1
            if n >= MAX:
                break
            if n >= NORMAL:
                if h >> 46 == 0:
                    break
            elif n >= MIN and h >> 44 == 0:
                break
        yield n
        start += n


def stream(length):
    blocks = (hashlib.sha256(struct.pack("<Q", i)).digest() for i in range(length // 32))
    return b"".join(blocks)


if __name__ == "__main__":
    gear = gear_table(bytes(range(64)))
    print("gear[0] = %016x, gear[1] = %016x, gear[255] = %016x" % (gear[0], gear[1], gear[255]))
    print("24 MiB of the stream:", *chunks(gear, stream(24 * KIB * KIB)))
    print("24 MiB of the stream, each byte AND 0x11:",
          *chunks(gear, bytes(b & 0x11 for b in stream(24 * KIB * KIB))))
    print("20 MiB of zeros:", *chunks(gear, bytes(20 * KIB * KIB)))
