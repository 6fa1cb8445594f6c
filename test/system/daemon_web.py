#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""The daemon as it is used: backstay.yaml, the first administrator, a schedule made by HTTP, a run that is asked for, followed by
events, read in the log, downloaded and measured; and a page process that is killed without a schedule noticing."""
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from postgres import Postgres
from scenario import BACKSTAY, Repo, ended, equal, fact, finish, path, say, wait_until

PATIENCE = 300
SECRET = 'a long enough password of a person'

CONFIG = '''
repositories:
  main: {location: %(repo)s, password: "env://RESTIC_PASSWORD"}
sources:
  files: {paths: [%(files)s]}
  shop: {url: "%(url)s"}
schedules:
  nightly: {sources: [files, shop], repository: main, cron: daily, timezone: Europe/Berlin, keep: {last: 2}}
server: {listen: "127.0.0.1:%(port)d", node: one}
'''


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Daemon:
    def __init__(self, repo, url):
        self.port, self.repo = free_port(), repo
        with open(path('backstay.yaml'), 'w', encoding='utf-8') as f:
            f.write(CONFIG % {'repo': repo.path, 'files': path('files'), 'url': url, 'port': self.port})
        self.log = open(path('log'), 'ab')
        self.env = repo.env(STATE_DIRECTORY=path('state'), RUNTIME_DIRECTORY=path('runtime'))
        self.process = subprocess.Popen([BACKSTAY, 'daemon', '--config', path('backstay.yaml')], env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        fact(wait_until(lambda: self.page() is not None and self.get('/readyz') == 200, PATIENCE), 'the daemon and its page are ready', self.said())

    def said(self):
        with open(path('log'), encoding='utf-8') as f:
            return f.read()

    def page(self):
        """The process that speaks HTTP."""
        done = subprocess.run(['pgrep', '-P', str(self.process.pid), '-f', 'daemon --web'], capture_output=True, text=True, check=False)
        return int(done.stdout.split()[0]) if done.stdout.split() else None

    def get(self, where):
        try:
            connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
            connection.request('GET', where)
            return connection.getresponse().status
        except OSError:
            return 0


class Person:
    """Somebody with a session."""

    def __init__(self, daemon):
        self.daemon, self.cookie, self.csrf = daemon, None, None

    def ask(self, method, where, body=None, **headers):
        connection = http.client.HTTPConnection('127.0.0.1', self.daemon.port, timeout=120)
        headers = {k.replace('_', '-'): v for k, v in headers.items()}
        if self.cookie:
            headers['Cookie'] = self.cookie
        if self.csrf and method != 'GET':
            headers['X-CSRF-Token'] = self.csrf
        if body is not None:
            headers['Content-Type'] = 'application/json'
            body = json.dumps(body)
        connection.request(method, where, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, answer.headers, content

    def json(self, method, where, body=None, want=200, **headers):
        status, _, content = self.ask(method, where, body, **headers)
        equal(status, want, '%s %s' % (method, re.sub('[0-9a-f]{32}', 'ID', where)))
        return json.loads(content) if content else {}


def first_administrator(daemon):
    person = Person(daemon)
    equal(person.ask('GET', '/api/admin/backups')[0], 401, 'without a login nothing is shown')
    token = re.findall(r'works once: (\S+)', daemon.said())[-1]
    status, headers, content = person.ask('POST', '/api/setup', {'token': token, 'name': 'anna', 'password': SECRET})
    equal(status, 200, 'the setup token makes the first administrator')
    person.cookie = headers['Set-Cookie'].split(';')[0]
    person.csrf = json.loads(content)['csrf_token']
    return person


def events_of(daemon, person, heard):
    connection = http.client.HTTPConnection('127.0.0.1', daemon.port, timeout=600)
    connection.request('GET', '/api/admin/events', headers={'Cookie': person.cookie})
    answer = connection.getresponse()

    def listen():
        try:
            for line in answer:
                if line.startswith(b'data:'):
                    heard.append(json.loads(line[5:]))
        except (OSError, ValueError, http.client.HTTPException):
            pass
    threading.Thread(target=listen, daemon=True).start()
    return answer.status


def a_run(daemon, person, schedule):
    asked = person.json('POST', '/api/admin/backups/schedules/%s/run' % schedule, want=202, Idempotency_Key='once-' + schedule)
    again = person.json('POST', '/api/admin/backups/schedules/%s/run' % schedule, want=202, Idempotency_Key='once-' + schedule)
    equal(again, asked, 'the same request again is given the same answer')
    run_id = asked['id'] if 'id' in asked else asked['run']

    def state():
        return json.loads(person.ask('GET', '/api/admin/runs/' + run_id)[2]).get('state')
    fact(wait_until(lambda: state() not in ('queued', 'running'), PATIENCE, .2), 'the run ends')
    equal(state(), 'succeeded', 'and succeeds')
    return run_id


def look(person, run_id):
    run = person.json('GET', '/api/admin/runs/' + run_id)
    say(json.dumps(run)[:2000])
    equal(sorted(s['source'] for s in run['detail']['snapshots']), ['files', 'shop'] if len(run['detail']['snapshots']) == 2 else ['files'],
          'the run tells of its snapshots')
    log = person.ask('GET', '/api/admin/runs/%s/log' % run_id)[2].decode()
    fact('"run_begin"' in log and '"run_end"' in log, 'its log is all there', log)
    listed = person.json('GET', '/api/admin/backups')
    fact(any(b['id'] == run_id for b in next(v for v in listed.values() if isinstance(v, list))), 'it is listed as a backup', listed)


def download(person, run_id):
    status, headers, content = person.ask('GET', '/api/admin/backups/%s/download?source=files' % run_id)
    equal(status, 200, 'a snapshot can be downloaded')
    names = tarfile.open(fileobj=io.BytesIO(content)).getnames()
    fact(any(n.endswith('files/hello') for n in names), 'as a tar of what it holds', names)
    fact('filename=' in headers['Content-Disposition'], 'under a name', headers['Content-Disposition'])
    where = '/api/admin/backups/%s/download?source=files&path=%s' % (run_id, path('files/hello'))
    status, _, content = person.ask('GET', where, Range='bytes=1-4')
    equal((status, content), (206, b'ello'), 'a part of a file of it, too')


def schedules(person):
    made = person.json('POST', '/api/admin/backups/schedules',
                       {'name': 'hourly', 'sources': ['files'], 'repository': 'main', 'cron': 'hourly', 'keep': {'last': 1}}, want=201)
    fact(made['applied'], 'the scheduler has heard of a new schedule', made)
    equal(len(made['next']), 5, 'which tells its next five times')
    return made['id']


def page_killed(daemon, person):
    before = daemon.page()
    os.kill(before, signal.SIGKILL)
    fact(wait_until(lambda: daemon.page() not in (None, before) and daemon.get('/readyz') == 200, PATIENCE), 'a page process that died is started again')
    equal(daemon.process.poll(), None, 'the daemon went on')
    person.json('GET', '/api/admin/runs')


def main():
    os.makedirs(path('files'))
    with open(path('files/hello'), 'w', encoding='utf-8') as f:
        f.write('hello\n')
    repo = Repo.named('repo')
    repo.init()
    with Postgres() as server:
        server.create('shop', 'create table t as select generate_series(1, 1000) i')
        daemon = Daemon(repo, server.url('shop'))
        try:
            person = first_administrator(daemon)
            heard = []
            equal(events_of(daemon, person, heard), 200, 'events can be listened to')
            nightly = a_run(daemon, person, 'nightly')
            look(person, nightly)
            download(person, nightly)
            fact(wait_until(lambda: any(nightly in json.dumps(e) for e in heard), 60), 'the run was told as events', heard)
            hourly = schedules(person)
            look(person, a_run(daemon, person, hourly))
            metrics = person.ask('GET', '/metrics')[2].decode()
            fact(re.search(r'backstay_backup_last_status\{[^}]*schedule="nightly"[^}]*\} 1', metrics), 'metrics tell of it', metrics)
            page_killed(daemon, person)
            daemon.process.send_signal(signal.SIGTERM)
            ended(daemon.process, PATIENCE, 'the daemon stops')
            equal(daemon.process.returncode, 0, 'and ends with 0')
            fact(SECRET not in daemon.said() and repo.password not in daemon.said(), 'no password is in its log')
        finally:
            if daemon.process.poll() is None:
                daemon.process.kill()
            say(daemon.said()[-3000:])
    equal(len(repo.snapshots()), 3, 'three snapshots are kept')
    repo.sound('in the end')
    finish()


main()
