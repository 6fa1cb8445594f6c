#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""What is kept near of a repository in a bucket: how many requests that saves, that damage here is no damage there and the
other way round, that a full disk, a deleted cache and two runs at once do no harm."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from s3 import S3Repo, S3Server
from s3proxy import Proxy
from scenario import BACKSTAY, FAILED, ended, equal, fact, finish, path

DIRECTORIES = 300
CACHE = path('cache', 'backstay')


class Watch:
    """A repository behind a proxy, and what is asked of it."""

    def __init__(self, repo, proxy):
        self.repo, self.proxy = repo, proxy

    def asked(self, op, kind):
        return len([r for r in self.proxy.requests if r.op == op and '/%s/' % kind in r.place])

    def reads(self, *argv, **options):
        """Reads of packs and of snapshots that a command makes."""
        self.proxy.clear()
        self.repo.backstay(*argv, code=0, **options)
        return self.asked('GetObject', 'data'), self.asked('GetObject', 'snapshots')


def copies(repo, kind=''):
    """Paths of the copies."""
    found = []
    for directory, _, names in os.walk(os.path.join(CACHE, repo.identity, kind)):
        found += [os.path.join(directory, n) for n in names if len(n) == 64]
    return sorted(found)


def flip(file):
    with open(file, 'rb') as f:
        data = bytearray(f.read())
    data[len(data) // 3] ^= 1
    os.unlink(file)
    with open(file, 'wb') as f:
        f.write(data)


def requests(watch, source):
    repo = watch.repo
    equal(watch.reads('backup', source), (0, 0), 'a second backup reads nothing: what this machine wrote is near')
    equal(watch.reads('ls', 'latest'), (0, 0), 'ls reads nothing')
    equal(watch.reads('snapshots'), (0, 0), 'nor does snapshots')
    shutil.rmtree(CACHE)
    packs, snapshots = watch.reads('backup', source)
    fact(0 < packs <= len(copies(repo, 'data')) < 10, 'with an empty cache each pack of directories is read once', packs)
    equal(snapshots, 2, 'each snapshot, too')
    fact(watch.reads('backup', '--no-cache', source)[0] >= DIRECTORIES, 'without a cache each directory is a request')
    fact(watch.reads('backup', '--cache-size', '0', source)[0] >= DIRECTORIES, 'so it is with a cache of no bytes')
    repo.backstay('snapshots', '--cache-size', '10X', code=FAILED)


def private(repo):
    modes = {os.lstat(f).st_mode & 0o7777 for f in copies(repo)}
    equal(modes, {0o400}, 'copies can be read by their owner only')
    modes = {os.lstat(d).st_mode & 0o7777 for d, _, _ in os.walk(os.path.join(CACHE, repo.identity))}
    equal(modes, {0o700}, 'and so can their directories')
    fact(os.path.exists(CACHE + '/CACHEDIR.TAG'), 'other backup programs see that it is a cache')


def damage_here(watch, source):
    for file in copies(watch.repo):
        flip(file)
    packs, snapshots = watch.reads('backup', source)
    fact(packs > 0 and snapshots > 0, 'damaged copies are read anew', (packs, snapshots))
    equal(watch.reads('ls', 'latest')[0], 0, 'once')
    watch.repo.sound('after damage in the cache')


def damage_there(watch):
    """The copies are good, what the bucket holds is not."""
    repo, server = watch.repo, watch.repo.server
    for kind in ('data', 'snapshots'):
        name = os.path.relpath(copies(repo, kind)[0], os.path.join(CACHE, repo.identity))
        good = server.get(repo.bucket, repo.key(name))
        bad = bytearray(good)
        bad[len(bad) // 3] ^= 1
        server.put(repo.bucket, repo.key(name), bytes(bad))
        done = repo.backstay('check', '--json')
        fact(done.code == FAILED and os.path.basename(name)[:8] in done.text, 'check sees damage in %s/ of which there is a good copy' % kind, done.all)
        server.put(repo.bucket, repo.key(name), good)
    watch.proxy.clear()
    repo.backstay('check', code=0)
    read = [r.key for r in watch.proxy.requests if r.op == 'GetObject' and '/data/' in r.place]
    equal(len(read), len(set(read)), 'a check reads each pack of directories once')


def removal(watch, source):
    """Others remove what we have copies of."""
    repo = watch.repo
    trees.write(source + '/new', b'new\n')
    repo.backup(source)
    gone = set(copies(repo, 'snapshots'))
    repo.backstay('forget', '--keep-last', '1', '--prune', code=0, env={'BACKSTAY_CACHE_DIR': path('cache', 'other')})
    repo.backstay('snapshots', code=0)
    equal(len(copies(repo, 'snapshots')), 1, 'what is no longer listed has no copy')
    fact(gone - set(copies(repo, 'snapshots')), 'there were more')
    repo.backstay('restore', 'latest', '--target', path('out'), code=0)
    fact(not (found := trees.compare(path('out') + source, source)), 'and what is left is whole', '\n'.join(found))


def full_disk(watch, source):
    small = path('small')
    os.makedirs(small)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=200k,mode=700', 'tmpfs', small], check=True)
    try:
        for _ in range(2):
            watch.repo.backstay('backup', source, code=0, env={'BACKSTAY_CACHE_DIR': small})
        st = os.statvfs(small)
        fact(st.f_bavail > 0, 'the cache does not fill the disk', st)
    finally:
        subprocess.run(['umount', '-l', small], check=False)
    watch.repo.sound('with a full disk for the cache')


def two_at_once(watch, source):
    """Both begin with an empty cache."""
    shutil.rmtree(CACHE)
    argv = [BACKSTAY, '-r', watch.repo.path, 'backup', source]
    running = [subprocess.Popen(argv, env=watch.repo.env(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    for process in running:
        errors = ended(process, 120, 'one of two backups')
        equal(process.returncode, 0, 'one of two backups that share a cache')
        equal(errors, b'', 'has nothing to complain about')
    equal(watch.reads('ls', 'latest'), (0, 0), 'after that everything is near')


def main():
    source = path('source')
    for i in range(DIRECTORIES):
        os.makedirs('%s/%03d' % (source, i))
        trees.write('%s/%03d/file' % (source, i), b'%d\n' % i)
    with S3Server() as server, Proxy(server) as proxy:
        server.make_bucket('one')
        repo = S3Repo(server, 'one', 'some/prefix', through=proxy.endpoint)
        repo.init()
        repo.backup(source)
        repo.identity = repo.backstay('cat', 'config', code=0).json()['id']
        watch = Watch(repo, proxy)
        requests(watch, source)
        private(repo)
        damage_here(watch, source)
        damage_there(watch)
        removal(watch, source)
        full_disk(watch, source)
        two_at_once(watch, source)
    finish()


if __name__ == '__main__':
    main()
