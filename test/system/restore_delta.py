#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan, tsan
"""restore --delta: only what differs is fetched, what the snapshot does not have goes last, an interruption is made good by
the next run, and nothing outside of the target is touched."""
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import BACKSTAY, NOT_EMPTY, PARTIAL, QUICK, SANITIZED, Repo, equal, fact, finish, path, run, say, wait_until

LARGE = 8_000_000 if SANITIZED else 40_000_000
KILLS = int(os.environ.get('KILLS', '4' if QUICK or SANITIZED else '25'))
MARK = '.backstay-unfinished'
rng = random.Random(int(os.environ.get('SEED', '0')) or None)


def delta(repo, target, *more, snapshot='latest', code=0, **options):
    return repo.backstay('restore', snapshot, '--target', target, '--delta', '--json', *more, code=code, **options)


def same_tree(got, want, name, ignore=()):
    found = trees.differences(trees.describe(got), trees.describe(want), ignore)
    return fact(not found, name, '\n'.join(found))


def write_at(file, offset, data):
    """And the time as it was, so that only the content tells."""
    st = os.stat(file)
    with open(file, 'r+b') as f:
        f.seek(offset)
        f.write(data)
    os.utime(file, ns=(st.st_atime_ns, st.st_mtime_ns))


def content_size(source):
    """Of every file once, and of none that has no content."""
    seen = {}
    for d, _, names in os.walk(source):
        for n in names:
            st = os.lstat(os.path.join(d, n))
            if os.path.isfile(os.path.join(d, n)) and not os.path.islink(os.path.join(d, n)):
                seen[st.st_ino] = st.st_size
    return sum(seen.values())


def equal_and_nearly(repo, source, target):
    done = delta(repo, target).summary()
    equal(done.get('bytes_same'), 0, 'into an empty directory everything is fetched')
    equal(done.get('bytes_fetched'), content_size(source), 'and that is counted')
    same_tree(target + source, source, 'a delta into an empty directory is a restore')
    done = delta(repo, target).summary()
    equal((done.get('bytes_fetched'), done.get('bytes_same'), done.get('files_deleted')), (0, content_size(source), 0),
          'an equal tree fetches nothing')
    same_tree(target + source, source, 'and stays equal')
    large = target + source + '/large'
    inode = os.stat(large).st_ino
    write_at(large, 5 * 8192, trees.noise(7, 8192))
    preview = delta(repo, target, '--dry-run').summary()
    fact(trees.compare(target + source, source), 'a preview changes nothing')
    done = delta(repo, target, '--verify').summary()
    fact(0 < done.get('bytes_fetched', 0) <= 8 << 20, 'one changed page in a large file fetches one chunk', done)
    equal(preview.get('bytes_fetched'), done.get('bytes_fetched'), 'and the preview has said so')
    equal(os.stat(large).st_ino, inode, 'the file is patched where it lies')
    same_tree(target + source, source, 'and is what it was')
    fact(not os.path.exists(target + '/' + MARK), 'no mark is left')


def changed(target):
    """Everything that may have happened to a directory."""
    os.truncate(target + '/large', LARGE // 2)
    with open(target + '/big.bin', 'ab') as f:
        f.write(b'longer' * 1000)
    trees.write(target + '/plain.txt', b'other\n')
    write_at(target + '/sparse.bin', 1_000_000, b'not a hole')
    os.truncate(target + '/empty.txt', 100)
    os.unlink(target + '/docs/f000')
    shutil.rmtree(target + '/deep')
    trees.write(target + '/deep', b'a file where a directory was\n')
    os.unlink(target + '/text.txt')
    os.makedirs(target + '/text.txt/full')
    trees.write(target + '/text.txt/full/of', b'a full directory where a file was\n')
    os.unlink(target + '/zeros.bin')
    os.symlink('/etc/passwd', target + '/zeros.bin')
    os.unlink(target + '/links/rel')
    trees.write(target + '/links/rel', b'a file where a link was\n')
    os.chmod(target + '/docs/f001', 0o666)
    os.chown(target + '/docs/f002', 1, 1)
    os.setxattr(target + '/docs/f003', b'user.extra', b'x')
    os.setxattr(target + '/docs', b'user.extra', b'x')
    os.removexattr(target + '/xattr', b'user.comment')
    os.utime(target + '/docs/f004', ns=(1, 1))
    os.makedirs(target + '/stranger/deep')
    trees.write(target + '/stranger/deep/er', b'stranger\n')
    trees.write(target + '/docs/stranger', b'stranger\n')
    trees.write(target + '/docs/.backstay-0123456789abcdef-7', b'left by a restore that was killed\n')
    os.symlink('/etc', target + '/docs/link')


def after_changes(repo, source, target):
    beside = os.path.dirname(target + source) + '/beside'
    trees.write(beside, b'beside what was saved\n')
    trees.write(target + '/beside', b'beside it, too\n')
    changed(target + source)
    before = trees.describe(target)
    preview = delta(repo, target, '--dry-run')
    fact(not trees.differences(trees.describe(target), before), 'a preview changes nothing', preview.all)
    done = delta(repo, target)
    same_tree(target + source, source, 'after anything that may have happened a delta ends with the snapshot')
    equal(done.summary().get('files_deleted'), 4, 'strangers are removed and counted')
    equal(preview.summary().get('files_deleted'), 4, 'and were announced')
    fact(os.path.exists(beside) and os.path.exists(target + '/beside'), 'what lies beside the saved directory stays')
    done = delta(repo, path('sub'), snapshot='latest:' + source + '/docs').summary()
    trees.write(path('sub') + '/stranger', b'x')
    equal(delta(repo, path('sub'), snapshot='latest:' + source + '/docs').summary().get('files_deleted'), 1,
          'with SNAPSHOT:PATH the target itself is that directory')
    same_tree(path('sub'), source + '/docs', 'and becomes equal', (b'', 'hardlinks'))
    delta(repo, path('sub'), snapshot='latest:' + source + '/plain.txt')
    fact(os.path.exists(path('sub') + '/f001') and os.path.exists(path('sub') + '/plain.txt'), 'a single file leaves the others alone')
    trees.write(target + source + '/docs/stranger', b'x')
    trees.write(target + source + '/stranger', b'x')
    delta(repo, target, '--exclude', source + '/docs')
    fact(os.path.exists(target + source + '/docs/stranger') and not os.path.exists(target + source + '/stranger'),
         'what a selection leaves out is not swept')
    repo.backstay('restore', 'latest', '--target', target, '--delta', '--overwrite', 'if-changed', code=1)
    delta(repo, target)


def unreadable(repo, source, target):
    """Damage in the repository: the rest is restored, nothing is removed, the mark stays."""
    packs = sorted(((os.path.getsize(p), p) for p in (os.path.join(d, f) for d, _, fs in os.walk(repo.path + '/data') for f in fs)))
    write_at(target + source + '/large', 0, trees.noise(8, LARGE))
    trees.write(target + source + '/stranger', b'x')
    os.rename(packs[-1][1], path('aside'))
    done = delta(repo, target, code=PARTIAL)
    fact(done.messages('error') or 'error' in done.errors, 'what cannot be had is named', done.all)
    fact(os.path.exists(target + source + '/stranger'), 'nothing is removed then')
    fact(os.path.exists(target + '/' + MARK), 'and the target stays marked as unfinished')
    os.rename(path('aside'), packs[-1][1])
    delta(repo, target)
    same_tree(target + source, source, 'the next run makes it good')
    fact(not os.path.exists(target + '/' + MARK), 'and takes the mark away')


def killed(repo, source, target):
    started = time.monotonic()
    write_at(target + source + '/large', 0, trees.noise(9, LARGE))
    delta(repo, target)
    whole, hit, marked = time.monotonic() - started, 0, 0
    for _ in range(KILLS):
        write_at(target + source + '/large', 0, trees.noise(rng.getrandbits(30), LARGE))
        trees.write(target + source + '/stranger', b'x')
        process = subprocess.Popen([BACKSTAY, '-r', repo.path, 'restore', 'latest', '--target', target, '--delta'], env=repo.env(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(timeout=rng.uniform(0, whole))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            hit += 1
            marked += os.path.exists(target + '/' + MARK)
            if trees.compare(target + source, source) and not os.path.exists(target + '/' + MARK):
                fact(process.returncode < 0 and open(target + source + '/large', 'rb').read(8192) != open(source + '/large', 'rb').read(8192),
                     'without a mark nothing has been written')
        delta(repo, target)
        same_tree(target + source, source, 'after a kill the next run ends with the exact tree')
    say('%d of %d were killed, %d of them after the mark was set' % (hit, KILLS, marked))
    fact(not os.path.exists(target + '/' + MARK), 'and no mark is left')


def hostile(repo, source, target):
    """Links and second names that lead out are not followed, and not written through."""
    outside = path('outside')
    os.makedirs(outside, exist_ok=True)
    shutil.copytree(source + '/docs', outside + '/docs')
    trees.write(outside + '/docs/precious', b'precious\n')
    shutil.copy(source + '/large', outside + '/large')
    write_at(outside + '/large', 8192, b'other')
    before = trees.describe(outside)
    inside = target + source
    shutil.rmtree(inside + '/docs')
    os.symlink(outside + '/docs', inside + '/docs')
    os.unlink(inside + '/large')
    os.link(outside + '/large', inside + '/large')
    os.unlink(inside + '/text.txt')
    os.symlink(outside + '/docs/f000', inside + '/text.txt')
    done = delta(repo, target).summary()
    found = trees.differences({k: {f: v for f, v in e.items() if f != 'hardlinks'} for k, e in trees.describe(outside).items()}, before)
    fact(not found, 'nothing behind a link or a second name is touched', '\n'.join(found))
    same_tree(inside, source, 'and the tree is exact')
    fact(done.get('bytes_same', 0) > LARGE // 2, 'what a file with a second name has in common is copied, not fetched', done)
    shutil.rmtree(outside)


def mounted(repo, source, target):
    """What is mounted below the target, even a part of the same file system, is not emptied."""
    inside, other = target + source, path('other')
    os.makedirs(other)
    os.makedirs(inside + '/mnt')
    trees.write(other + '/precious', b'precious\n')
    trees.write(inside + '/stranger', b'x')
    done = run('unshare', '-m', 'sh', '-c', 'mount --bind "$1" "$2" && mount --bind "$1" "$3" && shift 3 && exec "$@"', 'sh', other, inside + '/mnt',
               inside + '/empty', BACKSTAY, '-r', repo.path, 'restore', 'latest', '--target', target, '--delta', env=repo.env(), code=PARTIAL)
    fact(os.path.exists(other + '/precious'), 'what is mounted in the target keeps what it has')
    fact('mount' in done.errors, 'and that is told', done.all)
    fact(not os.path.exists(inside + '/stranger'), 'other strangers go')
    os.unlink(other + '/precious')
    delta(repo, target)
    same_tree(inside, source, 'without the mounts everything is as it should be')


def running(repo, target):
    """A directory that a server works in: its number in postmaster.pid, and there its working directory."""
    with subprocess.Popen(['sleep', '1000'], cwd=target) as server:
        wait_until(lambda: os.path.realpath('/proc/%d/cwd' % server.pid) == os.path.realpath(target))
        trees.write(target + '/postmaster.pid', b'%d\n%s\n' % (server.pid, os.fsencode(target)))
        done = delta(repo, target, code=NOT_EMPTY, why='a running server is not overwritten')
        fact(str(server.pid) in done.errors, 'its process is named', done.errors)
        server.kill()
    delta(repo, target, code=0, why='a server that was killed is no obstacle')
    trees.write(target + '/postmaster.pid', b'%d\n' % os.getpid())
    delta(repo, target, code=0, why='nor is another process that has its number now')
    trees.write(target + '/postmaster.pid', b'')
    delta(repo, target, code=1, why='a file that does not say which process is refused')
    os.unlink(target + '/postmaster.pid')


def main():
    source, target = path('source'), path('target')
    trees.everything(source)
    trees.write(source + '/large', trees.noise(5, LARGE))
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    repo.backup(source)
    equal_and_nearly(repo, source, target)
    after_changes(repo, source, target)
    hostile(repo, source, target)
    unreadable(repo, source, target)
    killed(repo, source, target)
    mounted(repo, source, target)
    running(repo, target)
    finish()


main()
