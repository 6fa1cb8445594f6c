#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Volumes under load: frozen while they are read, or cloned in a moment; thawed in any case; the image is sound and holds the files of then."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from loop import Loops
from scenario import BACKSTAY, FAILED, Repo, equal, fact, finish, path

MIB = 1 << 20


class Writer(threading.Thread):
    """Appends numbered lines, each synced: what was synced before a backup began has to be in it."""

    def __init__(self, directory):
        super().__init__(daemon=True)
        self.file = directory + '/log'
        self.stopped, self.synced = threading.Event(), 0

    def run(self):
        with open(self.file, 'ab', buffering=0) as f:
            for n in range(1, 1 << 30):
                f.write(b'%08d\n' % n)
                os.fsync(f.fileno())
                self.synced = n
                junk = '%s.%d' % (self.file, n % 50)
                with open(junk, 'wb') as g:
                    g.write(os.urandom(20000))
                if n % 50 > 25:
                    os.unlink(junk)
                if self.stopped.wait(.002):
                    return


def is_thawed(where, label, seconds=60):
    """Whether somebody can write; a frozen one is thawed afterwards, or the scenario would never end."""
    done = threading.Event()

    def touch():
        with open(where + '/touched', 'wb') as f:
            os.fsync(f.fileno())
        done.set()
    threading.Thread(target=touch, daemon=True).start()
    if not fact(done.wait(seconds), label + ': the file system is thawed'):
        subprocess.run(['fsfreeze', '--unfreeze', where], check=False)


def make(name, fs, size):
    file = path(name)
    with open(file, 'wb') as f:
        f.truncate(size)
    subprocess.run(['mkfs.ext4', '-q', '-F', file] if fs == 'ext4' else ['mkfs.xfs', '-q', '-f', file], check=True)
    return file


def judge(repo, summary, fs, synced, label, way):
    """The restored image needs no repair, and the log has all that was synced, in order."""
    image = path('restored-%s.img' % label)
    repo.backstay('restore', summary['snapshot_id'], '--to', 'volume:' + image, '--verify', code=0)
    shown = repo.backstay('ls', '--json', summary['snapshot_id']).lines()
    manifest = [x['path'] for x in shown if x.get('path', '').endswith('/manifest.json')][0]
    told = json.loads(repo.backstay('dump', summary['snapshot_id'], manifest, code=0).out)['consistency']
    equal((told['way'], told['state']), (way, 'consistent'), label + ': the manifest')
    if fs == 'ext4':
        equal(subprocess.run(['fsck.ext4', '-fn', image], check=False, stdout=subprocess.PIPE).returncode, 0, label + ': fsck -fn finds it sound')
    where = loops.mount(loops.attach(image), 'restored-' + label, '-o', 'ro')
    with open(where + '/log', 'rb') as f:
        lines = f.read().split(b'\n')
    fact(len(lines) - 1 >= synced, label + ': what was synced before is there', (len(lines), synced))
    equal(lines[:-1], [b'%08d' % n for n in range(1, len(lines))], label + ': in order')
    loops.unmount(where)
    return told


repo = Repo.named('repo')
repo.init()
loops = Loops()
card = make('card.img', 'ext4', 80 * MIB)
device = loops.attach(card)
where = loops.mount(device, 'mnt')
writer = Writer(where)
writer.start()
while writer.synced < 50:
    time.sleep(.01)

# frozen; twice, for what was read before must not be taken for what is there
for turn in ('first', 'second'):
    synced = writer.synced
    summary = repo.backup('volume:' + device, '--consistency', 'freeze', '--freeze-limit', '5m')
    told = judge(repo, summary, 'ext4', synced, turn, 'freeze')
    fact(told['frozen_ms'] > 0, turn + ': how long others waited', told)
    is_thawed(where, turn)

# whoever ends, and however, others can write again

def children(pid):
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def stopped_while_frozen(*options):
    """A backup that was stopped after it had its guard freeze the file system; (process, guard)."""
    for _ in range(20):
        process = subprocess.Popen([BACKSTAY, '-r', repo.path, 'backup', 'volume:' + device, '--consistency', 'freeze', *options], env=repo.env(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None and not children(process.pid):
            pass
        guards = children(process.pid)
        if guards and process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            for _ in range(200):
                synced = writer.synced
                time.sleep(.3)
                if synced == writer.synced:
                    return process, guards[0]
        process.send_signal(signal.SIGCONT)
        process.wait(120)
    fact(False, 'a backup is caught while it holds the file system')
    sys.exit(1)


before = len(repo.snapshots())
for who, sign, words in (('the program', signal.SIGKILL, ''), ('the program', signal.SIGTERM, 'interrupted'), ('the guard', signal.SIGTERM, 'told to end'),
                         ('the guard', signal.SIGKILL, 'has died'), ('the guard', signal.SIGALRM, '--freeze-limit')):
    label = '%s, %s' % (who, 'time over' if sign == signal.SIGALRM else sign.name)
    process, guard = stopped_while_frozen('--freeze-limit', '5s' if sign == signal.SIGALRM else '10m')
    if sign != signal.SIGALRM:
        os.kill(process.pid if who == 'the program' else guard, sign)
    if who == 'the guard' and sign != signal.SIGKILL:
        is_thawed(where, label + ', and the program does nothing')
    if (who, sign) != ('the program', signal.SIGKILL):
        process.send_signal(signal.SIGCONT)
    errors = process.communicate(timeout=120)[1].decode()
    fact(process.returncode != 0 and words in errors, label + ': it fails, and says why', errors)
    is_thawed(where, label)
equal(len(repo.snapshots()), before, 'none of them left a snapshot')

# somebody else's freeze is not ours to thaw
writer.stopped.set()
writer.join()
subprocess.run(['fsfreeze', '--freeze', where], check=True)
try:
    done = repo.backstay('backup', 'volume:' + device, '--consistency', 'freeze', code=11, why='a file system that is frozen already')
    fact('frozen already' in done.errors, 'is named', done.errors)
finally:
    subprocess.run(['fsfreeze', '--unfreeze', where], check=False)

# where we have to write ourselves
inside = Repo(where + '/repo')
inside.init()
done = inside.backstay('backup', 'volume:' + device, '--consistency', 'freeze', code=FAILED, why='the repository on the volume itself')
fact('must not be frozen' in done.errors, 'is no file system to freeze', done.errors)
is_thawed(where, 'never frozen')
declared = repo.backup('volume:' + device, '--consistency', 'hook')
fact(declared, 'who says that a hook sees to it is believed')
loops.unmount(where)
loops.detach(device)

# on XFS an image is cloned, and others wait for that moment only
big = make('xfs.img', 'xfs', 400 * MIB)
pool = loops.mount(loops.attach(big), 'pool')
inner = pool + '/inner.img'
with open(inner, 'wb') as f:
    f.truncate(60 * MIB)
subprocess.run(['mkfs.ext4', '-q', '-F', inner], check=True)
where = loops.mount(loops.attach(inner), 'inner')
writer = Writer(where)
writer.start()
while writer.synced < 50:
    time.sleep(.01)
synced = writer.synced
summary = repo.backup('volume:' + inner)
judge(repo, summary, 'ext4', synced, 'cloned', 'clone')
is_thawed(where, 'cloned')
writer.stopped.set()
writer.join()
equal(sorted(os.listdir(pool)), ['inner.img'], 'no clone is left behind')
repo.sound('in the end')
finish()
