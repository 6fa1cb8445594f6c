#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""Restores by HTTP of what is no database server: a cluster that recovers to a moment, an SQLite database, a volume; to files below a
restore root, and over their sources by whoever typed the name after a fresh login. What cannot be reached is said, and nothing touched;
and so is another key of the application, by previews and by restores."""
import hashlib
import json
import os
import sqlite3
import sys
import urllib.parse
from contextlib import closing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, hand_over
from daemonhttp import PageDaemon, Person, ended_as, first_administrator, people, refused, started
from pitrlife import Live, paused
from scenario import BACKSTAY, Repo, environment, equal, fact, finish, path
from walarchive import Archive, hand_over_all, own

CONFIG = '''
repositories:
  main: {location: %(repo)s, password: "file://%(key)s"}
sources:
  cluster: {url: "pgcluster:postgresql://postgres@/?host=%(host)s", options: {checkpoint: fast}, facts: &facts [{name: kid, file: %(env_file)s, variable: APP_KID}]}
  app: {url: "sqlite:%(app)s", facts: *facts}
  disk: {url: "volume:%(disk)s", facts: *facts}
schedules:
  base: {sources: [cluster], repository: main, cron: "0 %(hour)d * * *"}
  rest: {sources: [app, disk], repository: main, cron: "0 %(hour)d * * *"}
server: {listen: "127.0.0.1:%(port)d", node: one, restore_roots: [%(back)s], sweep: "%(hour)02d:30"}
'''
MIB = 1 << 20
BACKUPS = '/api/admin/backups'


def sha256(file):
    with open(file, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def query(file, text):
    with closing(sqlite3.connect(file)) as db:
        with db:
            return db.execute(text).fetchall()


def backup(operator, repo, schedule):
    run_id = started(operator, BACKUPS, {'schedule': schedule})
    ended_as(operator, run_id, 'succeeded', schedule + ' is backed up')
    hand_over_all(repo.path)
    return BACKUPS + '/' + run_id


def restored(operator, top, order, name, want='succeeded'):
    return ended_as(operator, started(operator, top + '/restore', order), want, name)


def key(kid):
    with open(path('env'), 'w', encoding='utf-8') as f:
        f.write('APP_KID=%s\n' % kid)


def item(preview):
    """The first that tells what would be restored."""
    return [i for i in preview['items'] if i['message_type'] not in ('note', 'difference')][0]


def tells_key(preview, source, label):
    found = [(i['what'], i['saved'], i['target'], i['source']) for i in preview['items'] if i['message_type'] == 'difference']
    equal(found, [('fact kid', 'k1', 'k2', source)], label + ': its preview tells that the key is another')
    fact(any('"k1"' in i['message'] and '"k2"' in i['message'] for i in preview['items'] if i['message_type'] == 'note'), label + ': and warns', preview)


def warns(row, label):
    fact('\\"k1\\"' in json.dumps(row['detail'].get('warnings')), label + ': the restore warns of it', row)


def safe(repo):
    return sum(t.startswith('safety=') for s in repo.snapshots() for t in s.get('tags') or [])


# ---- an SQLite database ----

def a_database(admin, operator, repo, top):
    order = {'source': 'app', 'target': {'file': path('back', 'new', 'app.db')}}
    preview = operator.json('POST', top + '/restore/preview', order)
    fact(preview['possible'] and not preview['exists'] and preview['target_kind'] == 'file' and item(preview)['rows'] == 1000,
         'sqlite: a preview tells what would be restored', preview)
    tells_key(preview, 'app', 'sqlite')
    fact(not os.path.exists(path('back', 'new')), 'sqlite: and makes nothing')
    row = restored(operator, top, order, 'sqlite: to a file')
    equal(query(path('back', 'new', 'app.db'), 'select count(*), sum(i) from t'), [(1000, 500500)], 'sqlite: its rows are there')
    fact('/proc/' not in str(row), 'sqlite: by the name that was asked for', row)
    refused(operator, top + '/restore', order, 409, 'not-empty', 'sqlite: a file that is there')
    refused(operator, top + '/restore', {**order, 'overwrite': True}, 409, 'guard', 'sqlite: to overwrite it without its name')
    os.symlink(path('outside'), path('back', 'link.db'))
    for name, file, status, want in [('a link', path('back', 'link.db'), 403, 'denied'), ('a file elsewhere', path('outside'), 403, 'denied'),
                                     ('a way back', path('back') + '/../outside', 400, 'invalid')]:
        refused(operator, top + '/restore', {'source': 'app', 'target': {'file': file}}, status, want, 'sqlite: ' + name)
    fact(not os.path.exists(path('outside')), 'sqlite: nothing was written there')
    query(path('app.db'), 'delete from t where i > 10')
    over = {'source': 'app', 'target': {'source': 'app'}}
    preview = operator.json('POST', top + '/restore/preview', over)
    fact(preview['exists'] and preview['target'] == 'app' and preview['target_kind'] == 'sqlite', 'sqlite: the preview of its place', preview)
    tells_key(preview, None, 'sqlite, its place')
    equal(restored(operator, top, over, 'sqlite: its place, unasked', 'failed')['exit_code'], 25, 'sqlite: it is said why')
    over.update(overwrite=True, confirm='app')
    made = admin.json('POST', '/api/admin/tokens', {'name': 't', 'scope': 'operator', 'days': 1}, want=201)
    refused(Person(operator.daemon), top + '/restore', over, 403, 'fresh-login', 'sqlite: a token', Authorization='Bearer ' + made['token'])
    before = safe(repo)
    warns(restored(operator, top, over, 'sqlite: over its place'), 'sqlite')
    equal(query(path('app.db'), 'select count(*) from t'), [(1000,)], 'sqlite: the rows are back')
    kept = [n for n in os.listdir(path()) if n.startswith('app.db-before-')]
    equal([query(path(n), 'select count(*) from t') for n in kept], [[(10,)]], 'sqlite: what was there is kept beside')
    equal(safe(repo), before + 1, 'sqlite: and was saved before')


# ---- a volume ----

def a_volume(operator, repo, top, digest):
    order = {'source': 'disk', 'target': {'file': path('back', 'disk.img')}, 'verify': True}
    preview = operator.json('POST', top + '/restore/preview', order)
    fact(preview['possible'] and not preview['exists'] and item(preview)['size'] == 8 * MIB + 512, 'volume: a preview', preview)
    tells_key(preview, 'disk', 'volume')
    fact(not os.path.exists(path('back', 'disk.img')), 'volume: which makes nothing')
    row = restored(operator, top, order, 'volume: to an image')
    equal(sha256(path('back', 'disk.img')), digest, 'volume: it is what was saved')
    fact('/proc/' not in str(row), 'volume: by the name that was asked for', row)
    warns(row, 'volume')
    refused(operator, top + '/restore', order, 409, 'not-empty', 'volume: an image that is there')
    os.symlink(path('disk.img'), path('back', 'link.img'))
    refused(operator, top + '/restore', {**order, 'target': {'file': path('back', 'link.img')}}, 403, 'denied', 'volume: a link')
    with open(path('disk.img'), 'r+b') as f:
        f.write(b'another volume' * 5000)
    over = {'source': 'disk', 'target': {'source': 'disk'}}
    refused(operator, top + '/restore', over, 409, 'not-empty', 'volume: its source, unasked')
    refused(operator, top + '/restore', {**over, 'overwrite': True, 'confirm': path('disk.img')}, 409, 'guard', 'volume: with another name')
    refused(operator, top + '/restore', {**over, 'tables': ['x']}, 400, 'invalid', 'volume: an option of databases')
    preview = operator.json('POST', top + '/restore/preview', {**over, 'overwrite': True})
    fact(preview['exists'] and preview['target'] == 'disk' and item(preview)['bytes_written'] > 0, 'volume: a preview of its source', preview)
    before = safe(repo)
    restored(operator, top, {**over, 'overwrite': True, 'confirm': 'disk'}, 'volume: over its source')
    equal(sha256(path('disk.img')), digest, 'volume: it is what was saved again')
    equal(safe(repo), before + 1, 'volume: what was there was saved before')


# ---- a cluster ----

def shows(live, folder, up_to, label):
    """A server that is started there stands at the row that was asked for."""
    hand_over(folder)  # for the server's log
    copy = Cluster(folder)
    copy.configure("unix_socket_directories = '%s'" % path('sockets'), 'archive_mode = off')
    copy.socket = path('sockets')
    copy.start()
    fact(paused(copy), label + ': it starts, and stands at the target')
    equal(Live.rows(copy), live.rows(up_to), '%s: its rows end with row %d' % (label, up_to))
    return copy


def out_of_reach(operator, top, order):
    order = {**order, 'target': {'directory': path('back', 'never', 'data')}, 'recovery': {**order['recovery'], 'time': '2099-01-01T00:00:00Z'}}
    problem = refused(operator, top + '/restore/preview', order, 409, 'out-of-reach', 'cluster: a moment that is not held')
    fact(problem['code'] == 26 and 'its last transaction ended at' in problem['detail'], 'cluster: and it is said how far one gets', problem)
    row = restored(operator, top, order, 'cluster: the same without a preview', 'failed')
    equal(row['exit_code'], 26, 'cluster: it ends as that')
    fact(not os.path.exists(path('back', 'never', 'data')) or not os.listdir(path('back', 'never', 'data')), 'cluster: nothing was written')


def bad_recoveries(operator, top, order):
    target, recovery = order['target'], order['recovery']
    for name, change, status, want in [
            ('two moments', {'recovery': {**recovery, 'latest': True}}, 400, 'invalid'), ('no moment', {'recovery': {}}, 400, 'invalid'),
            ('an action that is none', {'recovery': {**recovery, 'action': 'x'}}, 400, 'invalid'),
            ('a directory elsewhere', {'target': {'directory': path('outside')}}, 403, 'denied'),
            ('a tablespace elsewhere', {'recovery': {**recovery, 'tablespaces': [{'from': '1', 'to': path('outside')}]}}, 403, 'denied'),
            ('a tablespace with a =', {'recovery': {**recovery, 'tablespaces': [{'from': '1=2', 'to': path('back', 'x')}]}}, 400, 'invalid'),
            ('a source as its target', {'target': {'source': 'cluster'}}, 400, 'invalid'),
            ('patterns', {'include': ['x']}, 400, 'invalid'), ('a line break', {'recovery': {'name': 'a\nb'}}, 400, 'invalid')]:
        refused(operator, top + '/restore', {**order, 'target': target, **change}, status, want, 'cluster: ' + name)


def a_cluster(operator, repo, live, top, first, last):
    space = live.sql("select oid from pg_tablespace where spcname = 'other'")
    folder = path('back', 'new-pg')
    order = {'target': {'directory': folder + '/data'},
             'recovery': {'time': live.marks[first]['time'], 'action': 'pause', 'tablespaces': [{'from': space, 'to': folder + '/space'}]}}
    preview = operator.json('POST', top + '/restore/preview', order)
    fact(preview['possible'] and not preview['exists'] and preview['target_kind'] == 'cluster' and item(preview)['last_transaction_at'],
         'cluster: a preview tells where it would stop', preview)
    tells_key(preview, 'cluster', 'cluster')
    equal(preview['summary']['start_command'], 'pg_ctl -D %s/data start' % folder, 'cluster: and how it would be started')
    fact(not os.path.exists(folder), 'cluster: and makes nothing')
    out_of_reach(operator, top, order)
    bad_recoveries(operator, top, order)
    row = restored(operator, top, order, 'cluster: to a moment')
    warns(row, 'cluster')
    equal(operator.json('GET', top + '/restore/status')['target'], folder + '/data', 'cluster: its status names the directory')
    fact('/proc/' not in str(row), 'cluster: by the name that was asked for', row)
    equal([os.readlink(folder + '/data/pg_tblspc/' + n) for n in os.listdir(folder + '/data/pg_tblspc')], [folder + '/space'],
          'cluster: the link to its tablespace is below the root')
    hand_over_all(repo.path)
    copy = shows(live, folder, first, 'cluster')
    refused(operator, top + '/restore', order, 409, 'not-empty', 'cluster: a directory that is not empty')
    rest = {'action': 'pause', 'tablespaces': order['recovery']['tablespaces']}
    later = {**order, 'overwrite': True, 'confirm': folder + '/data', 'recovery': {**rest, 'xid': live.marks[last]['xid'], 'delta': True}}
    refused(operator, top + '/restore', {**later, 'confirm': 'data'}, 409, 'guard', 'cluster: to overwrite it with another name')
    before = safe(repo)
    equal(restored(operator, top, later, 'cluster: over one that runs', 'failed')['exit_code'], 25, 'cluster: which is never overwritten')
    equal((safe(repo), copy.sql('select 1')), (before, '1'), 'cluster: nothing was begun, and the server goes on')
    copy.stop()
    restored(operator, top, later, 'cluster: over one that was stopped, by what differs')
    equal(safe(repo), before + 1, 'cluster: what was there was saved before')
    hand_over_all(repo.path)
    shows(live, folder, last, 'cluster again').stop()
    whole = {**later, 'safety_backup': False, 'recovery': {**rest, 'xid': live.marks[first]['xid'], 'exclusive': True}}
    restored(operator, top, whole, 'cluster: anew, to just before a transaction')
    shows(live, folder, first - 1, 'cluster anew').stop()


def main():
    os.makedirs(path('back'), 0o755)
    for name in ('back', 'sockets'):
        own(name)
    query(path('app.db'), 'create table t (i int)')
    with closing(sqlite3.connect(path('app.db'))) as db, db:
        db.executemany('insert into t values (?)', [(i,) for i in range(1, 1001)])
    with open(path('disk.img'), 'wb') as f:
        f.write(os.urandom(MIB))
        f.truncate(8 * MIB + 512)
    digest = sha256(path('disk.img'))
    key('k1')
    repo = Repo.named('repo')
    repo.init()
    hand_over_all(repo.path)
    archive = Archive(repo)
    with open(own('user') + '/password', 'w', encoding='utf-8') as f:
        f.write(repo.password + '\n')
    hand_over(path('user', 'password'))
    with Live('live', archive) as live:
        live.begin(archive.script('push', 'exec %s wal push "$1"\n' % BACKSTAY))
        values = {'key': path('user', 'password'), 'host': urllib.parse.quote(live.socket, safe=''), 'app': path('app.db'),
                  'disk': path('disk.img'), 'back': path('back'), 'env_file': path('env')}
        with PageDaemon('daemon', repo, CONFIG, env=environment(None), **values) as daemon:
            admin = first_administrator(daemon)
            _, operator = people(admin, daemon)
            rest = backup(operator, repo, 'rest')
            key('k2')
            a_database(admin, operator, repo, rest)
            a_volume(operator, repo, rest, digest)
            hand_over_all(repo.path)
            live.add(3)
            key('k1')
            base = backup(operator, repo, 'base')
            key('k2')
            first, last = live.add(3), live.add(3)
            live.switch()
            a_cluster(operator, repo, live, base, first, last)
            audit = admin.ask('GET', '/api/admin/audit?limit=200')[2].decode()
            fact('restoreBackup' in audit and 'restoreBackup.failed' in audit, 'what was asked is in the audit, and what was refused')
            equal(daemon.stop(), 0, 'the daemon stops')
    repo.sound('in the end')
    finish()


main()
