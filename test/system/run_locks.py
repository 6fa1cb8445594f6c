#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan, timeout=900
"""The locks of a schedule against real servers: an advisory lock in the database that is backed up, a key in Redis. A second run is
refused; a run whose lock is lost on the way, by a closed connection or a flushed server, writes no snapshot; a pooler is
noticed."""
import json
import os
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from postgres import Postgres
from redisserver import RedisServer
from scenario import BACKSTAY, FAILED, LOCKED, PASSWORD, Repo, ended, environment, equal, fact, finish, path, run, wait_until

LONG = 120  # seconds that nothing here takes
KEY = "('x' || left(encode(sha256('backstay:schedule:nightly'), 'hex'), 16))::bit(64)::bigint"

repo = Repo.named('repo')
numbers = iter(range(1, 1000))
# the run is where a test wants it
WAIT = 'touch %s; while [ ! -e %s ]; do sleep 0.05; done' % (path('here'), path('go'))


def environ():
    return environment(None, BACKSTAY_STATE_DIR=path('state'), RUN_PASSWORD=PASSWORD)


def command(source, locks, **schedule):
    number = next(numbers)
    os.makedirs(path('runs/%d' % number))
    spec, events = path('runs/%d/spec.json' % number), path('runs/%d/events' % number)
    with open(spec, 'w', encoding='utf-8') as f:
        json.dump({'run': '%032x' % number, 'trigger': 'schedule', 'history': {}, 'sources': {'it': source},
                   'repository': {'location': repo.path, 'password': 'env://RUN_PASSWORD'},
                   'schedule': {'name': 'nightly', 'sources': ['it'], 'repository': 'main', 'cron': '0 3 * * *', 'locks': locks, **schedule}}, f)
    return [BACKSTAY, 'run', '--spec', spec, '--events', events], events


def end_of(events):
    with open(events, encoding='utf-8') as f:
        told = [json.loads(line) for line in f]
    return told[-1] if told[-1]['message_type'] == 'run_end' else {}


def run_now(source, locks, code, why, **schedule):
    argv, events = command(source, locks, **schedule)
    result = run(*argv, env=environ(), code=code, why=why)
    return result, end_of(events)


def run_with_a_mishap(source, locks, mishap, why):
    """It happens while the run holds its locks and has saved nothing."""
    for name in ('here', 'go'):
        if os.path.exists(path(name)):
            os.unlink(path(name))
    before = len(repo.snapshots())
    argv, events = command(source, locks, hooks={'before': [WAIT]})
    process = subprocess.Popen(argv, env=environ(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    fact(wait_until(lambda: os.path.exists(path('here')), LONG), why + ': the run is under way')
    mishap()
    with open(path('go'), 'w', encoding='utf-8'):
        pass
    ended(process, LONG, why)
    return process.returncode, end_of(events), len(repo.snapshots()) - before


class Session:
    """A session of psql that stays."""

    def __init__(self, server, statement):
        self.process = subprocess.Popen(['psql', '-XqAt', 'app'], env=server.env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(statement + ";\n\\echo done\n")
        self.process.stdin.flush()
        while self.process.stdout.readline() != 'done\n':
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(LONG)


def psql(server, statement, database='app'):
    return subprocess.run(['psql', '-XqAtc', statement, database], env=server.env(), check=True, capture_output=True, text=True).stdout.strip()


def advisory(server):
    source, locks = {'url': server.url('app')}, {'postgresql': True}
    _, end = run_now(source, locks, 0, 'a run with an advisory lock')
    equal((end['state'], len(end['snapshots'])), ('succeeded', 1), 'saves the database')
    with Session(server, 'SELECT pg_advisory_lock(%s)' % KEY):
        _, end = run_now(source, locks, LOCKED, 'while another session holds the documented key')
        equal((end['state'], end['error'], end['snapshots']), ('failed', 'concurrent', []), 'a run is concurrent')
    held = []
    run_with_a_mishap(source, locks, lambda: held.append(psql(server, 'SELECT pg_try_advisory_lock(%s)' % KEY)), 'another session asks')
    equal(held, ['f'], 'a run holds the lock while it lives')
    code, end, saved = run_with_a_mishap(
        source, locks, lambda: psql(server, "SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory'"), 'the connection is ended')
    equal((code, end['state'], saved), (LOCKED, 'failed', 0), 'a run that lost its lock fails, and writes no snapshot')
    fact('lock lost' in end['error'], 'and says so', end)
    result, end = run_now({'paths': [path('files')]}, locks, 20, 'files have no database to be locked')
    fact('none of the sources' in end['error'], 'which is said', result.all)


class Pooler:
    """Hands each query of one client to the next of two server sessions, as pgbouncer may between transactions. forged: it also
    makes up a process number, as pgbouncer does."""

    def __init__(self, server, forged):
        self.server, self.forged = server, forged
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client = self.listener.accept()[0]
            threading.Thread(target=self.client, args=(client,), daemon=True).start()

    @staticmethod
    def exactly(sock, n):
        data = b''
        while len(data) < n:
            more = sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def message(self, sock):
        kind = self.exactly(sock, 1)
        return kind, self.exactly(sock, struct.unpack('!I', self.exactly(sock, 4))[0] - 4)

    def until_ready(self, sock, to):
        kind = b''
        while kind != b'Z':
            kind, body = self.message(sock)
            if kind == b'K' and self.forged:
                body = struct.pack('!I', 0x7eadbeef) + body[4:]
            if to:
                to.sendall(kind + struct.pack('!I', len(body) + 4) + body)

    def startup(self, client):
        while True:
            start = self.exactly(client, 4)
            start += self.exactly(client, struct.unpack('!I', start)[0] - 4)
            if struct.unpack('!I', start[4:8])[0] not in (80877103, 80877104):
                return start
            client.sendall(b'N')  # neither TLS nor GSS

    def client(self, client):
        try:
            start = self.startup(client)
            sessions = []
            for n in range(2):
                session = socket.socket(socket.AF_UNIX)
                session.connect('%s/.s.PGSQL.%s' % (self.server.dir, self.server.port))
                session.sendall(start)
                self.until_ready(session, None if n else client)
                sessions.append(session)
            while True:
                sessions.append(sessions.pop(0))
                kind = b''
                while kind not in (b'Q', b'S'):
                    kind, body = self.message(client)
                    if kind == b'X':
                        return
                    sessions[0].sendall(kind + struct.pack('!I', len(body) + 4) + body)
                self.until_ready(sessions[0], client)
        except (EOFError, OSError):
            pass
        finally:
            client.close()


def pooled(server):
    for forged in (True, False):
        pooler = Pooler(server, forged)
        source = {'url': 'postgresql://postgres@127.0.0.1:%d/app?sslmode=disable&gssencmode=disable' % pooler.port}
        result, end = run_now(source, {'postgresql': True}, FAILED,
                              'a pooler that %s process numbers lies between' % ('makes up' if forged else 'passes on'))
        fact('pooler' in end['error'], 'it is noticed', result.all)


def in_redis(server):
    key = 'backup:schedule:nightly'
    client = server.client()
    source, locks = {'paths': [path('files')]}, {'redis': server.url}
    _, end = run_now(source, locks, 0, 'a run with a lock in Redis')
    equal((end['state'], client.exists(key)), ('succeeded', 0), 'has removed it in the end')
    client.set(key, 'of somebody else')
    _, end = run_now(source, locks, LOCKED, 'while somebody else holds it')
    equal((end['error'], client.get(key)), ('concurrent', b'of somebody else'), 'a run is concurrent, and leaves the key alone')
    client.delete(key)
    ttl = []
    code, end, saved = run_with_a_mishap(source, locks, lambda: ttl.append(client.pttl(key)), 'nothing')
    fact(ttl and 0 < ttl[0] <= 300_000, 'the key lives for five minutes at most', ttl)
    equal((code, saved), (0, 1), 'and the run saves')
    code, end, saved = run_with_a_mishap(source, locks, client.flushall, 'FLUSHALL')
    equal((code, end['state'], saved), (LOCKED, 'failed', 0), 'a run whose key was flushed fails, and writes no snapshot')
    fact('lock lost' in end['error'], 'and says so', end)
    code, end, saved = run_with_a_mishap(source, locks, lambda: client.set(key, 'the next one'), 'another took it over')
    equal((code, saved, client.get(key)), (LOCKED, 0, b'the next one'), 'the same when another has it, whose key stays')
    client.delete(key)
    server.kill()
    _, end = run_now(source, locks, 21, 'a server that does not answer')
    equal((end['state'], end['snapshots']), ('failed', []), 'is no lock')


def main():
    repo.init()
    os.makedirs(path('files'))
    with open(path('files/one'), 'w', encoding='utf-8') as f:
        f.write('one')
    with Postgres('pg') as server:
        psql(server, 'CREATE DATABASE app', 'postgres')
        psql(server, 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS n')
        advisory(server)
        pooled(server)
    in_redis(RedisServer('redis'))
    finish()


main()
