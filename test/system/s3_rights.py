#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Keys that may only add, keys that look after what those have added, keys that only read: with the policies that we print,
on a real server, whose own answers say what each may and may not do."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from s3 import S3, S3Error, S3Repo, S3Server
from s3proxy import Proxy
from scenario import BACKSTAY, FAILED, PARTIAL, equal, fact, finish, path, run

PREFIX = 'apps/app-1'
BEHIND = 30
STRAYS = ('wal/1/00000001/000000010000000000000001', 'backstay/proofs/old')
KINDS = ('config', 'keys/', 'data/', 'index/', 'snapshots/', 'wal/')
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def arn(name):
    return 'arn:aws:iam:::user/' + name


class Place:
    """A repository in a bucket with versioning, its users, and the policy that gives them their rights."""

    def __init__(self, server, bucket, proxy):
        self.server, self.bucket = server, bucket
        self.writer, self.keeper, self.reader = (server.user(n) for n in ('writer', 'keeper', 'reader'))
        server.make_bucket(bucket, 'versioned')
        self.owner_repo = self.repo(server)
        self.owner_repo.init()
        self.writer_repo, self.keeper_repo, self.reader_repo = (self.repo(u) for u in (self.writer, self.keeper, self.reader))
        self.writer_repo.path = 's3:%s/%s/%s' % (proxy.endpoint, bucket, PREFIX)
        # something of each kind that a writer must not touch
        for name in STRAYS:
            server.put(bucket, self.key(name), b'of the owner')
        server.put(bucket, 'elsewhere', b'not ours')

    def repo(self, user, **more):
        return S3Repo(self.server, self.bucket, PREFIX, user=user, **more)

    def key(self, name):
        return PREFIX + '/' + name

    def some(self, kind):
        """A key of that kind that is there."""
        return next(k for k in sorted(self.server.list(self.bucket, PREFIX + '/')) if k.startswith(self.key(kind)))

    def roles(self, *repo):
        """The policies of all three roles, for this repository or another one."""
        def of(role, *argv):
            return self.owner_repo.backstay('policy', role, *repo, *argv, '--bucket-policy', code=0).json()
        policy = of('writer', '--user', arn('writer'), '--maintainer', arn('keeper'), '--maintainer', arn('tester'))
        policy['Statement'] += of('reader', '--user', arn('reader'))['Statement']
        return policy

    def apply(self):
        policy = self.roles()
        names = [s['Sid'] for s in policy['Statement']]
        equal(len(set(names)), len(names), 'policies of two roles can stand together')
        self.server.configure(self.bucket, 'policy', json.dumps(policy))


def refused(name, call, *args, **more):
    try:
        call(*args, **more)
        fact(False, name, 'the server did it')
    except S3Error as e:
        fact(e.status == 403, name, e)


def backups(place, proxy, source):
    repo = place.writer_repo
    proxy.clear()
    repo.backup(source)
    again = repo.backup(source)
    # with the directories in its cache nothing is asked that could be refused
    reads = [r for r in proxy.requests if r.op in ('HeadObject', 'GetObject') and '/data/' in r.place]
    equal([r.status for r in reads], [403] * len(reads), 'a writer reads nothing of data/')
    equal([r.status for r in proxy.requests if r.status // 100 != 2], [403] * len(reads), 'all else it does it may')
    fact(len(reads) <= 4, 'a run asks at most once, and once why not, how large a pack is', [r.target for r in reads])
    fact(again.get('files_unmodified', 0) > 60 and again.get('files_new') == 0, 'the second backup knows the first', again)
    shutil.rmtree(path('cache'))
    alone = repo.backstay('backup', '--json', source, code=0)
    fact(alone.summary().get('files_unmodified') == 0 and alone.summary().get('data_added', 1 << 40) < 100_000,
         'without a cache all is read, and next to nothing stored', alone.summary())
    equal(alone.errors.count('parent snapshot'), 1, 'which is said once')
    equal(len(repo.snapshots()), 3, 'a writer lists snapshots')
    repo.backstay('unlock', code=0)
    repo.backstay('stats', '--store', code=0)
    equal(place.server.list(place.bucket, place.key('locks/')), {}, 'no lock is left')


def limits_of_a_writer(place):
    """What the server says to the writer's keys themselves, whatever a program would ask."""
    server, bucket, user = place.server, place.bucket, place.writer
    old = [(k, v) for k, v, size in server.versions(bucket, PREFIX + '/') if size is not None]
    for kind in KINDS:
        key = place.some(kind)
        refused('a writer cannot remove ' + kind, user.remove, bucket, key)
        refused('nor its versions', user.remove, bucket, key, dict(old)[key])
        refused('nor read its versions', user.get, bucket, key, dict(old)[key])
    for kind in ('config', 'keys/', 'backstay/'):
        refused('a writer cannot replace ' + kind, user.put, bucket, place.some(kind), b'mine')
    refused('nor add a key', user.put, bucket, place.key('keys/') + 64 * '0', b'mine')
    refused('nor put anything beside', user.put, bucket, 'apps/app-2/config', b'mine')
    mine = place.key('data/aa/' + 64 * 'a')
    user.put(bucket, mine, b'my own')
    refused('a writer cannot read content, not even its own', user.get, bucket, mine)
    refused('nor tell it by its headers', user.head, bucket, mine)
    refused('nor have the server copy it to where it may read', user.send, 'PUT', bucket, place.key('wal/copy'),
            headers={'x-amz-copy-source': '/%s/%s' % (bucket, mine)})
    refused('nor open it to others', user.send, 'PUT', bucket, mine, {'acl': ''}, b'', {'x-amz-acl': 'public-read'})
    refused('nor tag it for some rule', user.send, 'PUT', bucket, mine, {'tagging': ''}, b'<Tagging><TagSet/></Tagging>')
    server.remove(bucket, mine)
    refused('a writer cannot list elsewhere', user.list, bucket, 'apps/')
    refused('nor list versions', user.versions, bucket, PREFIX + '/')
    refused('nor suspend versioning', user.configure, bucket, 'versioning',
            '<VersioningConfiguration %s><Status>Suspended</Status></VersioningConfiguration>' % XMLNS)
    refused('nor let objects expire', user.configure, bucket, 'lifecycle',
            '<LifecycleConfiguration><Rule><ID>x</ID><Prefix></Prefix><Status>Enabled</Status><Expiration><Days>1</Days>'
            '</Expiration></Rule></LifecycleConfiguration>')
    refused('nor change the policy', user.configure, bucket, 'policy', '{"Version": "2012-10-17", "Statement": []}')
    refused('nor drop it', user.send, 'DELETE', bucket, query={'policy': ''})


def commands_of_a_writer(place, source):
    """Our own programs fail with words, and change nothing."""
    repo = place.writer_repo
    before = place.server.list(place.bucket, PREFIX + '/')
    for argv, code in ((('forget', '--keep-last', '1'), PARTIAL), (('forget', 'latest', '--prune'), PARTIAL), (('prune',), FAILED),
                       (('repair', 'index', '--read-data'), FAILED), (('tag', '--add', 'x=y', 'latest'), PARTIAL),
                       (('restore', 'latest', '--target', path('not')), PARTIAL)):
        done = repo.backstay(*argv)
        fact(done.code == code and 'access denied' in done.errors, '%s is refused' % ' '.join(argv[:2]), done.all)
    done = repo.backstay('key', 'add', env={'BACKSTAY_NEW_PASSWORD': 'another one'})
    fact(done.code == FAILED and 'access denied' in done.errors, 'key add is refused', done.all)
    done = repo.backstay('check')
    fact(done.code == FAILED and 'could not be finished' in done.errors and 'damaged' not in done.all,
         'a check that may not read does not speak of damage', done.all)
    now = place.server.list(place.bucket, PREFIX + '/')
    changed = {k: size for k, size in before.items() if now.get(k) != size}
    equal(changed, {}, 'nothing was removed or replaced by any of them')
    equal({k for k in now if k not in before and '/snapshots/' not in k}, set(), 'and nothing was added but what tag may add')


def maintainers(place, source):
    for name, repo in (('the maintainer', place.keeper_repo), ('the owner of the bucket', place.owner_repo)):
        target = path('restored by ' + name)
        repo.backstay('check', '--read-data', code=0)
        repo.backstay('restore', 'latest:' + source, '--target', target, code=0)
        equal(trees.compare(target, source, (b'',)), [], name + ' restores what the writer saved')
        kept = repo.backstay('forget', '--keep-last', '1', '--prune', '--json', code=0)
        fact(len(repo.snapshots()) == 1, name + ' forgets and prunes what the writer saved', kept.all)
        place.writer_repo.backup(source)
    place.owner_repo.sound('afterwards')


def readers(place, source):
    repo, target = place.reader_repo, path('read')
    done = repo.backstay('restore', 'latest:' + source, '--target', target)
    fact(done.code == FAILED and '--no-lock' in done.errors, 'a reader is told that it cannot lock', done.errors)
    repo.backstay('restore', 'latest:' + source, '--target', target, '--no-lock', code=0)
    equal(trees.compare(target, source, (b'',)), [], 'a reader restores without a lock')
    repo.backstay('check', '--no-lock', code=0)
    before = place.server.list(place.bucket)
    fact(repo.backstay('backup', source).code == FAILED and place.server.list(place.bucket) == before, 'a reader adds nothing')


def mirrored(place, source):
    """A mirror in another bucket with the same policy."""
    server = place.server
    for name in STRAYS:
        server.remove(place.bucket, place.key(name))  # nothing of ours, so no mirror would take it
    server.make_bucket('far', 'versioned')
    server.configure('far', 'policy', json.dumps(place.roles('s3:%s/far/%s' % (server.endpoint, PREFIX))))
    place.owner_repo.backstay('mirror', 'add', 's3:%s/far/%s' % (server.endpoint, PREFIX), '--name', 'far', code=0)
    place.keeper_repo.backstay('mirror', 'sync', code=0)
    place.writer_repo.backup(source)

    def names(bucket):
        return {k for k in server.list(bucket, PREFIX + '/') if '/locks/' not in k and '/backstay/' not in k and '/wal/' not in k}
    equal(names('far'), names(place.bucket), 'a writer writes to a mirror with the same rights')
    victim = next(k for k in sorted(names('far')) if '/data/' in k)
    server.remove('far', victim)
    server.remove('far', next(k for k in sorted(names('far')) if '/snapshots/' in k))
    done = place.writer_repo.backstay('backup', source)
    fact(done.code == BEHIND and 'far' in done.errors, 'what a mirror lacks a writer cannot carry, and says so', done.all)
    place.keeper_repo.backstay('mirror', 'sync', code=0)
    equal(names('far'), names(place.bucket), 'a maintainer catches it up')
    place.writer_repo.backup(source)
    far = S3Repo(server, 'far', PREFIX, user=place.keeper)
    far.sound('the mirror')


def admin(server, *words):
    subprocess.run(['radosgw-admin', '-n', 'client.rgw', *words], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, 'CEPH_CONF': server.dir + '/ceph.conf'})


def attached(server, source):
    """The policy for a user instead of a bucket."""
    server.make_bucket('attached', 'versioned')
    root = server.user('root')
    admin(server, 'caps', 'add', '--uid=root', '--caps=user-policy=*')
    owner, user = S3Repo(server, 'attached'), server.user('guest')
    owner.init()
    guest = S3Repo(server, 'attached', user=user)
    fact(guest.backstay('backup', source).code == FAILED, 'a stranger has no rights')
    policy = owner.backstay('policy', 'writer', '--iam', code=0).text
    body = b'Action=PutUserPolicy&UserName=guest&PolicyName=backstay&PolicyDocument=' + quoted(policy)
    root.send('POST', '', body=body, headers={'content-type': 'application/x-www-form-urlencoded'})
    guest.backup(source)
    equal(len(guest.snapshots()), 1, 'with the policy attached a user can write')
    [pack, *_] = owner.objects('data')
    refused('but not read content', user.get, 'attached', 'data/%s/%s' % (pack[:2], pack))
    refused('nor remove', user.remove, 'attached', 'snapshots/' + owner.objects('snapshots')[0])


def quoted(text):
    import urllib.parse
    return urllib.parse.quote(text, safe='').encode()


def words(place):
    """What is refused before any server is asked."""
    def says(part, *argv):
        done = run(BACKSTAY, 'policy', *argv, env=place.owner_repo.env())
        fact(done.code == FAILED and part in done.errors, 'policy %s is refused' % ' '.join(argv), done.errors)
    says('needs --user', 'writer', 's3:http://h/bucket', '--bucket-policy')
    says('write writer, maintainer or reader', 'king', 's3:http://h/bucket')
    says('only a bucket', 'writer', path('directory'))
    done = run(BACKSTAY, 'policy', 'writer', 's3:http://h/bucket', '--user', arn('bob'), env=place.owner_repo.env())
    fact(done.code == 0 and 'no --maintainer' in done.errors, 'a writer whom nobody looks after is warned of', done.errors)
    says('write arn:', 'writer', 's3:http://h/bucket', '--user', 'bob')
    says('mean something else', 'writer', 's3:http://h/bucket/a*b', '--iam')
    done = run(BACKSTAY, 'policy', 'writer', 's3:http://h/bucket/p', '--json', env=place.owner_repo.env())
    fact(done.json()['bucket_policy'] is None and done.json()['iam_policy']['Version'] == '2012-10-17', 'policy --json', done.all)
    done = run(BACKSTAY, 'policy', 'writer', 's3:http://h/bucket/p', env=place.owner_repo.env())
    fact('versioning or object lock' in done.text and '--user ARN' in done.text, 'the text says what it takes', done.text)
    done = run(BACKSTAY, 'policy', 'writer', 's3:http://h/bucket', '--iam', '-o', 's3.object-lock=governance', '-o',
               's3.object-lock-days=7', env=place.owner_repo.env())
    [lock] = [s for s in done.json()['Statement'] if s['Action'] == ['s3:PutObjectRetention']]
    equal((lock['Effect'], lock['Resource'][0]), ('Allow', 'arn:aws:s3:::bucket/data/*'), 'who is to lock objects may')


def main():
    source = path('source')
    trees.everything(source, devices=False, big=300_000)
    with S3Server() as server, Proxy(server) as proxy:
        place = Place(server, 'rights', proxy)
        words(place)
        fact(place.writer_repo.backstay('backup', source).code == FAILED, 'without a policy a stranger cannot write')
        place.apply()
        backups(place, proxy, source)
        limits_of_a_writer(place)
        commands_of_a_writer(place, source)
        maintainers(place, source)
        readers(place, source)
        mirrored(place, source)
        attached(server, source)
    finish()


main()
