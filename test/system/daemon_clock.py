#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""A real daemon whose clock is set, in either direction: each due time has its run, once. And a repository that is unreachable for a
day of hourly backups: each run fails and says why, people are told once, and once more when it is over.

The clock is that of the daemon and of its runs alone (test/lib/set_clock.c); nothing here waits for it."""
import collections
import datetime
import os
import random
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonlife import PATIENCE, SMALL, Daemon, small_repo
from hook import Hook
from scenario import NO_REPOSITORY, TOP, equal, fact, finish, path, run, say, wait_until

SEED = int(os.environ.get('SEED', '0')) or random.randrange(1 << 30)
rng = random.Random(SEED)


WAS_SET = '"the clock was set"'


class Clock:
    """What CLOCK_FILE tells. Moments are texts in UTC: '03-10 03:00:01'."""

    def __init__(self, name, moment):
        self.file, self.library = path(name), path('set_clock.so')
        self.ahead, self.sets = 0, 0
        with open(self.file, 'wb') as f:
            f.write(bytes(16))
        if not os.path.exists(self.library):
            run('gcc', '-D_GNU_SOURCE', '-O1', '-Wall', '-shared', '-fPIC', '-o', self.library, TOP + '/test/lib/set_clock.c', code=0)
        self.set(moment)

    @property
    def env(self):
        return {'LD_PRELOAD': self.library, 'CLOCK_FILE': self.file}

    @staticmethod
    def seconds(moment):
        return datetime.datetime.strptime('2027-' + moment + '+0000', '%Y-%m-%d %H:%M:%S%z').timestamp()

    def go(self, moment):
        """Time passes until then."""
        self.ahead = round(self.seconds(moment) - time.time())
        with open(self.file, 'r+b', buffering=0) as f:
            f.write(struct.pack('qq', self.ahead, self.sets))

    def set(self, moment, seen_by=None):
        """Somebody sets it; and the daemon has noticed."""
        before = seen_by.said().count(WAS_SET) if seen_by else 0
        self.sets += 1
        self.go(moment)
        if seen_by:
            fact(seen_by.tells(WAS_SET, before, .02), 'the clock is set to ' + moment)


def due(daemon, schedule='nightly'):
    """Due times that had a run, as often as they had one."""
    rows = daemon.rows("schedule = '%s' AND due_at > 0" % schedule)
    return collections.Counter(datetime.datetime.fromtimestamp(r['due_at'] / 1000, datetime.timezone.utc).strftime('%m-%d %H') for r in rows)


def ended(daemon, schedule, moment):
    """The run of that due time has been, and ended."""
    seen = wait_until(lambda: due(daemon, schedule)[moment], PATIENCE, .05)
    rows = daemon.rows("schedule = '%s'" % schedule)
    return seen and all(daemon.ended(r['id']) for r in rows)


def expect(daemon, moment, why):
    fact(ended(daemon, 'nightly', moment), why, due(daemon))


def ran_once(daemon, moments, why):
    equal(dict(due(daemon)), dict.fromkeys(moments, 1), why)
    wrong = [r for r in daemon.rows("schedule = 'nightly'") if r['state'] != 'succeeded']
    fact(not wrong, 'and each succeeds', wrong)


CLOCKED = SMALL + '''
defaults: {repository: main, sources: [small], keep: {last: 100}}
schedules:
  nightly: {cron: "0 3 * * *"}
  slow: {cron: "0 3 1 1 *", hooks: {before: ["while test ! -e %(go)s; do sleep .1; done"]}}
server: {node: %(node)s, catalogue: "%(catalogue)s", sweep: "12:00"}
'''


def set_forward(daemon, clock):
    clock.go('03-10 03:00:01')
    expect(daemon, '03-10 03', 'what is due runs when its time comes')
    clock.set('03-13 15:00:00', daemon)
    expect(daemon, '03-13 03', 'set forward by days over backup and sweep, what was jumped over is caught up')
    ran_once(daemon, ['03-10 03', '03-13 03'], 'once, however often it would have been')


def set_back(daemon, clock):
    clock.set('03-11 02:00:00', daemon)
    clock.go('03-11 03:00:01')
    expect(daemon, '03-11 03', 'set back by days, what was only jumped over has its run')
    clock.go('03-12 03:00:01')
    expect(daemon, '03-12 03', 'day by day')
    clock.go('03-13 03:00:01')
    clock.go('03-14 03:00:01')
    expect(daemon, '03-14 03', 'until it goes on as ever')
    ran_once(daemon, ['03-%d 03' % day for day in (10, 11, 12, 13, 14)], 'and what had run runs no more')


def by_seconds(daemon, clock):
    """What a time service does."""
    clock.go('03-15 02:59:58')
    clock.set('03-15 03:00:02', daemon)
    expect(daemon, '03-15 03', 'set forward over the due time by seconds, it runs')
    clock.set('03-15 02:59:57', daemon)
    clock.go('03-15 03:00:01')
    clock.set('03-15 02:00:00', daemon)
    clock.go('03-15 03:00:01')
    clock.go('03-16 03:00:01')
    expect(daemon, '03-16 03', 'set back by seconds, and by an hour')
    ran_once(daemon, ['03-%d 03' % day for day in range(10, 17)], 'it does not run again')


def while_down(daemon, clock):
    daemon.kill()
    clock.set('03-16 02:30:00')
    daemon.start()
    clock.go('03-16 03:00:01')
    clock.go('03-17 03:00:01')
    expect(daemon, '03-17 03', 'set back while the daemon was not there')
    ran_once(daemon, ['03-%d 03' % day for day in range(10, 18)], 'it does not run again, either')


def while_it_runs(daemon, clock):
    run_id = daemon.control(op='run', schedule='slow')['run']
    daemon.under_way()
    for moment in ('03-17 22:00:00', '03-17 03:30:00', '03-17 09:00:00'):
        clock.set(moment, daemon)
    open(daemon.go, 'w', encoding='ascii').close()
    fact(daemon.ended(run_id) and daemon.row(run_id)['state'] == 'succeeded', 'a run goes on while the clock is set', daemon.row(run_id))


def at_random(daemon, clock):
    """Set to anywhere within ten days, again and again, quickly; then all of them pass once more."""
    say('SEED=%d' % SEED)
    for _ in range(30):
        clock.set('04-%02d %02d:%02d:00' % (rng.randrange(1, 11), rng.randrange(24), rng.randrange(60)))
        time.sleep(rng.choice((0, .001, .02, .1)))
    # told of this one: of one before it may be told late, too
    clock.set('04-01 01:00:30')
    fact(wait_until(lambda: any(WAS_SET in line and '2027-04-01T01:' in line for line in daemon.said().splitlines()), PATIENCE, .02), 'the last time to 1 April')
    for day in range(1, 12):
        clock.go('04-%02d 03:00:01' % day)
        expect(daemon, '04-%02d 03' % day, 'wherever the clock has been, the run of 1 + %d April' % (day - 1))
    april = {moment: n for moment, n in due(daemon).items() if moment.startswith('04')}
    equal(april, {'04-%02d 03' % day: 1 for day in range(1, 12)}, 'has been, and once')


def clock_is_set(repo):
    clock = Clock('clock', '03-10 02:00:00')
    daemon = Daemon('clocked', repo, CLOCKED)
    daemon.more = clock.env
    with daemon:
        for part in (set_forward, set_back, by_seconds, while_down, while_it_runs, at_random):
            part(daemon, clock)
        equal(daemon.stop(), 0, 'the daemon ends when it is asked to')


# ---- a day without the repository ----

def told(condition):
    """A message whose answer was lost may come twice, with the same id."""
    return list({e['id']: e['kind'] for e in Hook.heard if e.get('condition') == condition}.values())


HOURLY = SMALL + '''
defaults: {repository: main, sources: [small], keep: {last: 100}}
schedules:
  hourly: {cron: "0 * * * *"}
notifications:
  hook: {type: webhook, url: "http://127.0.0.1:%(hook)d/", remind: 0}
server: {node: %(node)s, catalogue: "%(catalogue)s", sweep: "00:30", webhook_origins: ["http://127.0.0.1:%(hook)d"]}
'''


def gone_for_a_day(repo):
    clock = Clock('days', '06-01 01:30:00')
    daemon = Daemon('hourly', repo, HOURLY, hook=Hook.port())
    daemon.more = clock.env
    hours = ['06-01 %02d' % hour for hour in range(2, 24)] + ['06-02 %02d' % hour for hour in range(0, 5)]
    gone, back = hours[1:25], hours[25:]
    with daemon:
        for hour in hours:
            if hour == gone[0]:
                os.rename(repo.path, repo.path + '.away')
            if hour == back[0]:
                os.rename(repo.path + '.away', repo.path)
            clock.go(hour + ':00:01')
            if not fact(ended(daemon, 'hourly', hour), 'the run of ' + hour, daemon.said()[-2000:]):
                return
            if hour == back[0]:  # before its hour is over
                fact(wait_until(lambda: 'resolved' in told('failed'), PATIENCE, .1), 'people are told')
        rows = daemon.rows("schedule = 'hourly'")
        equal([r['state'] for r in rows], ['succeeded'] + ['failed'] * 24 + ['succeeded'] * 2, 'for a day each run fails, then they succeed')
        wrong = [r for r in rows if r['state'] == 'failed' and not (r['exit_code'] == NO_REPOSITORY and repo.path in r['error'])]
        fact(not wrong, 'each says that the repository is not there', wrong)
        equal(told('failed'), ['opened', 'resolved'], 'once that it fails, and once that it does not any more')
        others = {e['condition'] for e in Hook.heard if e.get('condition')}
        fact(all(told(c).count('opened') <= 1 for c in others), 'nor of anything else twice', Hook.heard)
        resolved = next(e for e in Hook.heard if e.get('condition') == 'failed' and e['kind'] == 'resolved')
        equal(resolved['time'][:13], '2027-06-02T03', 'which is in the hour of the first success')
        equal(daemon.stop(), 0, 'the daemon ends when it is asked to')


def main():
    repo = small_repo()
    clock_is_set(repo)
    gone_for_a_day(repo)
    repo.sound('after all of it')
    finish()


main()
