# SPDX-License-Identifier: Apache-2.0
"""`backstay wal receive` beside a throw-away server: started, watched, stopped and killed."""
import json
import os
import signal
import subprocess
import threading
import urllib.parse

from cluster import as_postgres
from scenario import BACKSTAY, fact, path, wait_until

PATIENCE = 120


def lsn(text):
    high, low = text.split('/')
    return int(high, 16) << 32 | int(low, 16)


class Receiver:
    def __init__(self, archive, server, *options, slot='backstay'):
        self.server, self.events = server, []
        url = 'postgresql://postgres@/?host=' + urllib.parse.quote(server.socket, safe='')
        self.process = subprocess.Popen([*as_postgres(), BACKSTAY, 'wal', 'receive', url, '--slot', slot, '--json', '--partial-interval',
                                         '200ms', *options], env=archive.environ, cwd=path('user'), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def told(self, kind):
        return [e for e in self.events if e['message_type'] == kind]

    def waits_for(self, condition, label):
        return fact(wait_until(lambda: condition() or self.process.poll() is not None, PATIENCE, .05) and condition(), label)

    def started(self, timeline=None):
        return self.waits_for(lambda: [e for e in self.told('wal_receive_started') if timeline in (None, e['timeline'])],
                              'the receiver streams' + (' timeline %d' % timeline if timeline else ''))

    def has(self, position):
        """What it told to be durable reaches there."""
        return any(lsn(e['lsn']) >= position for e in self.told('wal_received'))

    def catches_up(self):
        """With all that the server has now."""
        now = lsn(self.server.sql('select pg_current_wal_flush_lsn()'))
        return self.waits_for(lambda: self.has(now), 'what the server has is durable within seconds')

    def end(self):
        """(exit status, what it wrote to standard error)."""
        self.thread.join(PATIENCE)
        self.process.wait(PATIENCE)
        return self.process.returncode, self.process.stderr.read().decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code, said = self.end()
        fact(code == 0, 'a signal ends it with 0', said)
        return said

    def kill(self):
        try:
            os.kill(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.end()
