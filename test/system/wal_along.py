#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=600
"""wal push without a server takes waiting segments along, and the calls that follow acknowledge what was taken along only when
it is the very file and lies in the repository still, whatever a note says."""
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, as_postgres, hand_over
from scenario import BACKSTAY, MISMATCH, Repo, equal, fact, finish, path, run
from walarchive import Archive, hand_over_all
from walserver import fill, waiting

ALONG = 8  # as many as are taken along


class World:
    """Segments that wait in a stopped server's directory, and a repository."""

    def __init__(self, server):
        self.repo = Repo.named('repo')
        self.repo.init()
        hand_over_all(self.repo.path)
        self.archive = Archive(self.repo)
        self.wal = server.data + '/pg_wal/'
        self.names = sorted(n for n in waiting(server) if len(n) == 24)

    def push(self, name, code=0, why='', env=None):
        done = run(*as_postgres(), BACKSTAY, 'wal', 'push', '--json', self.wal + name, env={**self.archive.environ, **(env or {})},
                   cwd=path('user'), code=code, why=why or '%s is pushed' % name[-2:])
        if done.code == 0:
            os.rename(self.status(name, 'ready'), self.status(name, 'done'))
        return (done.messages('wal_pushed') or [{}])[0]

    def status(self, name, word):
        return '%sarchive_status/%s.%s' % (self.wal, name, word)

    def object(self, name):
        found = glob.glob('%s/wal/*/*/%s' % (self.repo.path, name))
        return found[0] if found else None

    def held(self):
        return sorted(n for n in self.names if self.object(n))

    def notes(self):
        return sorted(os.path.basename(n) for n in glob.glob(path('user/state/wal-notes/*/*')))

    def next(self):
        """A segment that waits and was taken along; one call makes more of them when there is none."""
        if not self.notes():
            self.push(next(n for n in self.names if os.path.exists(self.status(n, 'ready'))))
        name = self.notes()[0]
        fact(self.object(name), '%s was taken along' % name[-2:])
        return name


def identity(file):
    st = os.stat(file)
    return st.st_ino, st.st_mtime_ns, st.st_size


def taken_along(world):
    first, *more = world.names
    world.push(first, why='the first of %d that wait is pushed' % len(world.names))
    equal(world.held(), world.names[:1 + ALONG], 'and those behind it are taken along')
    equal(world.notes(), more[:ALONG], 'and noted')
    before = identity(world.object(more[0]))
    pushed = world.push(more[0], why='the next call for one of them succeeds')
    equal((pushed.get('was_there'), pushed.get('data_added_packed')), (False, before[2]), 'by what was stored for it')
    equal(identity(world.object(more[0])), before, 'which is left as it is')
    equal(world.notes(), more[1:ALONG], 'its note is gone, the others stay')
    world.push(more[2], why='one is left out')
    equal(world.notes(), more[3:ALONG], 'notes of what is over go')


def lies(world):
    """Whatever a note says, the repository decides."""
    name = world.next()
    os.remove(world.object(name))
    world.push(name, why='what has vanished from the repository is stored again')
    fact(world.object(name), 'and lies there')

    name, other = world.next(), world.names[0]
    kept = world.object(name) + '-kept'
    os.rename(world.object(name), kept)
    shutil.copy(world.object(other), kept[:-5])
    hand_over(kept[:-5])
    world.push(name, MISMATCH, 'with another object in its place it is not acknowledged')
    os.rename(kept, kept[:-5])
    world.push(name, why='with its own it is')

    name = world.next()
    with open(world.object(name), 'r+b') as f:
        f.seek(-1, os.SEEK_END)
        last = f.read(1)
        f.seek(-1, os.SEEK_END)
        f.write(bytes([last[0] ^ 1]))
    world.push(name, 1, 'with a damaged object it is not acknowledged')
    os.remove(world.object(name))
    world.push(name)

    name = world.next()
    with open(world.wal + name, 'r+b') as f:
        f.seek(-1, os.SEEK_END)
        last = f.read(1)
        f.seek(-1, os.SEEK_END)
        f.write(bytes([last[0] ^ 1]))
    world.push(name, MISMATCH, 'a file that was changed since is refused')
    with open(world.wal + name, 'r+b') as f:
        f.seek(-1, os.SEEK_END)
        f.write(last)
    world.push(name)


def bad_notes(world):
    name = world.next()
    [note] = glob.glob(path('user/state/wal-notes/*/' + name))
    with open(note, 'r+b') as f:
        f.truncate(20)
    world.push(name, why='a note that was cut is none')
    name = world.next()
    [note] = glob.glob(path('user/state/wal-notes/*/' + name))
    os.remove(note)
    os.symlink('/dev/zero', note)
    world.push(name, why='nor is a link')
    os.chmod(os.path.dirname(note), 0o755)
    left = world.notes()
    world.push(next(n for n in world.names if os.path.exists(world.status(n, 'ready'))), why='notes that others may read are not used')
    equal(world.notes(), left, 'and stay')
    os.chmod(os.path.dirname(note), 0o700)


def away(world):
    name = world.next()
    os.rename(world.repo.path, world.repo.path + '.away')
    done = world.push(name, code=(1, 10), why='while the repository is away nothing is acknowledged')
    equal(done, {}, 'by no note')
    os.rename(world.repo.path + '.away', world.repo.path)
    name = world.next()
    world.repo.backstay('mirror', 'add', path('near'), '--name', 'near', '--required', code=0)
    hand_over_all(path('near'))
    hand_over_all(world.repo.path)
    os.rename(path('near'), path('near.away'))
    world.push(name, code=(1, 10, 30), why='nor while a required mirror is')
    os.rename(path('near.away'), path('near'))
    world.push(name, why='when it is there again, it is')
    fact(glob.glob(path('near/wal/*/*/') + name), 'and lies in the mirror, too')


def nowhere_to_note(world):
    """Without a place for notes nothing is done twice."""
    waits = [n for n in world.names if not world.object(n)]
    world.push(waits[0], env={'BACKSTAY_STATE_DIR': '/dev/null'}, why='without a place for notes it is pushed all the same')
    equal([n for n in waits if world.object(n)], waits[:1], 'and nothing is taken along')


def flip_last(file):
    with open(file, 'r+b') as f:
        f.seek(-1, os.SEEK_END)
        last = f.read(1)
        f.seek(-1, os.SEEK_END)
        f.write(bytes([last[0] ^ 1]))


def a_copy_of_the_server(world):
    """What another server has archived is not gone past: what should follow is that one's, too."""
    name = next(n for n in world.names if not world.object(n))
    flip_last(world.wal + name)
    world.push(name, env={'BACKSTAY_STATE_DIR': '/dev/null'}, why='another server has archived a segment of its own')
    flip_last(world.wal + name)
    os.rename(world.status(name, 'done'), world.status(name, 'ready'))
    before = world.held()
    for _ in range(2):
        world.push(name, MISMATCH, 'the one of that name is refused')
        equal(world.held(), before, 'and nothing that waits behind it is taken along')
    os.remove(world.object(name))
    world.push(name)
    fact(len(world.held()) > len(before), 'when it is ours, they are')


def all_equal(world):
    for name in world.names:
        if os.path.exists(world.status(name, 'ready')):
            world.push(name)
    wrong = []
    for name in world.names:
        out = path('user', 'out')
        done = world.archive.wal('get', name, out, '--prefetch', '0', '--pgdata', os.path.dirname(world.wal.rstrip('/')))
        with open(world.wal + name, 'rb') as want:
            if done.code or open(out, 'rb').read() != want.read():
                wrong.append(name)
    equal(wrong, [], 'all %d are in the repository and equal' % len(world.names))


def main():
    server = Cluster(path('server'))
    server.make("archive_command = ''", 'wal_keep_size = 4GB')
    with server:
        server.start()
        server.sql('create table t (note text)')
        fill(server, 24)
        server.stop()
        world = World(server)
        taken_along(world)
        nowhere_to_note(world)
        a_copy_of_the_server(world)
        lies(world)
        bad_notes(world)
        away(world)
        all_equal(world)
    finish()


main()
