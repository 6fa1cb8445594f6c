# SPDX-License-Identifier: Apache-2.0
"""bench/run daemon: lists of the API over a long history, and what the daemon takes while nothing is due."""
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import time

from measuring import BACKSTAY, PASSWORD

SCHEDULES = int(os.environ.get('SCHEDULES', '100'))
ROWS_OF_HISTORY = int(os.environ.get('HISTORY', '100000'))
ASKED = 200
DAYS = os.environ.get('DAYS', '* * *')
ZONE = os.environ.get('ZONE', 'Etc/UTC')
IDLE_SECONDS = int(os.environ.get('IDLE', '60'))
DAY = 86_400_000
LISTS = ['/api/admin/backups', '/api/admin/backups?limit=100', '/api/admin/backups?schedule=s7', '/api/admin/backups?state=failed', '/api/admin/runs',
         '/api/admin/runs?limit=100', '/api/admin/backups/schedules', '/api/admin/sources', '/api/admin/repositories', '/api/admin/audit']


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Bench:
    def __init__(self, directory):
        self.dir, self.port = directory, free_port()
        self.config, self.catalogue = directory + '/backstay.yaml', directory + '/state/catalogue.db'
        self.env = {**os.environ, 'STATE_DIRECTORY': directory + '/state', 'RUNTIME_DIRECTORY': directory + '/run', 'RESTIC_PASSWORD': PASSWORD,
                    'XDG_CACHE_HOME': directory + '/cache', 'BACKSTAY_NEW_PASSWORD': 'correct horse battery staple'}
        with open(self.config, 'w') as f:
            f.write('repositories:\n  main: {location: %s/repo, password: env://RESTIC_PASSWORD}\nsources:\n  etc: {paths: [/etc/hostname]}\nschedules:\n'
                    % directory)
            for n in range(SCHEDULES):  # none of them while we measure
                hour = (time.gmtime().tm_hour + 2 + n % 20) % 24
                f.write('  s%d: {sources: [etc], repository: main, cron: "%d %d %s", timezone: %s}\n' % (n, n % 60, hour, DAYS, ZONE))
            f.write('server: {listen: "127.0.0.1:%d"}\n' % self.port)

    def start(self):
        with open(self.dir + '/log', 'ab') as log:
            self.process = subprocess.Popen([BACKSTAY, 'daemon', '--config', self.config], env=self.env, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        for _ in range(600):
            try:
                if self.ask('/readyz')[0] == 200:
                    return
            except OSError:
                time.sleep(.1)
        sys.exit('bench: the daemon does not start; see ' + self.dir + '/log')

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def ask(self, where, method='GET', body=None, cookie=None):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        headers = {'Cookie': cookie} if cookie else {}
        if body is not None:
            headers['Content-Type'] = 'application/json'
        connection.request(method, where, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def fill(self):
        """A history of a thousand runs of each schedule, most of which succeeded."""
        rng, now = random.Random(1), int(time.time() * 1000)
        columns = ('id kind schedule schedule_name repository state cause due_at created_at started_at ended_at node lease_until stage exit_code error '
                   'source_bytes added_bytes stored_bytes files detail attempt').split()

        def row(n):
            at = now - (ROWS_OF_HISTORY - n) * 60_000
            failed, name = rng.random() < .03, 's%d' % (n % SCHEDULES)
            detail = {'snapshots': [{'source': 'etc', 'kind': 'files', 'snapshot_id': '%064x' % rng.getrandbits(256), 'bytes': 123456, 'state': 'succeeded'}]}
            return ('%012x%020x' % (at, rng.getrandbits(80)), 'backup', name, name, 'main', 'failed' if failed else 'succeeded', 'schedule', at, at, at,
                    at + 40_000, 'bench', 0, 'retention', 1 if failed else 0, 'the source is gone' if failed else None, 123456, 1000, 500, 1,
                    json.dumps(detail), 1)
        db = sqlite3.connect(self.catalogue)
        with db:
            db.executemany('INSERT INTO backup_history (%s) VALUES (%s)' % (', '.join(columns), ', '.join('?' * len(columns))),
                           (row(n) for n in range(ROWS_OF_HISTORY)))
        db.close()

    def login(self):
        subprocess.run([BACKSTAY, 'user', 'add', 'bench', '--role', 'admin', '--config', self.config], env=self.env, check=True, stdout=subprocess.DEVNULL)
        status, headers, body = self.ask('/api/login', 'POST', {'name': 'bench', 'password': self.env['BACKSTAY_NEW_PASSWORD']})
        if status != 200:
            sys.exit('bench: login: %d %s' % (status, body))
        return headers['Set-Cookie'].split(';')[0]

    def processes(self):
        children = subprocess.run(['pgrep', '-P', str(self.process.pid)], capture_output=True, text=True, check=False).stdout.split()
        return {'scheduler': self.process.pid, **{'page': int(pid) for pid in children}}


def memory(pid):
    """In MiB: what is resident; its share, of which a page that N processes have is an Nth; and what nobody else has."""
    with open('/proc/%d/smaps_rollup' % pid) as f:
        kb = {line.split(':')[0]: int(line.split()[1]) for line in f if line.rstrip().endswith('kB')}
    return kb['Rss'] / 1024, kb['Pss'] / 1024, (kb['Private_Clean'] + kb['Private_Dirty']) / 1024


def cpu(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def daemon(directory):
    """The text of the table."""
    bench = Bench(directory)
    bench.start()
    bench.stop()  # the catalogue is there now
    bench.fill()
    began = time.monotonic()
    bench.start()
    lines = ['%d schedules, %d rows of history; ready after %.2f s.' % (SCHEDULES, ROWS_OF_HISTORY, time.monotonic() - began), '',
             '| list | median ms | 99 % ms | bytes |', '| --- | ---: | ---: | ---: |']
    try:
        cookie = bench.login()
        for where in LISTS:
            times, size = [], 0
            for _ in range(ASKED):
                started = time.perf_counter()
                status, _, body = bench.ask(where, cookie=cookie)
                times.append((time.perf_counter() - started) * 1000)
                size = len(body)
                if status != 200:
                    sys.exit('bench: %s: %d %s' % (where, status, body[:200]))
            times.sort()
            lines.append('| `%s` | %.2f | %.2f | %d |' % (where, statistics.median(times), times[int(len(times) * .99)], size))
        time.sleep(5)
        before = {name: cpu(pid) for name, pid in bench.processes().items()}
        time.sleep(IDLE_SECONDS)
        lines += ['', '| idle | resident MiB | its share MiB | of its own MiB | CPU % |', '| --- | ---: | ---: | ---: | ---: |']
        taken = []
        for name, pid in bench.processes().items():
            taken.append(memory(pid))
            lines.append('| %s | %.1f | %.1f | %.1f | %.3f |' % (name, *taken[-1], (cpu(pid) - before.get(name, 0)) / IDLE_SECONDS * 100))
        # libraries are there once, however many use them: all of the one that has most of them, were nobody else to use any
        own, common = sum(own for _, _, own in taken), max(all_ - own for all_, _, own in taken)
        lines.append('| together | at most %.1f | %.1f | %.1f | |' % (own + common, sum(share for _, share, _ in taken), own))
    finally:
        bench.stop()
    return '\n'.join(lines) + '\n'
