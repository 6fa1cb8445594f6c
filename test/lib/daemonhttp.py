# SPDX-License-Identifier: Apache-2.0
"""A daemon with its page, and people who ask it by HTTP."""
import http.client
import json
import re
import socket
import subprocess

from scenario import BACKSTAY, equal, fact, path, say, wait_until

PATIENCE = 300
SECRET = 'a long enough password of a person'


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Daemon:
    """config: port -> text of backstay.yaml. knows: with the password of repo in its environment."""

    def __init__(self, repo, config, knows=True):
        self.port, self.repo = free_port(), repo
        with open(path('backstay.yaml'), 'w', encoding='utf-8') as f:
            f.write(config(self.port))
        env = repo.env(STATE_DIRECTORY=path('state'), RUNTIME_DIRECTORY=path('runtime'))
        self.env = {k: v for k, v in env.items() if knows or 'PASSWORD' not in k}
        self.start()

    def start(self):
        self.log = open(path('log'), 'ab')
        self.process = subprocess.Popen([BACKSTAY, 'daemon', '--config', path('backstay.yaml')], env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        # one that died at its start is not waited for
        wait_until(lambda: self.process.poll() is not None or (self.page() is not None and self.get('/readyz') == 200), PATIENCE, .1)
        equal(self.process.poll(), None, 'the daemon lives')
        if not fact(self.page() is not None and self.get('/readyz') == 200, 'the daemon and its page are ready', self.said()):
            raise RuntimeError('the daemon is not there')

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

    def json_quietly(self, where):
        status, _, content = self.ask('GET', where)
        return json.loads(content) if status == 200 else {}


def word(content):
    """What a problem document says in a word."""
    return json.loads(content)['type'].rsplit(':', 1)[1]


def ended_as(person, run_id, want, name):
    state = {}

    def over():
        state.update(person.json_quietly('/api/admin/runs/' + run_id))
        return state.get('state') not in ('queued', 'running', None)
    fact(wait_until(over, PATIENCE, .2), name + ': it ends')
    equal(state.get('state'), want, name)
    if state.get('state') != want:
        say(json.dumps(state))
    return state


def refused(person, where, body, status, want, name, **headers):
    got, _, content = person.ask('POST', where, body, **headers)
    fact(got == status and word(content) == want, '%s is refused: %d %s' % (name, status, want), (got, content))
    return json.loads(content)


def started(person, where, body, **headers):
    return person.json('POST', where, body, want=202, **headers)['run']


def people(admin, daemon, kind=Person):
    """A viewer and an operator, who have just logged in."""
    found = []
    for role in ('viewer', 'operator'):
        admin.json('POST', '/api/admin/users', {'name': role, 'password': SECRET, 'role': role}, want=201)
        person = kind(daemon)
        _, headers, content = person.ask('POST', '/api/login', {'name': role, 'password': SECRET})
        person.cookie, person.csrf = headers['Set-Cookie'].split(';')[0], json.loads(content)['csrf_token']
        found.append(person)
    return found


def first_administrator(daemon):
    person = Person(daemon)
    equal(person.ask('GET', '/api/admin/backups')[0], 401, 'without a login nothing is shown')
    fact(wait_until(lambda: 'works once: ' in daemon.said(), PATIENCE), 'a setup token is printed')
    token = re.findall(r'works once: (\S+)', daemon.said())[-1]
    status, headers, content = person.ask('POST', '/api/setup', {'token': token, 'name': 'anna', 'password': SECRET})
    equal(status, 200, 'the setup token makes the first administrator')
    person.cookie = headers['Set-Cookie'].split(';')[0]
    person.csrf = json.loads(content)['csrf_token']
    return person
