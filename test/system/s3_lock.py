#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A bucket with object lock: what is put cannot be removed before its time, whoever asks; prune waits for what nothing needs any
more, and renews the locks of what is kept."""
import base64
import datetime
import hashlib
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
import walsegment
from s3 import S3Error, S3Repo, S3Server
from scenario import FAILED, equal, fact, finish, path
from walsegment import name_of

PROTECTED = 31
SOON = 5  # seconds; the server takes no time that is over
LOCKED = ('config', 'keys/', 'data/', 'index/', 'snapshots/', 'wal/')


def days(n):
    return {'BACKSTAY_S3_OBJECT_LOCK': 'governance', 'BACKSTAY_S3_OBJECT_LOCK_DAYS': str(n)}


def arn(name):
    return 'arn:aws:iam:::user/' + name


class Place:
    def __init__(self, server, bucket):
        self.server, self.bucket = server, bucket
        self.keeper = server.user('keeper')
        server.make_bucket(bucket, 'locked')
        self.owner_repo = S3Repo(server, bucket, environ=days(1))
        self.owner_repo.backstay('init', code=0)
        policy = self.owner_repo.backstay('policy', 'writer', '--user', arn('writer'), '--maintainer', arn('keeper'), '--maintainer',
                                          arn('tester'), '--bucket-policy', code=0).json()
        # so that the test need not wait for a day
        policy['Statement'].append({'Sid': 'End', 'Effect': 'Allow', 'Principal': {'AWS': [arn('tester')]},
                                    'Action': ['s3:BypassGovernanceRetention'], 'Resource': ['arn:aws:s3:::%s/*' % bucket]})
        self.writer_repo = S3Repo(server, bucket, user=server.user('writer'), environ=days(1))
        server.configure(bucket, 'policy', json.dumps(policy))
        self.keeper_repo = S3Repo(server, bucket, user=self.keeper, environ=days(1))

    def of(self, kind):
        return sorted(k for k in self.server.list(self.bucket) if k.startswith(kind))

    def locked_for(self, key):
        """Hours."""
        until = self.server.head(self.bucket, key).get('x-amz-object-lock-retain-until-date')
        if not until:
            return 0
        at = datetime.datetime.fromisoformat(until.split('.')[0].rstrip('Z') + '+00:00')
        return (at.timestamp() - time.time()) / 3600

    def hours(self, kinds=LOCKED):
        return {k: self.locked_for(k) for kind in kinds for k in self.of(kind)}

    def end_lock(self, key):
        """What only somebody with a right of its own may do."""
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=SOON)
        text = ('<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>GOVERNANCE</Mode><RetainUntilDate>%s'
                '</RetainUntilDate></Retention>' % soon.strftime('%Y-%m-%dT%H:%M:%SZ')).encode()
        self.server.send('PUT', self.bucket, key, {'retention': ''}, text,
                         {'x-amz-bypass-governance-retention': 'true', 'content-md5': base64.b64encode(hashlib.md5(text).digest()).decode()})


def what_is_put(place, source):
    place.writer_repo.backup(source)
    trees.write(path('00000002.history'), b'1\t0/3000000\tno recovery target specified\n')
    place.writer_repo.backstay('wal', 'push', path('00000002.history'), '--system-id', '7000000000000000001', code=0)
    hours = place.hours()
    equal({k: h for k, h in hours.items() if not 23 < h <= 24.1}, {}, 'all that is put is locked for as long as was asked for')
    fact(all(any(k.startswith(kind) for k in hours) for kind in LOCKED), 'of every kind', sorted(hours))
    equal(place.of('locks/'), [], 'the locks of a run are not, and it removes them')
    for key, version, _ in place.server.versions(place.bucket):
        if key.startswith('locks/'):
            continue
        try:
            place.keeper.remove(place.bucket, key, version)
            fact(False, 'the server refuses to remove it', key)
        except S3Error as e:
            if e.status != 403:
                fact(False, 'the server refuses to remove it', '%s: %s' % (key, e))
    fact(True, 'not even a maintainer can remove a version')
    place.keeper_repo.sound('with locks')


def prune_waits(place, source):
    with open(os.path.join(source, 'more'), 'wb') as f:
        f.write(os.urandom(200_000))
    place.writer_repo.backup(source, '--tag', 'second')
    done = place.keeper_repo.backstay('forget', '--keep-last', '1', code=0)
    fact('renewed the object locks of 0 objects' in done.text, 'what has just been locked needs no renewal', done.text)
    os.remove(os.path.join(source, 'more'))
    place.writer_repo.backup(source, '--tag', 'third')
    place.keeper_repo.backstay('forget', '--keep-last', '1', code=0)
    before = place.server.list(place.bucket, 'data/')
    done = place.keeper_repo.backstay('prune', '--max-unused', '0')
    fact(done.code == PROTECTED and 'are under object lock until' in done.errors, 'prune leaves what is locked, and says until when',
         done.all)
    now = place.server.list(place.bucket, 'data/')
    equal({k: now.get(k) for k in before}, before, 'every pack is still there')
    place.keeper_repo.sound('while packs wait')
    done = place.keeper_repo.backstay('prune', '--max-unused', '0', '--json')
    [told] = done.messages('under_object_lock')
    fact(done.code == PROTECTED and told['packs'] >= 1 and told['until'] > time.strftime('%Y-%m-%d', time.gmtime()), 'the next prune waits as well', told)
    equal(place.server.list(place.bucket, 'data/'), now, 'and adds nothing')


def needed(place):
    """What the index names now."""
    repo = place.keeper_repo
    named = set()
    for key in place.of('index/'):
        index = repo.backstay('cat', 'index', key.rpartition('/')[2], code=0).json()
        named |= {'data/%s/%s' % (p['id'][:2], p['id']) for p in index['packs']}
    return named


def prune_renews(place):
    long = S3Repo(place.server, place.bucket, user=place.keeper, environ=days(30))
    done = long.backstay('prune', '--json')
    kept = needed(place)
    waiting = set(place.of('data/')) - kept
    [told] = done.messages('object_locks')
    hours = place.hours()
    fact(done.code == PROTECTED and waiting, 'packs are still waiting', done.all)
    short = {k: h for k, h in hours.items() if k not in waiting and h < 29 * 24}
    equal(short, {}, 'what is kept is locked for longer')
    equal({k: h for k, h in hours.items() if k in waiting and h > 25}, {}, 'what waits is not')
    equal(told['renewed'], len(hours) - len(waiting), 'and prune says how many')
    done = long.backstay('prune', '--json')
    equal(done.messages('object_locks')[0]['renewed'], 0, 'once is enough')
    return waiting


def prune_ends(place, waiting):
    for key in waiting:
        place.end_lock(key)
    time.sleep(SOON + 1)
    place.keeper_repo.backstay('prune', code=0)
    left = {k for k, _, _ in place.server.versions(place.bucket, 'data/')}
    equal(left & waiting, set(), 'when their time is over they go with all their versions')
    place.keeper_repo.sound('at the end')


# ---- WAL ----

CLUSTER = '7000000000000000001'


def segment(n):
    trees.write(path(name_of(n)), walsegment.segment(n, system=int(CLUSTER)))
    return name_of(n)


def base(place, source, first, last):
    tags = ('kind=pgcluster', 'system-id=' + CLUSTER, 'timeline=1', 'start-lsn=0/%X00028' % first, 'stop-lsn=0/%X00100' % last)
    return place.writer_repo.backup(source, '--tag', ','.join(tags))['snapshot_id']


def prune_waits_for_wal(place, source):
    """What no base backup needs any more stays until its lock ends; what one needs is locked anew."""
    names = [segment(n) for n in range(1, 6)]
    for name in names:
        place.writer_repo.backstay('wal', 'push', path(name), code=0)
    first = base(place, source, 2, 3)
    base(place, source, 4, 5)
    key = lambda name: next(k for k in place.of('wal/') if k.endswith('/' + name))
    doomed = [key(n) for n in names[:3]]
    before = place.of('wal/')
    place.keeper_repo.backstay('forget', first, code=0)
    done = place.keeper_repo.backstay('prune', '--json')
    [told] = [t for t in done.messages('under_object_lock') if 'wal_files' in t]
    fact(done.code == PROTECTED and told['wal_files'] == 3, 'prune would remove WAL that is locked, and says that it waits', done.all)
    equal(place.of('wal/'), before, 'all of it is still there')
    long = S3Repo(place.server, place.bucket, user=place.keeper, environ=days(30))
    fact(long.backstay('prune').code == PROTECTED, 'with longer locks it waits as well')
    hours = place.hours(('wal/',))
    equal({k for k, h in hours.items() if h < 29 * 24}, set(doomed), 'what is kept is locked for longer, what waits is not')
    for one in doomed:
        place.end_lock(one)
    time.sleep(SOON + 1)
    place.keeper_repo.backstay('prune', code=0, why='when their time is over')
    left = {k for k, _, _ in place.server.versions(place.bucket, 'wal/')}
    equal(left, set(before) - set(doomed), 'they go with all their versions, and nothing else')


def no_lock(server, source):
    server.make_bucket('plain')
    repo = S3Repo(server, 'plain')
    repo.init()
    done = S3Repo(server, 'plain', environ=days(1)).backstay('backup', source)
    fact(done.code == FAILED and 'object lock' in done.errors, 'a bucket that cannot lock is told', done.errors)
    repo.backup(source)
    repo.backstay('prune', code=0)


def main():
    source = path('source')
    trees.everything(source, devices=False, big=300_000)
    with S3Server() as server:
        place = Place(server, 'locked')
        what_is_put(place, source)
        prune_waits(place, source)
        prune_ends(place, prune_renews(place))
        prune_waits_for_wal(place, source)
        no_lock(server, source)
    finish()


main()
