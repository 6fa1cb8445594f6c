# SPDX-License-Identifier: Apache-2.0
"""A port of 127.0.0.1 on which nobody listens until its owner does, and none but he when his server is started again."""
import os
import socket

COUNT = 768
marks = []  # held until we end


def lowest_given():
    """What the kernel gives to those who connect from no port of their choice begins here."""
    with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as f:
        return int(f.read().split()[0])


def mark(port):
    """Whether no other test has it: they run beside each other."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind('\0backstay-test-port-%d' % port)
    except OSError:
        holder.close()
        return False
    marks.append(holder)
    return True


def free_port():
    """A port that was only seen to be free belongs to whoever connects next: so it is below those."""
    lowest = max(lowest_given(), 2048) - COUNT
    for n in range(COUNT):
        port = lowest + (os.getpid() + n) % COUNT
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
        if mark(port):
            return port
    raise RuntimeError('no port is free')
