#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan
"""Mirrors in buckets: a directory that is mirrored to a bucket with keys of its own, a bucket that is mirrored to a directory.
The server is away, slow, lies, refuses, was emptied; every copy is opened and checked by stock restic."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from s3 import S3Repo, S3Server
from s3proxy import Proxy
from scenario import FAILED, Repo, equal, fact, finish, path

BEHIND, NO_SPACE = 30, 24
MARK = 'backstay/mirrors/this'
ALL = {'times': None}


class LocalRepo(Repo):
    """keys: of the mirror's bucket."""

    def __init__(self, name, keys):
        self.keys = keys
        super().__init__(path(name))

    def env(self, **more):
        return super().env(**{'BACKSTAY_STATE_DIR': path('state'), 'BACKSTAY_RETRY_DEADLINE': '2s', **self.keys, **more})

    def contents(self):
        found = {}
        for d, _, names in os.walk(self.path):
            for name in names:
                with open(os.path.join(d, name), 'rb') as f:
                    found[os.path.relpath(os.path.join(d, name), self.path)] = f.read()
        return found


def contents(repo):
    """Everything but locks and the mark, key -> bytes."""
    found = (repo.contents() if isinstance(repo, LocalRepo) else
             {k: repo.server.get(repo.bucket, repo.key(k)) for k in repo.listing()})
    return {k: v for k, v in found.items() if not k.startswith('locks/') and k != MARK}


def same(one, other, name):
    here, there = contents(one), contents(other)
    return fact(here == there, name, 'only here %s, only there %s, differ %s' % (
        sorted(set(here) - set(there)), sorted(set(there) - set(here)), sorted(k for k in here if k in there and here[k] != there[k])))


def change(source, n):
    trees.write('%s/changing' % source, trees.noise(n, 300_000))


def state(repo):
    return [m['state'] for m in repo.backstay('mirror', 'status', '--json').json()]


def directory_to_bucket(other, proxy, source):
    keys = {'AWS_ACCESS_KEY_ID': 'nobody', 'AWS_SECRET_ACCESS_KEY': 'nothing',
            'BACKSTAY_MIRROR_OFF_SITE_S3_ACCESS_KEY': other.access_key, 'BACKSTAY_MIRROR_OFF_SITE_S3_SECRET_KEY': other.secret_key}
    repo = LocalRepo('local', keys)
    far = S3Repo(other, 'offsite', 'some/prefix', user=other)
    repo.init()
    repo.backup(source)
    repo.backstay('mirror', 'add', 's3:%s/offsite/some/prefix' % proxy.endpoint, '--name', 'off-site', code=0)
    repo.backstay('mirror', 'sync', code=0)
    same(repo, far, 'a directory is mirrored to a bucket, with keys of its own')
    change(source, 1)
    equal([m['state'] for m in repo.backup(source)['mirrors']], ['in_sync'], 'a backup goes to both')
    same(repo, far, 'byte for byte')
    far.sound('the mirror in the bucket')
    # away, refused
    for n, name in enumerate(('away', 'refused')):
        if name == 'away':
            proxy.stop_listening()
        change(source, 10 + n)
        done = repo.backstay('backup', '--json', source, code=BEHIND,
                             env={'BACKSTAY_MIRROR_OFF_SITE_S3_SECRET_KEY': 'wrong'} if name == 'refused' else {})
        fact('off-site' in done.errors and 'snapshot_id' in done.summary(), 'the server is %s: saved, and the mirror is named' % name, done.errors)
        if name == 'away':
            equal(state(repo), ['away'], 'mirror status says so')
            proxy.listen_again()
        equal(state(repo), ['behind'], 'then it is behind')
        repo.backstay('mirror', 'sync', code=0)
        same(repo, far, 'mirror sync catches it up')
    # what goes wrong in the middle: never a success, never a snapshot there that lacks something
    for n, (fault, op, key) in enumerate((('swallowed', 'PutObject', '/data/'), ('stored_short', 'PutObject', '/data/'), ('bucket_full', 'PutObject', '/data/'),
                                          ('internal_error', 'PutObject', '/snapshots/'), ('reset_request', 'PutObject', '/data/'),
                                          ('missing_key', 'ListObjectsV2', '/index/'))):
        change(source, 100 + n)
        rule = proxy.rule(fault, op=op, key=key, **ALL)
        done = repo.backstay('backup', '--json', source)
        proxy.clear()
        fact(rule.hits > 0 and 'snapshot_id' in done.summary(), '%s: it happened, and the snapshot is saved' % fault, done.all)
        if fault == 'missing_key':  # it only makes the mirror look poorer than it is
            fact(done.code in (0, BEHIND), 'a mirror whose listing lacks a name is caught up or told', done.code)
        else:
            equal(done.code, BEHIND, '%s at the mirror: the run says that it is behind' % fault)
        equal(far.backstay('check', code=0).code, 0, '%s: the mirror is whole' % fault)
        repo.backup(source)
        same(repo, far, '%s: the next run catches it up' % fault)
    far.sound('after all that')
    # slow: the answer to each request takes half a second
    proxy.latency = 0.5
    change(source, 50)
    equal(repo.backstay('backup', source).code, 0, 'a slow mirror only takes its time')
    proxy.latency = 0.0
    same(repo, far, 'and has everything')
    # emptied
    other.remove_all('offsite', list(other.list('offsite')))
    change(source, 51)
    done = repo.backstay('backup', source, code=BEHIND)
    fact('--refill' in done.errors and not other.list('offsite'), 'an emptied bucket is not filled by itself', done.errors)
    repo.backstay('mirror', 'sync', '--refill', 'off-site', code=0)
    same(repo, far, 'mirror sync --refill does')
    # a required one
    repo.backstay('mirror', 'remove', 'off-site', code=0)
    far.backstay('mirror', 'promote', code=0)
    repo.backstay('mirror', 'add', 's3:%s/offsite/some/prefix' % proxy.endpoint, '--name', 'off-site', '--required', code=0)
    before = repo.objects('snapshots')
    for fault in ('swallowed', 'bucket_full'):
        change(source, len(fault))
        rule = proxy.rule(fault, op='PutObject', key='/data/', **ALL)
        done = repo.backstay('backup', source, code=(FAILED, NO_SPACE))
        proxy.clear()
        fact(rule.hits > 0 and 'required mirror off-site' in done.errors, '%s at a required mirror: the backup fails' % fault, done.errors)
        equal(repo.objects('snapshots'), before, 'and there is no snapshot')
    repo.backup(source)
    repo.backstay('mirror', 'sync', code=0)  # also what the failed runs have left
    same(repo, far, 'once it works both have all')
    repo.backstay('forget', '--keep-last', '1', '--prune', '--max-unused', '0', code=0)
    same(repo, far, 'forget and prune reach the bucket')
    for copy in (repo, far):
        copy.sound('after prune')


def bucket_to_directory(s3, proxy, source):
    keys = {'AWS_ACCESS_KEY_ID': s3.access_key, 'AWS_SECRET_ACCESS_KEY': s3.secret_key}
    repo = S3Repo(s3, 'main', 'app', through=proxy.endpoint,
                  environ={'BACKSTAY_STATE_DIR': path('state'), 'BACKSTAY_RETRY_DEADLINE': '2s'})
    near = LocalRepo('near', keys)
    repo.init()
    repo.backstay('mirror', 'add', near.path, '--name', 'near', code=0)
    for n in range(3):
        change(source, 200 + n)
        repo.backup(source)
    same(repo, near, 'a bucket is mirrored to a directory')
    repo.backstay('forget', '--keep-last', '2', '--prune', '--max-unused', '0', code=0)
    same(repo, near, 'removals, too')
    near.sound('the mirror of a bucket')
    os.rename(near.path, near.path + '.away')
    change(source, 300)
    repo.backstay('backup', source, code=BEHIND)
    os.rename(near.path + '.away', near.path)
    repo.backstay('mirror', 'sync', code=0)
    same(repo, near, 'a mirror that was away catches up')
    # the bucket loses a pack, then the server goes
    victim = max((k for k in repo.listing() if k.startswith('data/')), key=lambda k: repo.listing()[k])
    s3.remove('main', repo.key(victim))
    shutil.rmtree(path('cache'))
    for name in ('a lost pack', 'a server that is away'):
        if name != 'a lost pack':
            proxy.stop_listening()
        done = repo.backstay('restore', 'latest', '--target', path('out'), code=0)
        found = trees.compare(path('out') + source, source)
        fact('mirror' in done.errors and not found, '%s: the mirror gives what is missing' % name, done.errors + '\n'.join(found))
        shutil.rmtree(path('out'), ignore_errors=True)
    equal(repo.backstay('backup', source).code, FAILED, 'nothing is saved while it is away')
    proxy.listen_again()


def main():
    source = path('source')
    trees.everything(source, big=2_000_000)
    with S3Server() as s3:
        other = s3.user('offsite')
        with Proxy(other) as proxy:
            directory_to_bucket(other, proxy, source)
        with Proxy(s3) as proxy:
            bucket_to_directory(s3, proxy, source)
    finish()


main()
