#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""doctor says what guards a bucket and what would destroy the repository in it; init says the first part, too."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from s3 import S3Repo, S3Server
from s3proxy import Proxy
from scenario import BACKSTAY, FAILED, NO_REPOSITORY, Repo, equal, fact, finish, path, run

LOCK = ('<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode>'
        '<Days>3</Days></DefaultRetention></Rule></ObjectLockConfiguration>')
RULE = '<Rule><ID>%s</ID><Filter><Prefix>%s</Prefix></Filter><Status>Enabled</Status>%s</Rule>'
EXPIRES = '<Expiration><Days>90</Days></Expiration>'
OLD = '<NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays></NoncurrentVersionExpiration>'


def lifecycle(server, bucket, *rules):
    server.configure(bucket, 'lifecycle', '<LifecycleConfiguration>%s</LifecycleConfiguration>' % ''.join(rules))


def states(repo, *argv, code=0):
    """check -> status; the worst of several."""
    done = repo.backstay('doctor', '--json', *argv, code=code)
    [told] = done.messages('doctor')
    order = ('pass', 'warn', 'fail')
    equal(told['status'], max((c['status'] for c in told['checks']), key=order.index), 'the worst is the whole')
    return {c['check']: c['status'] for c in sorted(told['checks'], key=lambda c: order.index(c['status']))}


def says(repo, part, name, *argv, code=0):
    done = repo.backstay('doctor', *argv)
    fact(done.code == code and part in done.text, name, done.all)


def made(server, bucket, kind=''):
    """A repository, and what init said."""
    server.make_bucket(bucket, kind)
    repo = S3Repo(server, bucket, 'apps/one')
    return repo, repo.backstay('init', code=0).errors


def plain(server):
    repo, said = made(server, 'plain')
    fact('versioning' in said and 'destroy history' in said, 'init tells a bucket that keeps no versions', said)
    equal(states(repo), {'versioning': 'warn', 'object-lock': 'pass', 'lifecycle': 'pass', 'uploads': 'pass', 'clock': 'pass'},
          'what doctor says of a plain bucket')
    says(repo, 'turn it on', 'and what to do')
    equal(states(repo, '-o', 's3.object-lock=governance', '-o', 's3.object-lock-days=3', code=FAILED)['object-lock'], 'fail',
          'locks that the bucket has not are a failure')
    done = run(BACKSTAY, 'doctor', repo.path, env=repo.env())
    fact(done.code == 0 and 'versioning' in done.text, 'the repository may be an operand')
    done = repo.backstay('doctor', '--quiet', code=0)
    equal(len(done.text.splitlines()), 1, 'with --quiet only what is not in order')
    nobody = S3Repo(server, 'plain', 'apps/one', user=server.user('nobody'))
    fact(nobody.backstay('doctor').code == FAILED, 'without any rights there is no diagnosis')
    fact(S3Repo(server, 'plain', 'apps/two').backstay('doctor').code == NO_REPOSITORY, 'nor without a repository')


def versioned(server):
    repo, said = made(server, 'versioned', 'versioned')
    equal(said, '', 'init has nothing to say of a bucket with versioning')
    equal(states(repo)['versioning'], 'pass', 'versioning is seen')
    says(repo, 'makes room', 'that nothing removes versions is told')
    lifecycle(server, 'versioned', RULE % ('old', 'apps/', OLD % 30))
    equal(states(repo)['lifecycle'], 'pass', 'a rule that removes versions late is in order')
    lifecycle(server, 'versioned', RULE % ('old', 'apps/', OLD % 1))
    equal(states(repo)['lifecycle'], 'warn', 'one that leaves no time to notice a theft is told')
    lifecycle(server, 'versioned', RULE % ('tidy', 'apps/', EXPIRES), RULE % ('old', 'apps/', OLD % 30))
    equal(states(repo, code=FAILED)['lifecycle'], 'fail', 'a rule that removes what is in use is a failure')
    says(repo, 'tidy', 'and named', code=FAILED)
    lifecycle(server, 'versioned', RULE % ('tidy', 'elsewhere/', EXPIRES))
    equal(states(repo)['lifecycle'], 'pass', 'rules for something else are not')
    upload = server.send('POST', 'versioned', 'apps/one/wal/1', {'uploads': ''}).text('UploadId')
    fact(upload and states(repo)['uploads'] == 'pass', 'an upload that began just now is in order')


def locked(server):
    repo, said = made(server, 'locked', 'locked')
    fact('default retention' in said, 'init tells that nothing is locked', said)
    equal(states(repo)['object-lock'], 'warn', 'a bucket that can lock and does not')
    equal(states(repo, '-o', 's3.object-lock=governance', '-o', 's3.object-lock-days=3')['object-lock'], 'pass', 'unless we do')
    server.configure('locked', 'object-lock', LOCK)
    equal(states(repo)['object-lock'], 'pass', 'or the bucket does')


def rights(server):
    """What each role may ask."""
    import json
    repo = S3Repo(server, 'versioned', 'apps/one')
    statements = []
    for role in ('writer', 'reader'):
        argv = ('--maintainer', 'arn:aws:iam:::user/keeper') if role == 'writer' else ()
        statements += repo.backstay('policy', role, '--user', 'arn:aws:iam:::user/' + role, *argv, '--bucket-policy',
                                    code=0).json()['Statement']
    server.configure('versioned', 'policy', json.dumps({'Version': '2012-10-17', 'Statement': statements}))
    for role in ('writer', 'reader', 'keeper'):
        found = states(S3Repo(server, 'versioned', 'apps/one', user=server.user(role)))
        want = 'pass' if role == 'keeper' else 'warn'
        equal(found, {'versioning': 'pass', 'object-lock': 'pass', 'lifecycle': 'pass', 'uploads': want, 'clock': 'pass'},
              'what the keys of a %s may see' % role)


def elsewhere(server):
    directory = Repo(path('directory'))
    equal(directory.backstay('init', code=0).errors, '', 'init has nothing to say of a directory')
    equal(states(directory), {'versioning': 'warn', 'uploads': 'pass'}, 'doctor says that it keeps no versions')
    leftover = os.path.join(directory.path, 'data', '00', 'x-tmp-abc123')
    os.makedirs(os.path.dirname(leftover), exist_ok=True)
    with open(leftover, 'wb') as f:
        f.write(b'cut off')
    equal(states(directory)['uploads'], 'pass', 'what was cut off just now may still be under way')
    os.utime(leftover, (0, time.time() - 2 * 86400))
    equal(states(directory)['uploads'], 'warn', 'what was cut off two days ago is told')
    with Proxy(server) as proxy:
        away = S3Repo(server, 'plain', 'apps/one', through=proxy.endpoint)
        server.halt()
        done = away.backstay('doctor', '--retry-deadline', '0')
        fact(done.code == FAILED and not re.search('^pass', done.text, re.M), 'a server that is away is no diagnosis', done.all)


def main():
    with S3Server() as server:
        plain(server)
        versioned(server)
        locked(server)
        rights(server)
        elsewhere(server)
    finish()


main()
