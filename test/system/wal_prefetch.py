#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=1500
"""wal get fetches the segments that follow ahead of a recovery: what lies in the spool is used only when it is proven, absence
is asked of the repository alone, and one process works in the background, bounded. RECOVERY=1 times a recovery of
a real server with and without, of a directory and of a bucket that is 50 ms away (all but quick do)."""
import glob
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from cluster import Cluster, as_postgres, hand_over
from s3 import S3Repo, S3Server
from s3proxy import Proxy
from scenario import BACKSTAY, QUICK, Repo, equal, fact, finish, path, run, say, wait_until
from walarchive import Archive, hand_over_all, own
from walsegment import MIB, SYSTEM, name_of, segment

ABSENT, GET_FAILED = 1, 126
SEGMENTS = 24
RECOVERY = os.environ.get('RECOVERY', '' if QUICK else '1')


def crc32c(data):
    """RFC 3720, a byte at a time."""
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def background(spool):
    """The processes that work in the background for this spool."""
    found = []
    for line in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            with open(line, 'rb') as f:
                words = f.read().split(b'\0')
            with open(line.replace('cmdline', 'stat'), 'rb') as f:
                dead = f.read().rpartition(b')')[2].split()[0] == b'Z'
        except OSError:
            continue
        if os.fsencode(spool) in words and not dead:
            found.append(int(line.split('/')[2]))
    return found


def kill_background(spool):
    for pid in background(spool):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has just ended
    wait_until(lambda: not background(spool))


class Getter:
    """wal get with a spool of its own."""

    def __init__(self, archive, name, prefetch=4):
        self.archive, self.spool, self.prefetch = archive, own('user/' + name), prefetch
        self.out = path('user/out-' + name)

    def get(self, n, code=0, why='', more=(), **options):
        if os.path.lexists(self.out):
            os.unlink(self.out)
        done = self.archive.wal('get', name_of(n), self.out, '--system-id', str(SYSTEM), '--spool', self.spool, '--prefetch', str(self.prefetch),
                                *more, code=code, why=why or 'segment %d is had' % n, **options)
        if code == 0:
            with open(self.out, 'rb') as f:
                fact(f.read() == segment(n), 'and is what was archived')
        return done

    def files(self):
        """number -> path of each whole one."""
        found = [f for f in glob.glob(self.spool + '/*/*.*') if len(os.path.basename(f)) == 24 + 1 + 8]
        return {int(os.path.basename(f)[16:24], 16): f for f in found}

    def holds(self, first, last):
        wanted = list(range(first, last + 1))
        wait_until(lambda: sorted(self.files()) == wanted, seconds=60)
        return equal(sorted(self.files()), wanted, 'ahead of it lie segments %d to %d' % (first, last))

    def processes(self):
        return background(self.spool)

    def kill(self):
        kill_background(self.spool)


def away(repo, there):
    os.rename(repo.path + ('' if there else '.away'), repo.path + ('.away' if there else ''))


def ahead(repo, archive):
    getter = Getter(archive, 'ahead')
    getter.get(1)
    getter.holds(2, 5)
    processes = getter.processes()
    equal(len(processes), 1, 'one process works in the background')
    fact(processes and os.getsid(processes[0]) != os.getsid(0), 'in a session of its own')
    equal(os.stat(getter.spool).st_mode & 0o777 | os.stat(os.path.dirname(getter.files()[2])).st_mode & 0o77, os.stat(getter.spool).st_mode & 0o777,
          'what it fetches nobody else can read')
    getter.get(2)
    getter.holds(3, 6)
    getter.get(3)
    equal(getter.processes(), processes, 'it goes on for the next ones')
    getter.holds(4, 7)
    away(repo, True)
    getter.get(4, why='without the repository what was fetched ahead is had')
    getter.get(20, code=GET_FAILED, why='what was not is a failure')
    getter.get(99, code=GET_FAILED, why='and absence is never told by the spool')
    away(repo, False)
    getter.kill()
    getter.get(15, why='a jump')
    wait_until(lambda: getter.processes())
    getter.get(15)
    getter.holds(16, 19)
    getter.get(SEGMENTS - 1)
    getter.holds(SEGMENTS, SEGMENTS)
    getter.get(SEGMENTS)
    getter.get(SEGMENTS + 1, code=ABSENT, why='the end of the log is absent, as the repository says')
    getter.kill()


def distrusted(archive):
    """Whatever may lie in the spool, what is handed out is the segment."""
    getter = Getter(archive, 'distrusted')
    getter.get(1)
    getter.holds(2, 5)
    getter.kill()
    there = getter.files()
    outside = path('user/outside')
    shutil.copy(there[5], outside)
    hand_over(outside)

    def flipped(file):
        with open(file, 'r+b') as f:
            f.seek(MIB - 5)
            byte = f.read(1)
            f.seek(MIB - 5)
            f.write(bytes([byte[0] ^ 1]))

    def foreign(file):
        """A sound segment of that name, but of another cluster, under its right checksum."""
        data = segment(int(os.path.basename(file)[16:24], 16), system=SYSTEM + 1)
        os.unlink(file)
        replace(file[:-8] + '%08x' % crc32c(data), data)

    def replace(file, data):
        with open(file, 'wb') as f:
            f.write(data)
        hand_over(file)

    def other(file):
        replace(file, segment(9))

    def renamed(file):
        """Another segment, with its own checksum."""
        os.unlink(file)
        shutil.copy(outside, file[:-8] + os.path.basename(there[5])[-8:])

    def linked(file):
        os.unlink(file)
        os.symlink(outside, file)

    def doubled(file):
        os.link(file, path('user/second-name'))

    n = 2
    for label, change in (('a flipped byte', flipped), ('a cut file', lambda f: os.truncate(f, MIB // 2)), ('an empty file', lambda f: os.truncate(f, 0)),
                          ('another cluster', foreign), ('another content', other), ('another segment', renamed), ('a link', linked),
                          ('a second name', doubled)):
        if n not in getter.files():
            getter.get(n - 1)
            getter.holds(n, n + 3)
            getter.kill()
        change(getter.files()[n])
        getter.get(n, why=label + ' in the spool is not used')
        getter.kill()
        fact(n not in getter.files(), 'and is removed')
        n += 1
    with open(outside, 'rb') as f:
        fact(f.read() == segment(5), 'what a link in the spool points to is left alone')


def killed(archive):
    getter = Getter(archive, 'killed')
    getter.get(1)
    getter.holds(2, 5)
    getter.kill()
    half = getter.files()[3] + '-tmp-0123456789abcdef'
    os.rename(getter.files()[3], half)
    getter.get(2)
    getter.holds(3, 6)
    fact(not os.path.exists(half), 'what a killed process left is removed')
    getter.kill()


def unusable(archive):
    getter = Getter(archive, 'open')
    getter.get(1)
    getter.holds(2, 5)
    getter.kill()
    [inner] = glob.glob(getter.spool + '/*')
    os.chmod(inner, 0o777)
    getter.get(2, why='a spool that others may write to is not used')
    fact(2 in getter.files() and not getter.processes(), 'and nothing is fetched into it')
    os.chmod(inner, 0o700)
    shutil.rmtree(getter.spool)
    trees.write(getter.spool, b'')
    getter.get(2, why='a spool that cannot be made is no failure')
    none = Getter(archive, 'none', prefetch=0)
    none.get(1)
    fact(not none.processes() and not os.listdir(none.spool), '--prefetch 0 fetches nothing ahead')
    archive.wal('get', name_of(1), none.out, '--prefetch', '65', code=GET_FAILED)


def full(archive):
    """Room for one segment and a half, in the spool and then in the spool and the target."""
    getter = Getter(archive, 'full')
    script = ('mount -t tmpfs -o size=1500k,mode=0777 tmpfs "$1" && shift && for n in 1 2 3; do "$@" "$n" || exit; done')
    one = path('get-one')
    with open(one, 'w', encoding='utf-8') as f:
        f.write('#!/bin/sh\n' + ''.join("export %s='%s'\n" % i for i in archive.environ.items()) +
                'n=$(printf "%%08X%%08X%%08X" 1 0 "$3")\n%s wal get "$n" "$2/$n" --system-id %d --spool "$1" --prefetch 4 && sleep .3 && rm "$2/$n"\n'
                % (BACKSTAY, SYSTEM))
    os.chmod(one, 0o755)
    for label, out in (('the spool', path('user')), ('the spool, which has the target in it', getter.spool)):
        run('unshare', '-m', 'sh', '-c', script, 'sh', getter.spool, *as_postgres(), one, getter.spool, out, env=archive.environ, code=0,
            why='a full disk under %s is no failure' % label)
        getter.kill()


# ---- a real recovery ----

def archived_server(archive):
    push = archive.script('push', 'exec %s wal push "$1"\n' % BACKSTAY)
    server = Cluster(path('server'))
    server.make("archive_command = '%s %%p'" % push, segment_mib=16)
    with server.start():
        server.sql('create table ledger (id serial primary key, note text)')
        subprocess.run([*as_postgres(), server.bin + '/pg_basebackup', '-h', server.socket, '-U', 'postgres', '-D', own('user') + '/base',
                        '-X', 'none', '--checkpoint=fast', '--no-sync'], check=True, stdin=subprocess.DEVNULL, cwd=server.dir)
        while float(server.sql("select (pg_current_wal_lsn() - '0/0') / (16 << 20)")) < 46:
            server.sql('insert into ledger (note) select repeat(md5(random()::text), 30) from generate_series(1, 40000)')
        last = server.sql('select pg_walfile_name(pg_switch_wal())')
        wait_until(lambda: server.sql("select coalesce(last_archived_wal, '') >= '%s' from pg_stat_archiver" % last) == 't', seconds=300)
        return server.sql("select count(*), max(id) from ledger")


def recover(archive, label, prefetch, want):
    spool = own('user/spool-%s-%d' % (label, prefetch))
    hits = path('user/hits')
    if os.path.exists(hits):
        os.unlink(hits)
    get = archive.script('get', 'ls %s/*/"$1".* >/dev/null 2>&1 && echo "$1" >>%s\nexec %s wal get "$1" "$2" --spool %s --prefetch %d\n'
                         % (spool, hits, BACKSTAY, spool, prefetch))
    copy = Cluster(path('copy'))
    shutil.rmtree(copy.dir, ignore_errors=True)
    os.makedirs(copy.dir)
    os.chmod(copy.dir, 0o711)
    subprocess.run(['cp', '-a', path('user/base'), copy.data], check=True)
    hand_over_all(copy.dir)
    copy.configure("unix_socket_directories = '%s'" % copy.dir, "restore_command = '%s %%f %%p'" % get, 'archive_mode = off')
    copy.run('touch', copy.data + '/recovery.signal')
    started = time.monotonic()
    with copy.start():
        wait_until(lambda: copy.sql('select pg_is_in_recovery()') == 'f', seconds=600)
        seconds = time.monotonic() - started
        equal(copy.sql("select count(*), max(id) from ledger"), want, '%s, %d ahead: a recovery ends with the last row' % (label, prefetch))
    kill_background(spool)
    n = 0
    if os.path.exists(hits):
        with open(hits, encoding='utf-8') as f:
            n = len(f.readlines())
    say('%s, %d ahead: %.1f s, %d of the segments were there or on their way' % (label, prefetch, seconds, n))
    return n


def recoveries(repo, label):
    repo.backstay('init', code=0)
    archive = Archive(repo)
    if os.path.isdir(repo.path):
        hand_over_all(repo.path)
    want = archived_server(archive)
    for _ in range(int(os.environ.get('REPEAT', '0'))):
        recover(archive, label, 0, want)
        recover(archive, label, 8, want)
    equal(recover(archive, label, 0, want), 0, 'nothing is fetched ahead unless it is asked for')
    fact(recover(archive, label, 8, want) >= 20, 'most segments are there or on their way when they are asked for')
    for directory in ('server', 'copy', 'user'):
        shutil.rmtree(path(directory), ignore_errors=True)


def recovered():
    if RECOVERY != 'bucket':
        recoveries(Repo.named('real'), 'directory')
    with S3Server() as s3, Proxy(s3) as proxy:
        s3.make_bucket('wal')
        repo = S3Repo(s3, 'wal', 'cluster', through=proxy.endpoint)
        proxy.latency = .05
        recoveries(repo, 'bucket')


def main():
    if RECOVERY:
        recovered()
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    archive = Archive(repo)
    hand_over_all(repo.path)
    for n in range(1, SEGMENTS + 1):
        file = own('user/files') + '/' + name_of(n)
        with open(file, 'wb') as f:
            f.write(segment(n))
        hand_over(file)
        archive.wal('push', file, code=0)
    ahead(repo, archive)
    distrusted(archive)
    killed(archive)
    unusable(archive)
    full(archive)
    finish()


main()
