#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan, tsan
"""Restores: parts of a snapshot, onto what exists, again after an interruption, previewed, verified, by somebody else."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import NOT_EMPTY, Repo, equal, fact, finish, path


def files(root):
    return sorted(os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root) for f in fs)


def parts(repo, source):
    repo.backstay('restore', 'latest:' + source + '/docs', '--target', path('sub'), code=0)
    fact('f000' in files(path('sub')) and 'deep/copy.bin' in files(path('sub')), 'SNAPSHOT:PATH restores below that path', files(path('sub'))[:5])
    repo.backstay('restore', 'latest', '--target', path('inc'), '--include', source + '/docs/f01*', code=0)
    equal(len(files(path('inc'))), 10, '--include restores what matches')
    repo.backstay('restore', 'latest', '--target', path('exc'), '--exclude', 'docs', '--exclude', '*.bin', code=0)
    left = files(path('exc') + source)
    fact(left and not [f for f in left if f.startswith('docs') or f.endswith('.bin')], '--exclude leaves out what matches', left[:5])
    repo.backstay('restore', 'latest:/no/such', '--target', path('none'), code=1)
    done = repo.backstay('restore', 'latest', '--target', path('preview'), '--dry-run', code=0)
    fact(not os.path.exists(path('preview')) or not files(path('preview')), '--dry-run writes nothing', done.all)


def onto_existing(repo, source):
    target = path('existing')
    repo.backstay('restore', 'latest', '--target', target, code=0)
    inside = target + source
    trees.write(inside + '/plain.txt', b'something else, and longer\n')
    with open(inside + '/big.bin', 'r+b') as f:
        f.seek(1000)
        f.write(b'damage')
    os.utime(inside + '/big.bin', ns=(trees.TIME, trees.TIME))
    os.truncate(inside + '/text.txt', 17)
    os.unlink(inside + '/docs/f000')
    trees.write(inside + '/own', b'not in the snapshot\n')
    shutil.rmtree(inside + '/empty')
    trees.write(inside + '/empty', b'a file where a directory was\n')
    os.unlink(inside + '/xattr')
    os.mkdir(inside + '/xattr')
    os.unlink(inside + '/links/rel')
    trees.write(inside + '/links/rel', b'a file where a link was\n')
    repo.backstay('restore', 'latest', '--target', target, code=0)
    found = trees.differences(trees.describe(inside), trees.describe(source), (b'own', b''))
    fact(not found, 'a restore onto what exists ends with what the snapshot holds', '\n'.join(found))
    fact(os.path.exists(inside + '/own'), 'and leaves what the snapshot does not know')
    repo.backstay('restore', 'latest', '--target', target, '--overwrite', 'never', code=0)
    trees.write(inside + '/plain.txt', b'mine\n')
    repo.backstay('restore', 'latest', '--target', target, '--overwrite', 'never', code=0)
    with open(inside + '/plain.txt', 'rb') as f:
        equal(f.read(), b'mine\n', '--overwrite never keeps what is there')
    before = trees.describe(target)
    repo.backstay('restore', 'latest', '--target', target, '--overwrite', 'refuse', code=NOT_EMPTY, why='--overwrite refuse is for empty directories')
    fact(not trees.differences(before, trees.describe(target)), 'and changes nothing in another')
    repo.backstay('restore', 'latest', '--target', path('empty-%s' % os.path.basename(target)), '--overwrite', 'refuse', code=0, why='into one that is not there it restores')
    beside = os.path.dirname(inside) + '/beside'
    trees.write(beside, b'nobody saved it\n')
    repo.backstay('restore', 'latest', '--target', target, '--delete', code=0)
    fact(os.path.exists(beside), '--delete leaves what lies beside the saved path')
    os.unlink(beside)
    fact(not (found := trees.compare(inside, source)), '--delete removes what the snapshot does not know', '\n'.join(found))
    repo.backstay('restore', 'latest:' + source + '/plain.txt', '--target', inside, '--delete', code=0)
    fact(not (found := trees.compare(inside, source, (b'',))), '--delete with a single file leaves the others alone', '\n'.join(found))


def verified(repo, source):
    repo.backstay('restore', 'latest', '--target', path('verified'), '--verify', code=0)
    fact(not (found := trees.compare(path('verified') + source, source)), '--verify restores as well', '\n'.join(found))
    st = os.stat(path('verified') + source + '/sparse.bin')
    repo.backstay('restore', 'latest', '--target', path('sparse'), '--sparse', code=0)
    sparse = os.stat(path('sparse') + source + '/sparse.bin')
    fact(sparse.st_blocks < 4_000 and sparse.st_size == st.st_size, '--sparse makes holes', sparse.st_blocks)
    fact(not (found := trees.compare(path('sparse') + source, source)), '--sparse restores the same', '\n'.join(found))


def as_nobody(repo, source):
    """Owners cannot be kept, contents can."""
    target = path('nobody')
    os.mkdir(target)
    os.chown(target, 65534, 65534)
    os.makedirs(path('cache-nobody'), exist_ok=True)
    os.chown(path('cache-nobody'), 65534, 65534)
    for d, _, fs in os.walk(repo.path):
        os.chmod(d, 0o755)
        for f in fs:
            os.chmod(os.path.join(d, f), 0o644)
    done = repo.backstay('restore', 'latest', '--target', target, '--no-lock',
                         prefix=['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'],
                         env={'BACKSTAY_CACHE_DIR': path('cache-nobody'), 'XDG_CACHE_HOME': path('cache-nobody'), 'HOME': '/'})
    fact(done.code in (0, 1, 3), 'a restore by somebody else ends', done.all)
    found = [d for d in trees.differences(trees.describe(target + source), trees.describe(source), ('owner', 'mode', 'xattrs', 'mtime'))
             if 'special/' not in d and 'modes/' not in d]
    fact(not found, 'and gives back all contents', '\n'.join(found))


def streams(repo):
    text = trees.words(3, 5_000_000)
    done = repo.backstay('backup', '--json', '--stdin', '--stdin-filename', 'db/today.sql', input=text, code=0)
    snapshot = done.summary()['snapshot_id']
    fact(repo.restic('dump', snapshot, '/db/today.sql', code=0).out == text, 'what came from standard input is kept')
    fact(repo.backstay('dump', snapshot, '/db/today.sql', code=0).out == text, 'and dumped')
    repo.backstay('backup', '--stdin-from-command', '--stdin-filename', 'x', '--', 'sh', '-c', 'echo hello', code=0)
    before = len(repo.snapshots())
    done = repo.backstay('backup', '--stdin-from-command', '--stdin-filename', 'x', '--', 'sh', '-c', 'echo half; exit 7')
    fact(done.code not in (0, 3), 'a command that fails makes the backup fail', done.all)
    equal(len(repo.snapshots()), before, 'and no snapshot')


def main():
    source = path('source')
    trees.everything(source)
    repo = Repo.named('repo')
    repo.init()
    repo.backup(source)
    parts(repo, source)
    onto_existing(repo, source)
    verified(repo, source)
    streams(repo)
    repo.backup(source)
    as_nobody(repo, source)
    finish()


main()
