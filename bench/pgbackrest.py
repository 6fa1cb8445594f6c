# SPDX-License-Identifier: Apache-2.0
"""bench/run cluster and bench/run wal: beside pgBackRest, both with zstd 3, encryption and two processes, to a local directory; and
beside restic for what changed files cost it."""
import glob
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import time
import urllib.parse

from measuring import BACKSTAY, PASSWORD, RUNS, TOP, Measured, du, measure, needed, size_of

sys.path.insert(0, TOP + '/test/lib')
from cluster import Cluster, as_postgres, hand_over

ROWS = int(os.environ.get('ROWS', '4000000'))
SEGMENTS = int(os.environ.get('SEGMENTS', '64'))
PROGRAMS = os.environ.get('PROGRAMS', 'backstay,backstay-dir,pgbackrest,restic').split(',')
MODULE = os.path.dirname(os.path.dirname(BACKSTAY)) + '/archive/backstay.so'
POSTGRES = ' '.join(as_postgres())

FILL = """
create table account (id bigint primary key, name text, email text, balance numeric(14, 2), opened timestamptz, notes text, data jsonb);
insert into account select i, 'Name ' || md5(i::text), md5('m' || i) || '@example.org', i %% 100000 / 7.0,
    timestamptz '2020-01-01' + i * interval '1 second', repeat(md5('n' || i) || ' ', 2), jsonb_build_object('a', i, 'b', md5('d' || i))
from generate_series(1, %d) i;
vacuum analyze account;
checkpoint;
"""


def own(path):
    os.makedirs(path, exist_ok=True)
    hand_over(path)
    return path


class Program:
    """One that saves clusters, run as the server's user."""

    def __init__(self, directory, data, socket):
        self.directory, self.data, self.socket = own('%s/%s' % (directory, self.name)), data, socket
        self.repo = self.directory + '/repo'
        self.env = {'PATH': '/usr/bin:/bin:/usr/lib/postgresql/15/bin', 'HOME': self.directory, 'LC_ALL': 'C'}

    def run(self, command):
        measured = measure('cd %s && exec %s %s' % (self.directory, POSTGRES, command), {**os.environ, **self.env})
        measured.stored = size_of(self.repo)
        return measured

    def start_over(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        own(self.directory)
        self.prepare()


class Backstay(Program):
    name = 'backstay'

    def prepare(self):
        self.env.pop('BACKSTAY_KEY_FILE', None)
        self.env.update(BACKSTAY_REPOSITORY=self.repo, XDG_CACHE_HOME=self.directory, RESTIC_PASSWORD=PASSWORD)
        self.run('%s init' % BACKSTAY)
        self.run('%s key export %s/key' % (BACKSTAY, self.directory))
        # as its guide has it
        del self.env['RESTIC_PASSWORD']
        self.env.update(BACKSTAY_KEY_FILE=self.directory + '/key')

    def source(self):
        return 'pgcluster:postgresql://postgres@/?host=' + urllib.parse.quote(self.socket, safe='')

    def backup(self, first):
        return '%s backup -q --compression 3 --checkpoint fast %s' % (BACKSTAY, shlex.quote(self.source()))

    def oldest(self):
        done = subprocess.run([*as_postgres(), BACKSTAY, 'snapshots', '--json'], env=self.env, cwd=self.directory, check=True,
                              capture_output=True, text=True)
        return done.stdout.split('"short_id":"')[1].split('"')[0]

    def restore(self, out, oldest=False, delta=False):
        return '%s restore -q %s --target %s%s' % (BACKSTAY, self.oldest() if oldest else 'latest', out, ' --delta' if delta else '')

    @staticmethod
    def pgdata(out):
        return glob.glob(out + '/*/pgdata')[0]


class BackstayDir(Backstay):
    """The files are read directly."""
    name = 'backstay-dir'

    def source(self):
        self.env.update(PGHOST=self.socket, PGUSER='postgres')
        return 'pgcluster:' + self.data


class PgBackRest(Program):
    name = 'pgbackrest'

    def prepare(self, *more):
        settings = ('repo1-path=' + self.repo, 'repo1-cipher-type=aes-256-cbc', 'repo1-cipher-pass=' + PASSWORD, 'repo1-bundle=y',
                    'repo1-retention-full=9', 'process-max=2', 'compress-type=zst', 'compress-level=3', 'start-fast=y', 'archive-check=n',
                    'log-level-file=off', 'log-level-console=warn', 'lock-path=' + self.directory, 'spool-path=' + own(self.directory + '/spool'), *more)
        with open(self.directory + '/conf', 'w', encoding='utf-8') as f:
            f.write('[global]\n%s\n[bench]\npg1-path=%s\npg1-socket-path=%s\npg1-user=postgres\n' % (
                '\n'.join(settings), self.data, self.socket))
        hand_over(f.name)
        self.command = 'pgbackrest --config=%s --stanza=bench ' % f.name
        if not os.path.exists(self.repo):
            self.run(self.command + 'stanza-create --no-online')

    def backup(self, first):
        return self.command + 'backup --type=' + ('full' if first else 'incr')

    def restore(self, out, oldest=False, delta=False):
        own(out)
        names = sorted(os.path.basename(d) for d in glob.glob(self.repo + '/backup/bench/2*'))
        return '%s restore --pg1-path=%s%s%s' % (self.command, out, ' --set=' + names[0] if oldest else '', ' --delta' if delta else '')

    @staticmethod
    def pgdata(out):
        return out


class Restic(Program):
    """For the bytes alone: the files of a running server, one after the other, are no backup of it."""
    name = 'restic'

    def prepare(self):
        self.env.update(RESTIC_REPOSITORY=self.repo, RESTIC_PASSWORD=PASSWORD, RESTIC_CACHE_DIR=self.directory + '/cache')
        self.run('restic init -q')

    def backup(self, first):
        return 'restic backup -q --exclude pg_wal ' + self.data

    def restore(self, out, oldest=False, delta=False):
        snapshot = 'latest'
        if oldest:
            done = subprocess.run([*as_postgres(), 'restic', 'snapshots', '--json'], env=self.env, cwd=self.directory, check=True,
                                  capture_output=True)
            snapshot = json.loads(done.stdout)[0]['short_id']
        return 'restic restore -q %s --target %s' % (snapshot, out)

    def pgdata(self, out):
        return out + self.data


ALL = {p.name: p for p in (Backstay, BackstayDir, PgBackRest, Restic)}


def same_table(server, program, out):
    """Every segment of the table is what lies in the data directory of the server, which stands still."""
    relation = server.sql("select pg_relation_filepath('account')")
    for file in glob.glob('%s/%s*' % (server.data, relation)):
        if subprocess.run(['cmp', file, program.pgdata(out) + file[len(server.data):]], check=False).returncode:
            sys.exit('bench: %s restored something else' % program.name)


def cluster(directory, table):
    for program in PROGRAMS:
        if not program.startswith('backstay'):
            needed(program)
    os.chmod(directory, 0o711)
    server = Cluster(directory + '/server')
    size = 0
    for _ in range(RUNS):
        server.make("archive_command = 'true'", 'max_wal_senders = 4', 'max_wal_size = 8GB', 'shared_buffers = 128MB', segment_mib=16)
        with server.start():
            server.sql(FILL % ROWS)
            size = du(server.data + '/base')
            programs = [ALL[p](directory, server.data, server.socket) for p in PROGRAMS]
            one_round(server, programs, table, own(directory + '/outs') + '/out')
    return 'A cluster of %d MiB: a table of %d rows and its key. fsync of the server is off, its CPU time is not counted. pgBackRest: ' \
           'bundles, without waiting for WAL (archive-check=n), which ours takes along. restic: the files as they lie there, for the ' \
           'bytes alone.' % (size >> 20, ROWS)


def one_round(server, programs, table, out):
    for p in programs:
        p.start_over()

    def work(name, command_of):
        for p in programs:
            table.add(name, p.name, p.run(command_of(p)))
    subprocess.run('cat $(find %s/base -type f) >/dev/null' % server.data, shell=True, check=True)
    work('first backup', lambda p: p.backup(True))
    work('second backup, unchanged', lambda p: p.backup(False))
    server.sql('update account set balance = balance + 1 where id between %d and %d; checkpoint' % (ROWS // 2, ROWS // 2 + ROWS // 100))
    work('backup after 1 % of the rows changed, side by side', lambda p: p.backup(False))
    server.sql('update account set balance = balance + 1 where abs(hashint8(id)) % 100 = 7; checkpoint')
    work('backup after 1 % of the rows changed, all over', lambda p: p.backup(False))
    for p in programs:
        table.add('restore', p.name, p.run(p.restore(out)))
        same_table(server, p, out)
        shutil.rmtree(out)
        p.run(p.restore(out, oldest=True))
        table.add('restore over the first backup, only what differs', p.name, p.run(p.restore(out, delta=True)))
        same_table(server, p, out)
        shutil.rmtree(out)


# ---- WAL ----

class Segments:
    """The data directory of a stopped server, with segments that wait for their archiver."""

    def __init__(self, directory):
        self.server = server = Cluster(directory + '/server')
        server.make("archive_command = 'false'", 'wal_keep_size = 100GB', 'max_wal_size = 8GB', 'shared_buffers = 128MB', segment_mib=16)
        self.data, self.status = server.data, server.data + '/pg_wal/archive_status/'
        server.start()
        server.sql(FILL % (SEGMENTS * 10000))
        while len(self.ready()) < SEGMENTS:
            server.sql('update account set balance = balance + 1 where abs(hashint8(id)) %% 50 = %d; checkpoint' % random.randrange(50))
        server.stop()
        for name in self.ready()[SEGMENTS:]:
            os.unlink(self.status + name + '.ready')
        self.names = self.ready()

    def ready(self):
        return sorted(n[:-6] for n in os.listdir(self.status) if n.endswith('.ready') and len(n) == 30)

    def left(self):
        return sorted(set(self.names) & set(self.ready()))

    def wait_again(self):
        for name in self.names:
            if os.path.exists(self.status + name + '.done'):
                os.rename(self.status + name + '.done', self.status + name + '.ready')

    def archive(self, command):
        """What an archiver does: one after the other, each until it is acknowledged."""
        return "bash -c %s" % shlex.quote('cd %s && for f in %s; do %s pg_wal/$f && mv pg_wal/archive_status/$f.ready '
                                          'pg_wal/archive_status/$f.done || exit; done' % (self.data, ' '.join(self.names), command))

    def fetch(self, command):
        """What a recovery does, without its replay: it has each file on the disk before it is read (durable_rename)."""
        return "bash -c %s" % shlex.quote('cd %s && for f in %s; do %s $f pg_wal/RECOVERYXLOG && sync pg_wal/RECOVERYXLOG && '
                                          'cmp pg_wal/RECOVERYXLOG pg_wal/$f && rm pg_wal/RECOVERYXLOG || exit; done' % (
                                              self.data, ' '.join(self.names), command))


class Served:
    """wal serve beside it: its CPU time and memory count, too."""

    def __init__(self, program):
        program.env['BACKSTAY_WAL_SOCKET'] = self.socket = program.directory + '/wal.sock'
        self.process = subprocess.Popen([*as_postgres(), BACKSTAY, 'wal', 'serve'], env=program.env, cwd=program.directory,
                                        stderr=subprocess.DEVNULL)
        while not os.path.exists(self.socket):
            time.sleep(.01)

    def measured(self, work):
        try:
            measured = work()
        finally:
            self.process.terminate()
            _, _, usage = os.wait4(self.process.pid, 0)
        measured.cpu += usage.ru_utime + usage.ru_stime
        measured.rss = max(measured.rss, usage.ru_maxrss * 1024)
        return measured


def by_command(program, segments):
    return Served(program).measured(lambda: program.run(segments.archive(BACKSTAY + ' wal push --server require')))


def by_module(program, segments):
    """A real server archives: from its start until the last one is done."""
    served, server = Served(program), segments.server
    shutil.copy(MODULE, program.directory + '/backstay.so')
    server.configure("archive_command = ''", "archive_library = '%s/backstay.so'" % program.directory, "backstay.socket = '%s'" % served.socket)

    def work():
        started = time.monotonic()
        server.start()
        while segments.left():
            time.sleep(.01)
        measured = Measured(time.monotonic() - started, 0, 0)
        measured.stored = size_of(program.repo)
        return measured
    try:
        return served.measured(work)
    finally:
        server.stop()


def store_alone(directory, repo):
    """The same objects written as a store must: to the disk, under a temporary name, renamed, and the directory, too."""
    os.makedirs(directory + '/alone')
    place = os.open(directory + '/alone', os.O_RDONLY)
    seconds = 0
    for i, file in enumerate(glob.glob(repo + '/wal/*/*/*')):
        with open(file, 'rb') as f:
            data = f.read()
        started = time.monotonic()
        with open('%s/alone/tmp' % directory, 'wb') as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.rename('%s/alone/tmp' % directory, '%s/alone/%d' % (directory, i))
        os.fsync(place)
        seconds += time.monotonic() - started
    os.close(place)
    shutil.rmtree(directory + '/alone')
    return Measured(seconds, 0, 0)


def wal(directory, table):
    needed('pgbackrest')
    os.chmod(directory, 0o711)
    segments = Segments(directory)
    ours, theirs = Backstay(directory, segments.data, directory), PgBackRest(directory, segments.data, directory)
    push, get = '%d segments archived' % SEGMENTS, '%d segments fetched' % SEGMENTS

    def archived(program, label, work):
        program.start_over()
        segments.wait_again()
        table.add(push, label, work())
        if segments.left():
            sys.exit('bench: not archived: %s' % segments.left())
    for _ in range(RUNS):
        if os.path.exists(MODULE):
            archived(ours, 'backstay, module', lambda: by_module(ours, segments))
        archived(ours, 'backstay', lambda: by_command(ours, segments))
        archived(ours, 'backstay, no server', lambda: ours.run(segments.archive(BACKSTAY + ' wal push --server never')))
        table.add(get, 'backstay', ours.run(segments.fetch(BACKSTAY + ' wal get')))
        table.add(get, 'backstay, not ahead', ours.run(segments.fetch(BACKSTAY + ' wal get --prefetch 0')))
        table.add(push, 'the disk alone', store_alone(directory, ours.repo))
        archived(theirs, 'pgbackrest', lambda: theirs.run(segments.archive(theirs.command + 'archive-push')))
        table.add(get, 'pgbackrest', theirs.run(segments.fetch(theirs.command + 'archive-get')))
        theirs.start_over()
        theirs.prepare('archive-async=y', 'archive-get-queue-max=1GiB')
        segments.wait_again()
        table.add(push, 'pgbackrest async', theirs.run(segments.archive(theirs.command + 'archive-push')))
        table.add(get, 'pgbackrest async', theirs.run(segments.fetch(theirs.command + 'archive-get')))
    return '%d segments of 16 MiB, from loading and updating a table; archived and fetched one after the other by a loop that does ' \
           'what the server does. The CPU time of pgBackRest\'s asynchronous process is not counted.' % SEGMENTS
