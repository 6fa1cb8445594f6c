#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=2700
"""SIGKILL at a random moment of backup, forget, prune and copy: the repository stays sound, every snapshot restores,
and the next command goes on without an unlock by hand. KILLS says how often (100, 8 in quick)."""
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import BACKSTAY, QUICK, Repo, equal, fact, finish, path, say

KILLS = int(os.environ.get('KILLS', '8' if QUICK else '100'))
rng = random.Random(int(os.environ.get('SEED', '0')) or None)


def killed(repo, argv, expected_seconds, env):
    """(Whether it was still running when the signal came, how many seconds it takes as far as this run tells.)"""
    started = time.monotonic()
    process = subprocess.Popen([BACKSTAY, '-r', repo.path, *argv], env=env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    pause = rng.uniform(0, 1.1 * expected_seconds)
    try:
        process.wait(timeout=pause)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        say('killed %s after %.0f ms' % (argv[0], pause * 1000))
        return True, max(expected_seconds, pause)
    seconds = time.monotonic() - started
    say('%s ended after %.0f ms, before its signal' % (argv[0], seconds * 1000))
    return False, seconds


class Story:
    """A source that changes, its repository, and what each snapshot must give back."""

    def __init__(self):
        self.source = path('source')
        trees.everything(self.source, devices=False, big=4_000_000)
        trees.many(self.source + '/many', 1200, size=8000)
        self.repo, self.mirror = Repo.named('repo'), Repo.named('mirror')
        self.states, self.round = {}, 0
        for repo in (self.repo, self.mirror):
            repo.init()

    def change(self):
        self.round += 1
        for i in range(6):
            trees.write('%s/docs/n%d' % (self.source, i), trees.noise(self.round * 100 + i, 700_000))
        trees.write(self.source + '/text.txt', trees.words(self.round, 3_000_000))
        for f in rng.sample(sorted(os.listdir(self.source + '/many')), 3):
            for name in os.listdir(self.source + '/many/' + f)[:40]:
                trees.write('%s/many/%s/%s' % (self.source, f, name), b'round %d\n' % self.round * 50)

    def remember(self):
        known = set(self.states)
        for s in self.repo.snapshots():
            if s['id'] not in known:
                self.states[s['id']] = trees.describe(self.source)

    def verify(self, repo, what, restore):
        ids = {s['id'] for s in repo.snapshots()}
        done = repo.backstay('check', '--json', *(['--read-data'] if restore else []))
        fact(done.code == 0 and not done.messages('error'), what + ': check is clean, without an unlock by hand', done.all)
        if not restore:
            return ids
        theirs = repo.restic('check', '--read-data')
        fact(theirs.code == 0, what + ': restic agrees', theirs.all)
        chosen = rng.choice(sorted(ids)) if ids else None
        if chosen:
            repo.backstay('restore', chosen, '--target', path('out'), code=0)
            original = next((s.get('original') for s in repo.snapshots() if s['id'] == chosen), None)
            want = self.states.get(chosen) or self.states.get(original)
            if want:
                found = trees.differences(trees.describe(path('out') + self.source), want)
                fact(not found, '%s: snapshot %s restores exactly' % (what, chosen[:8]), '\n'.join(found))
            shutil.rmtree(path('out'), ignore_errors=True)
        return ids


def timed(repo, *argv, **options):
    return repo.backstay(*argv, code=0, **options).seconds


def main():
    story = Story()
    source, repo, mirror = story.source, story.repo, story.mirror
    env = repo.env()
    copy_env = repo.env(RESTIC_FROM_REPOSITORY=repo.path, RESTIC_FROM_PASSWORD=repo.password)
    # how long each takes when nobody interrupts it
    seconds = {'backup': timed(repo, 'backup', source)}
    story.remember()
    story.change()
    seconds['backup'] = (seconds['backup'] + timed(repo, 'backup', source)) / 2
    story.remember()
    seconds['copy'] = timed(mirror, 'copy', env=copy_env)
    seconds['prune'] = timed(repo, 'prune') + 0.2
    seconds['forget'] = timed(repo, 'forget', '--keep-last', '9') + seconds['prune']
    hits = 0
    for n in range(KILLS):
        kind = ('backup', 'prune', 'forget', 'copy', 'backup')[n % 5]
        what = '%s %d' % (kind, n + 1)
        if kind != 'copy':
            story.change()
        if kind in ('prune', 'forget'):
            # something to forget and to throw away
            repo.backstay('backup', source, code=0)
            story.remember()
            if kind == 'prune':
                repo.backstay('forget', '--keep-last', '2', '--group-by', '', code=0)
        before = {s['id'] for s in repo.snapshots()}
        argv = {'backup': ['backup', source], 'prune': ['prune', '--max-unused', '0'],
                'forget': ['forget', '--keep-last', '2', '--group-by', '', '--prune', '--max-unused', '0'],
                'copy': ['copy']}[kind]
        started = time.monotonic()
        # a run that ended before its signal tells how quick this machine is now: the next is aimed at by that
        met, seconds[kind] = killed(mirror if kind == 'copy' else repo, argv, seconds[kind],
                                    copy_env if kind == 'copy' else env)
        hits += met
        full = n % 5 == 4 or QUICK
        after = story.verify(mirror if kind == 'copy' else repo, what, restore=full)
        if kind == 'backup':
            fact(before <= after, what + ': no snapshot is lost')
            story.remember()
        if kind == 'prune':
            equal(after, before, what + ': no snapshot is lost')
        if kind == 'forget':
            newest = sorted(repo.snapshots(), key=lambda s: s['time'])
            fact(after <= before and newest, what + ': the kept snapshots are there')
        # the interrupted work is simply started again
        (mirror if kind == 'copy' else repo).backstay(*argv, env=copy_env if kind == 'copy' else None, code=0,
                                                      why=what + ': started again it ends well')
        story.remember()
        say('%.1f s' % (time.monotonic() - started))
    story.verify(repo, 'at the end', restore=True)
    mirror.backstay('copy', env=copy_env, code=0)
    story.verify(mirror, 'the copy at the end', restore=True)
    fact(hits >= (KILLS // 2 if KILLS >= 50 else 1), 'the %d signals met a running process often enough (%d times)' % (KILLS, hits))
    finish()


main()
