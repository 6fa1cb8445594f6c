#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan, timeout=1500
"""The daemon with a real repository: runs on demand and when they are due, caught up once after it was down, followed on
after a restart, entered exactly once however it is killed; two daemons on one catalogue; good and broken configurations."""
import os
import random
import signal
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonlife import PATIENCE, SMALL, Daemon, small_repo
from hook import Hook
from scenario import BACKSTAY, LOCKED, QUICK, SANITIZED, equal, fact, finish, path, run, say, wait_until

ROUNDS = 4 if QUICK else 8
rng = random.Random(int(os.environ.get('SEED', '0')) or None)

CONFIG = SMALL + '''
schedules:
  nightly: {sources: [small], repository: main, cron: "0 %(hour)d * * *", keep: {last: 100}}
  slow:
    {sources: [small], repository: main, cron: "0 %(hour)d * * *", keep: {last: 100}, hooks: {before: ["while test ! -e %(go)s; do sleep .1; done"]}}
  broken: {sources: [small], repository: main, cron: "0 3 1 1 *", retries: 1, retry_wait: 1s, hooks: {before: ["exit 7"]}}
  told: {sources: [small], repository: main, cron: "0 3 1 1 *", hooks: {before: ["test -e %(go)s || exit 7"]}, notify: {channels: [hook]}}
notifications:
  hook: {type: webhook, url: "http://127.0.0.1:%(port)d/hook"}
server:
  {webhook_origins: ["http://127.0.0.1:%(port)d"], metrics: {textfile: %(textfile)s}, node: %(node)s, catalogue: "%(catalogue)s", sweep: "%(hour)02d:30"}
'''


def daemon_at(name, repo, **options):
    return Daemon(name, repo, CONFIG, port=Hook.port(), textfile=path(name, 'backstay.prom'), **options)


def snapshots(repo, run_id):
    return [s for s in repo.snapshots() if 'run=' + run_id in s.get('tags', [])]


def on_demand(daemon, repo):
    asked = daemon.control(op='run', schedule='nightly', user='somebody')
    fact(asked.get('ok'), 'a run can be asked for', asked)
    fact(daemon.ended(asked['run']), 'it ends')
    row = daemon.row(asked['run'])
    equal((row['state'], row['error'], row['user_name']), ('succeeded', None, 'somebody'), 'as the catalogue has it')
    equal(len(snapshots(repo, asked['run'])), 1, 'and leaves one snapshot with its id')
    equal(daemon.schedule('nightly')['last_success']['id'], asked['run'], 'status tells of it')
    fact('succeeded' in daemon.command('status').stdout.decode(), 'and shows it to people')
    unknown = daemon.control(op='run', schedule='nonsense')
    fact(not unknown['ok'] and 'nonsense' in unknown['error'], 'what is unknown is refused by name', unknown)


def overlap_and_cancel(daemon):
    first = daemon.control(op='run', schedule='slow')['run']
    fact(wait_until(lambda: any(r['pid'] for r in daemon.status()['runs']), PATIENCE), 'a run is under way')
    second = daemon.control(op='run', schedule='slow')
    equal((second['ok'], second['code']), (False, LOCKED), 'another of the same schedule is refused')
    concurrent = [r for r in daemon.rows("schedule = 'slow'") if r['id'] != first]
    equal([(r['state'], r['error']) for r in concurrent], [('failed', 'concurrent')], 'and is history, as concurrent')
    fact(daemon.control(op='cancel', run=first)['ok'], 'a run can be cancelled')
    fact(daemon.ended(first), 'and ends')
    equal(daemon.row(first)['state'], 'cancelled', 'as cancelled')


def adopted(daemon):
    run_id = daemon.control(op='run', schedule='slow')['run']
    fact(wait_until(lambda: any(r['pid'] for r in daemon.status()['runs']), PATIENCE), 'a run has begun')
    daemon.kill()
    fact(daemon.start(), 'the daemon is started again after SIGKILL')
    equal([r['id'] for r in daemon.status()['runs']], [run_id], 'it follows the run on')
    open(daemon.go, 'w', encoding='utf-8').close()
    fact(daemon.ended(run_id), 'to its end')
    os.remove(daemon.go)
    equal(daemon.row(run_id)['state'], 'succeeded', 'which is what it was')


def died(daemon):
    """The run is killed while no daemon is there to see it."""
    run_id = daemon.control(op='run', schedule='slow')['run']
    pid = daemon.under_way()['pid']
    daemon.kill()
    os.killpg(pid, signal.SIGKILL)
    fact(daemon.start() and daemon.ended(run_id), 'a run that died meanwhile has ended')
    row = daemon.row(run_id)
    fact(row['state'] == 'failed' and 'died' in row['error'], 'as failed, and why', row)


def stopped(daemon):
    """SIGTERM gives runs time, ends them, and the next start begins them again."""
    run_id = daemon.control(op='run', schedule='slow')['run']
    daemon.under_way()
    equal(daemon.stop(), 0, 'a daemon that is stopped while a run is under way ends with 0')
    equal(daemon.row(run_id)['state'], 'queued', 'the run waits')
    open(daemon.go, 'w', encoding='utf-8').close()
    fact(daemon.start() and daemon.ended(run_id), 'for the next start')
    os.remove(daemon.go)
    equal(daemon.row(run_id)['state'], 'succeeded', 'which runs it')


def fails_and_recovers(daemon):
    """A failure opens an incident, once; the next success resolves it."""
    def heard():
        return [h for h in Hook.heard if h.get('schedule') == 'told']

    def run_it():
        run_id = daemon.control(op='run', schedule='told')['run']
        fact(daemon.ended(run_id), 'a run has ended')
        return daemon.row(run_id)['state']
    equal(run_it(), 'failed', 'as failed')
    fact(wait_until(heard, PATIENCE), 'somebody is told')
    equal((heard()[0]['condition'], heard()[0]['title']), ('failed', 'backup of told has failed'), 'what is wrong')
    equal(run_it(), 'failed', 'and the next one, too')
    open(daemon.go, 'w', encoding='utf-8').close()
    equal(run_it(), 'succeeded', 'then one succeeds')
    os.remove(daemon.go)
    fact(wait_until(lambda: len(heard()) > 1, PATIENCE), 'and that is told, too')
    tried = run(BACKSTAY, 'notify', 'test', 'hook', '--config', daemon.config, '--json', env=daemon.env(), code=0)
    equal(tried.json().get('delivered'), True, 'a channel can be tried')
    fact(wait_until(lambda: any(h['kind'] == 'test' for h in Hook.heard), PATIENCE), 'and says so', Hook.heard[-1:])
    refused = run(BACKSTAY, 'notify', 'test', 'nobody', '--config', daemon.config, env=daemon.env(), code=1)
    fact('nobody' in refused.errors and 'hook' in refused.errors, 'one that is unknown is refused, and the known ones named', refused.errors)
    equal([h['kind'] for h in heard()], ['opened', 'resolved'], 'one opening, one end')


def text_file(daemon):
    def text():
        try:
            with open(path(daemon.name, 'backstay.prom'), encoding='utf-8') as f:
                return f.read()
        except FileNotFoundError:
            return ''
    want = 'backstay_backups_total{'
    fact(wait_until(lambda: want in text() and 'schedule="told"' in text(), PATIENCE), 'metrics lie in the text file', text())


def set_decided(daemon, ago):
    """As if the daemon had decided last so many days ago."""
    with sqlite3.connect(daemon.catalogue, timeout=60) as db:
        names = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            if 'last_due' in {c[1] for c in db.execute('PRAGMA table_info(%s)' % name)}:
                db.execute("UPDATE %s SET last_due = ? WHERE id = 'nightly'" % name, (int((time.time() - ago * 86400) * 1000),))


def caught_up(daemon, repo):
    daemon.stop()
    set_decided(daemon, 30)
    daemon.start()
    due = "schedule = 'nightly' AND cause = 'catch-up'"
    fact(wait_until(lambda: daemon.rows(due) and daemon.ended(daemon.rows(due)[0]['id']), PATIENCE), 'what was missed is caught up')
    equal([r['state'] for r in daemon.rows(due)], ['succeeded'], 'once, however often it was missed')
    daemon.kill()
    set_decided(daemon, 30)
    daemon.start()
    equal(len(daemon.rows(due)), 1, 'and not again by who has forgotten')
    with_time = daemon.schedule('nightly')['next']
    equal((len(with_time), sorted(with_time)), (5, with_time), 'the next five times are told')
    return due


def killed_at_any_moment(daemon, repo):
    """However often it is killed, a due time has one run, and that is not lost."""
    for i in range(ROUNDS):
        daemon.kill()
        set_decided(daemon, 2)
        with sqlite3.connect(daemon.catalogue, timeout=60) as db:
            db.execute("DELETE FROM backup_history WHERE schedule = 'nightly'")
        before = len(repo.snapshots())
        daemon.spawn()
        time.sleep(rng.uniform(0, .4))
        daemon.kill()
        daemon.start()
        fact(wait_until(lambda: [r['state'] for r in daemon.rows("schedule = 'nightly'")] == ['succeeded'], PATIENCE, .1),
             'killed at any moment, round %d: one run, and it succeeds' % i, daemon.rows("schedule = 'nightly'"))
        equal(len(repo.snapshots()) - before, 1, 'which was done once')


def reloaded(daemon):
    def told():
        return daemon.status()['problem']
    with open(daemon.config, encoding='utf-8') as f:
        good = f.read()
    with open(daemon.config, 'w', encoding='utf-8') as f:
        f.write(good.replace('schedules:', 'schedule:'))
    daemon.process.send_signal(signal.SIGHUP)
    fact(wait_until(told, PATIENCE, .1), 'a broken configuration is told')
    equal(len(daemon.status()['schedules']), 4, 'and the old one stays')
    with open(daemon.config, 'w', encoding='utf-8') as f:
        f.write(good.replace('  broken:', '  renamed:'))
    daemon.process.send_signal(signal.SIGHUP)
    fact(wait_until(lambda: not told() and 'renamed' in [s['name'] for s in daemon.status()['schedules']], PATIENCE, .1),
         'a good one is taken over')


def catalogue_taken_away(daemon):
    """What is written goes on into a file without a name: all looks well until the next start."""
    aside = daemon.catalogue + '.aside'
    os.rename(daemon.catalogue, aside)
    asked = daemon.command('healthcheck')
    equal(asked.returncode, 1, 'without its catalogue the daemon is not healthy')
    fact(b'was removed' in asked.stderr, 'and says why', asked.stderr)
    open(daemon.catalogue, 'w', encoding='ascii').close()
    asked = daemon.command('healthcheck')
    fact(asked.returncode == 1 and b'another file' in asked.stderr, 'nor with another file in its place', asked)
    os.rename(aside, daemon.catalogue)
    equal(daemon.command('healthcheck').returncode, 0, 'when it is back, all is well')


def two_daemons(daemon, repo):
    second = daemon_at('second', repo, catalogue=daemon.catalogue)
    refused = run(BACKSTAY, 'daemon', '--config', daemon.config, env=daemon.env(), code=LOCKED)
    fact('another daemon' in refused.all, 'a state directory has one daemon', refused.all)
    daemon.stop()
    set_decided(daemon, 2)
    with sqlite3.connect(daemon.catalogue, timeout=60) as db:
        db.execute("DELETE FROM backup_history WHERE schedule = 'nightly'")
    before = len(repo.snapshots())
    for d in (daemon, second):
        d.spawn()
    fact(wait_until(lambda: [r['state'] for r in daemon.rows("schedule = 'nightly'")] == ['succeeded'], PATIENCE, .1),
         'of two daemons on one catalogue one has the run', daemon.rows("schedule = 'nightly'"))
    for d in (daemon, second):
        d.answers()
    equal(len(repo.snapshots()) - before, 1, 'and does it once')
    second.stop()


def idle(daemon):
    def cpu():
        with open('/proc/%d/stat' % daemon.process.pid, encoding='utf-8') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
    before, seconds = cpu(), 5 if QUICK else 30
    time.sleep(seconds)
    used = (cpu() - before) / seconds
    with open('/proc/%d/status' % daemon.process.pid, encoding='utf-8') as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith('VmRSS'))
    say('idle: %.1f MiB resident, %.3f %% of a CPU' % (rss / 1024, used * 100))
    fact(SANITIZED or rss < 30 * 1024, 'an idle daemon takes less than 30 MiB', rss)
    fact(used <= .01, 'and next to no time', used)


def main():
    repo = small_repo()
    daemon = daemon_at('first', repo)
    refused = daemon.command('healthcheck')
    equal(refused.returncode, 1, 'without a daemon the health check fails')
    fact(daemon.start(), 'the daemon starts', daemon.said())
    with daemon:
        on_demand(daemon, repo)
        overlap_and_cancel(daemon)
        adopted(daemon)
        died(daemon)
        stopped(daemon)
        fails_and_recovers(daemon)
        text_file(daemon)
        caught_up(daemon, repo)
        killed_at_any_moment(daemon, repo)
        idle(daemon)
        reloaded(daemon)
        catalogue_taken_away(daemon)
        two_daemons(daemon, repo)
        equal(daemon.stop(), 0, 'it ends when it is asked to')
        repo.sound('after all of it')
    finish()


main()
