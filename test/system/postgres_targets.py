#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""Where we say that a recovery would stop, a real server stops: by transaction, time, position and name, included or not; and
where we say that a target is not reached, the server does not reach it either."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, hand_over
from scenario import BACKSTAY, equal, fact, finish, path

DRIVER = os.path.dirname(BACKSTAY) + '/../test/unit/test-pg-formats-driver'
MIB = 1 << 20
PATIENCE = 120  # seconds for a recovery


class Base:
    """A cluster that was stopped, what it wrote afterwards, and recoveries of a copy."""

    def __init__(self, server):
        server.sql('create table ledger (id int primary key)')
        server.stop()
        subprocess.run(['cp', '-a', server.data, server.dir + '/base'], check=True)
        text = server.tool('pg_controldata', server.data)[1]
        said = dict(re.split(r':\s+', line, maxsplit=1) for line in text.splitlines() if re.search(r':\s+\S', line))
        self.start, self.system_id = said["Latest checkpoint's REDO location"], said['Database system identifier']
        self.server, self.tries = server, 0
        server.start()

    def predicted(self, kind, value, exclusive):
        archive = self.server.archive
        first = '%08X%08X' % (0, int(self.start.split('/')[1], 16) // MIB)
        files = [archive + '/' + name for name in sorted(os.listdir(archive)) if len(name) == 24 and name[8:] >= first]
        done = subprocess.run([DRIVER, 'search', str(MIB), self.system_id, self.start, kind, str(value), str(int(exclusive)), *files],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.strip()

    def recovery(self, *settings):
        """A server that recovers a copy: what it replayed when it paused, or None when it gave up."""
        self.tries += 1
        other = Cluster('%s/try%d' % (self.server.dir, self.tries))
        os.mkdir(other.dir)
        hand_over(other.dir)
        os.chmod(other.dir, 0o711)
        with other:
            subprocess.run(['cp', '-a', self.server.dir + '/base', other.data], check=True)
            other.configure("unix_socket_directories = '%s'" % other.dir, "restore_command = 'cp %s/%%f %%p'" % self.server.archive,
                            "recovery_target_timeline = 'current'", "recovery_target_action = 'pause'", 'archive_mode = off', *settings)
            other.run('touch', other.data + '/recovery.signal')
            try:
                other.start()
                return self.paused(other)
            except (subprocess.CalledProcessError, RuntimeError):
                with open(other.dir + '/server.log', encoding='utf-8') as f:
                    return None, f.read()

    @staticmethod
    def paused(other):
        for _ in range(PATIENCE * 10):
            if other.sql('select pg_get_wal_replay_pause_state()') == 'paused':
                return other.sql('select pg_last_wal_replay_lsn()'), other.sql('select count(*) from ledger')
            time.sleep(.1)
        return 'never paused', ''


def load(server):
    """What happened, in order: (xid, commit time in microseconds, commit's position)."""
    done = []
    for number in range(6):
        xid = server.sql('begin; insert into ledger values (%d); select pg_current_xact_id(); commit' % number)
        lsn = server.sql('select pg_current_wal_insert_lsn()')
        done.append((xid, lsn))
        server.sql('begin; insert into ledger values (%d); rollback' % (100 + number))
        if number == 2:
            server.sql("select pg_create_restore_point('in the middle')")
        if number == 3:
            server.sql("begin; insert into ledger values (200); prepare transaction 'p'")
            server.sql("commit prepared 'p'; select pg_switch_wal()")
    times = dict(row.split('\t') for row in server.sql(
        'select xmin, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000)::bigint from ledger').split('\n'))
    server.sql('select pg_switch_wal()')
    return [(int(xid), int(times[xid]), lsn) for xid, lsn in done]


def stamp(microseconds):
    return "%s.%06d+00" % (time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(microseconds // 1000000)), microseconds % 1000000)


def stops(base, kind, value, exclusive, shown=None):
    label = '%s %s%s' % (kind, 'the third' if kind != 'name' else value, ', not included' if exclusive else '')
    code, want = base.predicted(kind, value, exclusive)
    fact(code == 0, 'reached: ' + label, want)
    got = base.recovery("recovery_target_%s = '%s'" % (kind, shown or value), 'recovery_target_inclusive = %s' % ('off' if exclusive else 'on'))
    equal(got[0], want, 'the server stops where we say: ' + label)
    return got[1]


def main():
    with Cluster(path('one')) as server:
        server.make('track_commit_timestamp = on', 'max_prepared_transactions = 5', 'max_wal_senders = 3')
        server.start()
        base = Base(server)
        done = load(server)
        server.stop()
        xid, at, lsn = done[2]
        counts = [stops(base, 'xid', xid, False), stops(base, 'xid', xid, True),
                  stops(base, 'time', at, False, stamp(at)), stops(base, 'time', at, True, stamp(at)),
                  stops(base, 'lsn', lsn, False), stops(base, 'lsn', lsn, True), stops(base, 'name', 'in the middle', False)]
        equal(counts, ['3', '2', '3', '2', '3', '3', '3'], 'with the rows that were there then')
        for kind, value, shown in (('xid', 4000000, None), ('name', 'never made', None), ('lsn', 'F/0', None),
                                   ('time', at + 86400000000, stamp(at + 86400000000))):
            code, text = base.predicted(kind, value, False)
            fact(code == 1 and 'is not reached' in text, 'not reached: a %s that is not in the archive' % kind, text)
            got, log = base.recovery("recovery_target_%s = '%s'" % (kind, shown or value))
            fact(got is None and 'recovery ended before configured recovery target was reached' in log,
                 'and the server does not reach it: ' + kind, log[-1500:])
    finish()


main()
