#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan
"""Runs made by hand: in the history with a daemon and without one, refused beside another run both ways, followed on however the
daemon comes and goes; and nothing is written where a scheduler has no business to point."""
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonlife import PATIENCE, SMALL, Daemon, small_repo
from scenario import BACKSTAY, INTERRUPTED, LOCKED, Repo, ended, equal, fact, finish, path, run, wait_until

NOBODY = 65534
CONFIG = SMALL + '''
schedules:
  nightly: {sources: [small], repository: main, cron: "0 3 1 1 *", keep: {last: 2}}
  slow: {sources: [small], repository: main, cron: "0 3 1 1 *", hooks: {before: ["while test ! -e %(go)s; do sleep .1; done"]}}
'''
SERVER = 'server: {node: %(node)s, catalogue: "%(catalogue)s", sweep: "%(hour)02d:30"}\n'

repo = Repo.named('repo')


def at(name, text=CONFIG + SERVER):
    return Daemon(name, repo, text)


def by_hand(place, *argv, code, why, config=None, **more):
    return run(BACKSTAY, 'run', *argv, '--config', config or place.config, env=place.env(**more), code=code, why=why)


def start(place, name):
    process = subprocess.Popen([BACKSTAY, 'run', name, '--config', place.config], env=place.env(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    wait_until(lambda: os.path.exists(place.catalogue) and any(r['state'] == 'running' for r in place.rows()), PATIENCE, .1)
    return process


def ends(place, process, name, code):
    open(place.go, 'w', encoding='utf-8').close()
    said = ended(process, PATIENCE, name)
    os.remove(place.go)
    equal(process.returncode, code, name + ': its exit status')
    return said.decode()


def last(place):
    return place.rows()[-1]


def as_before():
    place = at('none', CONFIG)
    by_hand(place, 'nightly', code=0, why='without a daemon and a catalogue a run is made')
    fact(not os.path.exists(place.state + '/catalogue.db') and not os.path.exists(place.runtime), 'and there is none afterwards')


def without_daemon():
    place = at('alone')
    by_hand(place, 'nightly', code=0, why='a run without a daemon')
    equal([(r['state'], r['cause'], r['kind'], r['source_bytes']) for r in place.rows()], [('succeeded', 'manual', 'backup', 8000)],
          'is in the catalogue that is configured')
    fact(last(place)['user_name'] and last(place)['ended_at'] >= last(place)['started_at'] > 0, 'with who made it, and when', last(place))
    equal([s['tags'] for s in repo.snapshots() if 'run=' + last(place)['id'] in s['tags']] != [], True, 'under the id of its snapshot')
    by_hand(place, 'nightly', '--retention-only', code=0, why='retention alone')
    equal((last(place)['kind'], last(place)['state']), ('sweep', 'succeeded'), 'is there as such')
    by_hand(place, 'nightly', '--preview-retention', code=0, why='a preview')
    equal(len(place.rows()), 2, 'is no run')
    process = start(place, 'slow')
    by_hand(place, 'slow', code=LOCKED, why='another beside it')
    equal((last(place)['state'], last(place)['error']), ('failed', 'concurrent'), 'is history as concurrent')
    ends(place, process, 'the first', 0)
    equal([r['state'] for r in place.rows("schedule = 'slow'")], ['succeeded', 'failed'], 'which did not harm the first')
    by_hand(place, 'nightly', code=1, why='one that has no password', RESTIC_PASSWORD='')
    equal((last(place)['state'], 'RESTIC_PASSWORD' in (last(place)['error'] or '')), ('failed', True), 'has failed, and why')
    return place


def left_over(place):
    """Killed without a daemon there: when its lease is over, whoever comes marks it."""
    process = start(place, 'slow')
    run_id = last(place)['id']
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    equal(place.row(run_id)['state'], 'running', 'one that is killed is left as running')
    with sqlite3.connect(place.catalogue, timeout=60) as db:
        db.execute('UPDATE backup_history SET lease_until = 1 WHERE id = ?', (run_id,))
    open(place.go, 'w', encoding='utf-8').close()
    by_hand(place, 'slow', code=0, why='once its lease is over it is in nobody\'s way')
    os.remove(place.go)
    place.start()
    fact(place.ended(run_id), 'and a daemon that comes')
    equal(place.row(run_id)['state'], 'failed', 'marks it as failed')


def with_daemon(place):
    before = len(place.rows())
    by_hand(place, 'nightly', code=0, why='a run with a daemon')
    fact(wait_until(lambda: last(place)['state'] == 'succeeded', PATIENCE, .1), 'is in its history', last(place))
    equal((len(place.rows()) - before, last(place)['cause'], last(place)['node']), (1, 'manual', place.name), 'once, as one of its own')
    fact(os.path.getsize(place.state + '/runs/%s/events' % last(place)['id']) > 0, 'with its log')
    process = start(place, 'slow')
    shown = place.under_way()
    equal((shown['pid'], shown['trigger']), (process.pid, 'manual'), 'the daemon follows it')
    refused = place.control(op='run', schedule='slow')
    equal((refused['ok'], refused['code']), (False, LOCKED), 'and refuses another one of its schedule')
    by_hand(place, 'slow', code=LOCKED, why='as it does by hand')
    ends(place, process, 'it', 0)
    fact(place.ended(shown['id']) and place.row(shown['id'])['state'] == 'succeeded', 'it ends as it is', place.row(shown['id']))
    asked = place.control(op='run', schedule='slow')['run']
    place.under_way()
    by_hand(place, 'slow', code=LOCKED, why='beside one of the daemon it is refused, too')
    equal(last(place)['error'], 'concurrent', 'which is history')
    place.control(op='cancel', run=asked)
    place.ended(asked)
    by_hand(place, 'nightly', code=1, why='one that has no password', RESTIC_PASSWORD='')
    fact(wait_until(lambda: last(place)['state'] == 'failed', PATIENCE, .1) and 'RESTIC_PASSWORD' in last(place)['error'],
         'has failed, and the daemon knows why', last(place))


def comes_and_goes(place):
    for how in (signal.SIGKILL, signal.SIGTERM):
        process = start(place, 'slow')
        shown = place.under_way()
        place.stop(how)
        equal((process.poll(), place.row(shown['id'])['state']), (None, 'running'), 'a run goes on without the daemon (%s)' % how.name)
        place.start()
        equal([r['id'] for r in place.status()['runs']], [shown['id']], 'the next one follows it')
        ends(place, process, 'it', 0)
        fact(place.ended(shown['id']) and place.row(shown['id'])['state'] == 'succeeded', 'to its end', place.row(shown['id']))


def ended_by_others(place):
    process = start(place, 'slow')
    shown = place.under_way()
    fact(place.control(op='cancel', run=shown['id'])['ok'], 'a run by hand can be cancelled')
    ended(process, PATIENCE, 'it')
    equal((process.returncode, place.ended(shown['id']) and place.row(shown['id'])['state']), (INTERRUPTED, 'cancelled'), 'and is')
    process = start(place, 'slow')
    shown = place.under_way()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    fact(place.ended(shown['id']) and 'died' in place.row(shown['id'])['error'], 'one that is killed has failed at once', place.row(shown['id']))


def another_one(place):
    before, config = len(place.rows()), path('other.yaml')
    with open(place.config, encoding='utf-8') as f, open(config, 'w', encoding='utf-8') as out:
        out.write(f.read().replace('keep: {last: 2}', 'keep: {last: 3}'))
    done = by_hand(place, 'nightly', config=config, code=0, why='a schedule that the daemon has otherwise')
    fact('not be in the history' in done.errors and 'reload' in done.errors, 'is run, and it is told that nobody will know', done.errors)
    equal(len(place.rows()), before, 'it is not mistaken for its own')


def of_another_user():
    """The daemon is nobody's, and root makes a run."""
    place = at('unprivileged')
    for made in (path('unprivileged'), place.state, place.runtime):
        os.makedirs(made, exist_ok=True)
        os.chown(made, NOBODY, NOBODY)
    place.spawn_as = NOBODY
    place.start()
    by_hand(place, 'nightly', code=0, why='a run by root, the daemon being another user')
    fact(wait_until(lambda: place.rows() and last(place)['state'] == 'succeeded', PATIENCE, .1), 'is in its history', place.rows())
    process = start(place, 'slow')
    shown = place.under_way()
    refused = place.control(op='cancel', run=shown['id'])
    fact(not refused['ok'] and 'another user' in refused['error'], 'he cannot end it, and says so', refused)
    ends(place, process, 'it', 0)
    place.ended(shown['id'])
    place.stop()


def in_another_users_directories():
    """Root leaves nothing in the machine's directories when they are those of the daemon's user, who could not use it."""
    place = at('beside', CONFIG)
    tried = '''for dir in /var/lib /var/cache; do mount -t tmpfs tmpfs $dir && mkdir $dir/backstay && chown "$3" $dir/backstay || exit 99; done
        "$0" run nightly --config "$1" || exit 98; find /var/lib/backstay /var/cache/backstay -mindepth 1'''
    for owner, name in ((NOBODY, 'of another user'), (0, 'of its own')):
        env = {k: v for k, v in place.env(HOME=path('home')).items() if not k.startswith('XDG_') and k not in (
            'BACKSTAY_STATE_DIR', 'BACKSTAY_CACHE_DIR', 'STATE_DIRECTORY', 'RUNTIME_DIRECTORY')}
        done = run('unshare', '-m', 'sh', '-c', tried, BACKSTAY, place.config, 'unused', str(owner), env=env, code=0, why='root makes a run')
        fact(bool(owner) != ('/schedules/nightly.lock' in done.text), 'which leaves nothing in a directory that is not its own: ' + name, done.text)
        fact(not owner or '/var/' not in done.text, 'nor in the cache', done.text)


def misled(place):
    """Somebody else listens where the daemon did."""
    victim, link, empty, twice = (path('victim'), path('link'), path('empty'), path('twice'))
    for name, content in ((victim, 'precious'), (empty, ''), (twice, '')):
        with open(name, 'w', encoding='utf-8') as f:
            f.write(content)
    os.symlink(empty, link)
    os.link(twice, path('twice-again'))
    os.makedirs(place.runtime, exist_ok=True)
    for wrong in (victim, link, twice, path('absent'), place.runtime, '/dev/null'):
        with socket.socket(socket.AF_UNIX) as listener:
            if os.path.exists(place.socket):
                os.unlink(place.socket)
            listener.bind(place.socket)
            listener.listen()

            def answer():
                peer = listener.accept()[0]
                peer.recv(65536)
                peer.sendall(json.dumps({'ok': True, 'run': '%032x' % 1, 'events': wrong}).encode() + b'\n')
                peer.close()
            thread = threading.Thread(target=answer)
            thread.start()
            done = by_hand(place, 'nightly', code=0, why='a scheduler that names %s' % os.path.basename(wrong))
            thread.join()
            fact('not be in the history' in done.errors, 'gets nothing', done.errors)
    equal([os.path.getsize(f) for f in (victim, empty, twice)], [8, 0, 0], 'and nothing was written')
    fact(not os.path.exists(path('absent')), 'nor made')
    os.unlink(place.socket)


def main():
    small_repo()
    as_before()
    place = without_daemon()
    left_over(place)
    with place:
        with_daemon(place)
        comes_and_goes(place)
        ended_by_others(place)
        another_one(place)
        equal(place.stop(), 0, 'the daemon ends')
        misled(place)
        of_another_user()
        in_another_users_directories()
        repo.sound('after all of it')
    finish()


main()
