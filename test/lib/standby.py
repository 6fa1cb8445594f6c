# SPDX-License-Identifier: Apache-2.0
"""A standby that streams from a throw-away PostgreSQL (postgres.py)."""
import os
import re
import subprocess
import time

from cluster import as_postgres, debian_bin, hand_over
from postgres import Postgres

LONG = 300  # seconds that a busy machine may take


class Standby(Postgres):
    def __init__(self, primary, name='standby', *settings):
        super().__init__(name)
        os.makedirs(self.dir)
        hand_over(self.dir)
        os.chmod(self.dir, 0o711)
        self.primary = primary
        self.run(debian_bin() + '/pg_basebackup', '-h', primary.dir, '-p', primary.port, '-U', 'postgres', '-D', self.dir + '/data',
                 '-X', 'stream', '-c', 'fast', '--no-sync', '--write-recovery-conf')
        lines = ("unix_socket_directories = '%s'" % self.dir, *settings, '')
        self.run('tee', '-a', self.dir + '/data/postgresql.conf', input='\n'.join(lines).encode())

    def run(self, *argv, **more):
        subprocess.run([*as_postgres(), *argv], check=True, stdout=subprocess.DEVNULL, cwd=self.dir, **more)

    def catch_up(self):
        """It has replayed all that the primary has written so far."""
        lsn, end = self.primary.sql('postgres', 'select pg_current_wal_lsn()'), time.monotonic() + LONG
        while self.sql('postgres', "select pg_last_wal_replay_lsn() >= '%s'" % lsn) != 't':
            if time.monotonic() > end:
                raise RuntimeError('the standby does not replay ' + lsn)
            time.sleep(0.05)

    def wait_for_conflict(self, database):
        """Until pg_dump, which does not move on, has been told to make room for the replay, or has done so already."""
        end = time.monotonic() + LONG
        while True:
            pid = self.sql(database, "select string_agg(pid::text, '|') from pg_stat_activity where application_name = 'backstay'")
            with open(self.dir + '/server.log', encoding='utf-8') as f:
                text = f.read()
            if pid and re.search(r'Conflicting process(es)?: [^\n]*\b(%s)\b|\[(%s)\] ERROR: .* conflict with recovery' % (pid, pid), text):
                return
            if time.monotonic() > end:
                raise RuntimeError('no conflict')
            time.sleep(0.1)
