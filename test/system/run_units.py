#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""Runs that are no children of the daemon: systemd's own program makes a process of each connection to a socket, as
backstay-run.socket does (systemd-socket-activate; no systemd runs here). They go on when the daemon is killed or stopped, are
cancelled, die, sweep; and who connects with nonsense starts nothing."""
import ctypes
import fcntl
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonlife import PATIENCE, SMALL, Daemon, small_repo
from scenario import BACKSTAY, FAILED, equal, fact, finish, path, run, wait_until

CONFIG = SMALL + '''
schedules:
  nightly: {sources: [small], repository: main, cron: "0 3 1 1 *", keep: {last: 1}}
  slow: {sources: [small], repository: main, cron: "0 3 1 1 *", hooks: {before: ["while test ! -e %(go)s; do sleep .1; done"]}}
  off: {sources: [small], repository: main, cron: "0 3 1 1 *", enabled: false}
server: {node: %(node)s, catalogue: "%(catalogue)s", sweep: "%(hour)02d:30"}
'''
SOCKET = path('run.sock')


class Activator:
    """Has the rights and the environment of the unit."""

    def __init__(self, daemon):
        env = daemon.env()
        passed = [a for k in ('STATE_DIRECTORY', 'BACKSTAY_STATE_DIR', 'BACKSTAY_CACHE_DIR', 'RESTIC_PASSWORD') for a in ('-E', k)]
        with open(path('activator.log'), 'a', encoding='utf-8') as log:
            self.process = subprocess.Popen(['systemd-socket-activate', '-l', SOCKET, '-a', '--inetd', *passed, BACKSTAY, 'run', '--accepted'],
                                            env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: os.path.exists(SOCKET), PATIENCE)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        if os.path.exists(SOCKET):
            os.unlink(SOCKET)


def parent_of(pid):
    with open('/proc/%d/stat' % pid, encoding='utf-8') as f:
        return int(f.read().rsplit(')', 1)[1].split()[1])


def no_child(daemon, activator):
    run_id = daemon.control(op='run', schedule='slow')['run']
    shown = daemon.under_way()
    equal(parent_of(shown['pid']), activator.process.pid, 'a run is a process of the socket, not of the daemon')
    daemon.kill()
    time.sleep(.2)
    equal(os.path.exists('/proc/%d' % shown['pid']), True, 'it goes on when the daemon is killed')
    daemon.start()
    equal([r['id'] for r in daemon.status()['runs']], [run_id], 'whose successor follows it')
    equal(daemon.stop(), 0, 'a daemon that is stopped does not wait for it')
    equal((os.path.exists('/proc/%d' % shown['pid']), daemon.row(run_id)['state']), (True, 'running'), 'nor end it')
    daemon.start()
    fact(daemon.let_go(run_id) and daemon.row(run_id)['state'] == 'succeeded', 'it ends as it is', daemon.row(run_id))


def ended_by_others(daemon):
    run_id = daemon.control(op='run', schedule='slow')['run']
    daemon.under_way()
    daemon.control(op='cancel', run=run_id)
    equal(daemon.ended(run_id) and daemon.row(run_id)['state'], 'cancelled', 'it can be cancelled')
    run_id = daemon.control(op='run', schedule='slow')['run']
    os.kill(daemon.under_way()['pid'], signal.SIGKILL)
    fact(daemon.ended(run_id) and 'died' in daemon.row(run_id)['error'], 'one that is killed has failed', daemon.row(run_id))


def file_of(pid, number):
    try:
        return os.readlink('/proc/%d/fd/%s' % (pid, number))
    except FileNotFoundError:
        return ''  # others it opens and closes meanwhile


def taken(pid, name):
    """Its open file of that name, with the lock that it has on it: the same description, not another one."""
    numbers = [int(n) for n in os.listdir('/proc/%d/fd' % pid) if file_of(pid, n).endswith('/' + name)]
    pidfd = os.pidfd_open(pid)
    fd = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, numbers[0], 0)  # pidfd_getfd(2)
    os.close(pidfd)
    return fd


def lock_let_go_late(daemon):
    """The kernel tells that the events are closed, and then lets their lock go: here much later."""
    run_id = daemon.control(op='run', schedule='slow')['run']
    pid = daemon.under_way()['pid']
    lock = taken(pid, 'events')
    fact(lock >= 0, 'somebody has the lock of a run')
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not os.path.exists('/proc/%d' % pid), PATIENCE)
    with open('%s/runs/%s/events' % (daemon.state, run_id), 'ab'):
        pass
    daemon.status()
    equal(daemon.status() and daemon.row(run_id)['state'], 'running', 'which is killed, and may live for all that is known')
    fcntl.flock(lock, fcntl.LOCK_UN)
    fact(daemon.ended(run_id) and 'died' in daemon.row(run_id)['error'], 'once the lock is gone the run has failed', daemon.row(run_id))
    os.close(lock)


def swept(daemon, repo):
    """What was missed is caught up: the daily sweep, of all that are enabled, one after the other."""
    for _ in range(2):
        run_id = daemon.control(op='run', schedule='nightly')['run']
        daemon.ended(run_id)
    extra = repo.backup(path('small'), '--tag', 'schedule=nightly', '--tag', 'source=small', '--tag', 'run=%032x' % 1)['snapshot_id']
    daemon.stop()
    with sqlite3.connect(daemon.catalogue, timeout=60) as db:
        equal(db.execute('UPDATE backup_schedules SET last_due = last_due - 2 * 86400000 WHERE id = ?', ('sweep',)).rowcount, 1, 'the daily sweep is remembered')
    daemon.start()
    want = {'sweep:nightly', 'sweep:slow'}
    fact(wait_until(lambda: {r['schedule'] for r in daemon.rows("kind = 'sweep' AND state = 'succeeded'")} == want, PATIENCE, .1),
         'and caught up, for what is enabled', daemon.rows("kind = 'sweep'"))
    rows = daemon.rows("kind = 'sweep'")
    fact(rows[0]['ended_at'] <= rows[1]['started_at'] or rows[1]['ended_at'] <= rows[0]['started_at'], 'one after the other', rows)
    left = [s['id'] for s in repo.snapshots() if 'schedule=nightly' in s['tags']]
    equal(left, [extra], 'it removes what the schedule does not keep')


def nonsense(daemon):
    run_id = daemon.control(op='run', schedule='nightly')['run']
    daemon.ended(run_id)
    before, runs = daemon.row(run_id), len(os.listdir(daemon.state + '/runs'))
    for line in (b'', b'\n', b'../../../etc/passwd\n', b'0' * 200, run_id.encode() + b'\n', run_id.upper().encode() + b'\n', b'f' * 32 + b'\n'):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(SOCKET)
            s.sendall(line)
            s.shutdown(socket.SHUT_WR)
            s.settimeout(PATIENCE)
            try:
                said = s.recv(4096)
            except ConnectionResetError:
                said = b''
            equal(b'exit' in said, False, 'who connects with %r is let go' % line[:40])
    equal((daemon.row(run_id), len(os.listdir(daemon.state + '/runs'))), (before, runs), 'and nothing has changed')
    refused = run(BACKSTAY, 'run', '--accepted', env=daemon.env(), code=FAILED, why='without a connection nothing is accepted')
    fact('no connection' in refused.errors, 'and it is said', refused.errors)


def without_socket(daemon, activator):
    activator.stop()
    run_id = daemon.control(op='run', schedule='nightly')['run']
    fact(daemon.ended(run_id) and SOCKET in daemon.row(run_id)['error'], 'without the socket a run fails at once, and says why', daemon.row(run_id))


def main():
    repo = small_repo()
    daemon = Daemon('one', repo, CONFIG)
    daemon.more = {'BACKSTAY_RUN_SOCKET': SOCKET}
    activator = Activator(daemon)
    try:
        with daemon:
            no_child(daemon, activator)
            ended_by_others(daemon)
            lock_let_go_late(daemon)
            swept(daemon, repo)
            nonsense(daemon)
            without_socket(daemon, activator)
    finally:
        activator.process.kill()
    finish()


main()
