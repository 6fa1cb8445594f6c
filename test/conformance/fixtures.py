#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan
"""Every fixture repository: sound, its snapshots as its manifest says, restored to the byte and the nanosecond."""
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import compare_manifest
import trees
from scenario import FIXTURES, Repo, environment, equal, fact, finish, path, run, BACKSTAY


def one(name, manifest):
    repo = Repo.fixture(name)
    before = {f: (st.st_size, st.st_mtime_ns) for f, st in files(repo.path)}
    for more in ([], ['--read-data']):
        done = repo.backstay('check', '--json', *more, code=0)
        label = '%s: check %s' % (name, ' '.join(more))
        equal(done.messages('error'), [], label + 'finds no error')
        equal({h['code'] for h in done.messages('hint')}, set(manifest['check']['hints']), label + ' gives the known hints')
    listed = {s['id']: s for s in repo.snapshots()}
    equal(set(listed), {s['id'] for s in manifest['snapshots']}, name + ': the snapshots are listed')
    for snapshot in manifest['snapshots']:
        short = '%s %s' % (name, snapshot['id'][:8])
        # restic lists the paths sorted, whatever the order in the object
        equal(sorted(listed.get(snapshot['id'], {}).get('paths', [])), sorted(snapshot['snapshot']['paths']), short + ': paths')
        for field in ('tree', 'hostname', 'username', 'tags', 'original', 'parent'):
            equal(listed.get(snapshot['id'], {}).get(field), snapshot['snapshot'].get(field), '%s: %s' % (short, field))
        target = path('out')
        repo.backstay('restore', snapshot['id'][:8], '--target', target, code=0)
        found = compare_manifest.differences(manifest, snapshot['id'], target)
        fact(not found, short + ': the restore is exact', '\n'.join(found))
        shutil.rmtree(target, ignore_errors=True)
    after = {f: (st.st_size, st.st_mtime_ns) for f, st in files(repo.path)}
    equal(after, before, name + ': looking changed nothing in the repository')
    return repo


def files(root):
    for d, _, names in os.walk(root):
        for n in names:
            yield os.path.join(d, n), os.lstat(os.path.join(d, n))


def added_to(name, repo):
    """A writer of ours beside the old objects, in the repository's own version."""
    source = path('addition')
    if not os.path.exists(source):
        trees.everything(source, big=300_000)
    repo.backup(source)
    repo.sound(name + ' with our addition')
    repo.restic('restore', 'latest', '--target', path('out'), code=0)
    fact(not (found := trees.compare(path('out') + source, source)), name + ': restic restores our addition', '\n'.join(found))
    shutil.rmtree(path('out'), ignore_errors=True)
    version = repo.backstay('cat', 'config', code=0).json()['version']
    equal(version, int(compare_manifest.load(os.path.join(FIXTURES, name + '.manifest.json'))['config']['version']),
          name + ': the version of the repository stays')


def main():
    for found in sorted(glob.glob(FIXTURES + '/*.manifest.json')):
        name = os.path.basename(found)[:-len('.manifest.json')]
        manifest = compare_manifest.load(found)
        repo = one(name, manifest)
        for password in manifest['passwords']:
            run(BACKSTAY, '-r', repo.path, 'snapshots', env=environment(password), code=0)
        added_to(name, repo)
        if name == 'v2-foreign':
            for stray in ('wal/1/000000010000000000000042', 'README', 'tmp/leftover', 'data/stray', 'keys/.gitkeep'):
                fact(os.path.exists(os.path.join(repo.path, stray)), 'v2-foreign: %s is left alone' % stray)
    vectors = Repo.fixture('v2-vectors')
    vectors.sound('v2-vectors')
    finish()


main()
