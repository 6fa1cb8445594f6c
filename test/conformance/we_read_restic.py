#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan
"""We check, list and restore what stock restic wrote just now: every compression, both versions of the format."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import Repo, equal, fact, finish, path


def main():
    source = path('source')
    trees.everything(source)
    for name, init, backup in (('v1', ['--repository-version', '1'], []), ('auto', [], []),
                               ('off', [], ['--compression', 'off']), ('max', [], ['--compression', 'max', '--pack-size', '4'])):
        repo = Repo.named(name)
        repo.restic('init', *init, code=0)
        if name != 'v1':  # which keeps the key that restic made
            repo.cheapen()
        repo.restic('backup', *backup, '--tag', 'x', source, code=0)
        trees.write(source + '/plain.txt', os.urandom(20), mtime=trees.TIME + 10**9)
        repo.restic('backup', *backup, source, code=0)
        for more in ([], ['--read-data']):
            done = repo.backstay('check', '--json', *more, code=0)
            equal(done.messages('error'), [], '%s: check %s finds no error' % (name, ' '.join(more)))
        repo.backstay('restore', 'latest', '--target', path('out-' + name), code=0)
        # restic 0.14 cannot keep a name's bytes in a link target; these are UTF-8
        fact(not (found := trees.compare(path('out-' + name) + source, source)), name + ': our restore is exact',
             '\n'.join(found))
        equal([s['id'] for s in repo.snapshots()], [s['id'] for s in repo.restic('snapshots', '--json').json()],
              name + ': the same snapshots')
        summary = repo.backup(source)
        fact(summary.get('files_unmodified', 0) > 50, name + ": our backup finds restic's parent", summary)
        # restic's own cut points are not ours, but an unchanged file is not read at all
        fact(summary.get('data_added', 1 << 40) < 500_000, name + ': and stores no file again', summary)
        repo.sound(name + ' with snapshots of both')
        repo.restic('restore', 'latest', '--target', path('back-' + name), code=0)
        fact(not (found := trees.compare(path('back-' + name) + source, source)), name + ': restic restores our addition',
             '\n'.join(found))
    finish()


main()
