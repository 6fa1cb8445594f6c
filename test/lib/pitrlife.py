# SPDX-License-Identifier: Apache-2.0
"""A server of which each transaction is known, and restores of its cluster to targets."""
import os
import urllib.parse

from cluster import Cluster, as_postgres, hand_over
from scenario import BACKSTAY, equal, fact, path, run, wait_until

NO_SPACE, WAL_GAP = 24, 26


def wait_for(what, condition):
    return fact(wait_until(condition, 300, .05), what)


class Live(Cluster):
    """A server with a ledger of one row for each transaction, and what is known of each."""

    def __init__(self, name, archive, bin=None):
        super().__init__(path(name), bin)
        self.archive_env, self.marks = archive, {}

    def begin(self, push):
        # settings of an earlier recovery, which must not stand in the way of ours
        self.make("archive_command = '%s %%p'" % push, 'track_commit_timestamp = on', "recovery_target_name = 'of old'",
                  'max_replication_slots = 4')
        self.start()
        space = self.dir + '/space'
        os.mkdir(space)
        hand_over(space)
        self.sql("create tablespace other location '%s'" % space)
        self.sql('create table ledger (id int primary key, note text) tablespace other; create table big (note text)')
        for setting in ("restore_command = 'false'", "recovery_min_apply_delay = '1h'"):
            self.sql('alter system set ' + setting)

    def add(self, n):
        """Rows, each its own transaction; what is known of the last one becomes a mark."""
        last = int(self.sql('select coalesce(max(id), 0) from ledger'))
        for i in range(last + 1, last + n + 1):
            self.sql("insert into ledger values (%d, md5(random()::text))" % i)
        i = last + n
        xid, at = self.sql('select xmin, pg_xact_commit_timestamp(xmin) from ledger where id = %d' % i).split('\t')
        self.marks[i] = dict(xid=xid, time=at, lsn=self.sql('select pg_current_wal_insert_lsn()'))
        return i

    def fill(self):
        """WAL without rows in the ledger."""
        self.sql('insert into big select repeat(md5(random()::text), 40) from generate_series(1, 1500)')

    def switch(self):
        name = self.sql('select pg_walfile_name(pg_switch_wal())')
        wait_for(name + ' is archived', lambda: self.sql(
            "select coalesce(last_archived_wal, '') >= '%s' from pg_stat_archiver" % name) == 't')
        return name

    def rows(self, up_to=None):
        return self.sql("select count(*), coalesce(max(id), 0), md5(string_agg(id || note, '' order by id)) from ledger%s" %
                        (' where id <= %d' % up_to if up_to else ''))

    def backup(self):
        url = 'pgcluster:postgresql://postgres@/?host=' + urllib.parse.quote(self.socket, safe='')
        done = run(*as_postgres(), BACKSTAY, 'backup', url, '--checkpoint', 'fast', '--json', env=self.archive_env.environ, code=0,
                   cwd=path('user'))
        return done.summary()['snapshot_id']


class Told(Cluster):
    """Restored, and started by the command that was told."""

    def __init__(self, directory, bin, command):
        super().__init__(directory, bin)
        self.command = command

    def start(self):
        fact(self.command.endswith(' start'), 'the start command is told', self.command)
        self.run('sh', '-c', 'PATH=%s:$PATH; %s -w -t 120 -l server.log start' % (self.bin, self.command.removesuffix(' start')))
        self.running = True
        return self


class Restores:
    """Runs `restore` with the key file in its environment, as an administrator would."""

    def __init__(self, repo, archive, live):
        self.repo, self.archive, self.n = repo, archive, 0
        self.space = live.sql("select oid from pg_tablespace where spcname = 'other'")

    def call(self, *argv, code=None, why='', mapped=True):
        self.n += 1
        folder = path('r%d' % self.n)
        data = folder + '/data'
        more = ['--tablespace-mapping', '%s=%s/space' % (self.space, folder)] if mapped else []
        done = run(BACKSTAY, 'restore', *argv, '--target', data, *more, env=self.archive.environ, code=code, why=why, cwd=path('user'))
        return done, folder

    def refused(self, label, *argv, code=WAL_GAP, words=(), mapped=True):
        done, folder = self.call(*argv, code=code, why='%s: refused with %d' % (label, code), mapped=mapped)
        for word in words:
            fact(word in done.errors, '%s: the message says %s' % (label, word), done.errors)
        fact(not os.path.exists(folder), label + ': nothing was touched')
        return done.errors

    def reaches(self, label, *argv):
        done, folder = self.call(*argv, '--dry-run', '--json', code=0, why=label + ': can be reached')
        fact(not os.path.exists(folder), label + ': a dry run makes nothing')
        found = done.messages('reachable')
        return found[0] if found else {}

    def server(self, label, *argv, bin=None, archiving=False):
        done, folder = self.call(*argv, '--json', code=0, why=label + ': restored')
        copy = Told(folder, bin, done.summary().get('start_command', ''))
        os.chmod(folder, 0o711)
        hand_over(folder)
        copy.configure("unix_socket_directories = '%s'" % folder, *([] if archiving else ['archive_mode = off']))
        return copy, done


def paused(copy):
    return wait_until(lambda: copy.sql('select pg_is_wal_replay_paused()') == 't', 120)


def shows(restores, live, label, up_to, *argv, promote=False, bin=None):
    """The restored server holds the ledger up to that row, and nothing else."""
    copy, _ = restores.server(label, *argv, *(['--target-action', 'promote'] if promote and '--target-latest' not in argv else []), bin=bin)
    with copy:
        copy.start()
        if promote:
            wait_for(label + ': it is promoted', lambda: copy.sql('select pg_is_in_recovery()') == 'f')
        else:
            fact(paused(copy), label + ': it pauses at the target')
        equal(Live.rows(copy), live.rows(up_to), '%s: the ledger ends with row %d' % (label, up_to))
