#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whose keys are used, and from where; a role that is assumed at a real token service; limits; a server that hangs."""
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from s3 import S3Repo, S3Server
from scenario import (BACKSTAY, FAILED, INTERRUPTED, NO_REPOSITORY, ended, environment, equal, fact, finish, path, run,
                      wait_until)

ROLE = 'arn:aws:iam:::role/night'
TRUST = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': ['arn:aws:iam:::user/base']},
                                                 'Action': ['sts:AssumeRole']}]}
RIGHTS = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': ['s3:*'], 'Resource': ['arn:aws:s3:::*']}]}
SETTINGS = ('rgw sts key = 0123456789abcdef', 'rgw s3 auth use sts = true')


class Door:
    """Tries a repository with keys that come in some way."""

    def __init__(self, server, repo):
        self.server, self.repo = server, repo

    def attempt(self, *argv, location=None, **variables):
        env = environment(self.repo.password, HOME=path('home'), **variables)
        argv = [*([] if location == '' else ['-r', location or self.repo.path]), 'cat', 'config', *argv]
        return run(BACKSTAY, *argv, env=env)

    def opens(self, name, *argv, **variables):
        done = self.attempt(*argv, **variables)
        fact(done.code == 0, name, done.errors)

    def refuses(self, name, words, *argv, code=FAILED, **variables):
        done = self.attempt(*argv, **variables)
        fact(done.code == code and words in done.errors and self.server.secret_key not in done.errors, name,
             'exit status %d\n%s' % (done.code, done.errors))


def write(name, text):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), 'w', encoding='ascii') as f:
        f.write(text)
    return path(name)


def keys(server, door):
    access, secret = server.access_key, server.secret_key
    pair = {'AWS_ACCESS_KEY_ID': access, 'AWS_SECRET_ACCESS_KEY': secret}
    wrong = {'AWS_ACCESS_KEY_ID': access, 'AWS_SECRET_ACCESS_KEY': 'wrong'}
    file = write('keys/secret', secret + '\n')
    shared = '# by hand\n[default]\naws_access_key_id = nobody\naws_secret_access_key = x\n[night]\naws_access_key_id = %s\n' \
             'aws_secret_access_key=%s\n' % (access, secret)
    door.refuses('without any keys it says which there could be', 'AWS_ACCESS_KEY_ID')
    door.opens('keys from the environment', **pair)
    door.opens('a secret from a file', AWS_ACCESS_KEY_ID=access, AWS_SECRET_ACCESS_KEY_FILE=file)
    door.opens('a secret from a command', BACKSTAY_S3_ACCESS_KEY=access, BACKSTAY_S3_SECRET_KEY_COMMAND='cat ' + file)
    door.refuses('two forms at once are refused', 'more than one way', AWS_SECRET_ACCESS_KEY_FILE=file, **pair)
    door.refuses('a wrong secret is told', 'access denied', **wrong)
    door.opens('the keys of a backup come before Amazon\'s', BACKUP_S3_ACCESS_KEY=access, BACKUP_S3_SECRET_KEY=secret, **wrong)
    door.opens('ours come before both', BACKSTAY_S3_ACCESS_KEY=access, BACKSTAY_S3_SECRET_KEY=secret, BACKUP_S3_ACCESS_KEY='x',
               BACKUP_S3_SECRET_KEY='x', **wrong)
    door.refuses('half of one family is not completed from another', 'BACKUP_S3_SECRET_KEY', BACKUP_S3_ACCESS_KEY=access, **pair)
    write('home/.aws/credentials', shared)
    door.opens('a profile of the file in the home directory', AWS_PROFILE='night')
    door.refuses('not another one', 'access key')
    door.refuses('a profile that is nowhere', 'profile morning', AWS_PROFILE='morning')
    door.opens('a file that is named', AWS_PROFILE='night', AWS_SHARED_CREDENTIALS_FILE=write('keys/shared', shared))
    os.remove(path('home/.aws/credentials'))


def places(server, door):
    pair = {'AWS_ACCESS_KEY_ID': server.access_key, 'AWS_SECRET_ACCESS_KEY': server.secret_key}
    short = 's3:' + door.repo.bucket
    door.opens('an endpoint from the environment', location=short, AWS_ENDPOINT_URL=server.endpoint, **pair)
    door.opens('under the name that Longhorn\'s secrets have', location=short, AWS_ENDPOINTS=server.endpoint + '/', **pair)
    door.refuses('several endpoints are none', 'leave one', location=short, AWS_ENDPOINTS='http://a,http://b', **pair)
    door.opens('a repository from the environment', location='', BACKUP_S3_ENDPOINT=server.endpoint,
               BACKUP_S3_BUCKET=door.repo.bucket, BACKUP_S3_ACCESS_KEY=server.access_key, BACKUP_S3_SECRET_KEY=server.secret_key)
    door.opens('options of the store', '-o', 's3.region=default', '-o', 's3.connections=1', '-o', 's3.bucket-lookup=path', **pair)
    door.refuses('an option that does not exist', 's3.colour', '-o', 's3.colour=red', **pair)
    door.refuses('no such bucket', 'no such bucket', location='s3:%s/nowhere' % server.endpoint, code=NO_REPOSITORY, **pair)


def admin(server, *words):
    subprocess.run(['radosgw-admin', '-n', 'client.rgw', *words], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, 'CEPH_CONF': server.dir + '/ceph.conf'})


def role(server, door):
    base = server.user('base')
    admin(server, 'caps', 'add', '--uid=base', '--caps=roles=*')
    admin(server, 'role', 'create', '--role-name=night', '--assume-role-policy-doc=' + json.dumps(TRUST))
    admin(server, 'role-policy', 'put', '--role-name=night', '--policy-name=all', '--policy-doc=' + json.dumps(RIGHTS))
    found = {'AWS_ACCESS_KEY_ID': base.access_key, 'AWS_SECRET_ACCESS_KEY': base.secret_key,
             'RESTIC_AWS_ASSUME_ROLE_ARN': ROLE, 'RESTIC_AWS_ASSUME_ROLE_STS_ENDPOINT': server.endpoint}
    door.opens('a role is assumed at the token service', **found)
    found['RESTIC_AWS_ASSUME_ROLE_ARN'] = ROLE + 'mare'
    door.refuses('a role that does not exist is told by name', ROLE + 'mare: sts: ', **found)
    del found['RESTIC_AWS_ASSUME_ROLE_ARN']
    door.refuses('without the role the same keys may not read', 'access denied', **found)


def two_owners(server, repo):
    """Each of the two repositories of a copy has keys of its own."""
    other = S3Repo(server, 'theirs', user=server.user('theirs'))
    other.backstay('init', code=0)  # the test's own keys may not touch it
    done = run(BACKSTAY, '-r', repo.path, 'copy', '--to', other.path,
               env=repo.env(BACKSTAY_FROM_PASSWORD=other.password, BACKSTAY_FROM_S3_ACCESS_KEY=other.user.access_key,
                            BACKSTAY_FROM_S3_SECRET_KEY=other.user.secret_key))
    equal((done.code, len(other.snapshots())), (0, len(repo.snapshots())), 'copy uses two owners\' keys')
    done = run(BACKSTAY, '-r', repo.path, 'copy', '--to', other.path, env=repo.env(BACKSTAY_FROM_PASSWORD=other.password))
    fact(done.code == FAILED and 'denied' in done.errors, 'and one owner\'s are not enough', done.errors)


def limits(repo, source, size):
    rate = size // 4  # bytes a second, so four seconds
    began = time.monotonic()
    repo.backup('--limit-upload', str(rate // 1024), source)
    took = time.monotonic() - began
    fact(took > 2.5, 'an upload does not exceed its limit', '%.1f s' % took)
    began = time.monotonic()
    repo.backstay('restore', 'latest', '--target', path('slow'), '--limit-download', str(rate // 1024), code=0)
    took = time.monotonic() - began
    # a request waits for those before it, so the last one, which may be a whole pack, is not waited for
    fact(took > 1.5, 'nor does a download', '%.1f s' % took)
    fact(not (found := trees.compare(path('slow') + source, source)), 'and it is whole', '\n'.join(found))


def hang(server, repo, name, *argv):
    """The server stops in the middle, then the user presses Control-C."""
    process = subprocess.Popen([BACKSTAY, '-r', repo.path, *argv], env=repo.env(), stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, start_new_session=True)
    with open(server.dir + '/rgw.pid', encoding='ascii') as f:
        pid = int(f.read())
    wait_until(lambda: repo.objects('locks'), 30)
    time.sleep(1)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(0.5)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        err = ended(process, 120, name)
        took = time.monotonic() - sent
    finally:
        os.kill(pid, signal.SIGCONT)
    fact(took < 5, name + ' ends in less than five seconds while the server hangs', '%.1f s' % took)
    equal(process.returncode, INTERRUPTED, name + ': exit status')
    fact(b'error: ' not in err, name + ': tells of no damage', err.decode(errors='replace'))
    repo.backstay('unlock', code=0)


def main():
    size = 32_000_000  # several packs, and several ranges: a single one travels as fast as the line is
    source = path('source')
    os.makedirs(source)
    trees.write(source + '/noise', trees.noise(3, size))
    trees.write(source + '/text', b'text\n' * 1000)
    with S3Server('s3', *SETTINGS) as server:
        repo = S3Repo(server, 'one')
        repo.init()
        door = Door(server, repo)
        keys(server, door)
        places(server, door)
        role(server, door)
        limits(repo, source, size)
        two_owners(server, repo)
        slow = str(size // 20 // 1024)
        trees.write(source + '/noise', trees.noise(4, size))
        hang(server, repo, 'backup', 'backup', '--limit-upload', slow, source)
        hang(server, repo, 'check', 'check', '--read-data', '--no-cache', '--limit-download', slow)
        hang(server, repo, 'restore', 'restore', 'latest', '--target', path('hung'), '--limit-download', slow)
        repo.sound('after all that')
    finish()


if __name__ == '__main__':
    main()
