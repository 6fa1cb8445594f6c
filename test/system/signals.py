#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: tsan
"""SIGINT and SIGTERM end a backup in less than five seconds with status 130; nothing is locked, nothing is lost, and the
next run uses what was uploaded. SIGHUP does no harm."""
import os
import select
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import BACKSTAY, INTERRUPTED, SANITIZED, Repo, ended, equal, fact, finish, path, wait_until

SIZE = 40_000_000 if SANITIZED else 160_000_000


def start(repo, *argv):
    return subprocess.Popen([BACKSTAY, '-r', repo.path, *argv], env=repo.env(), stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, start_new_session=True)


def stored(repo):
    """Bytes of whole packs."""
    return sum(os.path.getsize('%s/data/%s/%s' % (repo.path, p[:2], p)) for p in repo.objects('data'))


def interrupt_backup(sig, source):
    name = signal.Signals(sig).name
    repo = Repo.named(name)
    repo.init()
    # slow enough to be met in the middle
    process = start(repo, 'backup', '--compression', '9', source)
    fact(wait_until(lambda: stored(repo) > SIZE // 3, 120), name + ': the backup is under way')
    sent = time.monotonic()
    process.send_signal(sig)
    err = ended(process, 60, name)
    fact(time.monotonic() - sent < 5, name + ': it ends in less than five seconds', time.monotonic() - sent)
    equal(process.returncode, INTERRUPTED, name + ': exit status')
    fact(err.strip(), name + ': it says why it ends')
    equal(repo.objects('locks'), [], name + ': no lock is left')
    equal(repo.snapshots(), [], name + ': no snapshot was made')
    repo.sound(name + ': an interrupted backup')
    summary = repo.backup('--compression', '9', source)
    fact(summary['data_added'] < 0.8 * summary['total_bytes_processed'],
         name + ': the next run uses what was uploaded', summary)
    repo.sound(name + ': after the next run')
    repo.restic('restore', 'latest', '--target', path('out-' + name), code=0)
    fact(not (found := trees.compare(path('out-' + name) + source, source)), name + ': which is whole', '\n'.join(found))
    return repo


def interrupt_restore(repo, source):
    target = path('cut')
    process = start(repo, 'restore', 'latest', '--target', target)
    wait_until(lambda: os.path.exists(target), 30)
    time.sleep(0.05)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    ended(process, 60, 'an interrupted restore')
    fact(time.monotonic() - sent < 5 and process.returncode in (INTERRUPTED, 0), 'a restore ends, too', process.returncode)
    repo.backstay('restore', 'latest', '--target', target, code=0)
    fact(not (found := trees.compare(target + source, source)), 'and can be finished by the same command', '\n'.join(found))


def interrupt_dump(repo, source):
    for what, more in (('/text0', []), ('', ['--archive', 'tar']), ('', ['--archive', 'zip'])):
        reader, writer = os.pipe()
        process = subprocess.Popen([BACKSTAY, '-r', repo.path, 'dump', *more, 'latest', source + what], env=repo.env(), stdout=writer,
                                   stderr=subprocess.PIPE)
        wait_until(lambda: select.select([reader], [], [], 0)[0], 30)
        time.sleep(0.5)  # until the pipe is full
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        err = ended(process, 30, 'a dump that nobody reads')
        name = 'a dump%s that nobody reads' % (' as ' + more[1] if more else '')
        fact(time.monotonic() - sent < 5 and process.returncode == INTERRUPTED, name + ' ends in less than five seconds', process.returncode)
        fact(b'interrupted' in err, name + ' says why', err)
        os.close(reader)
        os.close(writer)


def hangup(repo, source):
    # `restic unlock` sends SIGHUP to the process that a lock names
    trees.write(source + '/more', os.urandom(30_000_000))
    process = start(repo, 'backup', source)
    wait_until(lambda: repo.objects('locks'), 30)
    process.send_signal(signal.SIGHUP)
    ended(process, 120, 'SIGHUP')
    equal(process.returncode, 0, 'SIGHUP does not end a backup')


def main():
    source = path('source')
    os.mkdir(source)
    for i in range(10):
        trees.write('%s/noise%d' % (source, i), os.urandom(SIZE // 20))
        trees.write('%s/text%d' % (source, i), trees.words(i, SIZE // 20))
    repo = None
    for sig in (signal.SIGINT, signal.SIGTERM):
        repo = interrupt_backup(sig, source)
    interrupt_restore(repo, source)
    interrupt_dump(repo, source)
    hangup(repo, source)
    finish()


main()
