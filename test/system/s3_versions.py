#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What somebody replaced or removed in a bucket with versioning is found and brought back: by the keys of a writer, who may put
something else over what is there, and by those of the owner, who may do everything but end what is older."""
import json
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from s3 import S3Repo, S3Server
from scenario import FAILED, WRONG_PASSWORD, Repo, equal, fact, finish, path

HEAL = ('check', '--repair-from-versions')


def arn(name):
    return 'arn:aws:iam:::user/' + name


class Place:
    def __init__(self, server, bucket, kind='versioned'):
        self.server, self.bucket = server, bucket
        server.make_bucket(bucket, kind)
        self.thief, self.keeper = server.user('thief'), server.user('keeper')
        self.repo = S3Repo(server, bucket)
        self.repo.init()
        policy = self.repo.backstay('policy', 'writer', '--user', arn('thief'), '--maintainer', arn('keeper'), '--maintainer',
                                    arn('tester'), '--bucket-policy', code=0).json()
        server.configure(bucket, 'policy', json.dumps(policy))
        self.writer = S3Repo(server, bucket, user=self.thief)
        self.maintainer = S3Repo(server, bucket, user=self.keeper)

    def keys(self, kind):
        return sorted(self.server.list(self.bucket, kind + '/'))

    def heals(self, name, *objects, was):
        """Says what comes back, and the check that follows finds nothing."""
        done = self.maintainer.backstay(*HEAL, '--json', code=0)
        back = {m['object']: m['was'] for m in done.messages('brought_back')}
        equal(back, {o: was for o in objects}, name)

    def restores(self, source, name):
        target = path('restored ' + name)
        self.maintainer.backstay('restore', 'latest:' + source, '--target', target, code=0)
        equal(trees.compare(target, source, (b'',)), [], '%s: it restores as it was' % name)
        shutil.rmtree(target)


def replaced_by_a_writer(place, source):
    server, bucket, thief = place.server, place.bucket, place.thief
    place.writer.backup(source)
    packs = place.keys('data')
    victims = [packs[0], packs[-1], place.keys('index')[0], place.keys('snapshots')[0]]
    sizes = server.list(bucket)
    for key in victims[:1]:
        thief.put(bucket, key, b'x' * sizes[key])  # as long as it was
    for key in victims[1:]:
        thief.put(bucket, key, b'nothing')
    fact(place.maintainer.backstay('check').code == FAILED, 'a check sees what a thief replaced')
    fact(place.writer.backstay(*HEAL).code == FAILED, 'a writer cannot bring anything back')
    place.heals('what a writer replaced comes back, also what is as long as before', *set(victims), was='replaced')
    now = server.list(bucket)
    equal({k: now.get(k) for k in sizes}, sizes, 'with its size')
    place.restores(source, 'replaced')
    place.heals('a second time there is nothing to do', was='')
    place.repo.sound('after what was replaced is back')


def removed(place, source):
    server, bucket = place.server, place.bucket
    [first] = place.keys('snapshots')
    place.maintainer.backup(source, '--force', '--tag', 'second')
    place.maintainer.backstay('forget', '--keep-last', '1', code=0)
    pack = place.keys('data')[0]
    server.remove(bucket, pack)
    done = place.maintainer.backstay('check')
    fact(done.code == FAILED and 'pack-missing' in done.all, 'a pack that is needed and hidden is missed')
    place.heals('it comes back', pack, was='removed')
    done = place.maintainer.backstay(*HEAL, code=0)
    fact('1 snapshots were removed' in done.text and '--removed-since' in done.text, 'what was forgotten is told', done.text)
    equal([k for k in place.keys('snapshots') if k == first], [], 'and stays forgotten')
    time.sleep(1.1)
    since = time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())
    had = set(server.list(bucket)) - set(place.keys('locks'))
    for key in had:
        if not key.startswith('config'):
            server.remove(bucket, key)
    fact(place.maintainer.backstay('snapshots').code != 0, 'of a repository of which all is hidden nothing opens')
    done = place.maintainer.backstay(*HEAL, '--removed-since', since, code=0)
    equal(set(server.list(bucket)) - set(place.keys('locks')), had, 'with the time of the theft all comes back')
    equal([k for k in place.keys('snapshots') if k == first], [], 'but what was forgotten before')
    place.restores(source, 'removed')
    place.repo.sound('after what was removed is back')


def keys(place):
    server, bucket = place.server, place.bucket
    [key] = place.keys('keys')
    server.put(bucket, key, b'{}')
    fact(place.maintainer.backstay('snapshots').code == WRONG_PASSWORD, 'without its key file a repository does not open')
    place.heals('a key file comes back before the repository is opened', key, was='replaced')


def what_cannot_be(place, source):
    server, bucket = place.server, place.bucket
    stray = 'data/aa/' + 64 * 'a'
    server.put(bucket, stray, b'one')
    server.put(bucket, stray, b'two')
    done = place.maintainer.backstay(*HEAL)
    fact(done.code == FAILED and stray in done.errors and 'no version is what it was' in done.errors,
         'what has no right version is named, and is a failure', done.errors)
    directory = Repo(path('directory'))
    directory.init()
    done = directory.backstay(*HEAL)
    fact(done.code == FAILED and 'bucket with versioning' in done.errors, 'a directory has no versions', done.errors)
    server.make_bucket('plain')
    plain = S3Repo(server, 'plain')
    plain.init()
    done = plain.backstay(*HEAL, code=0)
    fact('no versioning' in done.errors, 'a bucket without versioning is told', done.errors)
    done = plain.backstay('check', '--removed-since', '2026-01-01')
    fact(done.code == FAILED and '--repair-from-versions' in done.errors, '--removed-since alone is refused')


def main():
    source = path('source')
    trees.everything(source, devices=False, big=300_000)
    with S3Server() as server:
        place = Place(server, 'kept')
        replaced_by_a_writer(place, source)
        removed(place, source)
        keys(place)
        what_cannot_be(place, source)
    finish()


main()
