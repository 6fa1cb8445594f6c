# SPDX-License-Identifier: Apache-2.0
"""The life of a cluster over four timelines, with base backups of the server, of a standby and of the server at rest, restore
points and a ledger, and notes of each commit that are kept outside of it."""
import os
import datetime
import random
import subprocess
import threading
import urllib.parse

from cluster import Cluster, as_postgres
from scenario import BACKSTAY, fact, path, run, say
from walarchive import own
from walmodel import Base, Wal, number, text

LEDGER = 'select key, xid from ledger order by key'


class Writer:
    """One session: transactions of every kind that commit a row of their own, or do not."""

    def __init__(self, server, seed, notes):
        self.rng, self.notes = random.Random(seed), notes
        self.name, self.count = 'w%d' % seed, 0
        self.psql = subprocess.Popen(['psql', '-XqAt', '-F\t', '-v', 'ON_ERROR_STOP=1', '-h', server.socket, '-U', 'postgres', '-d', 'postgres'],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def transaction(self):
        self.count += 1
        key = '%s-%05d' % (self.name, self.count)
        text = "begin; insert into ledger values ('%s', pg_current_xact_id());" % key
        text += "select pg_logical_emit_message(false, 'load', repeat(md5(random()::text), %d)) \\g /dev/null\n" % self.rng.randint(10, 2000)
        kind = self.rng.choice(('commit',) * 6 + ('rollback', 'prepared', 'savepoint'))
        if kind == 'savepoint':
            text += "savepoint a; update account set n = n + 1 where id = 3; rollback to a;"
            text += "savepoint b; update account set n = n + 1 where id = 4; release b;"
        text += 'update account set n = n + 1 where id = %d;' % self.rng.randint(1, 500)
        text += {'rollback': 'rollback', 'prepared': "prepare transaction '%s'; commit prepared '%s'" % (key, key)}.get(kind, 'commit') + ';\n'
        text += "select key, xid, pg_current_wal_insert_lsn(), pg_xact_commit_timestamp(xid::text::xid) at time zone 'UTC' " \
                "from ledger where key = '%s' union all select '', null, null, null;\n" % key
        self.psql.stdin.write(text)
        self.psql.stdin.flush()
        while line := self.psql.stdout.readline():
            if not line.strip():
                return
            _, xid, lsn, time = line.rstrip('\n').split('\t')
            self.notes.append((key, int(xid), number(lsn), time))
        raise RuntimeError('psql has ended')

    def run(self, n):
        for _ in range(n):
            self.transaction()

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()


class Life:
    """bases, notes: timeline -> what was committed on it (key, xid, LSN afterwards, time), points: restore points, wal."""

    def __init__(self, archive, seed):
        self.archive, self.rng, self.seed = archive, random.Random(seed), 0
        self.bases, self.notes, self.points = [], {}, []
        self.push = archive.script('push', '%s wal push "$1" || exit\ncp "$1" %s/"${1##*/}"\n' % (BACKSTAY, own('kept')))

    def backup(self, server, source=None, ended=None):
        """ended: when it had come to its end, if that is not now."""
        url = source or 'pgcluster:postgresql://postgres@/?host=' + urllib.parse.quote(server.socket, safe='')
        run(*as_postgres(), BACKSTAY, 'backup', url, '--checkpoint', 'fast', '--host', 'test', env=self.archive.environ, cwd=path('user'), code=0)
        taken = run(*as_postgres(), BACKSTAY, 'snapshots', '--json', env=self.archive.environ, cwd=path('user')).json()[-1]
        tags = dict(t.split('=', 1) for t in taken['tags'])
        self.bases.append(Base(taken['id'], int(tags['timeline']), number(tags['start-lsn']), number(tags['stop-lsn']),
                               ended or datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M:%S.%f')))
        say('base', self.bases[-1], tags['start-lsn'], tags['stop-lsn'])

    def live(self, server, timeline, meanwhile=lambda: None):
        """Two sessions work, and restore points are made; meanwhile is run beside them."""
        notes = self.notes.setdefault(timeline, [])
        writers = []
        for _ in range(2):
            self.seed += 1
            writers.append(Writer(server, self.seed, notes))
        for part in range(2):
            threads = [threading.Thread(target=w.run, args=(25,)) for w in writers]
            for t in threads:
                t.start()
            if part:
                meanwhile()
            for t in threads:
                t.join()
            self.points.append('point-%d' % len(self.points))
            server.sql("select pg_create_restore_point('%s')" % self.points[-1])
        for w in writers:
            w.close()

    def make(self):
        settings = ('track_commit_timestamp = on', 'max_prepared_transactions = 10', 'max_wal_senders = 4', 'wal_keep_size = 64MB',
                    "archive_command = '%s %%p'" % self.push)
        server = Cluster(path('server'))
        server.make(*settings)
        with server.start():
            server.sql('create table ledger (key text primary key, xid xid8);'
                       'create table account as select g as id, 0 as n from generate_series(1, 500) g')
            early = self.cold_copy(server)
            self.live(server, 1)
            self.live(server, 1, lambda: self.backup(server))
            begin = self.bases[-1].stop
            self.live(server, 1)
            self.live(server, 1, lambda: self.backup(server))
            self.live(server, 1)
            server.stop()
            server.promote()
            self.live(server, 2)
            self.live(server, 2, lambda: self.backup(server))
            self.live(server, 2)
            server.stop()
        with self.branch(early, begin) as third:
            self.live(third, 3)
            self.live(third, 3, lambda: self.backup(third))
            self.live(third, 3)
            third.stop()
            third.configure("recovery_target_lsn = ''")
            third.promote()
            self.live(third, 4, lambda: self.backup(third))
            third.stop()
        self.wal = Wal(path('kept'), server.bin)

    def cold_copy(self, server):
        server.stop()
        self.backup(server, 'pgcluster:' + server.data)
        copy = server.copy(path('third'))
        server.start()
        return copy

    def branch(self, copy, begin):
        """A recovery that leaves the first timeline behind begin and before the next base backup; a base of it is taken while
        it is a standby still."""
        end = min(b.start for b in self.bases if b.start > begin)
        lsn = self.rng.choice([n[2] for n in self.notes[1] if begin < n[2] < end])
        copy.archive = path('kept')
        copy.recover("recovery_target_lsn = '%s'" % text(lsn), "archive_command = '%s %%p'" % self.push, paused=lambda: self.backup(
            copy, ended=copy.sql("select to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')")))
        return copy

    def check_notes(self):
        """What the sessions were told is what pg_waldump shows: two accounts that know nothing of each other."""
        self.place = {}
        for timeline, notes in self.notes.items():
            begin = self.wal.path(timeline)[-1][1]
            records = {r.xid: r for r in self.wal.along(self.wal.path(timeline)) if r.kind == 'commit' and r.lsn >= begin}
            wrong = []
            for key, xid, lsn, time in notes:
                record = records.get(xid)
                if record and record.time == padded(time) and record.lsn < lsn:
                    self.place[timeline, xid] = record.lsn
                else:
                    wrong.append((key, xid, time, record))
            fact(notes and not wrong, 'timeline %d: all %d noted commits are in its WAL' % (timeline, len(notes)), wrong[:5])

    def ledger(self, timeline, commits):
        """The rows of these commits, (xid, LSN), on the way to a timeline; numbers of transactions come again on others."""
        return sorted((key, str(xid)) for part, _, _ in self.wal.path(timeline) for key, xid, _, _ in self.notes.get(part, [])
                      if (xid, self.place[part, xid]) in commits)


def padded(time):
    whole, _, fraction = time.partition('.')
    return whole + '.' + fraction.ljust(6, '0')
