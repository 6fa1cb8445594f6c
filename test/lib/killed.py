# SPDX-License-Identifier: Apache-2.0
"""Servers that are killed, and what works on them meanwhile."""
import os
import signal
import subprocess
import threading

from cluster import Cluster
from scenario import equal, fact, wait_until


class Mortal(Cluster):
    def kill(self):
        with open(self.data + '/postmaster.pid', encoding='utf-8') as f:
            pid = int(f.readline())
        os.kill(pid, signal.SIGKILL)
        self.running = False

    def come_back(self):
        """What the dead one leaves behind ends soon, but not at once."""
        def started():
            try:
                return self.start()
            except subprocess.CalledProcessError:
                return False
        fact(wait_until(started, 120, .2), 'the server starts again')


class Load:
    """step, with a pause of so many seconds before each, for as long as the block lasts."""

    def __init__(self, step, pause):
        self.step, self.pause, self.ended = step, pause, threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.ended.wait(self.pause):
            try:
                self.step()
            except RuntimeError:
                pass  # the server was killed

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def nothing_is_missing(repo, line):
    """line: what wal list says of the timeline."""
    equal(line['gaps'], [], 'there is no gap')
    found = repo.backstay('wal', 'check', '--read-data', '--json', code=0, why='wal check finds nothing').summary()
    equal((found.get('gaps'), found.get('damaged')), (0, 0), 'no gap and no damage')
