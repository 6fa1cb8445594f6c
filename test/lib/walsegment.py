# SPDX-License-Identifier: Apache-2.0
"""Segments of WAL of 1 MiB that no server has written: a first page as it must be, and noise."""
import struct

import trees

MIB = 1 << 20
SYSTEM = 7300000000000000001


def name_of(n, timeline=1):
    return '%08X%08X%08X' % (timeline, n // 4096, n % 4096)


def segment(n, timeline=1, system=SYSTEM):
    """As PostgreSQL 15 begins one of 1 MiB: xlog_internal.h, XLogLongPageHeaderData."""
    head = struct.pack('<HHIQI4xQII', 0xd110, 2, timeline, n * MIB, 0, system, MIB, 8192)
    return head + trees.noise(n * 100 + timeline, MIB - len(head))
