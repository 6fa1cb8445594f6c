#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=900
"""A host with a daemon, schedules of a file and of the API, and users is lost but for its repository: `adopt` on another host brings
back configuration, catalogue and history, and the next run works. What is there is not written over, secrets are named and never
kept, a damaged copy does not hide a good one, a mirror serves as well, and stock restic sees none of it."""
import contextlib
import glob
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonlife import HOUR
from freeport import free_port
from scenario import BACKSTAY, FAILED, PARTIAL, Repo, ended, equal, fact, finish, path, read, run, wait_until

PATIENCE = 300
SECRET = 'a long enough password of a person'

CONFIG = '''# written by hand, with a comment
repositories:
  main: {location: %(repo)s, password: "env://RESTIC_PASSWORD"}
sources:
  files: {paths: [%(files)s]}
  shop: {url: "postgresql://backup@db/shop", password: "file:///nowhere/shop-db"}
schedules:
  nightly: {sources: [files], repository: main, cron: "0 %(hour)d * * *", keep: {last: 5}}
server: {listen: "127.0.0.1:%(port)d", node: one, sweep: "%(hour)02d:30"}
'''


class Host:
    """What a machine has of its own: goes with it."""

    def __init__(self, name, repo, port):
        self.name, self.repo, self.port, self.process = name, repo, port, None
        self.state, self.config = path(name, 'state'), path(name, 'etc/backstay.yaml')
        self.catalogue = self.state + '/catalogue.db'
        self.cookie = self.csrf = None
        self.env = repo.env(STATE_DIRECTORY=self.state, RUNTIME_DIRECTORY=path(name, 'run'), BACKSTAY_CACHE_DIR=path(name, 'cache'),
                            BACKSTAY_STATE_DIR=path(name, 'locks'), BACKSTAY_HOST=name)
        os.makedirs(path(name))

    def backstay(self, *argv, code=0, **more):
        return self.repo.backstay('--config', self.config, *argv, code=code, env={**self.env, **more})

    def adopt(self, *argv, code=0, where=None, **more):
        return self.backstay('adopt', where or self.repo.path, *argv, code=code, BACKSTAY_REPOSITORY='', RESTIC_REPOSITORY='', **more)

    def start(self):
        log = open(path(self.name, 'log'), 'ab')
        self.process = subprocess.Popen([BACKSTAY, 'daemon', '--config', self.config], env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        fact(wait_until(lambda: self.ready() or self.process.poll() is not None, PATIENCE) and self.process.poll() is None, 'the daemon starts', self.said())

    def ready(self):
        try:
            return self.ask('GET', '/readyz')[0] == 200
        except OSError:
            return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        ended(self.process, PATIENCE, 'the daemon stops')

    def said(self):
        with open(path(self.name, 'log'), encoding='utf-8') as f:
            return f.read()

    def ask(self, method, where, body=None):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=120)
        headers = {'Cookie': self.cookie or '', 'X-CSRF-Token': self.csrf or '', 'Content-Type': 'application/json'}
        connection.request(method, where, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.headers['Set-Cookie']:
            self.cookie = answer.headers['Set-Cookie'].split(';')[0]
        return answer.status, json.loads(content) if content.startswith(b'{') else {}

    def json(self, method, where, body=None, want=200):
        status, content = self.ask(method, where, body)
        fact(status == want, '%s %s' % (method, re.sub('[0-9a-f]{32}', 'ID', where)), (status, content))
        return content

    def set_up(self):
        fact(wait_until(lambda: 'works once: ' in self.said(), PATIENCE), 'a setup token is offered when nobody can administer', self.said())
        token = re.findall(r'works once: (\S+)', self.said())[-1]
        self.csrf = self.json('POST', '/api/setup', {'token': token, 'name': 'anna', 'password': SECRET}).get('csrf_token')

    def run(self, schedule, want='succeeded'):
        run_id = self.json('POST', '/api/admin/backups/schedules/%s/run' % schedule, want=202)['run']
        fact(wait_until(lambda: self.ask('GET', '/api/admin/runs/' + run_id)[1].get('state') not in ('queued', 'running'), PATIENCE), 'a run ends')
        equal(self.ask('GET', '/api/admin/runs/' + run_id)[1].get('state'), want, 'as it should')
        return run_id

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(self.catalogue, timeout=60)) as db:
            return db.execute(sql).fetchall()


def copies(where):
    return sorted(glob.glob(where + '/backstay/installations/*/*'), key=lambda f: os.path.basename(f))


def live(host):
    """As long as the first host is there."""
    host.start()
    host.set_up()
    host.json('POST', '/api/admin/users', {'name': 'otto', 'role': 'operator', 'password': SECRET}, want=201)
    made = host.json('POST', '/api/admin/backups/schedules', {'name': 'yearly', 'sources': ['files'], 'repository': 'main', 'cron': '0 3 1 1 *'}, want=201)
    first = host.run('nightly')
    equal(len(copies(host.repo.path)), 1, 'a run leaves a copy of configuration and catalogue')
    host.run('nightly')
    equal(len(copies(host.repo.path)), 1, 'the next one does not when nothing has changed')
    runs = [first, host.run(made['id'])]
    for n in range(9):
        host.json('POST', '/api/admin/users', {'name': 'user-%d' % n, 'role': 'viewer', 'password': SECRET}, want=201)
        host.backstay('run', 'nightly')
    equal(len(copies(host.repo.path)), 8, 'of those that differ eight are kept')
    host.stop()
    return made['id'], runs


def nothing_secret(host, repo):
    """In the clear, as whoever has the password could read it."""
    hashes = [r[0] for r in host.rows('SELECT password FROM users') + host.rows('SELECT hash FROM sessions')]
    fact(len(hashes) > 2 and all(hashes), 'the catalogue knows hashes of secrets', hashes)
    shown = host.adopt('--preview', '--json', '--catalogue', 'sqlite:' + path('no-such/catalogue.db')).text
    names = ''.join(copies(repo.path))
    names = names.replace(repo.path, '')
    fact(host.name not in names and 'etc' not in names, 'names of copies tell nothing of the host', names)
    db = path('unpacked.db')
    host.adopt('--catalogue', 'sqlite:' + db)
    content = read(db)
    fact(not any(h.encode() in content for h in hashes), 'none of them is in what comes back')
    fact(not any(h in shown for h in hashes), 'nor shown')


def adopted(new, api_id, runs):
    told = new.adopt('--preview', '--json').summary()
    equal((told['configuration']['action'], told['catalogue']['action']), ('would be written', 'would be filled'), 'a preview tells what it would do')
    fact(not os.path.exists(new.config) and not os.path.exists(new.catalogue), 'and does nothing')
    run('prlimit', '--fsize=60000', BACKSTAY, '--config', new.config, 'adopt', new.repo.path, env={**new.env, 'BACKSTAY_REPOSITORY': '', 'RESTIC_REPOSITORY': ''})
    fact(not os.path.exists(new.config), 'cut off half-way it leaves no configuration that a daemon would start with, before all is paused')
    shutil.rmtree(new.state, ignore_errors=True)
    done = new.adopt()
    fact('sources.shop.password: file:///nowhere/shop-db' in done.text, 'secrets that are missing are named', done.text)
    fact('env://RESTIC_PASSWORD' not in done.text, 'those that are here are not', done.text)
    fact('BACKSTAY_HOST=old' in done.text, 'another host name is told', done.text)
    with open(new.config, encoding='utf-8') as f, open(path('saved.yaml'), encoding='utf-8') as saved:
        equal(f.read(), saved.read(), 'the configuration is there as it was, with its comments')
    new.backstay('config', 'check')
    equal(new.rows('SELECT name, password FROM users WHERE name < "p" ORDER BY name'), [('anna', None), ('otto', None)], 'users come back, their passwords do not')
    equal([r[0] for r in new.rows("SELECT id FROM backup_schedules WHERE origin = 'api'")], [api_id], 'so does the schedule of the API')
    fact(all(r[0] > 0 for r in new.rows('SELECT paused_until FROM backup_schedules')) and
         len(new.rows("SELECT id FROM backup_schedules WHERE id = 'nightly'")) == 1, 'and all schedules wait for the restore')
    known = {r[0] for r in new.rows('SELECT id FROM backup_history')}
    fact(set(runs) <= known and len(known) >= len(runs) + 5, 'the history is there', known)


def refusals(new):
    done = new.adopt(code=FAILED)
    fact('catalogue' in done.errors and '--force' in done.errors, 'a catalogue that is there is not written over', done.errors)
    with open(new.config, 'a', encoding='utf-8') as f:
        f.write('# mine\n')
    before = open(new.config, encoding='utf-8').read()
    done = new.adopt('--catalogue', 'sqlite:' + path('another.db'), code=FAILED)
    fact(new.config in done.errors and '--force' in done.errors, 'nor is a configuration', done.errors)
    equal((open(new.config, encoding='utf-8').read(), os.path.exists(path('another.db'))), (before, False), 'and nothing else is done then')
    told = new.adopt('--force', '--json').summary()
    equal(open(told['configuration']['set_aside'], encoding='utf-8').read(), before, 'with --force the old one is kept beside it')
    fact(os.path.exists(told['catalogue']['set_aside']), 'and so is the catalogue')
    new.adopt('--copy', 'ffff', '--force', code=FAILED)
    new.adopt('--host', 'somebody', '--force', code=FAILED)
    new.adopt('--pause', 'soon', code=FAILED)


def goes_on(new, api_id):
    known = new.rows('SELECT id FROM backup_history')
    new.start()
    new.set_up()
    equal(new.json('GET', '/api/admin/backups/schedules/' + api_id)['name'], 'yearly', 'the schedule of the API is known')
    new.run('nightly')
    new.run(api_id)
    fact(len(new.json('GET', '/api/admin/runs')['items']) > len(known), 'history goes on')
    new.stop()


def several_hosts(new, repo):
    """By now both have left copies."""
    listed = new.adopt('--list', '--json').json()
    equal({c['host'] for c in listed}, {'old', 'new'}, 'both hosts are listed')
    place = ('--catalogue', 'sqlite:' + path('third.db'))
    done = new.adopt('--preview', *place, code=FAILED)
    fact('--host' in done.errors, 'with copies of several hosts one has to be named', done.errors)
    newest = max((c for c in listed if c['host'] == 'new'), key=lambda c: c['time'])
    equal(new.adopt('--preview', '--json', '--host', 'new', *place).summary()['copy']['id'], newest['id'], 'of that the newest counts')
    name = next(f for f in copies(repo.path) if f.endswith(newest['id']))
    with open(name, 'r+b') as f:
        f.seek(40)
        f.write(b'\x55\xaa\x55')
    done = new.adopt('--preview', '--json', '--host', 'old', *place)
    equal(done.summary()['copy']['host'], 'old', 'a damaged copy does not hide the others')
    new.adopt('--list', code=PARTIAL)
    os.remove(name)


def from_a_mirror(new, repo):
    mirror = path('mirror')
    new.backstay('-r', repo.path, 'mirror', 'add', mirror, '--name', 'second')
    new.backstay('-r', repo.path, 'mirror', 'sync')
    equal([os.path.basename(c) for c in copies(mirror)], [os.path.basename(c) for c in copies(repo.path)], 'a mirror has the copies, too')
    new.backstay('run', 'nightly')
    equal([os.path.basename(c) for c in copies(mirror)], [os.path.basename(c) for c in copies(repo.path)], 'and those of the runs that follow')
    shutil.move(repo.path, repo.path + '.lost')
    third = Host('third', repo, new.port)
    done = third.adopt('--host', 'old', '--pause', '0h', where=mirror)
    fact('no repository of the configuration is at' in done.text, 'it serves as well, and its place is told', done.text)
    equal(third.rows('SELECT max(paused_until) FROM backup_schedules'), [(0,)], 'with --pause 0h nothing waits')
    shutil.move(repo.path + '.lost', repo.path)


def from_a_copy(new, repo):
    """Another repository with another password and other names."""
    other = Repo.named('copied', 'another password')
    other.init()
    copy = ('copy', '--from-repo', repo.path, '--json')
    env = {**other.env(), 'RESTIC_FROM_PASSWORD': repo.password}
    done = other.backstay(*copy, env=env, code=0)
    n = len(copies(repo.path))
    equal((done.summary()['installations_copied'], len(copies(other.path))), (n, n), 'a copy of the repository has them, too')
    fact(not {os.path.basename(c)[13:] for c in copies(other.path)} & {os.path.basename(c)[13:] for c in copies(repo.path)}, 'under names of its own')
    equal(other.backstay(*copy, env=env, code=0).summary()['installations_copied'], 0, 'once')
    fourth = Host('copied-to', other, new.port)
    shown = fourth.adopt('--preview', '--json', '--host', 'old', where=other.path).summary()['copy']
    equal((shown['host'], shown['users'] > 2), ('old', True), 'it can be adopted from there')


def by_hand(repo):
    """Without a daemon there is no catalogue, and that is no failure."""
    other = Host('byhand', repo, 1)
    os.makedirs(os.path.dirname(other.config))
    shutil.copy(path('saved.yaml'), other.config)
    before = len(copies(repo.path))
    told = other.backstay('run', 'nightly', '--json').text
    equal(len(copies(repo.path)), before + 1, 'a run by hand leaves a copy, too')
    fact(not os.path.exists(other.catalogue), 'and makes no catalogue')
    with open(other.config, 'a', encoding='utf-8') as f:
        f.write('server: {catalogue: nonsense}\n')
    fact('"run_end"' in told, 'its end is told')
    fourth = Host('fourth', repo, 1)
    fourth.adopt('--host', 'byhand')
    fact(fourth.rows('SELECT count(*) FROM backup_history')[0][0] >= 5, 'the history is made from snapshots')


def main():
    os.makedirs(path('files'))
    with open(path('files/hello'), 'w', encoding='utf-8') as f:
        f.write('hello\n')
    repo = Repo.named('repo')
    repo.init()
    port = free_port()
    old, new = Host('old', repo, port), Host('new', repo, port)
    new.adopt(code=FAILED)
    os.makedirs(os.path.dirname(old.config))
    with open(old.config, 'w', encoding='utf-8') as f:
        f.write(CONFIG % {'repo': repo.path, 'files': path('files'), 'port': port, 'hour': HOUR})
    shutil.copy(old.config, path('saved.yaml'))
    try:
        api_id, runs = live(old)
        nothing_secret(old, repo)
        shutil.rmtree(path('old'))
        adopted(new, api_id, runs)
        refusals(new)
        goes_on(new, api_id)
        several_hosts(new, repo)
        from_a_mirror(new, repo)
        from_a_copy(new, repo)
        by_hand(repo)
    finally:
        for host in (old, new):
            if host.process and host.process.poll() is None:
                host.process.kill()
    repo.sound('with copies in it')
    finish()


main()
