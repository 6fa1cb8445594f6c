#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Images on btrfs under load: several in one subvolume are of one instant; snapshots are gone however a run ends, and nothing else is."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from loop import Loops
from scenario import BACKSTAY, Repo, equal, fact, finish, path

MIB = 1 << 20
PREFIX = '.backstay-snapshot-'


class Writer(threading.Thread):
    """A line into each image in turn, each synced: at every instant the first is as far as the second, or one line ahead."""

    def __init__(self, directories):
        super().__init__(daemon=True)
        self.files = [directory + '/log' for directory in directories]
        self.stopped, self.synced = threading.Event(), 0

    def run(self):
        opened = [open(file, 'ab', buffering=0) for file in self.files]
        for n in range(1, 1 << 30):
            for f in opened:
                f.write(b'%08d\n' % n)
                os.fsync(f.fileno())
            self.synced = n
            if self.stopped.wait(.005):
                break
        for f in opened:
            f.close()


def ext4(file):
    with open(file, 'ab') as f:
        f.truncate(48 * MIB)
    subprocess.run(['mkfs.ext4', '-q', '-F', file], check=True)
    return file


def snapshots_in(directory):
    return sorted(x for x in os.listdir(directory) if x.startswith(PREFIX))


def consistency(repo, snapshot):
    shown = repo.backstay('ls', '--json', snapshot).lines()
    manifest = [x['path'] for x in shown if x.get('path', '').endswith('/manifest.json')][0]
    told = repo.backstay('dump', snapshot, manifest, code=0).json()['consistency']
    return told['way'], told['state']


def lines_of(repo, snapshot, label):
    """How many lines the log in the image has; it needs no repair."""
    image = path('restored-%s.img' % label)
    repo.backstay('restore', snapshot, '--to', 'volume:' + image, '--verify', code=0)
    equal(subprocess.run(['fsck.ext4', '-fn', image], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode, 0,
          label + ': fsck -fn finds it sound')
    where = loops.mount(loops.attach(image), 'restored-' + label, '-o', 'ro')
    with open(where + '/log', 'rb') as f:
        lines = f.read().split(b'\n')[:-1]
    loops.unmount(where)
    equal(lines, [b'%08d' % n for n in range(1, len(lines) + 1)], label + ': every line, in order')
    return len(lines)


def fill():
    """New content, so that a backup of it takes its time."""
    for file in raw:
        with open(file, 'wb') as f:
            f.write(os.urandom(4 * MIB))


def begin(repo):
    """A slow backup of both, when its snapshot is there."""
    fill()
    before = snapshots_in(pool)
    process = subprocess.Popen([BACKSTAY, '-r', repo.path, '--limit-upload', '100', 'backup', *('volume:' + x for x in raw)], env=repo.env(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(6000):
        if process.poll() is not None or set(snapshots_in(pool)) - set(before):
            break
        time.sleep(.01)
    fact(process.poll() is None, 'a backup is under way, and its snapshot is there')
    return process


repo = Repo.named('repo')
repo.init()
loops = Loops()
disk = path('disk.img')
with open(disk, 'wb') as f:
    f.truncate(600 * MIB)
subprocess.run(['mkfs.btrfs', '-q', disk], check=True)
top = loops.mount(loops.attach(disk), 'top')
pool = top + '/pool'
subprocess.run(['btrfs', '-q', 'subvolume', 'create', pool], check=True, stdout=subprocess.DEVNULL)
os.mkdir(pool + '/vm')
images = [ext4(pool + '/a.img'), ext4(pool + '/vm/b.img')]
mounts = [loops.mount(loops.attach(image), 'inner%d' % n) for n, image in enumerate(images)]
operands = ['volume:' + image for image in images]
writer = Writer(mounts)
writer.start()
while writer.synced < 20:
    time.sleep(.01)

# both of one instant, though they are read one after the other
for turn in ('first', 'second'):
    synced = writer.synced
    done = repo.backstay('backup', '--json', *operands, code=0)
    ids = [x['snapshot_id'] for x in done.messages('summary')]
    equal([consistency(repo, x) for x in ids], [('snapshot', 'consistent')] * 2, turn + ': the manifests')
    a, b = (lines_of(repo, x, '%s-%d' % (turn, n)) for n, x in enumerate(ids))
    fact(b >= synced and a - b in (0, 1), turn + ': the images are of one instant', (synced, a, b))
    equal(snapshots_in(pool), [], turn + ': the snapshot is gone')

# one by itself is cloned, and so it is beside one in another subvolume
other = top + '/other'
subprocess.run(['btrfs', '-q', 'subvolume', 'create', other], check=True, stdout=subprocess.DEVNULL)
far = ext4(other + '/far.img')
done = repo.backstay('backup', '--json', operands[0], 'volume:' + far, code=0)
equal([consistency(repo, x['snapshot_id'])[0] for x in done.messages('summary')], ['clone', 'unused'], 'alone in its subvolume: cloned')

# but not when it was made to be overwritten in place
fixed = pool + '/nocow.img'
with open(fixed, 'wb'):
    subprocess.run(['chattr', '+C', fixed], check=True)
inner = loops.mount(loops.attach(ext4(fixed)), 'inner-nocow')
with open(inner + '/log', 'w', encoding='ascii') as f:
    f.write('00000001\n')
summary = repo.backup('volume:' + fixed)
equal(consistency(repo, summary['snapshot_id']), ('snapshot', 'consistent'), 'an image with chattr +C: a snapshot')
equal(lines_of(repo, summary['snapshot_id'], 'nocow'), 1, 'of now')

# whose writer is no file system is of one instant all the same, and it is said what that means
raw = [pool + '/raw%d.img' % n for n in range(2)]
fill()
held = [open(file, 'r+b') for file in raw]
done = repo.backstay('backup', '--json', *('volume:' + x for x in raw), code=0)
equal([consistency(repo, x['snapshot_id']) for x in done.messages('summary')], [('snapshot', 'crash-consistent')] * 2, 'a program writes to them')
fact('crash-consistent' in done.errors, 'which is told', done.errors)
for f in held:
    f.close()

# told to end: the snapshot goes; killed: the next run removes it, and nothing that only looks like it
process = begin(repo)
process.send_signal(signal.SIGTERM)
process.wait(120)
equal(snapshots_in(pool), [], 'told to end: the snapshot is gone')
process = begin(repo)
process.kill()
process.wait(120)
left = snapshots_in(pool)
equal(len(left), 1, 'killed: it is left')
for command in (['create', pool + '/' + PREFIX + '0123456789abcdef'], ['snapshot', '-r', pool, pool + '/' + PREFIX + 'mine'],
                ['snapshot', '-r', pool, pool + '/daily']):
    subprocess.run(['btrfs', '-q', 'subvolume', *command], check=True, stdout=subprocess.DEVNULL)
os.mkdir(pool + '/' + PREFIX + 'fedcba9876543210')
process = begin(repo)
fact(left[0] not in snapshots_in(pool), 'the next run removes what was left', snapshots_in(pool))
repo.backstay('backup', *operands, code=0)
fact(process.poll() is None and len(snapshots_in(pool)) == 4, 'but not what somebody reads', snapshots_in(pool))
process.send_signal(signal.SIGTERM)
process.wait(120)
equal(snapshots_in(pool), [PREFIX + '0123456789abcdef', PREFIX + 'fedcba9876543210', PREFIX + 'mine'],
      'nor what can be written to, is a directory, or has another name')
fact(os.path.isdir(pool + '/daily'), 'nor anybody else\'s snapshots')

writer.stopped.set()
writer.join()
for where in reversed(mounts + [inner]):
    loops.unmount(where)
repo.sound('in the end')
finish()
