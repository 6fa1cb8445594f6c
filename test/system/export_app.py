#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=600
"""export_app: the archive of an application out of all snapshots of a run: its layout, and that tar, gunzip and psql put it back."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from postgres import Postgres, same_database, sha256
from redisserver import RedisServer
from scenario import BACKSTAY, FAILED, PASSWORD, Repo, environment, equal, fact, finish, path, run


def read(name):
    with open(name, 'rb') as f:
        return f.read()


def unpack(archive, name):
    out = path(name)
    os.mkdir(out)
    done = subprocess.run(['tar', '--xattrs', '-xzpf', archive, '-C', out], capture_output=True, check=False)
    fact(done.returncode == 0, 'tar takes it', done.stderr.decode())
    return out


def put_back(server, script, name, like):
    server.create(name)
    plain = subprocess.run(['gunzip', '-c', script], capture_output=True, check=True).stdout
    done = subprocess.run(['psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', name], input=plain, env=server.env(), capture_output=True, check=False)
    fact(done.returncode == 0, 'psql takes ' + os.path.basename(script), done.stderr.decode())
    same_database(server, like, server, name, name)


def check_layout(out, tree, cache):
    told = json.loads(read(out + '/manifest.json'))
    equal(sorted(s['kind'] for s in told['snapshots']), ['files', 'postgres', 'redis'], 'its manifest names what is in it')
    fact(all('recorded' in s for s in told['snapshots'] if s['kind'] != 'files'), 'with what was recorded of servers')
    equal(sorted(os.listdir(out)), ['database', 'documents', 'manifest.json', 'redis'], 'what lies in it')
    wrong = trees.compare(out + '/documents', tree, ignore=('hardlinks', b'modes/before-1970'))
    fact(not wrong, 'the documents are as they were', '\n'.join(map(str, wrong)))
    os.makedirs(path('other'))
    with open(path('other/dump.rdb'), 'wb') as f:
        f.write(read('%s/redis/%s/dump.rdb' % (out, os.listdir(out + '/redis')[0])))
    equal(RedisServer('other').content(), cache.content(), 'redis starts from the RDB file in it')


def main():
    repo, tree, cache = Repo.named('repo'), path('docs'), RedisServer('cache')
    repo.init()
    trees.everything(tree, devices=False)
    cache.fill(100)
    with Postgres() as server:
        server.sample('shop', 0.02)
        server.sql('shop', 'create table much as select i, md5(i::text) || md5((i * 7)::text) as t from generate_series(1, 150000) i')  # over 4 MiB compressed
        server.create('small')
        config = path('backstay.yaml')
        with open(config, 'w', encoding='utf-8') as f:
            json.dump({'repositories': {'main': {'location': repo.path, 'password': 'env://RUN_PASSWORD'}},
                       'sources': {'shop': {'url': server.url()}, 'docs': {'paths': [tree]}, 'cache': {'url': cache.url}},
                       'schedules': {'app': {'sources': ['shop', 'docs', 'cache'], 'repository': 'main', 'cron': 'daily', 'archives': [
                           {'to': path('archives'), 'format': 'app', 'name': '{name}_backup_{year}{month}{day}_{hour}{minute}{second}'}]}}}, f)
        done = run(BACKSTAY, '--config', config, 'run', 'app', '--json', env=environment(None, BACKSTAY_STATE_DIR=path('state'), RUN_PASSWORD=PASSWORD), code=0)
        number = done.messages('run_begin')[0]['run']
        target = path('app.tar.gz')
        repo.backstay('export', '--run', number, '--format', 'app', '--target', target, code=0)
        equal(json.loads(read(target + '.manifest.json'))['sha256'], sha256(read(target)), 'the manifest beside it is of that file')
        out = unpack(target, 'out')
        check_layout(out, tree, cache)
        fact(os.stat(out + '/database/shop.sql.gz').st_size > 4 * 2**20 > os.stat(out + '/database/small.sql.gz').st_size, 'one script is made twice, one is kept')
        put_back(server, out + '/database/shop.sql.gz', 'again', 'shop')
        put_back(server, out + '/database/small.sql.gz', 'small_again', 'small')
        fact(b'CREATE ROLE' in read(out + '/database/globals.sql'), 'the roles are there, too')
        names = sorted(os.listdir(path('archives')))
        fact(len(names) == 2 and re.fullmatch(r'app_backup_\d{8}_\d{6}\.tar\.gz', names[0]), 'the schedule has written one, too', names)
        equal(sorted(os.listdir(unpack(path('archives/' + names[0]), 'scheduled'))), sorted(os.listdir(out)), 'of the same layout')
        ids = [s['id'] for s in repo.snapshots()]
        two = path('two.tar.gz')
        repo.backstay('export', ids[0], ids[0][:12], '--format', 'app', '--target', two, code=0, why='a snapshot counts once')
        for words, want in ((['--run', 'deadbeef', '--format', 'app'], 'no snapshot'), (['--run', number, '--format', 'tar'], '--format app'), (['--format', 'app'], 'snapshot')):
            fact(want in repo.backstay('export', *words, code=FAILED).errors, 'refused: ' + ' '.join(words[:1]))
    finish()


main()
