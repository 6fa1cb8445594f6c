#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=600
"""Facts of sources that are no PostgreSQL: SQL of an SQLite database, asked of the copy; a few commands of Redis; values of a file
of variables; of files they are tags; of k3s and volumes they are in the manifest, too. `backup @name` asks the same. The manifest of an
exported file tells them, and an import takes them over. What looks like a key is never recorded. Before each kind of restore they
are compared with what is now, and what cannot be asked is told."""
import hashlib
import json
import os
import sqlite3
import sys
from contextlib import closing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from redisserver import RedisServer
from scenario import BACKSTAY, FAILED, PASSWORD, Repo, environment, equal, fact, finish, path, run, write

CONFIG = 20
KEY = 'c2VjcmV0IG9mIHRoZSBhcHBsaWNhdGlvbiwgMzIgYg=='
DOTENV = '# keys\nPASSWORD_ENCRYPTION_KEY=%s\nexport PASSWORD_ENCRYPTION_KEY_KID="2026-01"  # active\nAPP_ID=%s\n' % (KEY, KEY)
TABLES = '''
create table _prisma_migrations (id text primary key not null, checksum text not null, finished_at datetime, migration_name text not null, logs text,
  rolled_back_at datetime, started_at datetime not null default current_timestamp, applied_steps_count integer unsigned not null default 0);
insert into _prisma_migrations (id, checksum, migration_name, started_at, finished_at, rolled_back_at) values
  ('a', 'x', '1_init', 1704067200000, 1704067200001, null), ('b', 'x', '2_undone', 1706745600000, 1706745600001, 1706745600002);
create table django_migrations (id integer not null primary key autoincrement, app varchar(255) not null, name varchar(255) not null, applied datetime not null);
insert into django_migrations (app, name, applied) values ('auth', '0001_initial', 0), ('shop', '0002_more', 0);
create table flyway_schema_history (installed_rank int not null primary key, version varchar(50), description varchar(200) not null, type varchar(20) not null,
  script varchar(1000) not null, checksum int, installed_by varchar(100) not null, installed_on text not null, execution_time int not null, success boolean not null);
insert into flyway_schema_history values (1, '1', 'init', 'SQL', 'V1__init.sql', 5, 'x', '', 3, 1), (2, '2', 'bad', 'SQL', 'V2__bad.sql', 5, 'x', '', 3, 0);
create table alembic_version (version_num varchar(32) not null, constraint alembic_version_pkc primary key (version_num));
insert into alembic_version values ('27c6a30d7c24');
create table items (n integer); insert into items values (1), (2), (40);
create view answer as select sum(n) as n from items;
'''
RAILS = '''create table schema_migrations (version varchar not null primary key); insert into schema_migrations values ('20240102'), ('20240101');
create table ar_internal_metadata (key varchar not null primary key, value varchar);'''
GOLANG = 'create table schema_migrations (version uint64, dirty bool); insert into schema_migrations values (7, 1);'
WANT = [('alembic', ['27c6a30d7c24']), ('django', ['auth.0001_initial', 'shop.0002_more']), ('flyway', ['V1__init.sql']), ('prisma', ['1_init'])]

repo = Repo.named('repo')


def database(name, *scripts):
    with closing(sqlite3.connect(path(name))) as db:
        for script in scripts:
            db.executescript(script)
    return path(name)


def configure(cache):
    kid = {'name': 'kid', 'file': path('dotenv'), 'variable': 'PASSWORD_ENCRYPTION_KEY_KID'}
    sources = {
        'app': {'url': 'sqlite:' + path('app.db'), 'facts': [
            {'name': 'answer', 'sql': 'select n - 1 from answer'}, {'name': 'none', 'sql': 'select n from items where n > 99'}, kid,
            {'name': 'slow', 'sql': 'with recursive c(n) as (select 1 union all select n + 1 from c) select max(n) from c', 'timeout': '1s'},
            {'name': 'large', 'sql': 'select zeroblob(100000000)'}, {'name': 'long', 'sql': "select hex(zeroblob(9000)) || char(10) || 'x'"},
            {'name': 'written', 'sql': 'delete from items'}, {'name': 'elsewhere', 'sql': "attach '/etc/passwd' as other"}]},
        'strict': {'url': 'sqlite:' + path('app.db'), 'facts': [{'name': 'broken', 'sql': 'select nothing from nowhere', 'required': True}]},
        'cache': {'url': cache.url, 'facts': [
            {'name': 'version', 'redis': 'GET "app version"'}, {'name': 'field', 'redis': 'hget settings theme'}, {'name': 'keys', 'redis': 'DBSIZE'},
            {'name': 'none', 'redis': 'GET missing'}, {'name': 'long', 'redis': 'GET long'}, {'name': 'much', 'redis': 'HGET settings much'},
            {'name': 'type', 'redis': 'TYPE settings'}, {'name': 'away', 'redis': 'FLUSHALL'}, {'name': 'sql', 'sql': 'select 1'}, kid]},
        'docs': {'paths': [path('docs')], 'facts': [
            {'name': 'image', 'env': 'APP_IMAGE'}, {'name': 'release', 'file': path('release')}, {'name': 'said', 'command': 'echo a, b=c; echo two'}, kid,
            {'name': 'slow', 'command': 'sleep 600', 'timeout': '1s'}, {'name': 'long', 'command': 'head -c 9000 /dev/zero | tr "\\\\0" x'}]},
        'node': {'url': 'k3s:' + path('server'), 'facts': [kid, {'name': 'image', 'env': 'APP_IMAGE'}, {'name': 'away', 'sql': 'select 1'}]},
        'disk': {'url': 'volume:' + path('disk.img'), 'facts': [kid]},
        'keys': {'url': 'sqlite:' + path('app.db'), 'facts': [
            {'name': 'kid', 'sql': "select '%s'" % KEY}]},
        'ids': {'paths': [path('release')], 'facts': [{'name': 'kid', 'file': path('dotenv'), 'variable': 'APP_ID', 'required': True}]},
    }
    write('backstay.yaml', json.dumps({
        'repositories': {'main': {'location': repo.path, 'password': 'env://RUN_PASSWORD'}}, 'sources': sources,
        'schedules': {n: {'sources': [n], 'repository': 'main', 'cron': 'daily'} for n in sources}}).encode())


def backstay(*words, code=0, **more):
    env = environment(None, BACKSTAY_STATE_DIR=path('state'), STATE_DIRECTORY=path('daemon'), RUN_PASSWORD=PASSWORD, **{'APP_IMAGE': 'shop:1.2', **more})
    return run(BACKSTAY, '--config', path('backstay.yaml'), *words, env=env, code=code)


def newest():
    snapshot = repo.snapshots()[-1]
    return snapshot, lambda: json.loads(repo.backstay('dump', snapshot['id'], snapshot['paths'][0] + '/manifest.json', code=0).out)


def told(done, *names):
    fact(all('fact ' + n in done.errors for n in names), 'those that cannot be had are told: ' + ', '.join(names), done.errors)


def both_ways(name, check, *missing):
    """A run and a backup by hand say the same."""
    told(backstay('run', name), *missing)
    first = check()
    told(backstay('-r', 'main', 'backup', '@' + name), *missing)
    equal(check(), first, '`backup @%s` finds the same facts' % name)


def of_sqlite():
    def check():
        manifest = newest()[1]()
        facts = manifest['facts']
        equal((len(facts.pop('long')), facts), (4096, {'answer': '42', 'none': None, 'kid': '2026-01'}), 'SQL of SQLite: what was asked, and of a long value the beginning')
        equal([(m['tool'], m['count'], m['newest'], m['sha256']) for m in sorted(manifest['database']['migrations'], key=lambda m: m['tool'])],
              [(t, len(n), n[-1], hashlib.sha256(''.join(x + '\n' for x in n).encode()).hexdigest()) for t, n in WANT], 'migrations of SQLite are known')
        return facts
    both_ways('app', check, 'slow', 'large', 'written', 'elsewhere')
    with closing(sqlite3.connect(path('app.db'))) as db:
        equal(db.execute('select count(*) from items').fetchone(), (3,), 'and nothing was changed')
    n = len(repo.snapshots())
    told(backstay('run', 'strict', code=FAILED), 'broken')
    equal(len(repo.snapshots()), n, 'without a required one there is no backup')
    for name, script, want in (('rails.db', RAILS, ('rails', 2, '20240102')), ('golang.db', GOLANG, ('golang-migrate', 1, '7.dirty'))):
        repo.backstay('backup', 'sqlite:' + database(name, script), code=0)
        equal([(m['tool'], m['count'], m['newest']) for m in newest()[1]()['database']['migrations']], [want], 'those of %s, too' % want[0])


def of_redis():
    def check():
        facts = newest()[1]()['facts']
        equal((len(facts.pop('long')), facts), (4096, {'version': '4.5', 'field': 'dark', 'keys': '3', 'none': None, 'type': 'hash', 'kid': '2026-01'}), 'Redis: what was asked')
        return facts
    both_ways('cache', check, 'away', 'sql', 'much')


def of_files():
    def check():
        tags = newest()[0]['tags']
        equal(sorted(t for t in tags if t.startswith('fact.')), ['fact.image=shop%3A1.2', 'fact.kid=2026-01', 'fact.release=v1', 'fact.said=a%2C%20b%3Dc'], 'of files they are tags')
        return None
    both_ways('docs', check, 'slow', 'long')
    backstay('-r', 'main', 'export', 'latest', '--path', path('docs'), '--target', path('docs.tar'))
    with open(path('docs.tar.manifest.json'), encoding='utf-8') as f:
        manifest = json.load(f)
    equal((manifest['facts'], manifest['active_key_id']), ({'image': 'shop:1.2', 'kid': '2026-01', 'release': 'v1', 'said': 'a, b=c'}, '2026-01'),
          'and the manifest of an exported file tells them as they were')


def of_k3s():
    put = os.path.join(path('server'), 'db')
    os.makedirs(put)
    os.makedirs(path('server/tls'))
    write('server/token', b'K10abc::server:secret\n')
    write('server/tls/server-ca.crt', b'a certificate\n')
    database('server/db/state.db', 'create table kine (id integer primary key, name text)')

    def check():
        manifest = newest()[1]()
        equal((manifest['source']['kind'], manifest['facts']), ('k3s', {'kid': '2026-01', 'image': 'shop:1.2'}), 'k3s: they are in its manifest')
        return manifest['facts']
    both_ways('node', check, 'away')


def of_volumes():
    write('disk.img', os.urandom(1 << 20))
    backstay('run', 'disk')
    equal(newest()[1]()['facts'], {'kid': '2026-01'}, 'volumes: they are in the manifest')


# ---- before a restore ----

IMAGE, KID = ('fact image', 'shop:1.2', 'shop:1.3'), ('fact kid', '2026-01', '2026-02')


def saved_by(name):
    """The newest snapshot that a run of this source left."""
    return [s['id'] for s in repo.snapshots() if 'schedule=' + name in s['tags']][-1]


def previewed(snapshot, *words, **more):
    done = backstay('-r', 'main', 'restore', snapshot, *words, '--preview', '--json', APP_IMAGE='shop:1.3', **more)
    fact(KEY not in done.all, 'no key is shown', done.all)
    return [(d['what'], d['saved'], d['target'], d['source']) for d in done.messages('difference')], [n['message'] for n in done.messages('note')]


def compared(label, snapshot, words, want, *unknown, source=None):
    found, notes = previewed(snapshot, *words)
    equal(sorted(found), sorted(w + (source,) for w in want), label + ': what differs is told')
    equal(any('"2026-01"' in n and '"2026-02"' in n for n in notes), KID in want, label + ': another key is a warning')
    equal(sorted(n.split(':')[0] for n in notes if 'not compared' in n), sorted('fact ' + u for u in unknown), label + ': and so is what cannot be asked')
    equal(['those of source %s of' % source in n for n in notes if 'those of source' in n], [True] * bool(source), label + ': whose they are')


def warned(label, snapshot, *words):
    done = backstay('-r', 'main', 'restore', snapshot, *words, APP_IMAGE='shop:1.3')
    fact(done.errors.count('"2026-02"') == 1 and 'image' not in done.errors and KEY not in done.all, label + ': the restore warns of the key alone', done.errors)


def to_directories(docs):
    compared('to another directory', docs, ['--target', path('elsewhere')], [IMAGE, KID], source='docs')
    compared('to its own', docs + ':' + path('docs'), ['--target', path('docs')], [IMAGE, KID])
    hand = [s['id'] for s in repo.snapshots() if s['paths'] == [path('docs')] and not any(t.startswith('schedule=') for t in s['tags'])][-1]
    compared('saved by hand', hand, ['--target', path('elsewhere')], [IMAGE, KID], source='docs')
    warned('to a directory', docs, '--target', path('elsewhere'))
    compared('a control plane', saved_by('node'), ['--target', path('plane')], [IMAGE, KID], source='node')
    warned('a control plane', saved_by('node'), '--target', path('plane'))
    compared('a database as a file', saved_by('app'), ['--target', path('elsewhere')], [KID], 'answer', 'none', 'long', source='app')


def to_places(cache):
    database('copy.db', 'pragma journal_mode = wal', TABLES, 'insert into items values (100)')
    app, answer = saved_by('app'), ('fact answer', '42', '142')
    none = ('fact none', None, '100')
    compared('to a named database', app, ['--to', '@app'], [KID])
    compared('to a database by its path', app, ['--to', 'sqlite:' + path('copy.db')], [KID, answer, none], source='app')
    equal(sorted(n for n in os.listdir(path()) if n.startswith('copy.db')), ['copy.db'], 'to a database by its path: nothing is left beside it')
    compared('to a new one', app, ['--to', 'sqlite:' + path('new.db')], [KID], 'answer', 'none', 'long', source='app')
    notes = previewed(app, '--to', 'sqlite:' + path('app.db'))[1]
    fact(any('app and keys' in n and 'kid "2026-01"' in n for n in notes), 'of two sources that ask otherwise none is believed', notes)
    warned('to a database', app, '--to', 'sqlite:' + path('new.db'))
    fact(not os.path.exists(path('new.db-wal')), 'and leaves nothing beside it')
    compared('to a named volume', saved_by('disk'), ['--to', '@disk', '--force'], [KID])
    compared('to a volume by its path', saved_by('disk'), ['--to', 'volume:' + path('new.img')], [KID], source='disk')
    warned('to a volume', saved_by('disk'), '--to', 'volume:' + path('new.img'))
    cache.client().set('app version', '5.0')
    for where in ('@cache', cache.url):
        compared('to a Redis server, ' + where[:2], saved_by('cache'), ['--to', where, '--clean'], [('fact version', '4.5', '5.0'), KID])
    warned('to a Redis server', saved_by('cache'), '--to', cache.url, '--clean')


def not_asked(docs):
    write('dotenv', b'PASSWORD_ENCRYPTION_KEY_KID=%s\n' % KEY.encode())
    compared('a key where its id should be', docs, ['--target', path('elsewhere')], [IMAGE], 'kid', source='docs')
    os.unlink(path('dotenv'))
    compared('without the file', docs, ['--target', path('elsewhere')], [IMAGE], 'kid', source='docs')
    write('empty.yaml', b'sources: {}\n')
    for config, why in (('empty.yaml', 'none has saved this'), ('bad.yaml', 'sources.x.facts')):
        done = backstay('--config', path(config), '-r', repo.path, 'restore', docs, '--target', path('without'), BACKSTAY_PASSWORD=PASSWORD)
        fact('kid "2026-01"' in done.errors and 'not compared' in done.errors and why in done.errors, 'a configuration that cannot tell is told: ' + config, done.errors)


def before_a_restore(cache):
    write('dotenv', DOTENV.replace('2026-01', '2026-02').encode())
    docs = saved_by('docs')
    to_directories(docs)
    to_places(cache)
    not_asked(docs)


def no_keys():
    told(backstay('run', 'keys'), 'kid')
    fact('facts' not in newest()[1](), 'a key is not recorded in the place of its id')
    done = backstay('run', 'ids', code=CONFIG)
    fact('looks like a key' in done.all and KEY not in done.all, 'nor shown', done.all)
    for bad, want in (({'env': 'APP_KEY'}, 'holds a secret'), ({'file': '/x', 'variable': 'DB_PASSWORD'}, 'holds a secret'), ({'env': 'X', 'variable': 'Y'}, 'goes with file'),
                      ({'env': 'X', 'redis': 'GET y'}, 'exactly one')):
        write('bad.yaml', json.dumps({'sources': {'x': {'paths': ['/x'], 'facts': [{'name': 'n', **bad}]}}}).encode())
        done = run(BACKSTAY, '--config', path('bad.yaml'), 'config', 'check', env=environment(None), code=CONFIG)
        fact(want in done.all, 'config check refuses: ' + want, done.all)


def out_and_in():
    snapshot = [s for s in repo.snapshots() if 'source=app' in s['tags'] or any('app.db' in p for p in s['paths'])][0]
    backstay('-r', 'main', 'export', snapshot['id'], '--target', path('out.db'))
    with open(path('out.db.manifest.json'), encoding='utf-8') as f:
        manifest = json.load(f)
    equal((manifest['facts']['answer'], manifest['active_key_id'], len(manifest['migrations'])), ('42', '2026-01', 4), 'beside an exported file lie facts, key id and migrations')
    repo.backstay('import', path('out.db'), code=0)
    imported = newest()[1]()
    equal((imported['facts'], len(imported['database']['migrations'])), (manifest['facts'], 4), 'an import takes them over')
    with open(path('out.db'), 'rb') as f:
        content = f.read()
    for kid, want in (('k7', {'kid': 'k7'}), (KEY, None)):
        write('foreign.json', json.dumps({'size': len(content), 'sha256': hashlib.sha256(content).hexdigest(), 'passwordEncryptionKid': kid}).encode())
        repo.backstay('import', path('out.db'), '--manifest', path('foreign.json'), '--source', 'foreign', code=0)
        equal(newest()[1]().get('facts'), want, 'the key id that an application wrote itself counts; a key does not')


def main():
    repo.init()
    write('dotenv', DOTENV.encode())
    write('release', b'v1\n')
    os.mkdir(path('docs'))
    write('docs/one', b'of the documents')
    database('app.db', TABLES)
    cache = RedisServer('cache')
    client = cache.client()
    client.set('app version', '4.5')
    client.hset('settings', mapping={'theme': 'dark', 'much': 'x' * 1000000})
    client.set('long', 'y' * 1000000)
    configure(cache)
    of_sqlite()
    of_redis()
    of_files()
    no_keys()
    out_and_in()
    of_k3s()
    of_volumes()
    before_a_restore(cache)
    cache.kill()
    finish()


main()
