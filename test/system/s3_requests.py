#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""How many requests each command makes of a small repository in a bucket: every one costs a round trip. A number here may
fall; one that rises needs a reason."""
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from s3 import S3Repo, S3Server
from s3proxy import Proxy
from scenario import fact, finish, path

ORDER = ('PutObject', 'GetObject', 'HeadObject', 'ListObjectsV2', 'DeleteObject', 'DeleteObjects', 'ListMultipartUploads')


def kind(request):
    """What it is about: config, keys, locks, snapshots, index, data; / is all of it."""
    return request.place.removeprefix('/p/').partition('/')[0] or '/'


class Watch:
    """A repository behind a proxy, and what is asked of it."""

    def __init__(self, repo, proxy):
        self.repo, self.proxy = repo, proxy

    def asks(self, name, want, *argv):
        """Runs it; want: kind -> operations, as initials (P G H L D B M), each as often as it happens."""
        self.proxy.clear()
        self.repo.backstay(*argv, code=0)
        requests = list(self.proxy.requests)
        got = {}
        for r in requests:
            got.setdefault(kind(r), []).append(ORDER.index(r.op))
        got = {k: ''.join('PGHLDBM'[i] for i in sorted(v)) for k, v in got.items()}
        fact(got == want, '%s: %d requests' % (name, sum(map(len, want.values()))),
             'got  %r\nwant %r\n%s' % (got, want, '\n'.join('%s %s' % (r.op, r.place) for r in requests)))
        return requests


def make_tree(tree):
    noise = random.Random(1)
    for directory in ('', 'a', 'b', 'b/c', 'd'):
        os.makedirs(os.path.join(tree, directory), exist_ok=True)
        for i in range(3):
            with open(os.path.join(tree, directory, 'file%d' % i), 'wb') as f:
                f.write(noise.randbytes(10_000))


def forget_cache():
    shutil.rmtree(path('cache'))


def main():
    tree = path('tree')
    make_tree(tree)
    with S3Server() as s3, Proxy(s3) as proxy:
        s3.make_bucket('bucket')
        repo = S3Repo(s3, 'bucket', 'p', through=proxy.endpoint)
        watch = Watch(repo, proxy)
        # listed once to see whether the bucket is there, once whether it is empty, once to open what was made
        watch.asks('init', {'config': 'PGGGGH', 'keys': 'PGGLLL', 'snapshots': 'L'}, 'init')
        repo.cheapen()
        opened = {'config': 'G', 'keys': 'GL', 'locks': 'PLLD'}
        done = watch.asks('a first backup', {**opened, 'snapshots': 'PHL', 'index': 'PHL', 'data': 'PPL'}, 'backup', tree)
        fact(len({r.connection for r in done}) <= 2, 'on two connections')
        watch.asks('one of what did not change', {**opened, 'snapshots': 'PHL', 'index': 'PHL', 'data': 'PH'}, 'backup', tree)
        watch.asks('snapshots', {**opened, 'snapshots': 'L'}, 'snapshots')
        watch.asks('ls', {**opened, 'snapshots': 'L', 'index': 'L'}, 'ls', 'latest')
        watch.asks('restore', {**opened, 'snapshots': 'L', 'index': 'L', 'data': 'G'},
                   'restore', 'latest', '--no-sync', '--target', path('one'))
        forget_cache()
        watch.asks('restore on another machine', {**opened, 'snapshots': 'GGL', 'index': 'GGL', 'data': 'GGG'},
                   'restore', 'latest', '--no-sync', '--target', path('two'))
    finish()


if __name__ == '__main__':
    main()
