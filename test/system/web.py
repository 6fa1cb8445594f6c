#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""The HTTP API against clients that may not, clients that cannot, and clients that will not end: who may ask what, what is
refused and how, that the description is what is served, and that slow ones keep nobody out."""
import http.client
import io
import json
import os
import re
import resource
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tarfile
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import jsonschema
from freeport import free_port
from scenario import BACKSTAY, QUICK, WORK, Repo, ended, equal, fact, finish, path, say, wait_until

DRIVER = os.path.dirname(BACKSTAY) + '/../test/unit/test-daemon-web-driver'
PASSWORD = 'canary-of-the-password'
OTHER = 'another canary of a password'
STATE = path('state')
CATALOGUE = STATE + '/catalogue.db'

CONFIGURATION = '''
repositories:
  main: {location: %s/repo, password: "file://%s/password"}
sources:
  files: {paths: [%s]}
schedules:
  nightly: {sources: [files], repository: main, cron: "0 3 * * *"}
server:
  listen: "127.0.0.1:%d"
'''
DEFINITION = {'name': 'hourly', 'sources': ['files'], 'repository': 'main', 'cron': '@hourly'}


class Server:
    def __init__(self, port):
        for directory in (path('run'), STATE):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        with open(path('password'), 'w') as f:
            f.write('canary-of-the-repository\n')
        with open(path('backstay.yaml'), 'w') as f:
            f.write(CONFIGURATION % (WORK, WORK, WORK, port))
        self.port = port
        self.log = open(path('log'), 'wb')
        self.process = subprocess.Popen([DRIVER, path('backstay.yaml'), BACKSTAY], stderr=self.log, stdin=subprocess.DEVNULL,
                                        env={**os.environ, 'STATE_DIRECTORY': STATE, 'RUNTIME_DIRECTORY': path('run')})
        fact(wait_until(lambda: b'HTTP server is ready' in self.said() or self.process.poll() is not None, 60) and
             self.process.poll() is None, 'the server starts', self.said())

    def said(self):
        with open(path('log'), 'rb') as f:
            return f.read()

    def token(self):
        found = re.findall(rb'works once: (\S+)', self.said())
        return found[-1].decode() if found else None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        ended(self.process, 30, 'the server stops')
        equal(self.process.returncode, 0, 'a stopped server ends with 0')
        self.log.close()


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def word(self):
        """The last word of a problem's type."""
        return self.json()['type'].rsplit(':', 1)[1]


class Client:
    def __init__(self, server):
        self.server, self.cookie, self.csrf, self.bearer = server, None, None, None

    def ask(self, method, where, body=None, headers=None, raw=None, plain=False):
        connection = http.client.HTTPConnection('127.0.0.1', self.server.port, timeout=60)
        send = {}
        if self.cookie and not plain:
            send['Cookie'] = self.cookie
        if self.csrf and not plain and method not in ('GET', 'HEAD'):
            send['X-CSRF-Token'] = self.csrf
        if self.bearer:
            send['Authorization'] = 'Bearer ' + self.bearer
        if body is not None:
            raw = json.dumps(body)
        if raw is not None:
            send['Content-Type'] = 'application/json'
        send.update(headers or {})
        connection.request(method, where, raw, send)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def enter(self, answer):
        self.cookie = answer.headers['Set-Cookie'].split(';')[0]
        self.csrf = answer.json()['csrf_token']
        return self

    def login(self, name, password=PASSWORD):
        return self.enter(self.ask('POST', '/api/login', {'name': name, 'password': password}, plain=True))


def set_up(server):
    """The first administrator."""
    client = Client(server)
    account = {'name': 'root', 'password': PASSWORD}
    equal(client.ask('POST', '/api/setup', {**account, 'token': 'setup_0123456789abcdef.' + 'A' * 43}).status, 403,
          'a wrong setup token makes nobody an administrator')
    equal(client.ask('POST', '/api/setup', {**account, 'password': 'short', 'token': server.token()}).status, 400,
          'nor does a password that is too short')
    answer = client.ask('POST', '/api/setup', {**account, 'token': server.token()})
    equal(answer.status, 200, 'the setup token that was printed makes the first administrator')
    cookie = answer.headers['Set-Cookie']
    fact('HttpOnly' in cookie and 'SameSite=Strict' in cookie, 'a cookie is out of reach of scripts and other sites', cookie)
    equal(client.ask('POST', '/api/setup', {**account, 'name': 'second', 'token': server.token()}).status, 403,
          'it works once')
    return client.enter(answer)


def add_users(admin, server):
    found = {}
    for role in ('viewer', 'operator', 'admin'):
        equal(admin.ask('POST', '/api/admin/users', {'name': role, 'password': PASSWORD, 'role': role}).status, 201,
              'a user of role %s is added' % role)
        found[role] = Client(server).login(role)
    equal(admin.ask('POST', '/api/admin/users', {'name': 'viewer', 'password': PASSWORD, 'role': 'admin'}).status, 409,
          'a name is given once')
    return found


# ---- who may ask what ----

ROLES = ['viewer', 'operator', 'admin']


def concrete(where):
    return re.sub(r'\{(\w+)\}', lambda m: '0' * 32 if m[1] == 'run' else 'nobody', where)


def needed(operation):
    """Parameters without which a request is refused for their sake."""
    return '&'.join('%s=%s' % (p['name'], 'x') for p in operation['parameters'] if p['in'] == 'query' and p['required'])


def matrix(api, clients, server):
    nobody, wrong, n = Client(server), [], 0
    for where, methods in api['paths'].items():
        for method in ('get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace'):
            operation = methods.get('get' if method == 'head' else method)
            url = concrete(where)
            n += 1
            got = nobody.ask(method.upper(), url).status
            if operation is None:
                if got != 405 and not (method == 'trace' and got in (400, 405, 501)):
                    wrong.append('%s %s: %d without a row' % (method, url, got))
                continue
            if operation['security'] == []:
                continue
            if {} in operation['security']:  # from this machine, unless a proxy speaks for others
                got = nobody.ask(method.upper(), url, headers={'X-Forwarded-For': '192.0.2.1'}).status
            if got != 401:
                wrong.append('%s %s: %d without a login' % (method, url, got))
            if operation['operationId'] in ('logout', 'events'):
                continue
            for role in ROLES:
                n += 1
                answer = clients[role].ask(method.upper(), url)
                enough = ROLES.index(role) >= ROLES.index(operation['x-backstay-role'])
                denied = answer.status in (401, 403)
                if denied == enough:
                    wrong.append('%s %s: %d for %s' % (method, url, answer.status, role))
    fact(not wrong, 'routes, methods and roles: %d requests' % n, '\n'.join(wrong))


def sessions(server, admin):
    client = Client(server).login('operator')
    toggle = '/api/admin/backups/schedules/nightly/toggle'
    pause = {'paused_until': '2099-01-01T00:00:00Z'}
    other = {'X-CSRF-Token': 'A' * 43}
    equal(client.ask('PATCH', toggle, pause).status, 200, 'a change with the token of the session is done')
    equal(client.ask('PATCH', toggle, pause, other).word(), 'csrf', 'with another token it is not')
    equal(client.ask('PATCH', toggle, pause, {'Origin': 'http://evil.example'}).word(), 'origin', 'nor from another site')
    equal(client.ask('PATCH', toggle, pause, {'Origin': 'null'}).word(), 'origin', 'nor from nowhere')
    equal(client.ask('PATCH', toggle, pause, {'Sec-Fetch-Site': 'same-site'}).word(), 'origin', 'nor from a sister site')
    equal(client.ask('GET', '/livez', headers={'Host': 'evil.example'}).status, 421, 'a name that is not ours is refused')
    old = client.cookie
    client.login('operator')
    client.cookie, new = old, client.cookie
    fact(old != new, 'a login makes a new session')
    client.cookie = new
    equal(client.ask('POST', '/api/session/confirm', {'password': OTHER}).status, 401, 'a wrong password confirms nothing')
    again = client.ask('POST', '/api/session/confirm', {'password': PASSWORD})
    equal(again.status, 200, 'the right one does')
    equal(client.ask('GET', '/api/session').status, 401, 'and the session before is over')
    client.enter(again)
    equal(client.ask('GET', '/api/session', headers={'Cookie': client.cookie + '; ' + client.cookie}).status, 401,
          'two cookies are none')
    equal(client.ask('POST', '/api/logout').status, 204, 'a logout is done')
    equal(client.ask('GET', '/api/session').status, 401, 'after it the cookie is worth nothing')
    victim = Client(server).login('operator')
    user = admin.ask('GET', '/api/admin/users').json()
    version = [u['version'] for u in user['items'] if u['name'] == 'operator'][0]
    equal(admin.ask('PUT', '/api/admin/users/operator', {'role': 'viewer'}, {'If-Match': '"v%d"' % version}).status, 200,
          'a role is taken away')
    equal(victim.ask('GET', '/api/session').status, 401, 'and with it the sessions')
    equal(admin.ask('PUT', '/api/admin/users/operator', {'role': 'operator'}, {'If-Match': '"v%d"' % version}).status, 412,
          'an old version changes nothing')
    version += 1
    admin.ask('PUT', '/api/admin/users/operator', {'role': 'operator'}, {'If-Match': '"v%d"' % version})


def tokens(server, admin, viewer):
    made = admin.ask('POST', '/api/admin/tokens', {'name': 't', 'scope': 'viewer', 'days': 1}).json()
    client = Client(server)
    client.bearer = made['token']
    equal(client.ask('GET', '/api/admin/runs').status, 200, 'a token lets its owner in')
    equal(client.ask('POST', '/api/admin/backups', {'schedule': 'nightly'}).word(), 'role', 'but not beyond its scope')
    equal(client.ask('GET', '/api/admin/audit').word(), 'role', 'whatever its owner may')
    equal(viewer.ask('POST', '/api/admin/tokens', {'name': 't', 'scope': 'admin', 'days': 1}).word(), 'role',
          'nobody makes a token that may more than himself')
    client.bearer = admin.ask('POST', '/api/admin/tokens', {'name': 'm', 'scope': 'metrics', 'days': 1}).json()['token']
    far = {'X-Forwarded-For': '192.0.2.1'}
    equal([client.ask('GET', where, headers=far).status for where in ('/metrics', '/api/admin/runs')], [200, 403],
          'a token for metrics opens nothing else')
    client.bearer = made['token']
    listed = admin.ask('GET', '/api/admin/tokens')
    fact(made['token'].encode() not in listed.body, 'a token is not shown again')
    equal(viewer.ask('DELETE', '/api/admin/tokens/' + made['id']).status, 404, 'one of somebody else is not to be found')
    equal(admin.ask('DELETE', '/api/admin/tokens/' + made['id']).status, 204, 'a token is revoked')
    equal(client.ask('GET', '/api/admin/runs').status, 401, 'and is worth nothing from then on')
    for bad in ('', 'x', made['token'][:-1], made['token'] + 'A', made['id']):
        client.bearer = bad
        if client.ask('GET', '/api/admin/runs').status != 401:
            fact(False, 'what is no token lets nobody in', bad)


# ---- what is asked ----

def bad_bodies(operator):
    where = '/api/admin/backups'
    cases = [
        ('no JSON', '{', 400), ('nothing', '', 400), ('a list', '[]', 400), ('a number', '1', 400),
        ('a member twice', '{"schedule": "a", "schedule": "b"}', 400), ('a member too many', '{"schedule": "a", "x": 1}', 400),
        ('the wrong type', '{"schedule": 1}', 400), ('a huge number', '{"schedule": 1e999}', 400), ('null', '{"schedule": null}', 400),
        ('a zero byte', '{"schedule": "a\\u0000"}', 400), ('half a pair', '{"schedule": "\\ud800"}', 400),
        ('depth', '{"schedule": %s1%s}' % ('[' * 30000, ']' * 30000), 400),
        ('too much', '{"schedule": "%s"}' % ('a' * 60000), 400), ('an unknown name', '{"schedule": "nobody"}', 404),
        ('bytes that are no text', b'{"schedule": "\xff\xfe"}', 400),
    ]
    for name, raw, want in cases:
        answer = operator.ask('POST', where, raw=raw)
        good = answer.status == want and answer.headers['Content-Type'] == 'application/problem+json' and \
            answer.json()['status'] == want and isinstance(answer.json()['code'], int)
        fact(good, 'a body with %s: %d' % (name, want), (answer.status, answer.body))
    equal(operator.ask('POST', where, raw='{}', headers={'Content-Type': 'text/plain'}).status, 415,
          'a body of another type is refused')
    for query in ('limit=0', 'limit=x', 'limit=1000000', 'cursor=..', 'state=x', 'unknown=1', 'limit=1&limit=2', 'since=now'):
        equal(operator.ask('GET', '/api/admin/runs?' + query).status, 400, 'the query %s is refused' % query)
    for where in ('/api/admin/runs/' + '0' * 32, '/api/admin/runs/0', '/api/admin/runs/' + 'A' * 32, '/nothing',
                  '/api/admin/backups/schedules/x', '/api/admin/runs/%00', '/api/admin/../../etc/passwd'):
        status = operator.ask('GET', where).status
        fact(status in (400, 404), '%s is not found' % where, status)


def talk(port, data, timeout=120):
    with socket.create_connection(('127.0.0.1', port), timeout) as s:
        said = b''
        try:
            s.sendall(data)
        except OSError:
            pass  # it may have answered before it had read all
        try:
            while part := s.recv(65536):
                said += part
        except OSError:
            pass
        return said


def bad_bytes(port):
    many = ''.join('X%d: y\r\n' % i for i in range(100))
    for name, data, want in [
            ('a header without end', 'GET / HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n' % ('h' * 40000), b' 431 '),
            ('a hundred headers', 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n' % many, b' 431 '),
            ('a body of a gigabyte', 'POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n', b' 413 '),
            ('chunks', 'POST /api/login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', b' 411 '),
            ('no HTTP', 'SSH-2.0-x\r\n\r\n', b'')]:
        said = talk(port, data.encode())
        fact(want in said.split(b'\r\n', 1)[0], 'it refuses %s:%s' % (name, want.decode()), said[:300])


def schedules(operator, server):
    top = '/api/admin/backups/schedules'
    listed = operator.ask('GET', top).json()['items']
    equal([(s['name'], s['origin'], len(s['next'])) for s in listed], [('nightly', 'file', 0)],
          'the schedule of the file is listed, and paused it has no next times before 2099')\
        if listed and not listed[0]['next'] else equal(len(listed[0]['next']), 5, 'five next times are told')
    equal(operator.ask('PUT', top + '/nightly', DEFINITION, {'If-Match': '*'}).word(), 'origin-file',
          'one of the file is changed in the file alone')
    equal(operator.ask('DELETE', top + '/nightly', headers={'If-Match': '*'}).word(), 'origin-file', 'nor is it deleted')
    equal(operator.ask('POST', top, {**DEFINITION, 'name': 'nightly'}).status, 409, 'its name is taken')
    made = operator.ask('POST', top, DEFINITION)
    equal(made.status, 201, 'one is made by the API')
    where, tag = made.headers['Location'], made.headers['ETag']
    equal(made.json()['applied'], False, 'that no scheduler heard of it is told')
    equal(operator.ask('POST', top, DEFINITION).status, 409, 'a second one of that name is not')
    for name, change in [('a cron line that is none', {'cron': '61 * * * *'}), ('a zone', {'timezone': 'Mars/Olympus'}),
                         ('a source', {'sources': ['nobody']}), ('a member', {'crom': '* * * * *'}),
                         ('a hook', {'hooks': {'before': ['touch /tmp/x']}})]:
        answer = operator.ask('POST', top, {**DEFINITION, 'name': 'x', **change})
        equal(answer.status, 422, 'refused is %s' % name)
    equal(operator.ask('PUT', where, DEFINITION).status, 428, 'a change must name what it changes')
    equal(operator.ask('PUT', where, DEFINITION, {'If-Match': '"v77"'}).status, 412, 'and must know it')
    changed = operator.ask('PUT', where, {**DEFINITION, 'cron': '0 4 * * *'}, {'If-Match': tag})
    equal(changed.status, 200, 'then it is done')
    fact(changed.json()['next'][0].endswith('T04:00:00Z'), 'and the next time is the new one', changed.body)
    equal(operator.ask('PATCH', where + '/toggle', {'enabled': False}).json()['enabled'], False, 'it is switched off')
    equal(operator.ask('GET', where).json()['next'], [], 'and is never due')
    tag = operator.ask('GET', where).headers['ETag']
    equal(operator.ask('GET', where, headers={'If-None-Match': tag}).status, 304, 'what is known is not sent again')
    equal(operator.ask('POST', where + '/run').status, 503, 'without a scheduler nothing is run, and that is said')
    equal(operator.ask('DELETE', where, headers={'If-Match': tag}).status, 204, 'it is deleted')
    equal(operator.ask('GET', where).status, 404, 'and gone')


# ---- the description ----

def described(api, clients):
    """What is served is what is described."""
    client, wrong, n = clients['admin'], [], 0
    run = client.ask('GET', '/api/admin/runs?limit=1').json()['items'][0]['id']
    for where, methods in api['paths'].items():
        operation = methods.get('get')
        if not operation or '/download' in where or '/manifest' in where or 'events' in where:
            continue
        url = where.replace('{run}', run).replace('{schedule}', 'nightly')
        answer = client.ask('GET', url)
        good = operation['responses']['200'].get('content', {}).get('application/json', {}).get('schema')
        described_as = good if answer.status == 200 else \
            operation['responses']['default']['content']['application/problem+json']['schema']
        if not described_as:
            continue
        n += 1
        schema = {**described_as, 'components': api['components']}
        try:
            jsonschema.Draft202012Validator(schema).validate(answer.json())
        except (jsonschema.ValidationError, ValueError) as e:
            wrong.append('%s: %d: %s' % (url, answer.status, str(e)[:300]))
    fact(not wrong and n > 10, 'answers are as the description says: %d' % n, '\n'.join(wrong))
    for kind in ('get', 'post', 'put', 'patch', 'delete'):
        for where, methods in api['paths'].items():
            for name in ('operationId', 'summary', 'responses', 'security'):
                if kind in methods and name not in methods[kind]:
                    fact(False, '%s %s has %s' % (kind, where, name))


def hardened(clients):
    for client, where in ((clients['viewer'], '/api/session'), (clients['viewer'], '/nothing')):
        headers = client.ask('GET', where).headers
        fact("frame-ancestors 'none'" in headers['Content-Security-Policy'] and headers['X-Content-Type-Options'] == 'nosniff' and
             headers['Cache-Control'] == 'no-store' and headers['Access-Control-Allow-Origin'] is None,
             'answers of %s are harmless in a browser' % where, headers)
    head = clients['viewer'].ask('HEAD', '/api/admin/runs')
    fact(head.status == 200 and head.body == b'' and int(head.headers['Content-Length']) > 0, 'HEAD has the length and no body')


# ---- many ----

def fill(rows):
    """History as the daemon would have it after years."""
    now = int(time.time() * 1000)
    database = sqlite3.connect(CATALOGUE, timeout=60)
    columns = [c[1] for c in database.execute('PRAGMA table_info(backup_history)')]
    states = ['succeeded', 'succeeded', 'succeeded', 'failed', 'partial']
    with database:
        for i in range(rows):
            at = now - i * 60000
            row = dict(id='%012x%020x' % (at, i), kind='backup' if i % 10 else 'sweep', schedule='nightly' if i % 2 else 'weekly',
                       schedule_name='nightly', repository='main', state=states[i % 5], cause='schedule', due_at=0, created_at=at,
                       started_at=at, ended_at=at + 1000, node='n', lease_until=0, stage='notify', exit_code=0, error=None,
                       source_bytes=i, added_bytes=i, stored_bytes=i, files=i, detail='{}', attempt=1, user_name=None)
            database.execute('INSERT INTO backup_history (%s) VALUES (%s)' % (
                ', '.join(columns), ', '.join('?' * len(columns))), [row[c] for c in columns])
    database.close()


def pages(client, rows):
    seen, cursor, times = [], '', []
    wanted = min(rows, 2000)
    while cursor is not None and len(seen) < wanted:
        answer = client.ask('GET', '/api/admin/runs?limit=200' + ('&cursor=' + cursor if cursor else '')).json()
        seen += [r['id'] for r in answer['items']]
        cursor = answer['next']
    fact(len(seen) == wanted and seen == sorted(set(seen), reverse=True), 'pages follow one another without a gap or a double')
    lists = ['/api/admin/runs', '/api/admin/backups', '/api/admin/runs?schedule=weekly&state=failed', '/api/admin/runs?kind=sweep',
             '/api/admin/runs?since=2020-01-01T00:00:00Z&state=partial', '/api/admin/runs?cursor=%s' % seen[-1],
             '/api/admin/backups/schedules', '/api/admin/users', '/api/admin/audit']
    for where in lists:
        times = []
        for _ in range(15):
            started = time.monotonic()
            status = client.ask('GET', where).status
            times.append((time.monotonic() - started) * 1000)
        say('%d rows: %s: median %.1f ms' % (rows, where, statistics.median(times)))
        equal(status, 200, 'a list of many: ' + where)


def slow_clients(server, client, n):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, n + 200)), hard))
    slow = []
    for i in range(n):
        s = socket.create_connection(('127.0.0.1', server.port), 30)
        s.sendall(b'GET /api/admin/runs HTTP/1.1\r\nHost: local' if i % 2 else
                  b'POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{')
        slow.append(s)
    worst = 0
    for _ in range(40):
        started = time.monotonic()
        if client.ask('GET', '/api/session').status != 200:
            fact(False, 'who is quick is served while %d are slow' % n)
        worst = max(worst, time.monotonic() - started)
        for s in slow[::50]:
            try:
                s.send(b'x')  # one byte now and then resets a time-out that only counts silence
            except OSError:
                pass
        time.sleep(0.1)
    fact(worst < 30, 'who is quick is served while %d are slow' % n, worst)
    say('%d slow clients: the longest of 40 requests took %.0f ms' % (n, worst * 1000))

    def cut():
        gone = 0
        for s in slow:
            s.setblocking(False)
            try:
                gone += s.recv(100) == b''
            except BlockingIOError:
                pass
            except OSError:
                gone += 1
        return gone == n
    fact(wait_until(cut, 120, 1), 'in the end all slow ones are cut')
    for s in slow:
        s.close()


def guessing(server):
    client, statuses, begun = Client(server), [], time.monotonic()
    while len(statuses) < 100 and 429 not in statuses:
        statuses.append(client.ask('POST', '/api/login', {'name': 'victim', 'password': 'guess number %d' % len(statuses)}).status)
    more = int((time.monotonic() - begun) / 12) + 1  # of a slow machine: each twelve seconds give one back
    fact(statuses[-1] == 429 and set(statuses[:-1]) == {401} and len(statuses) <= 6 + (more if more > 1 else 0),
         'after five wrong passwords from here the next is not looked at', statuses)
    fact(client.ask('POST', '/api/login', {'name': 'victim', 'password': 'x'}).headers['Retry-After'], 'and it is said for how long')


def saved():
    """A backup as a run leaves it; its id, and what is in it."""
    repository = Repo.named('repo', 'canary-of-the-repository')
    repository.init()
    content = os.urandom(300000)
    os.makedirs(path('tree'))
    with open(path('tree', 'a ü "b".bin'), 'wb') as f:
        f.write(content)
    snapshot = repository.backup(path('tree'))['snapshot_id']
    run, now = '%012x%020x' % (1000, 1), 1000
    database = sqlite3.connect(CATALOGUE, timeout=60)
    with database:
        row = dict(id=run, kind='backup', schedule='nightly', schedule_name='nightly', repository='main', state='succeeded',
                   cause='manual', due_at=0, created_at=now, started_at=now, ended_at=now, lease_until=0, exit_code=0,
                   source_bytes=1, added_bytes=1, stored_bytes=1, files=1, attempt=1,
                   detail=json.dumps({'snapshots': [{'source': 'files', 'snapshot_id': snapshot}]}))
        database.execute('INSERT INTO backup_history (%s) VALUES (%s)' % (', '.join(row), ', '.join('?' * len(row))),
                         list(row.values()))
    database.close()
    return '/api/admin/backups/' + run, content


def downloads(operator, viewer):
    top, content = saved()
    where = top + '/download?path=' + urllib.parse.quote(path('tree', 'a ü "b".bin'))
    equal(viewer.ask('GET', where).word(), 'role', 'data are not for those who look')
    whole = operator.ask('GET', where)
    fact(whole.status == 200 and whole.body == content, 'a file of a backup is downloaded', (whole.status, whole.body[:500]))
    fact("filename*=UTF-8''a%20%C3%BC%20%22b%22.bin" in (whole.headers['Content-Disposition'] or ''), 'under its name',
         whole.headers['Content-Disposition'])
    for asked, want in (('bytes=0-9', content[:10]), ('bytes=200000-', content[200000:]), ('bytes=-5', content[-5:])):
        part = operator.ask('GET', where, headers={'Range': asked})
        fact(part.status == 206 and part.body == want, 'a range of it: ' + asked, (part.status, part.headers))
    equal(operator.ask('GET', where, headers={'Range': 'bytes=300000-'}).status, 416, 'not one behind its end')
    head = operator.ask('HEAD', where)
    equal((head.status, head.headers['Content-Length'], head.body), (200, '300000', b''), 'HEAD tells its length')
    with tarfile.open(fileobj=io.BytesIO(operator.ask('GET', top + '/download').body)) as tar:
        names = [m.name for m in tar if m.isfile()]
    fact(len(names) == 1 and names[0].endswith('a ü "b".bin'), 'all of it comes as tar', names)
    equal(operator.ask('GET', top + '/download?path=/nobody').status, 404, 'what is not in it is not found')
    equal(operator.ask('GET', top + '/download?source=nobody').status, 404, 'nor is another source')
    fact(operator.ask('GET', top + '/manifest').status >= 400, 'files have no manifest, and none is made up')
    for name in os.listdir(path('repo', 'data')):
        for pack in os.listdir(path('repo', 'data', name)):
            os.chmod(path('repo', 'data', name, pack), 0o600)
            os.truncate(path('repo', 'data', name, pack), 100)
    answer = operator.ask('GET', top + '/download')
    fact(answer.status >= 500, 'of what is damaged nothing is passed off as whole', (answer.status, len(answer.body)))


def settings(admin, viewer):
    where = '/api/admin/backups/settings'
    values = {'session_hours': 2, 'session_idle_minutes': 30}
    tag = admin.ask('GET', where).headers['ETag']
    equal(viewer.ask('PUT', where, values, {'If-Match': tag}).word(), 'role', 'settings are for administrators to change')
    equal(admin.ask('PUT', where, {**values, 'session_hours': 0}, {'If-Match': tag}).status, 400, 'and have bounds')
    equal(admin.ask('PUT', where, values, {'If-Match': tag}).json()['values'], values, 'they are changed')
    equal(admin.ask('PUT', where, values, {'If-Match': tag}).status, 412, 'once')
    said = admin.ask('GET', where)
    answer = admin.ask('PUT', where, said.json(), {'If-Match': said.headers['ETag']})
    equal((answer.status, answer.json().get('values')), (200, values), 'what was read may be sent back as it is')
    equal(admin.ask('PUT', where, said.json(), {'If-Match': answer.headers['ETag']}).status, 412, 'but not over a newer version')
    wrong = {'values': {**values, 'session_hours': 0}}
    equal(admin.ask('PUT', where, wrong, {'If-Match': answer.headers['ETag']}).status, 400, 'and within the same bounds')
    again = viewer.ask('POST', '/api/session/confirm', {'password': PASSWORD})
    fact('Max-Age=7200' in again.headers['Set-Cookie'], 'a login lasts as long as they say')
    viewer.enter(again)


def reloaded(server, client):
    with open(path('backstay.yaml'), 'a') as f:
        f.write('nonsense: 1\n')
    server.process.send_signal(signal.SIGHUP)
    fact(wait_until(lambda: b'the old one stays' in server.said(), 60), 'a configuration that is wrong is told of')
    equal(client.ask('GET', '/api/session').status, 200, 'and the old one is served')
    with open(path('backstay.yaml'), 'w') as f:
        f.write(CONFIGURATION.replace('nightly', 'evening') % (WORK, WORK, WORK, server.port))
    server.process.send_signal(signal.SIGHUP)
    fact(wait_until(lambda: server.said().count(b'HTTP server is ready') == 2, 60), 'a right one is taken')
    names = [s['name'] for s in client.ask('GET', '/api/admin/backups/schedules').json()['items']]
    equal(names, ['evening'], 'with its schedules, and the session goes on')


def measured(admin):
    said = admin.ask('GET', '/metrics')
    checked = subprocess.run(['promtool', 'check', 'metrics'], input=said.body, capture_output=True, check=False)
    fact(said.status == 200 and b'backstay_' in said.body, 'metrics are printed', said.body[:500])
    fact(checked.returncode in (0, 3), 'promtool reads them', checked.stderr)  # 3: remarks on style


def audited(admin, server):
    lines = admin.ask('GET', '/api/admin/audit?limit=200')
    actions = {line['action'] for line in lines.json()['items']}
    fact({'setup', 'login', 'createUser', 'updateUser', 'createSchedule', 'deleteSchedule', 'toggleSchedule'} <= actions,
         'every change left a line', actions)
    fact(b'canary' not in lines.body, 'no line has a password')
    fact(b'canary' not in server.said(), 'nor has the log')


def main():
    server = Server(free_port())
    admin = set_up(server)
    fill(1000 if QUICK else 100000)
    clients = add_users(admin, server)
    api = Client(server).ask('GET', '/api/openapi.json').json()
    matrix(api, clients, server)
    bad_bodies(clients['operator'])
    bad_bytes(server.port)
    schedules(clients['operator'], server)
    described(api, clients)
    hardened(clients)
    sessions(server, admin)
    tokens(server, admin, clients['viewer'])
    settings(admin, clients['viewer'])
    downloads(clients['admin'], clients['viewer'])
    pages(admin, 1000 if QUICK else 100000)
    audited(admin, server)
    slow_clients(server, admin, 300 if QUICK else 1000)
    measured(admin)
    guessing(server)
    reloaded(server, admin)
    server.stop()
    server = Server(server.port)
    equal(server.token(), None, 'where there are users no setup token is made')
    server.stop()
    finish()


main()
