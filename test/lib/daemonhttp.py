# SPDX-License-Identifier: Apache-2.0
"""A daemon with its page, and people who ask it by HTTP.

    with PageDaemon('one', repo, CONFIG) as daemon:   # with %(port)d in its text
        daemon.ask('GET', '/readyz')                  # status, headers, body
        admin = first_administrator(daemon)
        admin.json('GET', '/api/admin/runs')
"""
import http.client
import json
import re
import ssl
import subprocess

from daemonlife import PATIENCE, Daemon
from freeport import free_port
from scenario import equal, fact, path, say, wait_until

SECRET = 'a long enough password of a person'


class PageDaemon(Daemon):
    def __init__(self, name, repo, text, authority=None, **options):
        """authority: the file of the certificate that the page is to show; then it is asked by HTTPS."""
        self.port, self.authority = free_port(), authority
        super().__init__(name, repo, text, **{'catalogue': path(name, 'state', 'catalogue.db'), **options})

    def configure(self, **values):
        super().configure(**{'port': self.port, **values})

    def start(self, *argv, page=True):
        self.spawn(*argv)
        ready = wait_until(lambda: self.is_ready() or not self.lives(), PATIENCE, .1) if page else self.answers()
        if not fact(ready and self.lives(), 'the daemon is ready', self.said()):
            raise RuntimeError('the daemon is not there')
        return True

    def is_ready(self):
        try:
            return self.ask('GET', '/readyz')[0] == 200
        except OSError:
            return False

    def page(self):
        """The process that speaks HTTP."""
        done = subprocess.run(['pgrep', '-P', str(self.process.pid), '-f', 'daemon --web'], capture_output=True, text=True, check=False)
        return int(done.stdout.split()[0]) if done.stdout.split() else None

    def connection(self):
        if not self.authority:
            return http.client.HTTPConnection('127.0.0.1', self.port, timeout=120)
        return http.client.HTTPSConnection('127.0.0.1', self.port, timeout=120,
                                           context=ssl.create_default_context(cafile=self.authority))

    def ask(self, method, where, body=None, **headers):
        """Status, headers and body. body: what goes there as JSON."""
        headers = {k.replace('_', '-'): v for k, v in headers.items()}
        if body is not None:
            headers['Content-Type'] = 'application/json'
            body = json.dumps(body)
        connection = self.connection()
        try:
            connection.request(method, where, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            connection.close()

    def login(self, name, password):
        """The status, and the cookie of the session."""
        status, headers, _ = self.ask('POST', '/api/login', {'name': name, 'password': password})
        return status, (headers['Set-Cookie'] or '').split(';')[0]


class Person:
    """Somebody with a session."""

    def __init__(self, daemon):
        self.daemon, self.cookie, self.csrf = daemon, None, None

    def ask(self, method, where, body=None, **headers):
        if self.cookie:
            headers['Cookie'] = self.cookie
        if self.csrf and method != 'GET':
            headers['X-CSRF-Token'] = self.csrf
        return self.daemon.ask(method, where, body, **headers)

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
    fact(daemon.tells('works once: '), 'a setup token is printed')
    token = re.findall(r'works once: (\S+)', daemon.said())[-1]
    status, headers, content = person.ask('POST', '/api/setup', {'token': token, 'name': 'anna', 'password': SECRET})
    equal(status, 200, 'the setup token makes the first administrator')
    person.cookie = headers['Set-Cookie'].split(';')[0]
    person.csrf = json.loads(content)['csrf_token']
    return person
