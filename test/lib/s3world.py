# SPDX-License-Identifier: Apache-2.0
"""A small repository in a bucket, in as many copies as a test has commands to run in it at once, and the truth about what
became of each: read over a clean connection, by what lies there and not by what a program says."""
import hashlib
import os
import queue
import shutil
import subprocess
import time

import trees
from s3 import S3Repo
from scenario import BACKSTAY, PASSWORD, Repo, path
from writer import Writer

BUCKET = 'world'
PATIENCE = 300  # seconds: what takes longer hangs, also on a slow and busy machine


class Outcome:
    """What a command said, and in wrong what is not as it should be."""

    def __init__(self):
        self.code, self.err, self.out, self.seconds, self.wrong = None, '', b'', 0.0, []


def quiet(argv, env, prefix=()):
    """Like scenario.run(), but nothing is printed, so that several may run at once."""
    done, started = Outcome(), time.monotonic()
    try:
        process = subprocess.run([*prefix, *argv], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 timeout=PATIENCE, check=False)
        done.code, done.err, done.out = process.returncode, process.stderr.decode(errors='replace'), process.stdout
    except subprocess.TimeoutExpired as e:
        done.code, done.err = 124, (e.stderr or b'').decode(errors='replace')
        done.wrong.append('it did not end within %d s' % PATIENCE)
    done.seconds = time.monotonic() - started
    return done


class World:
    """Two snapshots and something to prune; the source has changed since the second."""

    def __init__(self, server):
        self.server, self.source, self.states = server, path('source'), {}
        server.make_bucket(BUCKET)
        local = Repo.named('local')
        Writer(local.path, PASSWORD)  # a key that costs next to nothing
        for state in range(2):
            self.change(state)
            local.backstay('backup', self.source, code=0)
            for s in local.snapshots():
                self.states.setdefault(s['id'], trees.describe(self.source))
        self.junk_index = self.add_junk(local)
        self.change(2)
        self.now = trees.describe(self.source)
        self.base = {}
        for where, _, names in os.walk(local.path):
            for name in names:
                with open(os.path.join(where, name), 'rb') as f:
                    self.base[os.path.relpath(f.name, local.path)] = f.read()
        self.opened = {n: data for n, data in self.base.items() if n == 'config' or n.startswith('keys/')}
        self.places = queue.SimpleQueue()
        self.made = 0

    def change(self, state):
        """The source as it is backed up next."""
        os.makedirs(self.source + '/sub', exist_ok=True)
        trees.write(self.source + '/large', trees.noise(state, 90_000))
        trees.write(self.source + '/same', trees.noise(99, 50_000))
        for i in range(3):
            trees.write('%s/sub/%d' % (self.source, i), trees.words(state * 10 + i, 3000))

    @staticmethod
    def add_junk(local):
        """What only a snapshot needed that is forgotten; its index object."""
        trees.write(path('junk'), trees.noise(7, 60_000))
        indexed, known = local.objects('index'), local.objects('snapshots')
        local.backstay('backup', path('junk'), code=0)
        local.backstay('forget', *set(local.objects('snapshots')) - set(known), code=0)
        return next(n for n in local.objects('index') if n not in indexed)

    def place(self):
        """One in which nobody works; it is given back with places.put()."""
        try:
            return self.places.get_nowait()
        except queue.Empty:
            self.made += 1
            return Place(self, 'place%d' % self.made)


class Place:
    """The repository of one command, and for `copy` the one that it reads; directories for cache, state and restores."""

    def __init__(self, world, prefix):
        self.world, self.prefix, self.dir = world, prefix, path(prefix)
        self.truth, self.origin = self.repo(), self.repo('-from')

    def repo(self, suffix='', through=None):
        return S3Repo(self.world.server, BUCKET, self.prefix + suffix, through=through)

    # ---- what lies there ----

    def lay(self, command):
        """As it is before a command: only what differs is written."""
        self.want = {'': {'init': {}, 'copy': self.world.opened}.get(command, self.world.base),
                     '-from': self.world.base if command == 'copy' else {}}
        for suffix, want in self.want.items():
            start, there = self.prefix + suffix + '/', self.lies(suffix)
            right = {name: hashlib.md5(data).hexdigest() for name, data in want.items()}
            self.world.server.remove_all(BUCKET, [start + n for n, tag in there.items() if right.get(n) != tag])
            for name in want:
                if there.get(name) != right[name]:
                    self.world.server.put(BUCKET, start + name, want[name])
        shutil.rmtree(self.dir, ignore_errors=True)
        os.mkdir(self.dir)

    def lies(self, suffix=''):
        """name -> MD5"""
        start = self.prefix + suffix + '/'
        return {k[len(start):]: tag for k, tag in self.world.server.etags(BUCKET, start).items()}

    def is_unchanged(self, suffix=''):
        """Locks aside."""
        there = {n: tag for n, tag in self.lies(suffix).items() if not n.startswith('locks/')}
        return there == {n: hashlib.md5(data).hexdigest() for n, data in self.want[suffix].items()}

    def snapshots(self):
        return {n.partition('/')[2] for n in self.lies() if n.startswith('snapshots/')}

    # ---- running ----

    def env(self, machine=''):
        """Of a machine of its own: the copies are one repository by their id, and what is known of a lock goes by that."""
        return {'BACKSTAY_CACHE_DIR': self.dir + '/cache' + machine, 'BACKSTAY_STATE_DIR': self.dir + '/state' + machine}

    def call(self, command, endpoint=None, **env):
        """Words and environment of a command."""
        repo = self.repo(through=endpoint)
        words = {'init': ['init'], 'backup': ['backup', self.world.source], 'check': ['check', '--read-data'],
                 'prune': ['prune', '--max-unused', '0'], 'restore': ['restore', 'latest', '--target', self.dir + '/out'],
                 'copy': ['copy'], 'forget': ['forget', next(iter(self.world.states))]}[command]
        if command == 'copy':
            env = {'RESTIC_FROM_REPOSITORY': self.repo('-from', endpoint).path, 'RESTIC_FROM_PASSWORD': PASSWORD, **env}
        return [BACKSTAY, '-r', repo.path, *words], repo.env(**{**self.env(), **env})

    def run(self, command, endpoint=None, prefix=(), **env):
        return quiet(*self.call(command, endpoint, **env), prefix)

    def clean(self, *argv, machine=''):
        """Behind the back of whatever is between. machine: another one, which knows nothing of this one."""
        return quiet([BACKSTAY, '-r', self.truth.path, *argv, '--no-cache'], self.truth.env(**self.env(machine)))

    # ---- the truth ----

    def judge(self, command, done):
        """What is not as it should be goes to done.wrong."""
        getattr(self, 'judge_' + command)(done)

    def judge_soundness(self, done):
        found = self.clean('check', '--read-data')
        if found.code:
            done.wrong.append('the repository is not sound (status %d): %s' % (found.code, found.err[-600:]))
        return not found.code

    def judge_restored(self, done, snapshot, want):
        target = self.dir + '/proof'
        found = self.clean('restore', snapshot, '--target', target)
        if found.code:
            done.wrong.append('the snapshot cannot be restored: %s' % found.err[-600:])
        elif differences := trees.differences(trees.describe(target + self.world.source), want):
            done.wrong.append('the snapshot restores to something else: %s' % '; '.join(differences))

    def judge_init(self, done):
        opens = self.clean('cat', 'config').code == 0
        if done.code == 0 and not opens:
            done.wrong.append('there is no repository')
        if opens or not self.lies():
            return
        again = self.clean('init')
        if again.code and not any(w in again.err for w in ('keys/ is not empty', 'config exists')):
            done.wrong.append('it cannot be tried again: ' + again.err[-600:])
        if not again.code and self.clean('cat', 'config').code:
            done.wrong.append('tried again it says that all is well, and there is no repository')

    def judge_backup(self, done):
        if self.is_unchanged():
            if done.code == 0:
                done.wrong.append('nothing was saved')
            return
        found = self.snapshots()
        new = found - set(self.world.states)
        if set(self.world.states) - found:
            done.wrong.append('an old snapshot is gone')
        if done.code == 0 and len(new) != 1:
            done.wrong.append('%d new snapshots' % len(new))
        if self.judge_soundness(done) and new and done.code == 0:
            self.judge_restored(done, new.pop(), self.world.now)

    def judge_check(self, done):
        if not self.is_unchanged():
            done.wrong.append('what only reads changed something')

    def judge_prune(self, done):
        if self.is_unchanged():
            return
        if self.snapshots() != set(self.world.states):
            done.wrong.append('a snapshot is gone')
        self.judge_soundness(done)

    def judge_restore(self, done):
        self.judge_check(done)
        if done.code == 0:
            out = trees.describe(self.dir + '/out' + self.world.source)
            older, newest = (trees.differences(out, state) for state in self.world.states.values())
            # the latest is the newest that can be read; which cannot is said
            if newest and (older or 'snapshot cannot be read' not in done.err):
                done.wrong.append('not what was backed up: ' + '; '.join(newest))

    def judge_copy(self, done):
        if not self.is_unchanged('-from'):
            done.wrong.append('the source was changed')
        found = self.snapshots()
        if done.code == 0 and len(found) != len(self.world.states):
            done.wrong.append('%d snapshots of %d' % (len(found), len(self.world.states)))
        if not self.is_unchanged() and self.judge_soundness(done) and found and done.code == 0:
            self.judge_restored(done, 'latest', list(self.world.states.values())[-1])
