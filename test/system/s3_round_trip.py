#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan
"""Every command on a repository in a bucket, over plain HTTP, TLS and virtual hosts; stock restic and s3cmd see the same, and
restic writes there in turn; a PostgreSQL database there and back."""
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from postgres import Postgres, same_database
from s3 import S3Repo, S3Server
from s3proxy import Proxy
from scenario import NO_REPOSITORY, QUICK, SANITIZED, WRONG_PASSWORD, Repo, equal, environment, fact, finish, path, run

SOCKET = (b'socket',)  # a restore leaves sockets out


def same(target, source, name):
    return fact(not (found := trees.compare(target + source, source, SOCKET)), name, '\n'.join(found))


def says(done, pattern, name):
    return fact(done.code not in (0, 124) and re.search(pattern, done.errors, re.I), name, 'exit status %d\n%s' % (done.code, done.errors))


def change(source, seed):
    trees.write(source + '/plain.txt', b'changed %d\n' % seed, mtime=trees.TIME + seed * 10**9)
    trees.write('%s/docs/new-%d' % (source, seed), trees.noise(seed, 300_000))


# ---- every command ----

def life(repo, source, seed):
    """From init on; leaves two snapshots."""
    repo.backstay('init', code=0)
    fact(repo.server.list(repo.bucket), 'init makes the bucket')
    repo.backstay('init', code=1, why='a second init is refused')
    repo.cheapen()
    first = repo.backup(source, '--tag', 'one')['snapshot_id']
    change(source, seed)
    second = repo.backup(source)
    equal((second['files_new'], second['files_changed']), (1, 1), 'the second backup knows the first')
    equal(len(repo.snapshots()), 2, 'both are listed')
    repo.sound('after two backups')
    for name in ('ours', 'theirs'):
        (repo.backstay if name == 'ours' else repo.restic)('restore', 'latest', '--target', path(name), code=0)
        same(path(name), source, 'what %s restores is what was saved' % ('backstay' if name == 'ours' else 'restic'))
        shutil.rmtree(path(name), ignore_errors=True)
    return first, second['snapshot_id']


def looking(repo, source, seed, first, second):
    new = '/docs/new-%d' % seed
    lines = repo.backstay('ls', '--json', second, code=0).lines()
    equal(len(lines), len(repo.restic('ls', '--json', second, code=0).lines()), 'ls lists what restic lists')
    equal(len(repo.backstay('find', '--json', 'plain.txt', code=0).json()), 2, 'find finds a file in both snapshots')
    fact(new in repo.backstay('diff', first, second, code=0).text, 'diff shows what changed')
    with open(source + new, 'rb') as f:
        equal(repo.backstay('dump', second, source + new, code=0).out, f.read(), 'dump gives the bytes')
    ours, theirs = (r.json()['total_size'] for r in (repo.backstay('stats', '--json', code=0), repo.restic('stats', '--json', code=0)))
    equal(ours, theirs, 'stats gives the size that restic gives')
    listing = repo.listing()
    text = repo.backstay('stats', '--store', '--json', code=0).text
    fact(str(sum(listing.values())) in text and str(len(listing)) in text.replace(str(sum(listing.values())), ''),
         'stats --store counts what lies in the bucket', (text, len(listing), sum(listing.values())))
    for what in ('config', 'masterkey'):
        fact(repo.backstay('cat', what, code=0).out.startswith(b'{'), 'cat ' + what)
    equal(len(repo.backstay('key', 'list', '--json', code=0).json()), 1, 'key list')


def new_password(repo):
    with open(path('new-password'), 'w', encoding='ascii') as f:
        f.write('another password')
    repo.backstay('key', 'add', '--new-password-file', path('new-password'), code=0)
    current = next(k['id'] for k in repo.backstay('key', 'list', '--json').json() if k['current'])
    old, repo.password = repo.password, 'another password'
    equal(len(repo.snapshots()), 2, 'a second password opens it')
    repo.backstay('key', 'remove', current, code=0)
    repo.backstay('snapshots', code=WRONG_PASSWORD, why='a removed password does not', env={'RESTIC_PASSWORD': old})
    repo.cheapen()


def keeping(repo, source, first, second):
    repo.backstay('tag', '--add', 'two', second, code=0)
    equal([sorted(s.get('tags') or []) for s in repo.snapshots()], [['one'], ['two']], 'tag changes tags')
    new_password(repo)
    extra = path('extra')
    os.makedirs(extra, exist_ok=True)
    trees.write(extra + '/noise', trees.noise(77, 6_000_000))
    third = repo.backup(extra)['snapshot_id']
    full = repo.size()
    repo.backstay('forget', third, code=0)
    equal(len(repo.snapshots()), 2, 'forget removes a snapshot')
    repo.backstay('prune', '--max-unused', '0', code=0)
    fact(repo.size() < full - 5_500_000, 'prune gives the space back', (full, repo.size()))
    repo.sound('after prune')
    repo.backstay('repair', 'index', code=0)
    repo.backstay('unlock', code=0)
    equal(repo.objects('locks'), [], 'no lock is left')
    repo.sound('after all this')
    repo.backstay('restore', first, '--target', path('out'), code=0)
    fact(os.path.exists(path('out') + source + '/docs/f001'), 'the old snapshot restores')
    shutil.rmtree(path('out'), ignore_errors=True)


def copies(server, repo, source):
    """Bucket to directory to bucket to bucket."""
    local, back, beside = Repo.named('local'), S3Repo(server, 'copies', 'back'), S3Repo(server, 'copies', 'beside')
    for to in (local, back, beside):
        to.init()
    chain = [repo, local, back, beside]
    for origin, to in zip(chain, chain[1:]):
        env = {'RESTIC_FROM_REPOSITORY': origin.path, 'RESTIC_FROM_PASSWORD': origin.password,
               'AWS_ACCESS_KEY_ID': server.access_key, 'AWS_SECRET_ACCESS_KEY': server.secret_key}
        to.backstay('copy', code=0, env=env, why='copy from %s to %s' % (origin.path.replace(path(), ''), to.path.replace(path(), '')))
        to.sound('the copy')
        equal([s['time'] for s in to.snapshots()], [s['time'] for s in repo.snapshots()], 'has the same snapshots')
    beside.backstay('restore', 'latest', '--target', path('out'), code=0)
    same(path('out'), source, 'the copy of the copy of the copy restores exactly')
    shutil.rmtree(path('out'), ignore_errors=True)


def every_command(repo, source, seed):
    first, second = life(repo, source, seed)
    looking(repo, source, seed, first, second)
    keeping(repo, source, first, second)


def database(server):
    repo = S3Repo(server, 'databases', 'shop', through=server.tls_endpoint, environ={'RESTIC_CACERT': server.ca})
    repo.init()
    with Postgres() as postgres:
        postgres.sample('shop', 0.2)
        saved = repo.backup(postgres.url('shop'))
        postgres.create('back')
        repo.backstay('restore', saved['snapshot_id'], '--to', postgres.url('back'), code=0)
        same_database(postgres, 'shop', postgres, 'back', 'a database from a bucket')
    repo.sound('with a dump')


# ---- other programs ----

def restic_made(server, source):
    repo = S3Repo(server, 'theirs', 'made/by/restic')
    repo.restic('init', code=0)
    repo.cheapen()
    repo.restic('backup', source, code=0)
    repo.sound('what restic made in a bucket')
    repo.backstay('restore', 'latest', '--target', path('out'), code=0)
    same(path('out'), source, 'we restore what restic saved in a bucket')
    shutil.rmtree(path('out'), ignore_errors=True)
    repo.backup(source)
    repo.restic('forget', '--keep-last', '1', '--group-by', '', '--prune', code=0)
    repo.sound('after both have worked in it')


def restic_writes(repo, source):
    """Into what we made."""
    change(source, 9)
    repo.restic('backup', source, code=0)
    repo.sound('ours, in which restic has written')
    repo.backstay('restore', 'latest', '--target', path('out'), code=0)
    same(path('out'), source, 'we restore what restic saved in it')
    shutil.rmtree(path('out'), ignore_errors=True)


def s3cmd(server, *words):
    options = ['--host', server.endpoint.split('//')[1], '--host-bucket', server.endpoint.split('//')[1], '--no-ssl', '--no-progress']
    env = environment(None, AWS_ACCESS_KEY_ID=server.access_key, AWS_SECRET_ACCESS_KEY=server.secret_key)
    return run('s3cmd', '-c', '/dev/null', *options, *words, env=env, code=0)


def sha256_of(name):
    with open(name, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest()


def another_client(server, repo, source):
    down = Repo.named('down', repo.password)
    os.mkdir(down.path)
    s3cmd(server, 'get', '--recursive', 's3://%s/%s' % (repo.bucket, repo.key('')), down.path + '/')
    equal({k: os.path.getsize(down.path + '/' + k) for k in repo.listing()}, repo.listing(), 's3cmd sees every object')
    equal([k for k in repo.listing() if k != 'config' and sha256_of(down.path + '/' + k) != k.rpartition('/')[2]], [],
          'and the name of each is the hash of its bytes')
    down.sound('the directory that s3cmd fetched')
    s3cmd(server, 'mb', 's3://put-there')
    s3cmd(server, 'put', '--recursive', down.path + '/', 's3://put-there/prefix/')
    up = S3Repo(server, 'put-there', 'prefix', password=repo.password)
    up.sound('the directory that s3cmd put into another bucket')
    up.backstay('restore', 'latest', '--target', path('out'), code=0)
    same(path('out'), source, 'it restores exactly')
    shutil.rmtree(path('out'), ignore_errors=True)


# ---- ways to get there ----

def ways(server, source):
    """Over TLS, and with the bucket in the host's name: init, backup, check, restore, prune."""
    made = set()
    port, tls_port = (e.rpartition(':')[2] for e in (server.endpoint, server.tls_endpoint))
    for label, endpoint, bucket, environ, options in (
            ('TLS', server.tls_endpoint, 'over-tls', {'RESTIC_CACERT': server.ca}, []),
            ('TLS, --cacert', server.tls_endpoint, 'over-tls', {}, ['--cacert', server.ca]),
            ('TLS, AWS_CA_BUNDLE', server.tls_endpoint, 'over-tls', {'AWS_CA_BUNDLE': server.ca}, []),
            ('virtual host', 'http://s3.localhost:' + port, 'by-host', {}, ['-o', 's3.bucket-lookup=dns']),
            ('virtual host over TLS', 'https://s3.localhost:' + tls_port, 'by-host', {'RESTIC_CACERT': server.ca}, ['-o', 's3.bucket-lookup=dns'])):
        repo = S3Repo(server, bucket, 'p', through=endpoint, environ=environ)
        if bucket not in made:
            repo.backstay(*options, 'init', code=0, why=label + ': init')
            repo.cheapen()
            made.add(bucket)
        repo.backstay(*options, 'backup', source, code=0, why=label + ': backup')
        repo.backstay(*options, 'check', '--read-data', code=0, why=label + ': check')
        repo.backstay(*options, 'restore', 'latest', '--target', path('out'), code=0, why=label + ': restore')
        same(path('out'), source, label + ': what was restored is what was saved')
        repo.backstay(*options, 'prune', code=0, why=label + ': prune')
        shutil.rmtree(path('out'), ignore_errors=True)
    theirs = S3Repo(server, 'over-tls', 'p', through=server.tls_endpoint)
    theirs.restic('check', '--read-data', code=0, why='restic reads it over TLS')


def prefixes(server, source):
    """The bucket itself, a deep prefix, and neighbours whose names begin alike."""
    repos = [S3Repo(server, 'prefixes', p) for p in ('a', 'ab', 'a/b/c')] + [S3Repo(server, 'whole-bucket')]
    for repo in repos:
        repo.init()
        repo.backup(source + '/docs')
    for repo in repos:
        equal(len(repo.snapshots()), 1, 'a repository under "%s" sees only its own' % repo.prefix)
        repo.sound('the one under "%s"' % repo.prefix)
    slash = S3Repo(server, 'prefixes', 'a/')
    slash.backstay('snapshots', code=0, why='a slash at the end makes no difference')
    server.put('prefixes', 'a/snapshots/', b'')
    server.put('prefixes', 'a/README', b'not ours')
    repos[0].sound('with a directory marker and a foreign object')
    repos[0].backstay('prune', code=0)
    equal(server.get('prefixes', 'a/README'), b'not ours', 'a foreign object stays')


# ---- what is said when it does not work ----

def refusals(server, repo, source):
    def with_keys(**env):
        return repo.backstay('snapshots', env=env)
    says(with_keys(AWS_SECRET_ACCESS_KEY='wrong'), 'signature|secret', 'a wrong secret is named')
    says(with_keys(AWS_ACCESS_KEY_ID='NOSUCHKEY'), 'access key|InvalidAccessKeyId', 'an access key that does not exist is named')
    says(with_keys(AWS_SECRET_ACCESS_KEY=''), 'AWS_SECRET_ACCESS_KEY', 'a secret that is not given is asked for')
    with_nothing = run(*[w for w in (os.environ.get('BACKSTAY') or 'build/src/backstay', '-r', repo.path, 'snapshots')],
                       env=environment(repo.password, HOME=path('nobody')))
    says(with_nothing, 'AWS_ACCESS_KEY_ID', 'without keys it is said where they are looked for')
    for done in (with_keys(AWS_SECRET_ACCESS_KEY='wrong'), with_keys(AWS_ACCESS_KEY_ID='NOSUCHKEY')):
        fact(done.code not in (NO_REPOSITORY, WRONG_PASSWORD), 'a refused request is not taken for a missing repository', done.code)
    missing = S3Repo(server, 'no-such-bucket', 'p')
    says(done := missing.backstay('snapshots', code=NO_REPOSITORY), 'no-such-bucket', 'a missing bucket is named')
    empty = S3Repo(server, repo.bucket, 'nothing/here')
    says(empty.backstay('backup', source, code=NO_REPOSITORY), 'nothing/here', 'a prefix without a repository is named')
    stranger = S3Repo(server, repo.bucket, repo.prefix, user=server.user('stranger'))
    says(done := stranger.backstay('snapshots'), 'denied', 'a stranger is denied')
    fact(done.code not in (NO_REPOSITORY, WRONG_PASSWORD), 'and does not hear that there is nothing', done.code)
    tls = S3Repo(server, repo.bucket, repo.prefix, through=server.tls_endpoint, password=repo.password)
    says(tls.backstay('snapshots'), 'certificate', 'a server whose certificate nobody vouches for is refused')
    other = path('other-ca.crt')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=other',
                    '-keyout', path('other.key'), '-out', other], check=True, stderr=subprocess.DEVNULL)
    says(tls.backstay('--cacert', other, 'snapshots'), 'certificate', 'one that another authority vouches for, too')
    says(tls.backstay('--cacert', path('nothing.crt'), 'snapshots'), 'nothing.crt', 'a CA file that is not there is named')
    wrong_host = S3Repo(server, repo.bucket, repo.prefix, through=server.tls_endpoint.replace('127.0.0.1', '127.0.0.2'))
    says(wrong_host.backstay('--cacert', server.ca, '--retry-deadline', '1s', 'snapshots'), 'certificate|127.0.0.2', 'a certificate for another host')


def no_names():
    """Before a command: it asks nobody for names, however long a name server of this machine takes to say that there is none."""
    with open(path('nsswitch.conf'), 'w', encoding='ascii') as f:
        f.write('hosts: files\n')
    return 'unshare', '--mount', 'sh', '-c', 'mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@"', 'sh', path('nsswitch.conf')


def unreachable(server, repo):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))  # nobody listens
        nobody = 'http://127.0.0.1:%d' % s.getsockname()[1]
        for through, what in ((nobody, nobody.split('//')[1]), ('http://nowhere.invalid', 'nowhere.invalid'),
                              (server.tls_endpoint.replace('https', 'http'), '127.0.0.1'), (server.endpoint.replace('http', 'https'), '127.0.0.1')):
            gone = S3Repo(server, repo.bucket, repo.prefix, through=through)
            done = gone.backstay('--retry-deadline', '2s', 'snapshots', prefix=no_names())
            says(done, re.escape(what), '%s: the host is named' % through.replace(what, 'HOST'))
            fact(done.code not in (NO_REPOSITORY, WRONG_PASSWORD) and done.seconds < 60, 'it is no missing repository, and ends in time', (done.code, done.seconds))


def secrets(server, source):
    """The keys are nowhere but in the environment; nothing but signatures goes over the wire."""
    with Proxy(server) as proxy:
        repo = S3Repo(server, 'secrets', 'p', through=proxy.endpoint)
        seen = b''
        for words in (('init',), ('--verbose=2', 'backup', source + '/docs'), ('snapshots', '--json'), ('--verbose=2', 'check')):
            done = repo.backstay(*words, code=0)
            seen += done.out + done.err
        fact(server.secret_key.encode() not in seen, 'the secret is not printed')
        fact(not any(server.secret_key.encode() in r.head for r in proxy.requests), 'nor sent')
        fact(all('AWS4-HMAC-SHA256' in r.headers.get('authorization', '') for r in proxy.requests), 'every request is signed in a header')
        fact(all(len(r.headers.get('x-amz-content-sha256', '')) == 64 for r in proxy.requests if r.op == 'PutObject'),
             'what is put is signed with its hash', [r for r in proxy.requests if r.op == 'PutObject'])
        fact(all('content-md5' in r.headers or any(h.startswith('x-amz-checksum-') for h in r.headers) for r in proxy.requests if r.op == 'PutObject'),
             'and carries a checksum, as buckets with object lock demand')


def main():
    source = path('source')
    trees.everything(source)
    trees.add_socket(source)
    os.utime(source, ns=(trees.TIME, trees.TIME))
    with S3Server() as server, Proxy(server) as pages:
        # a thousand keys a page are seldom reached: here a listing needs several
        pages.rule('short_pages', op='ListObjectsV2', times=None, size=2)
        repo = S3Repo(server, 'one', 'some/prefix', through=pages.endpoint)
        every_command(repo, source, 1)
        if not QUICK and not SANITIZED:
            every_command(S3Repo(server, 'two', 'p', through=server.tls_endpoint, environ={'RESTIC_CACERT': server.ca}), source, 2)
            database(server)
        restic_writes(repo, source)
        copies(server, repo, source)
        restic_made(server, source)
        another_client(server, repo, source)
        ways(server, source)
        prefixes(server, source)
        refusals(server, repo, source)
        unreachable(server, repo)
        fact(sum('continuation-token' in r.query for r in pages.requests) > 20, 'listings were read page by page')
        secrets(server, source)
    finish()


main()
