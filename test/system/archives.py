#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""archives: portable files of each backup in a directory and a bucket: what is in them, which stay, and what a run says when
one cannot be written."""
import base64
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from postgres import Postgres, same_database, sha256
from redisserver import RedisServer
from s3 import S3Server
from scenario import BACKSTAY, PASSWORD, Repo, environment, equal, fact, finish, path, run

CONFIG, DESTINATION = 20, 30
SECRET = 'p\N{LATIN SMALL LETTER A WITH DIAERESIS}ss of archives'
PASSWORD_KEY = base64.b64encode(bytes(range(32))).decode()
STAMP = r'\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ'


def configure(sources, archives, repo):
    with open(path('backstay.yaml'), 'w', encoding='utf-8') as f:
        json.dump({'repositories': {'main': {'location': repo.path, 'password': 'env://RUN_PASSWORD'}}, 'sources': {**sources, 'spare': {'paths': ['/srv']}},
                   'schedules': {'nightly': {'sources': list(sources), 'repository': 'main', 'cron': 'daily', 'archives': archives}}}, f)
    return path('backstay.yaml')


def backstay(*words, code=0, **more):
    env = environment(None, BACKSTAY_STATE_DIR=path('state'), RUN_PASSWORD=PASSWORD, ARCHIVE_SECRET=SECRET, APP_KEY_ID='key-7', **more)
    return run(BACKSTAY, '--config', path('backstay.yaml'), *words, env=env, code=code)


def nightly(code=0, **more):
    time.sleep(1.1)  # names tell seconds
    done = backstay('run', 'nightly', '--json', code=code, **more)
    end = done.messages('run_end')[-1]
    equal(end['state'], 'succeeded' if code == 0 else 'partial', 'the run says what it was')
    return done, end


def read(name):
    with open(name, 'rb') as f:
        return f.read()


def listing(folder):
    return sorted(os.path.relpath(os.path.join(d, n), folder) for d, _, names in os.walk(folder) for n in names)


def manifest_fits(folder, name):
    told, content = json.loads(read('%s/%s.manifest.json' % (folder, name))), read(folder + '/' + name)
    equal((told['file'], told['size'], told['sha256'], told['archive']['schedule']), (os.path.basename(name), len(content), sha256(content), 'nightly'),
          'the manifest beside it is of ' + re.sub(STAMP, 'TIME', name))
    return told


def piped(*commands, data, env=None):
    for command in commands:
        done = subprocess.run(command, input=data, capture_output=True, env=env, check=False)
        assert done.returncode == 0, (command, done.stderr)
        data = done.stdout
    return data


def into_database(server, name, script):
    server.create(name)
    piped(['psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', name], data=script, env=server.env())
    same_database(server, 'shop', server, name, name)


def first_run(server, local):
    _, end = nightly()
    names = listing(local)
    year = r'\d{4}/\d\d/'
    for want in (year + 'shop-' + STAMP + r'\.sql\.gz', 'docs-' + STAMP + r'\.tar\.zst\.gpg', 'cache-' + STAMP + r'\.rdb', r'latest\.sql\.gz', r'latest\.rdb'):
        found = [n for n in names if re.fullmatch(want, n)]
        fact(len(found) == 1, 'there is one ' + want, names)
        told = manifest_fits(local, found[0])
        if found[0].endswith('.sql.gz'):
            equal((told['facts'], told['migrations'][0]['tool'], told['migrations'][0]['newest']), ({'kid': 'key-7'}, 'alembic', 'abc123'), 'with key id and migration')
    equal(len(names), 10, 'and nothing but these and their manifests')
    equal({oct(os.stat(local + '/' + n).st_mode & 0o77) for n in names}, {'0o0'}, 'nobody else may read them')
    dated = next(n for n in names if n.endswith('.sql.gz') and not n.startswith('latest'))
    equal(read(local + '/' + dated), read(local + '/latest.sql.gz'), 'the latest is the same')
    into_database(server, 'from_latest', piped(['gunzip'], data=read(local + '/latest.sql.gz')))
    sealed = next(n for n in names if n.endswith('.gpg'))
    home = path('gnupg')
    os.mkdir(home, 0o700)
    plain = piped(['gpg', '--homedir', home, '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', SECRET, '--decrypt'],
                  data=read(local + '/' + sealed))
    subprocess.run(['gpgconf', '--homedir', home, '--kill', 'all'], check=False)
    fact(b'of the documents' in piped(['zstd', '-dcq'], data=plain), 'gpg and zstd read the encrypted one')
    equal(len(end['snapshots']), 3, 'the repository has its snapshots as well')


def retention(local, scripts):
    """Two stay. What has another owner, no manifest, or was changed since, stays, too."""
    before = scripts()
    folder = os.path.dirname(before[0])
    stranger = folder + '/shop-2020-01-01T00-00-00Z.sql.gz'
    other = folder + '/shop-2020-01-02T00-00-00Z.sql.gz'
    for name in (stranger, other):
        with open(local + '/' + name, 'wb') as f:
            f.write(b'kept')
    told = json.loads(read('%s/%s.manifest.json' % (local, before[0])))
    told['archive']['schedule'] = 'another'
    with open('%s/%s.manifest.json' % (local, other), 'w', encoding='utf-8') as f:
        json.dump({**told, 'file': os.path.basename(other), 'size': 4}, f)
    nightly()
    equal(len([n for n in scripts() if n not in (stranger, other)]), 2, 'two are kept')
    os.chmod(local + '/' + before[0], 0o600)
    with open(local + '/' + before[0], 'ab') as f:
        f.write(b'!')  # no longer as long as its manifest says
    done, _ = nightly()
    fact(any('left alone' in e['message'] for e in done.messages('log')), 'one that was changed is told of')
    nightly()
    now = scripts()
    fact({stranger, other, before[0]} < set(now), 'what is not ours by name, manifest and size stays', now)
    equal(len(now), 5, 'of the others the two newest')
    fact(os.path.exists(local + '/latest.sql.gz'), 'and the latest')


def without_a_file(server, cache):
    """The environment alone, as of a container."""
    key, local = PASSWORD_KEY, path('by-environment')
    env = environment(None, BACKSTAY_STATE_DIR=path('state-env'), ENABLE_BACKUPS='true', BACKSTAY_REPOSITORY=path('repo-env'),
                      BACKUP_ENCRYPTION_KEY=key, BACKUP_ARCHIVES=local, DATABASE_URL=server.url('shop'), REDIS_URL=cache.url,
                      BACKSTAY_CONFIG='', XDG_CONFIG_HOME=path('none'))
    run(BACKSTAY, '-r', 'main', 'init', env=env, code=0)
    run(BACKSTAY, 'run', 'backup', env=env, code=0)
    names = [n for n in listing(local) if not n.endswith('.manifest.json')]
    equal([n for n in names if n.startswith('latest')], ['latest.rdb.gpg', 'latest.sql.gz.gpg'], 'the environment alone: archives under names that stay')
    home = path('gnupg-env')
    os.mkdir(home, 0o700)
    plain = piped(['gpg', '--homedir', home, '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', key, '--decrypt'],
                  data=read(local + '/latest.sql.gz.gpg'))
    subprocess.run(['gpgconf', '--homedir', home, '--kill', 'all'], check=False)
    into_database(server, 'from_environment', piped(['gunzip'], data=plain))


def failing(local, sources, archives, repo):
    """The others are written; what was there stays; and the run is not green."""
    latest = read(local + '/latest.sql.gz')
    with open(path('file'), 'w', encoding='ascii') as f:
        f.write('no directory')
    configure(sources, [{'to': path('file/below'), 'format': 'rdb'}, *archives], repo)
    had = len([n for n in listing(local) if n.endswith('.rdb')])
    done, end = nightly(code=DESTINATION)
    fact(path('file') in end['error'], 'the run says which destination failed', end['error'])
    equal(len([n for n in listing(local) if n.endswith('.rdb')]), had + 1, 'the next destination gets its files')
    configure(sources, archives, repo)
    tools = path('tools')
    os.mkdir(tools)
    for tool in ('pg_dump', 'pg_dumpall', 'psql'):
        os.symlink('/usr/lib/postgresql/15/bin/' + tool, tools + '/' + tool)
    with open(tools + '/pg_restore', 'w', encoding='ascii') as f:
        f.write('#!/bin/sh\ncase $1 in --version) echo "pg_restore (PostgreSQL) 15.20";; *) head -c 100000 >/dev/null; echo half; echo no luck >&2; exit 1;; esac\n')
    os.chmod(tools + '/pg_restore', 0o755)
    latest = read(local + '/latest.sql.gz')
    before = listing(local)
    done, end = nightly(code=DESTINATION, BACKSTAY_PG_BIN=tools)
    fact('no luck' in end['error'], 'what pg_restore complains of is told', end['error'])
    equal(read(local + '/latest.sql.gz'), latest, 'the latest one is still the last whole one')
    fact(not [n for n in set(listing(local)) - set(before) if '.sql.gz' in n], 'and no half one lies there')


def others_stay(local, sources, archives, repo):
    name = local + '/latest.rdb'
    os.unlink(name)
    os.unlink(name + '.manifest.json')
    with open(name, 'w', encoding='ascii') as f:
        f.write('of somebody else')
    _, end = nightly(code=DESTINATION)
    fact('not written by this schedule' in end['error'], 'a file of somebody else is not replaced', end['error'])
    equal(read(name), b'of somebody else', 'and stays')
    os.unlink(name)


def refused(sources, repo):
    for archive, want in (({'to': path('x'), 'format': 'rar'}, 'rar'), ({'to': path('x'), 'format': 'tar', 'name': '{name}'}, '{timestamp}'),
                          ({'to': path('x'), 'format': 'tar', 'name': '../{date}'}, '..'), ({'to': path('x'), 'format': 'tar', 'level': 3}, 'no levels'),
                          ({'to': path('x'), 'format': 'tar', 'latest': '{date}'}, 'change with time'),
                          ({'to': path('x'), 'format': 'tar', 'encrypt': {'recipients': ['AB']}}, 'keys'),
                          ({'to': path('x'), 'format': 'tar', 'sources': ['nobody']}, 'nobody'),
                          ({'to': path('x'), 'format': 'tar', 'sources': ['spare']}, 'no source of this schedule'), ({'format': 'tar'}, 'to')):
        configure(sources, [archive], repo)
        done = backstay('config', 'check', code=CONFIG)
        fact(want in done.all, 'config check refuses: ' + want, done.all)


def bucket(server, cache, sources, repo):
    with S3Server() as s3:
        s3.make_bucket('leaflock-backups')
        there = {'to': 's3:%s/leaflock-backups' % s3.endpoint, 's3': {'access_key': 'env://S3_KEY', 'secret_key': 'env://S3_SECRET'}, 'keep': {'last': 1}}
        configure(sources, [{**there, 'format': 'sql.gz', 'latest': 'latest'}, {**there, 'format': 'rdb', 'latest': 'latest'}], repo)
        for _ in range(2):
            nightly(S3_KEY=s3.access_key, S3_SECRET=s3.secret_key)
        names = sorted(n for n in s3.list('leaflock-backups') if not n.endswith('.manifest.json'))
        equal([re.sub(STAMP, 'TIME', n) for n in names], ['cache-TIME.rdb', 'latest.rdb', 'latest.sql.gz', 'shop-TIME.sql.gz'], 'one of each is kept in the bucket')
        equal(len(s3.list('leaflock-backups')), 8, 'each with its manifest')
        equal(s3.uploads('leaflock-backups'), [], 'no upload is left open')
        into_database(server, 'from_bucket', piped(['gunzip'], data=s3.get('leaflock-backups', 'latest.sql.gz')))
        other = path('other')
        os.mkdir(other)
        with open(other + '/dump.rdb', 'wb') as f:
            f.write(s3.get('leaflock-backups', 'latest.rdb'))
        equal(RedisServer('other').content(), cache.content(), 'redis starts from the RDB file of the bucket')


def main():
    repo, local = Repo.named('repo'), path('archives')
    repo.init()
    os.mkdir(path('docs'))
    with open(path('docs/one'), 'w', encoding='ascii') as f:
        f.write('of the documents')
    cache = RedisServer('cache')
    cache.fill(200)
    with Postgres() as server:
        server.sample('shop', 0.02)
        server.sql('shop', "create table alembic_version (version_num varchar(32) not null primary key); insert into alembic_version values ('abc123')")
        sources = {'shop': {'url': server.url('shop'), 'facts': [{'name': 'kid', 'env': 'APP_KEY_ID'}]}, 'docs': {'paths': [path('docs')]}, 'cache': {'url': cache.url}}
        archives = [{'to': local, 'format': 'sql.gz', 'name': '{year}/{month}/{name}-{timestamp}.sql.gz', 'latest': 'latest.sql.gz', 'level': 9, 'keep': {'last': 2}},
                    {'to': local, 'format': 'tar.zst', 'sources': ['docs'], 'encrypt': {'passphrase': 'env://ARCHIVE_SECRET'}, 'keep': {'last': 1}},
                    {'to': local, 'format': 'rdb', 'latest': 'latest.rdb'}]
        refused(sources, repo)
        configure(sources, archives, repo)
        first_run(server, local)
        retention(local, lambda: [n for n in listing(local) if n.endswith('.sql.gz') and not n.startswith('latest')])
        failing(local, sources, archives, repo)
        others_stay(local, sources, archives, repo)
        without_a_file(server, cache)
        bucket(server, cache, sources, repo)
    finish()


main()
