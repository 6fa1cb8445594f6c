#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How many requests each command makes of a small repository in a bucket: every one costs a round trip. A number here may
fall; one that rises needs a reason."""
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from s3 import S3Repo, S3Server
from s3proxy import Proxy
from scenario import BACKSTAY, INTERRUPTED, Repo, ended, equal, fact, finish, path, wait_until

ALONE = {'config': 'G', 'keys': 'G', 'locks': 'PLLD'}  # keys: the one that opened it the last time
OPENED = {**ALONE, 'backstay': 'L'}  # the list of mirrors
# the lock is asked for again before each index object and the snapshot: who took it over may have removed packs of ours
BACKED_UP = {**OPENED, 'locks': 'PHHLLD'}
ORDER = ('PutObject', 'GetObject', 'HeadObject', 'ListObjectsV2', 'DeleteObject', 'DeleteObjects', 'ListMultipartUploads',
         'GetBucketVersioning', 'GetObjectLockConfiguration', 'GetBucketLifecycle')
INITIALS = 'PGHLDBMVOR'


def kind(request):
    """What it is about: config, keys, locks, snapshots, index, data; / is all of it."""
    return request.place.removeprefix('/p/').partition('/')[0] or '/'


def at_once(requests):
    """How many of them were under way together."""
    return max((sum(r.began <= other.began < r.ended for r in requests) for other in requests), default=0)


class Watch:
    """A repository behind a proxy, and what is asked of it."""

    def __init__(self, repo, proxy):
        self.repo, self.proxy = repo, proxy

    def asks(self, name, want, *argv):
        """Runs it; want: kind -> operations, as INITIALS, each as often as it happens."""
        self.proxy.clear()
        self.repo.backstay(*argv, code=0)
        requests = list(self.proxy.requests)
        got = {}
        for r in requests:
            got.setdefault(kind(r), []).append(ORDER.index(r.op))
        got = {k: ''.join(INITIALS[i] for i in sorted(v)) for k, v in got.items()}
        fact(got == want, '%s: %d requests' % (name, sum(map(len, want.values()))),
             'got  %r\nwant %r\n%s' % (got, want, '\n'.join('%s %s' % (r.op, r.place) for r in requests)))
        return requests


def add_file(directory, size=10_000):
    with open('%s/file%d' % (directory, len(os.listdir(directory))), 'wb') as f:
        f.write(os.urandom(size))


def make_tree(tree):
    for name in ('a', 'b', 'b/c', 'd'):
        os.makedirs(os.path.join(tree, name))
        add_file(os.path.join(tree, name))


def together(watch, tree):
    """What does not depend on each other is asked for at the same time."""
    for _ in range(3):
        add_file(tree)
        watch.repo.backstay('backup', tree, code=0)
    forget_cache()
    watch.proxy.clear()
    watch.proxy.latency = 0.3
    watch.repo.backstay('ls', 'latest', code=0)
    watch.proxy.latency = 0
    requests = watch.proxy.requests
    first = [r for r in requests if kind(r) in ('config', 'keys')]
    equal(at_once(first), 2, 'config and the key')
    for name in ('snapshots', 'index'):
        gets = [r for r in requests if r.op == 'GetObject' and kind(r) == name]
        # those on new connections begin a little later
        fact(len(gets) > 3 and at_once(gets) > 1, 'several of %s/' % name, gets)
    watch.proxy.clear()
    watch.proxy.latency = 0.3
    watch.repo.backstay('check', '--read-data', code=0)
    watch.proxy.latency = 0
    for name, least in (('snapshots', 1), ('data', 3)):
        gets = [r for r in watch.proxy.requests if r.op == 'GetObject' and kind(r) == name]
        fact(at_once(gets) > least, 'check: more of %s/ than two cores would read' % name, gets)


def large(watch):
    """Of a pack all that is wanted is one request, and so is what lies less than a MiB apart."""
    repo, tree = watch.repo, path('large')
    os.mkdir(tree)
    for _ in range(4):
        add_file(tree, 300_000)
    repo.backstay('backup', tree, code=0)
    add_file(tree, 30 << 20)
    repo.backstay('backup', tree, code=0)
    watch.asks('restore of three packs', {**OPENED, 'snapshots': 'L', 'index': 'L', 'data': 'GGG'},
               'restore', 'latest', '--no-sync', '--target', path('three'))
    equal(sorted(os.listdir(path('three') + tree)), sorted(os.listdir(tree)), 'all files are there')
    other = Repo.named('copy')
    other.init()
    watch.proxy.clear()
    other.backstay('copy', 'latest', code=0, env={'RESTIC_FROM_REPOSITORY': repo.path, 'RESTIC_FROM_PASSWORD': repo.password,
                                                  **{k: v for k, v in repo.env().items() if k.startswith('AWS_')}})
    packs = [r.place for r in watch.proxy.requests if kind(r) == 'data' and r.op == 'GetObject']
    fact(len(packs) >= 3 and len(packs) == len(set(packs)), 'copy reads each pack with one request', packs)
    watch.asks('restore of two files that are not neighbours', {**OPENED, 'snapshots': 'L', 'index': 'L', 'data': 'G'},
               'restore', 'latest', '--no-sync', '--target', path('four'), '--include', 'file0', '--include', 'file3')


def keep(watch, tree):
    """Removing is one request for many, and what was left unfinished is looked for once."""
    for _ in range(3):
        add_file(tree)
        watch.repo.backstay('backup', tree, code=0)
    # keys, snapshots and locks are listed again as what is checked; everything once, for packs and what is not ours
    watch.asks('check', {**ALONE, 'keys': 'GGL', 'locks': 'PGLLLD', 'snapshots': 'GGGGGL', 'index': 'GGGGGL', 'data': 'GGGGG', '/': 'L'},
               'check')
    watch.asks('forget', {**OPENED, 'snapshots': 'L', '/': 'B'}, 'forget', '--keep-last', '1', '--group-by', '')
    # and before each step of what removes
    watch.asks('prune', {**OPENED, 'locks': 'PHHHHHHLLD', 'snapshots': 'LLL', 'index': 'PPHHLL', 'data': 'PGHL', 'wal': 'L', '/': 'BBM'},
               'prune', '--max-unused', '0')


def in_flight(watch, op, n, *argv):
    """As many of these requests are under way as the store has connections, and all end with the command."""
    repo, proxy, name = watch.repo, watch.proxy, argv[0]
    proxy.clear()
    rule = proxy.rule('deaf', times=None, key='/data/', op=op)
    process = subprocess.Popen([BACKSTAY, '-r', repo.path, '--pack-size', '4', *argv], env=repo.env(), stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, start_new_session=True)
    fact(wait_until(lambda: rule.hits >= n, 120), '%s: %d requests at once' % (name, n), rule.hits)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    ended(process, 60, name)
    fact(time.monotonic() - sent < 5, name + ': they end in less than five seconds', time.monotonic() - sent)
    equal(process.returncode, INTERRUPTED, name + ': exit status')
    equal(rule.hits, n, name + ': and not one more')
    proxy.clear()
    equal(repo.objects('locks'), [], name + ': no lock is left')


def many(watch):
    repo, tree = watch.repo, path('many')
    os.mkdir(tree)
    add_file(tree, 90 << 20)
    in_flight(watch, 'PutObject', 8, 'backup', tree)
    repo.backstay('--pack-size', '4', 'backup', tree, code=0)
    in_flight(watch, 'GetObject', 8, 'restore', 'latest', '--target', path('five'))
    in_flight(watch, 'GetObject', 8, 'dump', 'latest', tree + '/file0')


def forget_cache():
    shutil.rmtree(path('cache'))


def main():
    tree = path('tree')
    make_tree(tree)
    with S3Server() as s3, Proxy(s3) as proxy:
        s3.make_bucket('bucket')
        repo = S3Repo(s3, 'bucket', 'p', through=proxy.endpoint)
        watch = Watch(repo, proxy)
        # listed once to see whether the bucket is there, once whether it is empty, once to open what was made; and what guards it
        watch.asks('init', {'config': 'PGGGGH', 'keys': 'PGGLLL', 'snapshots': 'L', '/': 'VOR'}, 'init')
        repo.cheapen()
        # the key of init was replaced by a cheaper one
        done = watch.asks('a first backup', {**BACKED_UP, 'keys': 'GGL', 'snapshots': 'PHL', 'index': 'PHL', 'data': 'PPL'}, 'backup', tree)
        fact(len({r.connection for r in done}) <= 3, 'on three connections')
        add_file(tree)
        watch.asks('the next one', {**BACKED_UP, 'snapshots': 'PHL', 'index': 'PHL', 'data': 'PPL'}, 'backup', tree)
        watch.asks('snapshots', {**OPENED, 'snapshots': 'L'}, 'snapshots')
        watch.asks('ls', {**OPENED, 'snapshots': 'L', 'index': 'L'}, 'ls', 'latest')
        watch.asks('restore', {**OPENED, 'snapshots': 'L', 'index': 'L', 'data': 'GG'},
                   'restore', 'latest', '--no-sync', '--target', path('one'))
        forget_cache()
        watch.asks('restore on another machine', {**OPENED, 'snapshots': 'GGL', 'index': 'GGL', 'data': 'GGGG'},
                   'restore', 'latest', '--no-sync', '--target', path('two'))
        keep(watch, tree)
        together(watch, tree)
        large(watch)
        many(watch)
    finish()


if __name__ == '__main__':
    main()
