#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""Restores by HTTP: a database and a directory of files come back, by an operator and by nobody else, over what exists only when he
typed its name after a fresh login; never outside of what the configuration allows; cancelled, and followed by the next daemon."""
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonhttp import PageDaemon, Person, ended_as, first_administrator, people, refused, started, word
from daemonlife import PATIENCE, REPOSITORY
from postgres import Postgres, same_database
from scenario import Repo, equal, fact, finish, path, run, wait_until

CONFIG = REPOSITORY + '''
sources:
  files: {paths: [%(files)s], facts: [{name: kid, file: %(env_file)s, variable: APP_KID}]}
  shop: {url: "%(url)s", password: "file://%(secret)s"}
  copy: {url: "%(copy)s", password: "file://%(secret)s"}
schedules:
  nightly: {sources: [files, shop], repository: main, cron: "0 %(hour)d * * *"}
notifications:
  nowhere: {type: webhook, url: "http://127.0.0.1:1/"}
server: {listen: "127.0.0.1:%(port)d", node: one, restore_roots: [%(root)s], sweep: "%(hour)02d:30"}
'''
WORD = 'canary of the server'


def backup(operator):
    taken = started(operator, '/api/admin/backups', {'schedule': 'nightly'})
    ended_as(operator, taken, 'succeeded', 'a backup')
    return taken


def key(kid):
    with open(path('env'), 'w', encoding='utf-8') as f:
        f.write('APP_KID=%s\n' % kid)


def into_a_directory(viewer, operator, top):
    target = path('back', 'new', 'place')
    order = {'source': 'files', 'target': {'directory': target}, 'verify': True}
    refused(viewer, top + '/restore', order, 403, 'role', 'a viewer')
    refused(viewer, top + '/restore/preview', order, 403, 'role', 'a viewer who only looks')
    preview = operator.json('POST', top + '/restore/preview', order)
    fact(preview['possible'] and not preview['exists'] and preview['summary']['files_restored'] == 2, 'a preview tells what would be restored', preview)
    equal([(i['what'], i['saved'], i['target']) for i in preview['items'] if i['message_type'] == 'difference'], [('fact kid', 'k1', 'k2')], 'and facts that differ')
    fact(not os.path.exists(target), 'and restores nothing')
    before = operator.ask('GET', top + '/restore/status')[0]
    equal(before, 404, 'no restore has been asked for')
    run_id = started(operator, top + '/restore', order, Idempotency_Key='a')
    equal(started(operator, top + '/restore', order, Idempotency_Key='a'), run_id, 'the same request again restores once')
    row = ended_as(operator, run_id, 'succeeded', 'files are restored')
    fact(row['kind'] == 'restore' and row['user'] == 'operator' and row['files'] > 0, 'the history tells it', row)
    with open(target + path('files', 'hello'), encoding='utf-8') as f:
        equal(f.read(), 'hello\n', 'and they are what they were')
    status = operator.json('GET', top + '/restore/status')
    equal((status['run'], status['state'], status['target']), (run_id, 'succeeded', target), 'its status says so')
    equal(operator.json('GET', '/api/admin/backups/restore/status')['items'][0]['run'], run_id, 'as does the list')
    refused(operator, top + '/restore', order, 409, 'not-empty', 'a directory that is not empty')
    refused(operator, top + '/restore', {**order, 'overwrite': True}, 409, 'guard', 'to overwrite without its name')
    refused(operator, top + '/restore', {**order, 'overwrite': True, 'confirm': target + '/'}, 409, 'guard', 'nor with another name')
    with open(target + path('files', 'hello'), 'w', encoding='utf-8') as f:
        f.write('changed meanwhile\n')
    run_id = started(operator, top + '/restore', {**order, 'overwrite': True, 'confirm': target})
    ended_as(operator, run_id, 'succeeded', 'with its name it is overwritten')
    with open(target + path('files', 'hello'), encoding='utf-8') as f:
        equal(f.read(), 'hello\n', 'with what was saved')
    return run_id


def tricks(operator, top):
    """Whoever may restore may not write where he likes, nor say what else the command does."""
    os.makedirs(path('outside'), exist_ok=True)
    os.symlink(path('outside'), path('back', 'link'))
    for name, directory, status, want in [
            ('a directory elsewhere', path('outside'), 403, 'denied'), ('the root itself', path('back'), 403, 'denied'),
            ('a name that only begins like it', path('backward'), 403, 'denied'), ('a way back', path('back') + '/../outside', 400, 'invalid'),
            ('an empty name', path('back') + '//x', 400, 'invalid'), ('a relative path', 'back/x', 400, 'invalid'),
            ('a link', path('back', 'link', 'x'), 403, 'denied'), ('a line break', path('back') + '/a\nb', 400, 'invalid'),
            ('an option', '--target=/', 400, 'invalid'), ('a name without end', path('back') + '/' + 'x' * 300, 400, 'invalid'),
            ('a path without end', path('back') + '/x' * 4000, 400, 'invalid')]:
        for where in ('/restore', '/restore/preview'):
            refused(operator, top + where, {'source': 'files', 'target': {'directory': directory}}, status, want, name)
    good = {'source': 'files', 'target': {'directory': path('back', 'trick')}}
    for name, change in [('an unknown member', {'argv': ['--delete']}), ('a target of two kinds', {'target': {'directory': path('back', 'x'), 'source': 'copy'}}),
                         ('no target', {'target': {}}), ('an URL', {'target': {'source': 'postgresql://evil.example/x'}}),
                         ('a source that is no server', {'target': {'source': 'files'}}), ('an option of databases', {'tables': ['x']}),
                         ('a path of no snapshot', {'path': 'x'})]:
        got, _, content = operator.ask('POST', top + '/restore', {**good, **change})
        fact(got in (400, 404), 'refused is ' + name, (got, content))
    status, _, content = operator.ask('POST', top + '/restore', {**good, 'include': ['--delete', '--overwrite=always']})
    equal(status, 202, 'a pattern that looks like an option')
    ended_as(operator, json.loads(content)['run'], 'succeeded', 'is a pattern')
    stranger = Person(operator.daemon)
    stranger.cookie = operator.cookie
    refused(stranger, top + '/restore', good, 403, 'csrf', 'a page that has the cookie alone')
    refused(operator, top + '/restore', good, 403, 'origin', 'another site', Origin='http://evil.example')
    equal(os.listdir(path('outside')), [], 'nothing was written outside')
    fact(not os.path.exists(path('back', 'x')), 'nor where it was refused')


def into_a_database(operator, server, top):
    order = {'source': 'shop', 'target': {'source': 'copy'}}
    preview = operator.json('POST', top + '/restore/preview', order)
    fact(not preview['exists'] and preview['possible'] and preview['items'][0]['rows'] == 1000, 'a preview of a database', preview)
    ended_as(operator, started(operator, top + '/restore', order), 'succeeded', 'a database is restored')
    same_database(server, 'shop', server, 'copy', 'it')
    server.sql('copy', 'delete from t where i > 10')
    preview = operator.json('POST', top + '/restore/preview', order)
    fact(preview['exists'] and preview['target'] == 'copy', 'the preview says that something is there', preview)
    row = ended_as(operator, started(operator, top + '/restore', order), 'failed', 'what is there is not overwritten unasked')
    equal(row['exit_code'], 25, 'and it is said why')
    other = {'source': 'shop', 'target': {'source': 'copy', 'database': 'third one'}, 'create': True}
    ended_as(operator, started(operator, top + '/restore', other), 'succeeded', 'another database of that server is made')
    same_database(server, 'shop', server, 'third one', 'it')
    return {**order, 'overwrite': True, 'confirm': 'copy'}


def follow(operator, server, daemon, top, older, order):
    """While somebody uses the table a restore waits: time to cancel it, and to kill the daemon."""
    user = server.session('copy', 'begin; lock table t; select 1;')
    cancelled = started(operator, top + '/restore', order)
    fact(wait_until(lambda: operator.json_quietly(top + '/restore/status').get('stage') in ('restore', 'safety-backup'), PATIENCE),
         'a restore waits')
    refused(operator, top + '/restore', order, 423, 'locked', 'a second one into the same target')
    got, _, content = operator.ask('DELETE', older)
    fact(got == 423 and word(content) == 'locked', 'nothing is deleted meanwhile', content)
    equal(operator.ask('POST', '/api/admin/runs/%s/cancel' % cancelled)[0], 202, 'it is cancelled')
    ended_as(operator, cancelled, 'cancelled', 'a cancelled one')
    run_id = started(operator, top + '/restore', order)
    fact(wait_until(lambda: operator.json_quietly(top + '/restore/status').get('stage'), PATIENCE), 'another waits')
    equal(daemon.kill(), -signal.SIGKILL, 'the daemon is killed')
    daemon.start()
    status = operator.json('GET', top + '/restore/status')
    equal((status['run'], status['state']), (run_id, 'running'), 'the next one follows it')
    user.kill()
    user.wait()
    ended_as(operator, run_id, 'succeeded', 'and sees its end')
    same_database(server, 'shop', server, 'copy', 'it')
    return run_id


def drilled(backup):
    """A drill of it has succeeded; until what is returned is called."""
    drill = backup['id'][:12] + 'f' * 20

    def change(text, *values):
        with closing(sqlite3.connect(path('daemon', 'state', 'catalogue.db'), timeout=60)) as db, db:
            db.execute(text, values)
    with closing(sqlite3.connect(path('daemon', 'state', 'catalogue.db'), timeout=60)) as db:
        names = [row[1] for row in db.execute('pragma table_info(backup_history)')]
    others = ', '.join(n for n in names if n not in ('id', 'kind', 'detail', 'due_at'))
    change('insert into backup_history (id, kind, detail, due_at, %s) select ?, ?, ?, 0, %s from backup_history where id = ?' % (others, others),
           drill, 'drill', json.dumps({'task': {'backup': backup['id']}}), backup['id'])
    return lambda: change('delete from backup_history where id = ?', drill)


def removed(viewer, operator, repo, top, older):
    """The newest good one stays unless that is said twice; what is gone is marked so."""
    before = len(repo.snapshots())
    got, _, content = viewer.ask('DELETE', older)
    fact(got == 403 and word(content) == 'role', 'a viewer deletes nothing', content)
    got, _, content = operator.ask('DELETE', top)
    fact(got == 409 and word(content) == 'guard' and b'newest good' in content, 'the newest good backup stays', content)
    unproven = drilled(operator.json('GET', older.replace('backups', 'runs')))
    got, _, content = operator.ask('DELETE', older)
    fact(got == 409 and word(content) == 'guard' and b'proven' in content, 'the newest proven one stays, too, and it is said why', content)
    unproven()
    ids = [s['snapshot_id'] for s in operator.json('GET', top)['detail']['snapshots']]
    for name in ids:
        os.rename(os.path.join(repo.path, 'snapshots', name), path(name))
    task = operator.json('DELETE', older, want=202)['run']
    ended_as(operator, task, 'failed', 'nor does an older one go when the newest good one was removed from the repository by hand')
    equal((len(repo.snapshots()), operator.ask('GET', older)[0]), (before - len(ids), 200), 'which is still there')
    for name in ids:
        os.rename(path(name), os.path.join(repo.path, 'snapshots', name))
    got, _, content = operator.ask('DELETE', top + '?force=true&confirm=other')
    fact(got == 409 and word(content) == 'guard', 'also by force without its name', content)
    task = operator.json('DELETE', older, want=202, Idempotency_Key='d')['run']
    equal(operator.json('DELETE', older, want=202, Idempotency_Key='d')['run'], task, 'the same request again deletes once')
    ended_as(operator, task, 'succeeded', 'an older one is deleted')
    equal(len(repo.snapshots()), before - 2, 'its snapshots are gone')
    equal(operator.json('GET', older.replace('backups', 'runs'))['state'], 'deleted', 'its row says so')
    equal([operator.ask(m, older)[0] for m in ('GET', 'DELETE')], [404, 404], 'and it is no backup any more')
    task = operator.json('DELETE', top + '?force=true&confirm=nightly', want=202)['run']
    ended_as(operator, task, 'succeeded', 'by force and name the last one goes, too')
    equal(operator.json('GET', '/api/admin/backups')['items'], [], 'no backup is left')


def fresh(admin, operator, top, order):
    made = admin.json('POST', '/api/admin/tokens', {'name': 't', 'scope': 'operator', 'days': 1}, want=201)
    by_token = Person(operator.daemon)
    bearer = {'Authorization': 'Bearer ' + made['token']}
    refused(by_token, top + '/restore', order, 403, 'fresh-login', 'a token, over what exists', **bearer)
    equal(by_token.ask('POST', top + '/restore/preview', order, **bearer)[0], 200, 'a preview is for tokens, too')


def main():
    os.makedirs(path('files'))
    os.makedirs(path('back'))
    for name, text in (('hello', 'hello\n'), ('--delete', 'a name that looks like an option\n')):
        with open(path('files', name), 'w', encoding='utf-8') as f:
            f.write(text)
    with open(path('secret'), 'w', encoding='utf-8') as f:
        f.write(WORD + '\n')
    key('k1')
    repo = Repo.named('repo')
    repo.init()
    with Postgres() as server:
        server.sql('postgres', "create role keeper superuser login password '%s'" % WORD)
        server.create('shop', 'create table t as select generate_series(1, 1000) i')
        server.create('copy')
        shop, copy = (server.url(name, 'keeper', tcp=True) for name in ('shop', 'copy'))
        with PageDaemon('daemon', repo, CONFIG, files=path('files'), env_file=path('env'), url=shop, copy=copy, secret=path('secret'),
                        root=path('back')) as daemon:
            admin = first_administrator(daemon)
            viewer, operator = people(admin, daemon)
            older, top = ['/api/admin/backups/' + backup(operator) for _ in range(2)]
            key('k2')
            safe = [into_a_directory(viewer, operator, top)]
            tricks(operator, top)
            order = into_a_database(operator, server, top)
            fresh(admin, operator, top, order)
            safe.append(follow(operator, server, daemon, top, older, order))
            tags = [t for s in repo.snapshots() for t in s.get('tags') or [] if t.startswith('safety=')]
            equal(sorted(tags), sorted('safety=' + s for s in safe), 'what was overwritten was saved before')
            got, _, content = operator.ask('POST', '/api/admin/notifications/nowhere/test')
            fact(got == 502 and word(content) == 'channel', 'a channel that is tried says what is wrong', (got, content))
            removed(viewer, operator, repo, top, older)
            audit = admin.ask('GET', '/api/admin/audit?limit=200')[2].decode()
            fact('restoreBackup' in audit and 'restoreBackup.failed' in audit, 'what was asked is in the audit, and what was refused')
            fact(WORD not in daemon.said() and WORD not in audit, 'no password of the server is told')
            told = run('grep', '-rlF', WORD, daemon.state)
            equal(told.text, '', 'nor kept')
            equal(daemon.stop(), 0, 'the daemon stops')
    finish()


main()
