# SPDX-License-Identifier: Apache-2.0
"""A WAL server and those who hand it files, for scenarios: what is acknowledged is kept beside it, to compare."""
import array
import os
import signal
import socket
import subprocess
import threading
import time

from cluster import as_postgres
from scenario import BACKSTAY, fact, path, run, wait_until
from walarchive import own

PATIENCE = 120


class Server:
    """One that says when it is ready, as systemd would hear it."""

    def __init__(self, archive, name='wal.sock', *options, **environ):
        self.socket = own('run') + '/' + name
        self.told = path('run', name + '.notify')
        self.options, self.user = options, as_postgres()
        self.environ = {**archive.environ, 'NOTIFY_SOCKET': self.told, 'WATCHDOG_USEC': '400000', **environ}
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def start(self):
        if os.path.exists(self.told):
            os.unlink(self.told)
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear.bind(self.told)
        os.chmod(self.told, 0o777)
        ear.settimeout(PATIENCE)
        with open(self.socket + '.log', 'ab') as log:
            self.process = subprocess.Popen([*self.user, BACKSTAY, 'wal', 'serve', '--socket', self.socket, *self.options],
                                            env=self.environ, cwd=path('run'), stdin=subprocess.DEVNULL, stderr=log)
        self.said = [ear.recv(1000).decode(), ear.recv(1000).decode()]
        ear.close()
        return self

    def kill(self, sig=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(PATIENCE) if self.process else None

    def connect(self):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.settimeout(PATIENCE)
        for _ in range(1000):
            try:
                link.connect(self.socket)
                break
            except BlockingIOError:
                time.sleep(.05)  # as many wait as the system lets wait
        return link

    def ask(self, packet, *fds):
        """One request over a connection of its own; the answer, without those that only say wait."""
        with self.connect() as link:
            link.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else [])
            while (answer := link.recv(4096)) == b'backstay-wal 1 wait':
                pass
            return answer


class Pushers:
    """Who knows the socket alone."""

    def __init__(self, archive, server):
        self.environ = {k: v for k, v in archive.environ.items() if k not in ('BACKSTAY_REPOSITORY', 'BACKSTAY_KEY_FILE')}
        self.environ.update(BACKSTAY_WAL_SOCKET=server.socket, BACKSTAY_WAL_SERVER='require')

    def push(self, *argv, more=None, **options):
        return run(*as_postgres(), BACKSTAY, 'wal', 'push', *argv, env={**self.environ, **(more or {})}, cwd=path('user'), **options)

    def begin(self, file):
        return subprocess.Popen([*as_postgres(), BACKSTAY, 'wal', 'push', file], env=self.environ, cwd=path('user'),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def script(self, name):
        """An archive_command that keeps what was acknowledged."""
        script = path(name)
        with open(script, 'w', encoding='utf-8') as f:
            f.write('#!/bin/sh\n' + ''.join("export %s='%s'\n" % (k, v) for k, v in sorted(self.environ.items()) if "'" not in v))
            f.write('%s wal push "$1" || exit\ncp "$1" %s/"${1##*/}"\n' % (BACKSTAY, own('kept')))
        os.chmod(script, 0o755)
        return script


def fill(server, segments):
    """So many segments end; no more than the archiver is told of."""
    for _ in range(segments):
        server.sql("insert into t select repeat('x', 200) from generate_series(1, 300)")
        server.sql('select pg_switch_wal()')


def waiting(server):
    return [n[:-6] for n in os.listdir(server.data + '/pg_wal/archive_status') if n.endswith('.ready')]


def all_archived(server):
    """The archiver gives up for a minute after three failures, but looks again when a segment ends."""
    end = time.monotonic() + PATIENCE
    while waiting(server) and time.monotonic() < end:
        if not wait_until(lambda: not waiting(server), seconds=4):
            fill(server, 1)
    return fact(not waiting(server), 'everything that waited is archived', waiting(server))


def killed(cluster, server, rounds, rng):
    """At any moment while segments wait; what was acknowledged is compared later."""
    for _ in range(rounds):
        writer = threading.Thread(target=fill, args=(cluster, 6))
        writer.start()
        time.sleep(rng.uniform(0, .6))
        server.kill()
        writer.join()
        server.start()
    all_archived(cluster)


def kept():
    return sorted(n for n in os.listdir(path('kept')) if len(n) == 24)


def read(*names):
    with open(path(*names), 'rb') as f:
        return f.read()


def all_there(archive, system, names=None, folder=None):
    """What was acknowledged, byte for byte: what was kept, or these files of another folder."""
    names = os.listdir(path('kept')) if names is None else names
    lost = []
    for name in sorted(names):
        done = archive.wal('get', name, path('user', 'out'), '--system-id', system)
        if done.code or read('user', 'out') != read(folder or path('kept'), name):
            lost.append(name)
    fact(names and not lost, 'every one of %d acknowledged files is there and equal' % len(names), lost)
