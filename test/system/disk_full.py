#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The disk of the repository fills up during a backup or a prune: an error that says so, old snapshots whole, no lock left,
and after space was freed the next run succeeds. The disk of a restore's target fills up: the same honesty."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
import walsegment
from scenario import BACKSTAY, Repo, equal, fact, finish, path, run


class SmallDisk:
    def __init__(self, name, megabytes):
        self.dir, self.megabytes = path(name), megabytes

    def __enter__(self):
        os.makedirs(self.dir, exist_ok=True)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%dm,mode=755' % self.megabytes, 'tmpfs', self.dir], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(['umount', '-l', self.dir], check=False)

    def fill(self, leave):
        """A file that leaves so many bytes."""
        st = os.statvfs(self.dir)
        with open(self.dir + '/ballast', 'wb') as f:
            f.write(bytes(max(0, st.f_bavail * st.f_frsize - leave)))

    def empty(self):
        os.unlink(self.dir + '/ballast')


def archiving(repo, disk):
    """A segment that has no room is not acknowledged, and is archived when there is some."""
    file = path(walsegment.name_of(1))
    trees.write(file, walsegment.segment(1))
    env = repo.env(BACKSTAY_REPOSITORY=repo.path)
    push = lambda **more: run(BACKSTAY, 'wal', 'push', file, env=env, cwd=path('.'), **more)
    for leave in (300_000, 5000, 0):
        disk.fill(leave)
        done = push()
        label = 'a segment with %d bytes left' % leave
        fact(0 < done.code < 126, label + ': is not acknowledged, and PostgreSQL tries again', done.all)
        fact('space' in done.errors.lower(), label + ': the message speaks of space', done.errors)
        disk.empty()
        found = [n for _, _, names in os.walk(repo.path + '/wal') for n in names]
        equal([n for n in found if n == os.path.basename(file)], [], label + ': nothing counts as archived')
    push(code=0, why='after space was freed it is archived')
    run(BACKSTAY, 'wal', 'get', os.path.basename(file), path('fetched'), '--system-id', str(walsegment.SYSTEM), '--prefetch', '0', env=env, code=0)
    with open(path('fetched'), 'rb') as f:
        fact(f.read() == walsegment.segment(1), 'and is what it was')


def main():
    source, more = path('source'), path('more')
    os.mkdir(source)
    trees.write(source + '/a', trees.noise(1, 8_000_000))
    trees.many(source + '/many', 300)
    os.mkdir(more)
    for i in range(4):
        trees.write('%s/%d' % (more, i), trees.noise(10 + i, 15_000_000))
    with SmallDisk('disk', 100) as disk:
        repo = Repo.named('disk/repo')
        repo.init()
        first = repo.backup(source)['snapshot_id']
        for leave in (40_000_000, 17_000_000, 300_000, 5000, 0):
            disk.fill(leave)
            done = repo.backstay('backup', more)
            label = 'a backup with %d bytes left' % leave
            fact(done.code not in (0, 3), label + ': fails', done.all)
            fact('space' in done.errors.lower(), label + ': the message speaks of space', done.errors)
            repo.backstay('snapshots', '--no-lock', code=0, why=label + ': can still be looked at')
            disk.empty()
            equal([s['id'] for s in repo.snapshots()], [first], label + ': the old snapshot is there, no other')
            equal(repo.objects('locks'), [], label + ': no lock is left')
            repo.sound(label)
        repo.backstay('restore', first, '--target', path('out'), code=0)
        fact(not (found := trees.compare(path('out') + source, source)), 'the old snapshot restores exactly', '\n'.join(found))
        disk.fill(0)
        repo.backstay('restore', '--no-lock', first, '--target', path('out-2'), code=0, why='a full repository can be restored from')
        disk.empty()
        summary = repo.backup(more)
        fact(summary['snapshot_id'], 'after space was freed the next run succeeds')
        repo.sound('after the next run')
        archiving(repo, disk)
        # prune needs room for what it packs anew, and must say so when there is none
        repo.backstay('forget', first, code=0)
        disk.fill(1000)
        done = repo.backstay('prune', '--max-unused', '0')
        disk.empty()
        repo.sound('a prune on a full disk (status %d)' % done.code)
        repo.backstay('prune', '--max-unused', '0', code=0)
        repo.sound('a prune after space was freed')
        with SmallDisk('target', 20) as target:
            done = repo.backstay('restore', 'latest', '--target', target.dir)
            fact(done.code not in (0,) and 'space' in done.errors.lower(), 'a restore to a full disk fails and says why', done.all)
    finish()


main()
