#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""Both programs back up, tag, forget, prune and rebuild the index in turn on one repository."""
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import QUICK, Repo, equal, fact, finish, path, say

ROUNDS = 6 if QUICK else 16


def change(source, rng, n):
    """A few files come, go and change, so that old packs hold a mixture of used and unused blobs."""
    names = sorted(os.listdir(source + '/docs'))
    for name in rng.sample([x for x in names if x.startswith('f')], 5):
        os.unlink(source + '/docs/' + name)
    for i in range(12):
        trees.write('%s/docs/f-%d-%d' % (source, n, i), trees.words(rng.randrange(10**9), rng.randrange(1, 200_000)))
    trees.write(source + '/big.bin', trees.noise(rng.randrange(10**9), 2_500_000))


def main():
    rng = random.Random(20)
    source = path('source')
    trees.everything(source, big=1_000_000)
    for kind, repo in (('ours first', Repo.named('ours')), ('restic first', Repo.named('theirs'))):
        (repo.backstay if kind == 'ours first' else repo.restic)('init', code=0)
        repo.cheapen()
        states = {}
        for n in range(ROUNDS):
            change(source, rng, n)
            program, name = rng.choice([(repo.backstay, 'we'), (repo.restic, 'restic')])
            program('backup', source, '--host', 'h', '--tag', 'round%d' % n, code=0)
            newest = max(repo.snapshots(), key=lambda s: s['time'])['id']
            states[newest] = trees.describe(source)
            if n % 3 == 2:
                program, name = rng.choice([(repo.backstay, 'we'), (repo.restic, 'restic')])
                keep = ['--keep-last', str(rng.randint(2, 3)), '--group-by', 'host']
                say(name, 'forget and prune')
                program('forget', *keep, '--prune', code=0)
                left = {s['id'] for s in repo.snapshots()}
                equal(len(left), int(keep[1]), '%s: %d snapshots are kept' % (kind, int(keep[1])))
                states = {k: v for k, v in states.items() if k in left}
                repo.sound('%s, round %d, after prune by %s' % (kind, n, name))
            if n % 5 == 4:
                program, verb = rng.choice([(repo.backstay, ['repair', 'index']), (repo.restic, ['rebuild-index'])])
                program(*verb, code=0)
        repo.sound(kind + ', at the end')
        for snapshot, want in states.items():
            for program, name in ((repo.backstay, 'we'), (repo.restic, 'restic')):
                program('restore', snapshot, '--target', path('out'), code=0)
                found = trees.differences(trees.describe(path('out') + source), want)
                fact(not found, '%s: %s restore %s exactly' % (kind, name, snapshot[:8]), '\n'.join(found))
                shutil.rmtree(path('out'), ignore_errors=True)
    finish()


main()
