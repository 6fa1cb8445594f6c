#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""Files that are uploaded to be imported: a dump becomes a backup that can be restored, by an operator and by nobody else; what is
cut off, too large, of a wrong name or no whole dump leaves nothing, neither in the repository nor on the disk."""
import http.client
import json
import os
import signal
import socket
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonhttp import PageDaemon, Person, ended_as, first_administrator, people, word
from daemonlife import PATIENCE, REPOSITORY
from postgres import Postgres, same_database
from scenario import Repo, equal, fact, finish, path, say, wait_until

CONFIG = REPOSITORY + '''
sources:
  files: {paths: [%(files)s]}
schedules:
  nightly: {sources: [files], repository: main, cron: "0 %(hour)d * * *"}
server: {listen: "127.0.0.1:%(port)d", node: one, upload_max: 1024T, sweep: "%(hour)02d:30"}
'''
TOP = '/api/admin/backups'
UPLOADS = path('daemon', 'state', 'uploads')
GOOD = {'name': 'shop.dump', 'repository': 'main'}


class Sender(Person):
    """Sends files as they are."""

    def headers(self, **more):
        headers = {'Content-Type': 'application/octet-stream', **{k.replace('_', '-'): v for k, v in more.items()}}
        if self.cookie:
            headers['Cookie'] = self.cookie
        if self.csrf:
            headers['X-CSRF-Token'] = self.csrf
        return headers

    @staticmethod
    def where(order):
        return TOP + '/upload?' + urllib.parse.urlencode(order)

    def upload(self, content, order=None, **headers):
        connection = http.client.HTTPConnection('127.0.0.1', self.daemon.port, timeout=120)
        connection.request('POST', self.where(GOOD if order is None else order), content, self.headers(**headers))
        answer = connection.getresponse()
        return answer.status, answer.read()

    def head(self, length, order=None, **headers):
        """Only what comes before the body; the socket, still open."""
        lines = ['POST %s HTTP/1.1' % self.where(GOOD if order is None else order), 'Host: localhost']
        lines += ['%s: %s' % pair for pair in self.headers(**headers).items()]
        if length is not None:
            lines.append('Content-Length: %d' % length)
        sock = socket.create_connection(('127.0.0.1', self.daemon.port), timeout=120)
        sock.sendall('\r\n'.join(lines + ['', '']).encode())
        return sock


def said(sock):
    """The answer, to its end."""
    answer = http.client.HTTPResponse(sock)
    answer.begin()
    content = answer.read()
    sock.close()
    return answer.status, content


def left():
    return [os.path.join(d, f) for d, dirs, files in os.walk(UPLOADS) for f in dirs + files]


def nothing_left(name):
    fact(wait_until(lambda: not left(), PATIENCE, .1), name + ': nothing of it is left', left())


def a_dump_comes_back(operator, server, repo, dump):
    status, content = operator.upload(dump, {**GOOD, 'source': 'shop', 'format': 'dump'})
    equal(status, 202, 'a dump is taken in')
    run_id = json.loads(content)['run']
    row = ended_as(operator, run_id, 'succeeded', 'and imported')
    fact(row['kind'] == 'import' and row['user'] == 'operator' and row['source_bytes'] >= len(dump), 'the history tells it', row)
    taken = row['detail']['snapshots'][0]
    equal([s['id'] for s in repo.snapshots()], [taken['snapshot_id']], 'its snapshot is in the repository')
    nothing_left('what was imported')
    listed = operator.json('GET', TOP)['items']
    equal([r['id'] for r in listed], [run_id], 'it is among the backups')
    equal([len(operator.json('GET', TOP + '?kind=' + k)['items']) for k in ('import', 'backup', 'restore')], [1, 0, 1],
          'which can be asked for by their kind')
    equal(operator.json('GET', TOP + '/' + run_id)['id'], run_id, 'and is a backup')
    repo.backstay('restore', taken['snapshot_id'], '--to', server.url('back'), '--create', code=0)
    same_database(server, 'shop', server, 'back', 'what was uploaded')


def chunks_of(content):
    for at in range(0, len(content), 300000):
        yield content[at:at + 300000]


def in_chunks_and_once(operator, repo, dump):
    """A file whose length nobody knows beforehand; and one that is sent again because its answer was lost."""
    before = len(repo.snapshots())
    order = {**GOOD, 'source': 'pieces', 'format': 'dump'}
    first, content = operator.upload(chunks_of(dump), order, Idempotency_Key='a key')
    equal(first, 202, 'a dump in chunks is taken in')
    run_id = json.loads(content)['run']
    row = ended_as(operator, run_id, 'succeeded', 'and imported')
    fact(row['source_bytes'] >= len(dump), 'whole', row)
    equal(len(repo.snapshots()), before + 1, 'it is a snapshot')
    again, content = operator.upload(chunks_of(dump), order, Idempotency_Key='a key')
    equal((again, json.loads(content)['run']), (202, run_id), 'sent again it is given the same answer')
    status, content = said(operator.head(None, {**order, 'source': 'other'}, Idempotency_Key='a key', Transfer_Encoding='chunked'))
    equal((status, word(content)), (422, 'idempotency-key'), 'a key is for one request')
    sock = operator.head(None, order, Transfer_Encoding='chunked')
    sock.sendall(b'0\r\n\r\n')
    status, content = said(sock)
    equal(status, 400, 'chunks of nothing are no file')
    nothing_left('what came in chunks')
    equal(len(repo.snapshots()), before + 1, 'and nothing was imported twice')
    # what was cut off keeps no key
    sock = operator.head(len(dump), GOOD, Idempotency_Key='another')
    sock.sendall(dump[:100])
    sock.close()
    nothing_left('one with a key that was cut off')
    status, content = operator.upload(dump, GOOD, Idempotency_Key='another')
    equal(status, 202, 'it may come again')
    ended_as(operator, json.loads(content)['run'], 'succeeded', 'and is imported')


def bad_dumps(operator, repo, dump):
    before = len(repo.snapshots())
    for name, content in [('a dump that was cut', dump[:-1000]), ('what is no dump', b'this is no dump\n' * 100)]:
        status, said_so = operator.upload(content, GOOD)
        equal(status, 202, name + ' is taken in, for nobody knows yet')
        row = ended_as(operator, json.loads(said_so)['run'], 'failed', name + ' is refused by the import')
        fact(row['error'] and row['exit_code'] == 1, 'which says why', row)
        say(row['error'])
        nothing_left(name)
    equal(len(repo.snapshots()), before, 'and nothing of them became a snapshot')


def refused(viewer, operator, dump):
    nobody, stranger = Sender(operator.daemon), Sender(operator.daemon)
    stranger.cookie = operator.cookie
    for person, name, want, order, headers in [
            (nobody, 'nobody', (401, 'login'), GOOD, {}), (viewer, 'a viewer', (403, 'role'), GOOD, {}),
            (stranger, 'a page that has the cookie alone', (403, 'csrf'), GOOD, {}),
            (operator, 'another site', (403, 'origin'), GOOD, {'Origin': 'http://evil.example'}),
            (operator, 'a form', (415, 'type'), GOOD, {'Content_Type': 'multipart/form-data; boundary=x'}),
            (operator, 'a repository that is none', (422, 'invalid'), {**GOOD, 'repository': 'other'}, {}),
            (operator, 'a repository by its place', (422, 'invalid'), {**GOOD, 'repository': path('repo')}, {}),
            (operator, 'no repository', (400, 'query'), {'name': 'x'}, {}), (operator, 'no name', (400, 'query'), {'repository': 'main'}, {}),
            (operator, 'an unknown format', (400, 'invalid'), {**GOOD, 'format': '--help'}, {}),
            (operator, 'an unknown parameter', (400, 'query'), {**GOOD, 'argv': '--delete'}, {}),
            (operator, 'a way out', (400, 'invalid'), {**GOOD, 'name': '../../etc/cron.d/x'}, {}),
            (operator, 'an absolute name', (400, 'invalid'), {**GOOD, 'name': '/etc/passwd'}, {}),
            (operator, 'a hidden name', (400, 'invalid'), {**GOOD, 'name': '.dump'}, {}),
            (operator, 'two dots', (400, 'invalid'), {**GOOD, 'name': '..'}, {}),
            (operator, 'an option', (400, 'invalid'), {**GOOD, 'name': '--source=x'}, {}),
            (operator, 'a backslash', (400, 'invalid'), {**GOOD, 'name': '..\\x'}, {}),
            (operator, 'a line break', (400, 'request'), {**GOOD, 'name': 'a\nb'}, {}),
            (operator, 'a name without end', (400, 'invalid'), {**GOOD, 'name': 'x' * 300}, {})]:
        status, content = said(person.head(len(dump), order, **headers))
        equal((status, word(content)), want, 'refused is ' + name)
    for length, want, name in [(None, (411, 'length'), 'a file of an unknown length'), (0, (411, 'length'), 'an empty one'),
                               (2 ** 50 + 1, (413, 'too-large'), 'what is too large'), (2 ** 50, (507, 'no-space'), 'what has no room')]:
        status, content = said(operator.head(length))
        equal((status, word(content)), want, 'refused before it comes is ' + name)
    status, content = said(operator.head(len(dump), Transfer_Encoding='chunked'))
    equal((status, word(content)), (411, 'request'), 'and what tells its length in two ways')
    equal(left(), [], 'nothing was written')


def some(operator, length, n):
    """An upload that has begun: n bytes of its body are sent, and the file is there."""
    before = len(left())
    sock = operator.head(length)
    sock.sendall(b'x' * n)
    fact(wait_until(lambda: len(left()) > before, PATIENCE, .05), 'an upload has begun')
    return sock


def cut(admin, operator):
    one = some(operator, 10 << 20, 3 << 20)
    part = left()[0]
    equal(os.stat(part).st_mode & 0o7777, 0o600, 'what has come is for nobody else')
    other = some(operator, 10 << 20, 10)
    status, content = said(operator.head(10))
    equal((status, word(content)), (503, 'busy'), 'a third one at once')
    equal(operator.ask('GET', TOP)[0], 200, 'others are served meanwhile')
    for sock in (one, other):
        sock.close()
    nothing_left('one whose client went away')
    fact('uploadBackup.failed' in admin.ask('GET', '/api/admin/audit?limit=200')[2].decode(), 'which is in the audit')
    again = some(operator, 100, 10)
    again.close()
    nothing_left('one of the next two')


def killed(operator, daemon):
    sock = some(operator, 10 << 20, 3 << 20)
    page = daemon.page()
    os.kill(page, signal.SIGSTOP)  # it would end cleanly when its daemon is gone
    equal(daemon.kill(), -signal.SIGKILL, 'the daemon is killed in the middle of one')
    os.kill(page, signal.SIGKILL)
    sock.close()
    os.mkdir(os.path.join(UPLOADS, '0' * 32))
    with open(os.path.join(UPLOADS, '0' * 32, 'x.dump'), 'wb'):
        pass
    equal(len(left()), 3, 'the part is there, and a file that nobody imported')
    daemon.start()
    nothing_left('what another daemon had begun')


def main():
    os.makedirs(path('files'))
    repo = Repo.named('repo')
    repo.init()
    with Postgres() as server:
        server.create('shop', 'create table t as select i, md5(i::text) from generate_series(1, 100000) i')
        dump = server.dump('shop', '--format=custom', '--compress=0')
        fact(len(dump) > 3 << 20, 'a dump of several pieces', len(dump))
        with PageDaemon('daemon', repo, CONFIG, files=path('files')) as daemon:
            admin = first_administrator(daemon)
            viewer, operator = people(admin, daemon, Sender)
            refused(viewer, operator, dump)
            a_dump_comes_back(operator, server, repo, dump)
            in_chunks_and_once(operator, repo, dump)
            bad_dumps(operator, repo, dump)
            cut(admin, operator)
            killed(operator, daemon)
            equal(daemon.stop(), 0, 'the daemon stops')
    finish()


main()
