#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bad days of the daemon: what systemd is told, runs that fail and are tried again, that take too long, are silent, killed, or out
of memory; limits; a repository that is gone and comes back; a catalogue that is locked, full, damaged, or of a newer program."""
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonlife import PATIENCE, SMALL, Daemon, small_repo
from scenario import NO_REPOSITORY, QUICK, VERSIONS, equal, fact, finish, path, say, wait_until

CONFIG = SMALL + '''
defaults: {repository: main, sources: [small], cron: "0 3 1 1 *"}
schedules:
  nightly: {}
  slow: {hooks: {before: ["while test ! -e %(go)s; do sleep .1; done"]}}
  flaky: {cron: "0 %(hour)d * * *", retries: 2, retry_wait: 1s, hooks: {before: ["exit 7"]}}
  long: {timeout: 2s, hooks: {before: ["sleep 1000"]}}
  silent: {timeout: 10s, hooks: {before: ["sleep 1000"]}}
  limited: {nice: 7, ionice: idle, memory: 2G, hooks: {before: ["while test ! -e %(go)s; do sleep .1; done"]}}
  starved: {memory: 20M}
server: {node: %(node)s, catalogue: "%(catalogue)s", sweep: "%(hour)02d:30"}
'''


class Systemd:
    """Hears what a service tells."""

    def __init__(self):
        self.path, self.told = path('notify'), []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        threading.Thread(target=self.hear, daemon=True).start()

    def hear(self):
        while True:
            self.told.append(self.socket.recv(4096).decode())

    def lines(self):
        return [line for message in list(self.told) for line in message.split('\n')]

    def heard(self, *wanted, after=0):
        return wait_until(lambda: all(any(line.startswith(w) for line in self.lines()[after:]) for w in wanted), PATIENCE, .1)


def at(name, **options):
    return Daemon(name, options.pop('repo'), CONFIG, **options)


def is_ended_as(daemon, run_id, state, words, name):
    row = daemon.row(run_id) if run_id and daemon.ended(run_id) else {}
    return fact(row.get('state') == state and words in (row.get('error') or ''), name, row)


def ask(daemon, schedule):
    answer = daemon.control(op='run', schedule=schedule)
    fact(answer['ok'], 'a run of %s can be asked for' % schedule, answer)
    return answer.get('run')


def told_to_systemd(repo):
    systemd, daemon = Systemd(), at('service', repo=repo)
    daemon.more = {'NOTIFY_SOCKET': systemd.path, 'WATCHDOG_USEC': '1000000'}
    daemon.start()
    fact(systemd.heard('READY=1', 'STATUS='), 'systemd is told that the daemon is ready', systemd.told)
    fact(wait_until(lambda: systemd.lines().count('WATCHDOG=1') > 2, PATIENCE, .1), 'and again and again that it lives', systemd.told)
    before = len(systemd.lines())
    daemon.process.send_signal(signal.SIGHUP)
    fact(systemd.heard('RELOADING=1', 'MONOTONIC_USEC=', 'READY=1', after=before), 'that it reads its configuration again, and has', systemd.told)
    run_id = ask(daemon, 'slow')
    daemon.under_way()
    before = len(systemd.lines())
    equal(daemon.stop(), 0, 'it is stopped while a run is under way')
    fact(systemd.heard('STOPPING=1', 'EXTEND_TIMEOUT_USEC=', after=before), 'and asks systemd for the time', systemd.told)
    equal(daemon.row(run_id)['state'], 'queued', 'the run is left for the next start')


def tried_again(daemon):
    """A due run that fails, as it does each time."""
    daemon.stop()
    with closing(sqlite3.connect(daemon.catalogue, timeout=60, isolation_level=None)) as db:
        db.execute("UPDATE backup_schedules SET last_due = last_due - 2 * 86400000 WHERE id = 'flaky'")
    daemon.start()
    flaky = "schedule = 'flaky'"
    fact(wait_until(lambda: [r['state'] for r in daemon.rows(flaky)] == ['failed'] * 3, PATIENCE, .1), 'a run that fails is tried again',
         daemon.rows(flaky))
    rows = daemon.rows(flaky)
    equal([(r['attempt'], r['cause'], r['due_at']) for r in rows],
          [(1, 'catch-up', rows[0]['due_at']), (2, 'retry', rows[0]['due_at']), (3, 'retry', rows[0]['due_at'])], 'twice, of the same due time')
    waits = [b['created_at'] - a['ended_at'] for a, b in zip(rows, rows[1:])]
    fact(waits[0] > 0 and waits[1] >= 1000, 'after a second, then two', waits)  # which are counted whole
    time.sleep(1)
    equal(len(daemon.rows(flaky)), 3, 'and no more')


def too_long(daemon):
    is_ended_as(daemon, ask(daemon, 'long'), 'failed', 'timeout', 'a run that takes too long is ended')
    if QUICK:
        return
    run_id = ask(daemon, 'silent')  # and before it tells of that itself
    os.kill(daemon.under_way()['pid'], signal.SIGSTOP)
    is_ended_as(daemon, run_id, 'failed', 'longer than its timeout', 'one that is silent and does not end is killed')


def limited(daemon):
    run_id = ask(daemon, 'limited')
    pid = daemon.under_way()['pid']
    wait_until(lambda: daemon.status()['runs'][0]['stage'] == 'hook', PATIENCE, .1)
    with open('/proc/%d/stat' % pid, encoding='utf-8') as f:
        equal(int(f.read().rsplit(')', 1)[1].split()[16]), min(os.nice(0) + 7, 19), 'a run is nicer than we are by what it was told')
    with open('/proc/%d/limits' % pid, encoding='utf-8') as f:
        fact(re.search(r'Max data size +%d +%d ' % (2 << 30, 2 << 30), f.read()), 'has the memory it was given')
    said = subprocess.run(['ionice', '-p', str(pid)], capture_output=True, check=False).stdout.decode()
    equal(said.strip(), 'idle', 'and waits for the disks')
    fact(daemon.let_go(run_id) and daemon.row(run_id)['state'] == 'succeeded', 'which does not harm it', daemon.row(run_id))


def killed(daemon):
    run_id = ask(daemon, 'slow')
    os.kill(daemon.under_way()['pid'], signal.SIGKILL)
    is_ended_as(daemon, run_id, 'failed', 'killed by signal 9', 'a run that is killed has failed, and by what')
    run_id = ask(daemon, 'starved')
    row = daemon.row(run_id) if daemon.ended(run_id) else {}
    fact(row.get('state') == 'failed' and row['exit_code'] and row['error'], 'and so has one that is out of memory', row)
    say(row.get('error'))


def repository_gone(daemon, repo):
    os.rename(repo.path, repo.path + '.away')
    for _ in range(2):
        run_id = ask(daemon, 'nightly')
        is_ended_as(daemon, run_id, 'failed', repo.path, 'a repository that is gone is a run that failed')
        equal(daemon.row(run_id)['exit_code'], NO_REPOSITORY, 'with its status')
    os.rename(repo.path + '.away', repo.path)
    run_id = ask(daemon, 'nightly')
    is_ended_as(daemon, run_id, 'succeeded', '', 'when it is back the next one succeeds')
    equal(daemon.schedule('nightly')['last_success']['id'], run_id, 'as everybody can see')


def catalogue_locked(daemon):
    run_id = ask(daemon, 'slow')
    daemon.under_way()
    db = sqlite3.connect(daemon.catalogue, timeout=60, isolation_level=None)
    db.execute('BEGIN IMMEDIATE')
    open(daemon.go, 'w', encoding='utf-8').close()
    fact(daemon.tells('cannot be written yet'), 'a catalogue that somebody has locked is told', daemon.said()[-800:])
    equal(daemon.row(run_id)['state'], 'running', 'and knows nothing new')
    db.execute('ROLLBACK')
    db.close()
    fact(daemon.ended(run_id) and daemon.row(run_id)['state'] == 'succeeded', 'it gets what it missed when it is free', daemon.row(run_id))
    os.remove(daemon.go)


def catalogue_full(repo):
    disk = path('disk')
    os.mkdir(disk)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=3m,mode=700', 'tmpfs', disk], check=True)
    daemon = at('full', repo=repo, catalogue=disk + '/catalogue.db')
    try:
        daemon.start()
        run_id = ask(daemon, 'slow')
        daemon.under_way()
        with open(disk + '/ballast', 'wb', buffering=0) as f:
            try:
                while f.write(bytes(4096)):
                    pass
            except OSError:
                pass
        refused = {'ok': True}
        for _ in range(200):  # what fits into pages that are there is still taken
            refused = daemon.control(op='run', schedule='nightly')
            if not refused['ok'] and 'concurrent' not in refused['error']:
                break
            time.sleep(.05)
        fact(not refused['ok'] and re.search('full|space', refused['error']), 'a catalogue whose disk is full refuses a run, and says why', refused)
        open(daemon.go, 'w', encoding='utf-8').close()
        fact(daemon.tells('cannot be written yet'), 'the end of a run cannot be written', daemon.said()[-800:])
        equal(daemon.process.poll(), None, 'the daemon goes on')
        os.unlink(disk + '/ballast')
        fact(daemon.ended(run_id) and daemon.row(run_id)['state'] == 'succeeded', 'and writes it when there is room', daemon.row(run_id))
        is_ended_as(daemon, ask(daemon, 'nightly'), 'succeeded', '', 'and runs the next')
        daemon.stop()
    finally:
        if daemon.process.poll() is None:
            daemon.kill()
        subprocess.run(['umount', '-l', disk], check=False)


def catalogue_wrong(daemon):
    """The daemon does not start on what it does not understand, and writes nothing to it."""
    daemon.stop()
    with closing(sqlite3.connect(daemon.catalogue, timeout=60, isolation_level=None)) as db:
        db.execute('UPDATE catalog_version SET version = version + 1000')
    daemon.start()
    equal(daemon.process.wait(PATIENCE), VERSIONS, 'on a catalogue of a newer program it does not start')
    fact('newer' in daemon.said()[-500:], 'and says so', daemon.said()[-500:])
    with closing(sqlite3.connect(daemon.catalogue, timeout=60, isolation_level=None)) as db:
        db.execute('UPDATE catalog_version SET version = version - 1000')
        db.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'backup_history'").fetchone()[0]
        size = db.execute('PRAGMA page_size').fetchone()[0]
    with open(daemon.catalogue, 'rb') as f:
        good = f.read()
    with open(daemon.catalogue, 'r+b') as f:
        f.seek((page - 1) * size)
        f.write(b'\xa5' * size)
    daemon.start()
    fact(daemon.process.wait(PATIENCE) != 0, 'nor on a damaged one', daemon.process.returncode)
    fact(daemon.catalogue in daemon.said()[-800:] and 'catalog rebuild' in daemon.said()[-800:], 'and says what to do', daemon.said()[-800:])
    with open(daemon.catalogue, 'wb') as f:
        f.write(good)
    fact(daemon.start(), 'with the old one it starts', daemon.said()[-500:])
    is_ended_as(daemon, ask(daemon, 'nightly'), 'succeeded', '', 'and runs')


def main():
    repo = small_repo()
    told_to_systemd(repo)
    daemon = at('daemon', repo=repo)
    with daemon:
        tried_again(daemon)
        too_long(daemon)
        limited(daemon)
        killed(daemon)
        repository_gone(daemon, repo)
        catalogue_locked(daemon)
        catalogue_full(repo)
        catalogue_wrong(daemon)
        equal(daemon.stop(), 0, 'it ends when it is asked to')
        repo.sound('after all of it')
    finish()


main()
