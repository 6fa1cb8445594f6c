#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""A cluster restored to a target over what is left of a crashed one: only what differs is fetched, strangers go, in the
tablespaces too, what runs is refused, and a run that was killed is made good by the next."""
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from cluster import Cluster, as_postgres, hand_over
from scenario import BACKSTAY, NOT_EMPTY, QUICK, Repo, equal, fact, finish, path, run, say, wait_until
from walarchive import Archive, hand_over_all, own

KILLS = int(os.environ.get('KILLS', '3' if QUICK else '12'))
rng = random.Random(int(os.environ.get('SEED', '0')) or None)


def switched(server):
    name = server.sql('select pg_walfile_name(pg_switch_wal())')
    fact(wait_until(lambda: server.sql("select coalesce(last_archived_wal, '') >= '%s' from pg_stat_archiver" % name) == 't', 300), name + ' is archived')


class Story:
    def __init__(self, archive):
        self.archive = archive
        self.server = Cluster(path('server'))
        self.server.make("archive_command = '%s %%p'" % archive.script('push', 'exec %s wal push "$1"\n' % BACKSTAY))
        self.data, self.space = self.server.data, self.server.dir + '/space'
        self.server.start()
        os.mkdir(self.space)
        hand_over(self.space)
        self.server.sql("create tablespace other location '%s'" % self.space)
        self.server.sql('create table ledger (id int primary key, note text) tablespace other; create table big (note text)')
        self.server.sql("insert into big select repeat(md5(i::text), 30) from generate_series(1, 40000) i")
        self.server.sql("insert into ledger select i, md5(i::text) from generate_series(1, 20000) i")
        url = 'pgcluster:postgresql://postgres@/?host=' + urllib.parse.quote(self.server.socket, safe='')
        run(*as_postgres(), BACKSTAY, 'backup', url, '--checkpoint', 'fast', '--json', env=archive.environ, code=0, cwd=path('user'))
        self.server.sql("insert into ledger values (20001, 'wanted')")
        self.rows, self.lsn = self.ledger(), self.server.sql('select pg_current_wal_insert_lsn()')
        self.server.sql("insert into ledger values (20002, 'not wanted'); update ledger set note = 'wrong' where id % 50 = 0; vacuum ledger")
        switched(self.server)

    def ledger(self):
        return self.server.sql("select count(*), max(id), md5(string_agg(id || note, '' order by id)) from ledger")

    def restore(self, *more, code=0, **options):
        return run(BACKSTAY, 'restore', '--target', self.data, '--target-lsn', self.lsn, '--target-action', 'promote', '--delta', '--json',
                   '--tablespace-mapping', '%s=%s' % (self.space, self.space), *more, env=self.archive.environ, code=code, cwd=path('user'), **options)

    def restore_to(self, target, how, **options):
        return run(BACKSTAY, 'restore', '--target', target, '--target-lsn', self.lsn, how, '--tablespace-mapping',
                   '%s=%s' % (self.space, path('space-of-nobody')), env=self.archive.environ, cwd=path('user'), **options)

    def recovers(self, label):
        # what it writes now is another history than that of the archive
        self.server.configure('archive_mode = off')
        self.server.start()
        fact(wait_until(lambda: self.server.sql('select pg_is_in_recovery()') == 'f', 300), label + ': it is promoted')
        equal(self.ledger(), self.rows, label + ': the ledger is that of the target')

    def crash(self):
        """Leaves postmaster.pid, WAL and pages that were written last."""
        self.server.sql("insert into ledger select i, 'later' from generate_series(30000, 31000) i; checkpoint; insert into ledger values (40000, 'last')")
        pid = int(open(self.data + '/postmaster.pid').readline())
        os.kill(pid, signal.SIGKILL)
        # its children end by themselves
        fact(wait_until(lambda: not [p for p in os.listdir('/proc') if p.isdigit() and works_in(p, self.data)], 300), 'the server is gone')
        self.server.running = False
        for name in ('stranger', 'base/stranger', 'pg_wal/0000000900000000000000FF'):
            with open(self.data + '/' + name, 'w', encoding='utf-8') as f:
                f.write('x')
        [inner] = os.listdir(self.space)
        os.mkdir(self.space + '/' + inner + '/99999')

    def strangers(self):
        [inner] = os.listdir(self.space)
        return [n for n in (self.data + '/stranger', self.data + '/base/stranger', self.data + '/pg_wal/0000000900000000000000FF',
                            self.data + '/postmaster.pid', self.space + '/' + inner + '/99999', self.data + '/.backstay-unfinished',
                            self.space + '/.backstay-unfinished') if os.path.lexists(n)]


def works_in(pid, directory):
    try:
        with open('/proc/%s/stat' % pid, 'rb') as f:
            if f.read().rpartition(b')')[2].split()[0] == b'Z':
                return False
        return os.path.realpath('/proc/%s/cwd' % pid) == os.path.realpath(directory)
    except OSError:
        return False


def killed(story):
    whole = story.restore('--quiet').seconds
    hit = 0
    for _ in range(KILLS):
        with open(story.data + '/base/stranger', 'w', encoding='utf-8') as f:
            f.write('x')
        for parent, _, names in os.walk(story.data + '/base'):
            for name in names:
                if os.path.getsize(parent + '/' + name) > 100_000:
                    with open(parent + '/' + name, 'r+b') as f:
                        f.seek(50_000)
                        f.write(b'changed')
        process = subprocess.Popen([BACKSTAY, 'restore', '--target', story.data, '--target-lsn', story.lsn, '--target-action', 'promote', '--delta',
                                    '--tablespace-mapping', '%s=%s' % (story.space, story.space)], env=story.archive.environ, cwd=path('user'),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=rng.uniform(0, whole))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            hit += 1
            if os.path.exists(story.data + '/.backstay-unfinished'):
                fact(not os.path.exists(story.data + '/global/pg_control'), 'what is half restored does not start')
    say('%d of %d were killed' % (hit, KILLS))
    story.restore()
    equal(story.strangers(), [], 'after kills nothing is left over')


def waits_for_a_reader(pid):
    """In a write to its standard output, whatever the number of that call is here."""
    with open('/proc/%d/syscall' % pid, encoding='ascii') as f:
        return f.read().split()[1:2] == ['0x1']


def started_meanwhile(story):
    """What it tells before it writes finds a full pipe, so it waits for us."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b'x' * 4096)
    os.set_blocking(writing, True)
    with subprocess.Popen([BACKSTAY, 'restore', '--target', story.data, '--target-lsn', story.lsn, '--target-action', 'promote', '--delta',
                           '--tablespace-mapping', '%s=%s' % (story.space, story.space)], env=story.archive.environ, cwd=path('user'),
                          stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        fact(wait_until(lambda: waits_for_a_reader(process.pid), 120), 'all is read, and nothing is written yet')
        story.server.start()
        with open(reading, 'rb') as f:
            f.read()
        equal((process.wait(), b'a PostgreSQL server runs' in process.stderr.read()), (NOT_EMPTY, True), 'a server that was started meanwhile is refused')
    equal(story.server.sql("select note from ledger where id = 20002"), 'not wanted', 'and goes on, too')


def main():
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    story = Story(Archive(repo))
    try:
        story.restore(code=NOT_EMPTY, why='a running server is refused')
        equal(story.server.sql("select note from ledger where id = 20002"), 'not wanted', 'and goes on')
        story.server.stop('immediate')
        started_meanwhile(story)
        story.server.stop('immediate')
        size = sum(os.path.getsize(d + '/' + n) for top in (story.data, story.space) for d, _, names in os.walk(top) for n in names
                   if not os.path.islink(d + '/' + n))
        done = story.restore().summary()
        fact(0 < done.get('bytes_fetched', 0) < size / 3 and done.get('bytes_same', 0) > size / 3, 'most of it is not fetched', (done, size))
        story.recovers('over a server that was stopped')
        story.crash()
        done = story.restore().summary()
        equal(story.strangers(), [], 'strangers are removed, in the tablespace too, and what the dead server left')
        fact(done.get('files_deleted', 0) >= 4, 'and counted', done)
        killed(story)
        story.recovers('over what is left of a crash, after kills')
        story.server.stop()
        elsewhere(story)
    finally:
        if story.server.running:
            story.server.stop('immediate')
    finish()


def elsewhere(story):
    """What is not this cluster's is not taken for something to begin with."""
    other = own('other')
    with open(other + '/thing', 'w', encoding='utf-8') as f:
        f.write('x')
    story.restore('--target', other, code=NOT_EMPTY, why='a directory of other things is refused')
    copy = path('copy')
    shutil.copytree(story.data, copy, symlinks=True)
    for link in os.listdir(copy + '/pg_tblspc'):
        os.unlink(copy + '/pg_tblspc/' + link)
    story.restore('--target', copy, code=NOT_EMPTY, why="another server's tablespace is refused")
    fact(os.path.exists(other + '/thing') and os.path.exists(copy + '/global/pg_control'), 'and nothing is touched')
    stranger = Cluster(path('stranger'))
    stranger.make()
    before = trees.describe(stranger.data)
    done = story.restore_to(stranger.data, '--delta', code=NOT_EMPTY, why='the data directory of another cluster is refused')
    fact('system identifier' in done.errors, 'and both are named', done.errors)
    equal(trees.differences(trees.describe(stranger.data), before), [], 'and nothing of it is touched')


main()
