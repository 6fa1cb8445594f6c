#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan, timeout=1800
"""Everything that an S3 server can do wrong, at every request of every command: the right data, or a clean and named failure;
never a false success, never an endless retry.

A case is one command, one of its requests, and what is done to it, once or from then on. The request is named by where it
comes among those of its kind: the second PutObject below data/. Each case has a copy of a small repository for itself, and
afterwards the truth is looked at over a clean connection.

There are about seven thousand cases, which take a quarter of an hour of CPU. CASES says how many are tried (1400, which take
four minutes; 60 in quick, 150 under a sanitizer) and SEED which. Those that come first see to it that every fault meets every
kind of request, every command every fault, and every request of a command some; the rest is another draw each time. In quick
it is always the same draw. ONLY is a regular expression that chooses cases by name.
"""
import collections
import concurrent.futures
import contextlib
import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from s3 import S3Server
from s3lies import FAULTS
from s3proxy import Proxy
from s3world import BUCKET, World
from scenario import FAILED, NO_REPOSITORY, PARTIAL, QUICK, SANITIZED, WRONG_PASSWORD, fact, finish, path, say

CASES = int(os.environ.get('CASES', '60' if QUICK else '150' if SANITIZED else '1400'))
SEED = int(os.environ.get('SEED', '1' if QUICK else '0')) or random.randrange(1, 10 ** 6)
ONLY = os.environ.get('ONLY', '')
AT_ONCE, IDLE_AT_ONCE = 8, 24
COMMANDS = ('init', 'backup', 'check', 'prune', 'restore', 'copy')
NO_SPACE = 24
STUCK = 2  # seconds of silence that are borne

# What passes when it is tried again. Once: the command succeeds. From then on: it gives up in time.
TRANSIENT = ('refused', 'reset_request', 'reset_response', 'dropped_answer', 'unanswered', 'hang', 'deaf', 'truncated', 'not_http',
             'internal_error', 'bad_gateway', 'slow_down', 'slow_down_early', 'error_in_200', 'trickle_request', 'trickle_response')
# What was asked is done all the same, and may be found when it is looked for.
DONE = ('dropped_answer', 'unanswered')
# Most of these wait, so there may be many at once.
IDLE = ('unanswered', 'hang', 'deaf', 'trickle_request', 'trickle_response')
# Once it is too slow to wait for. From then on it is slow, and moves.
SLOW = ('trickle_request', 'trickle_response')
# What changed on the way is read again.
READ_AGAIN = ('flip', 'wrong_length', 'too_long', 'repeated_key', 'cut_page', 'cut_document')
# What a client copes with, because some servers are like that.
CARRIED = ('no_conditions', 'ignored_conditions', 'region', 'no_batches', 'short_pages')
# The server says no, and means it.
FINAL = ('access_denied', 'wrong_signature', 'skewed', 'expired_token', 'no_such_bucket', 'bucket_full', 'storage_full', 'redirect_loop')
# From then on makes sense where the server is in a bad way, not where it makes one mistake.
FOREVER = [f for f in TRANSIENT + CARRIED + READ_AGAIN + FINAL + ('whole_object', 'endless_listing') if f not in SLOW]

# What an error says of its cause, at least.
SILENCE = 'no byte|slower'
BROKEN = 'reset|connection|closed|cut|short|ended|answer|transfer|incomplete'
CAUSES = {
    'refused': 'refused|connect', 'hang': SILENCE, 'unanswered': SILENCE, 'deaf': SILENCE, 'trickle_request': SILENCE,
    'trickle_response': SILENCE, 'reset_request': BROKEN, 'reset_response': BROKEN, 'dropped_answer': BROKEN, 'truncated': BROKEN,
    'internal_error': '500|InternalError', 'bad_gateway': '502', 'slow_down': '503|SlowDown',
    'slow_down_early': '503|SlowDown|' + BROKEN, 'error_in_200': 'InternalError', 'not_http': 'HTTP',
    'access_denied': 'denied', 'wrong_signature': 'signature|secret', 'expired_token': 'expired',
    'skewed': r'clock said 20\S+Z, the server.s 20\S+Z', 'no_such_bucket': 'bucket', 'bucket_full': 'quota|full',
    'storage_full': 'full', 'redirect_loop': 'elsewhere|redirect|301', 'region': 'region', 'no_batches': '501|NotImplemented',
}
STATUSES = {'no_such_bucket': (NO_REPOSITORY,), 'bucket_full': (NO_SPACE,), 'storage_full': (NO_SPACE,),
            'not_found': (NO_REPOSITORY,)}
OBJECTS = {'data': 'data/|pack|tree|blob', 'index': 'index', 'snapshots': 'snapshot', 'keys': 'key', 'locks': 'lock', 'config': 'config'}


class Point:
    """A request: which of its kind. repo: None: about the bucket; '-from': the one that a copy reads; ''. kind: the folder."""

    def __init__(self, op, repo, kind, number):
        self.op, self.repo, self.kind, self.number = op, repo, kind, number

    def __str__(self):
        return ' '.join([self.op, *(['of', self.kind] if self.kind else []), *(['of the source'] if self.repo else []), str(self.number)])

    def key(self, prefix):
        """What a rule is to look for."""
        return None if self.repo is None else r'^/%s%s/%s(/|$)' % (prefix, self.repo, self.kind)


class Case:
    def __init__(self, command, point, fault, forever, **options):
        self.command, self.point, self.fault, self.forever, self.options = command, point, fault, forever, options
        self.name = '%s: %s at %s%s%s' % (command, fault, point, ', from then on' if forever else '', ''.join(
            ' (%s %s)' % pair for pair in options.items()))

    def settings(self):
        """Patience as the case needs it: what is to be got over must not run into a deadline, on no machine."""
        return {'BACKSTAY_RETRY_DEADLINE': '2m' if must_succeed(self) or not self.forever else '2s',
                'BACKSTAY_STUCK_REQUEST_TIMEOUT': '%ds' % (STUCK if self.fault in IDLE and 'seconds' not in self.options else 60)}


# ---- what exit status and message must be like ----

def must_succeed(case):
    again = case.fault in TRANSIENT or case.fault in READ_AGAIN
    return case.fault in CARRIED or case.fault in SLOW or again and not case.forever


def must_fail(case):
    """Of most the truth is told by what lies there, or was restored. That a lock did not last is told by nothing else."""
    lasting = case.fault in FINAL or case.fault in TRANSIENT and case.forever and case.fault not in SLOW
    if case.fault == 'swallowed' and case.point.kind == 'locks':
        return True
    if case.point.op == 'PutObject':
        return lasting and case.fault not in DONE
    # others can do without some answers: a parent snapshot, the removal of a lock
    return lasting and case.forever and case.command == 'check' and case.point.kind != 'locks' and case.point.op in (
        'GetObject', 'ListObjectsV2')


def judge(case, done):
    if done.code in (0, 124):
        if done.code == 0 and must_fail(case):
            done.wrong.append('it says that all is well')
        return
    if must_succeed(case):
        done.wrong.append('this is to be got over')
    usual = (FAILED, PARTIAL) if case.command in ('restore', 'copy') else (FAILED,)
    # where no key file can be read, none opens with this password; the message tells the two apart
    usual += (WRONG_PASSWORD,) if case.point.kind == 'keys' else ()
    if done.code not in STATUSES.get(case.fault, ()) + usual or 'Sanitizer' in done.err:
        done.wrong.append('an exit status that means something else')
    cause = CAUSES.get(case.fault)
    if cause and not re.search(cause, done.err, re.I):
        done.wrong.append('the message does not name the cause (%s)' % cause)
    if not re.search('%s|%s/' % (OBJECTS.get(case.point.kind, case.point.kind or 's3: '), BUCKET), done.err):
        done.wrong.append('the message does not name the object')


# ---- running ----

def points_of(world, command):
    """The requests of a command when nothing is wrong."""
    place = world.place()
    place.lay(command)
    with Proxy(world.server) as proxy:
        done = place.run(command, proxy.endpoint)
        place.judge(command, done)
        fact(done.code == 0 and not done.wrong, command + ': without faults all is well', done.err + '; '.join(done.wrong))
        seen, points = collections.Counter(), []
        for r in proxy.requests:
            top, _, rest = r.place[1:].partition('/')
            repo = top[len(place.prefix):] if top.startswith(place.prefix) else None
            where = (r.op, repo, '' if repo is None else rest.partition('/')[0])
            seen[where] += 1
            points.append(Point(*where, seen[where]))
    world.places.put(place)
    say('%s: %d requests, %.1f s: %s' % (command, len(points), done.seconds, ', '.join(
        '%d %s %s' % (n, op, kind + (repo or '')) for (op, repo, kind), n in seen.items())))
    return points


def attempt(world, case):
    """One case; None for a request that did not come, as packs are not cut alike each time."""
    place = world.place()
    place.lay(case.command)
    with Proxy(world.server) as proxy:
        options = {'to': world.server.endpoint} if case.fault == 'redirected' else case.options
        rule = proxy.rule(case.fault, op=case.point.op, key=case.point.key(place.prefix), at=case.point.number,
                          times=None if case.forever else 1, **options)
        done = place.run(case.command, proxy.endpoint, **case.settings())
        done.log = '\n'.join(map(repr, proxy.requests[-16:]))
    if rule.hits:
        judge(case, done)
    # a lock that the server has not removed, as it says, keeps others out for half an hour: s3_kill.py
    if (case.point.op, case.point.kind) == ('DeleteObject', 'locks') and case.fault in ('kept', 'not_found'):
        place.clean('unlock', '--remove-all')
    place.judge(case.command, done)
    world.places.put(place)
    return done if rule.hits or done.wrong else None


# ---- choosing ----

def makes_sense(case):
    # a snapshot that is not listed has been forgotten, as far as anybody can tell; of prune see incomplete()
    if case.fault == 'missing_key' and (case.point.kind == 'snapshots' or case.command == 'prune'):
        return False
    return FAULTS[case.fault].fits(case.point.op)


def every_case(commands):
    found = []
    for command, points in commands.items():
        for point in points:
            for name in FAULTS:
                found.append(Case(command, point, name, False, **({'rate': 10} if name in SLOW else {})))
                if name in FOREVER or name in SLOW:
                    found.append(Case(command, point, name, True, **({'seconds': 2} if name in SLOW else {})))
    return [c for c in found if makes_sense(c) and re.search(ONLY, c.name)]


def chosen(cases, rng):
    """The first of them are those without which a fault, or a request, would not be met at all."""
    cases.sort(key=lambda c: c.name)
    rng.shuffle(cases)
    met, first, rest = set(), [], []
    for case in cases:
        point = case.point
        pairs = {(point.op, point.repo, point.kind, case.fault), (case.command, point.op, case.fault), (case.command, str(point))}
        (rest if pairs <= met else first).append(case)
        met |= pairs
    say('%d cases, of which %d come first; SEED=%d' % (len(cases), len(first), SEED))
    return (first + rest)[:CASES]


def incomplete(world, points):
    """Prune, and each object in turn missing from the first listing of its kind, or from all. A snapshot that is in none of
    them, or an index object of nothing but what was forgotten, is missed by nobody."""
    found = []
    for point in points:
        if point.op == 'ListObjectsV2' and point.kind in ('index', 'data', 'snapshots') and point.number == 1:
            names = [n.rpartition('/')[2] for n in sorted(world.base) if n.startswith(point.kind + '/')]
            found += [Case('prune', point, 'missing_key', forever, holding=name[:12]) for name in names for forever in (False, True)
                      if not forever or point.kind != 'snapshots' and name != world.junk_index]
    return [c for c in found if re.search(ONLY, c.name)]


# ---- a name that means nothing ----

class Names:
    """A machine whose names are ours to say: in a mount namespace of its own /etc/hosts is a file of ours, and nobody else is
    asked. libcurl remembers an address for a minute, so that only a command's first request meets it."""
    HOST = 'bucket.example'

    def __init__(self):
        os.makedirs(path('names'), exist_ok=True)
        with open(path('names/nsswitch.conf'), 'w', encoding='ascii') as f:
            f.write('hosts: files\n')
        self.say('')

    @staticmethod
    def say(line):
        with open(path('names/hosts'), 'w', encoding='ascii') as f:
            f.write(line)

    @property
    def prefix(self):
        script = 'mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf && shift && exec "$@"'
        return ('unshare', '--mount', 'sh', '-c', script, 'sh', path('names'))


def without_a_name(world):
    names = Names()
    endpoint = 'http://%s:%s' % (names.HOST, world.server.endpoint.rpartition(':')[2])
    for command in COMMANDS[:2] if QUICK else COMMANDS:
        for comes_back in (False, True):
            place = world.place()
            place.lay(command)
            names.say('')
            timer = threading.Timer(1, names.say, ['127.0.0.1 %s\n' % names.HOST])
            if comes_back:
                timer.start()
            done = place.run(command, endpoint, prefix=names.prefix, BACKSTAY_RETRY_DEADLINE='2m' if comes_back else '2s')
            timer.cancel()
            place.judge(command, done)
            world.places.put(place)
            good = done.code == 0 if comes_back else done.code == FAILED and re.search('resolve.*' + names.HOST, done.err)
            fact(good and not done.wrong, '%s: the name of the server is gone%s' % (command, ' for a while' if comes_back else ''),
                 'exit status %s after %.1f s\n%s\n%s' % (done.code, done.seconds, done.err[-1200:], '\n'.join(done.wrong)))


# ---- together ----

def report(case, done):
    fact(not done.wrong, case.name, '%s\n%s\nexit status %s after %.1f s\n%s' % (
        done.log, done.err[-1200:], done.code, done.seconds, '\n'.join(done.wrong)))
    if done.code not in (0, 1):
        say('exit status %d: %s' % (done.code, done.err[-300:].replace('\n', ' ')))


def outcomes(world, cases):
    """Each case and what came of it. Whoever stops listening is not kept waiting for the rest."""
    with concurrent.futures.ThreadPoolExecutor(IDLE_AT_ONCE) as idle, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as busy:
        running = [(c, (idle if c.fault in IDLE else busy).submit(attempt, world, c)) for c in cases]
        try:
            for case, future in running:
                yield case, future.result()
        finally:
            for pool in (idle, busy):
                pool.shutdown(wait=False, cancel_futures=True)


def run_all(world, cases):
    started, codes, unmet = time.monotonic(), collections.Counter(), 0
    with contextlib.closing(outcomes(world, cases)) as ended:
        for case, done in ended:
            if not done:
                unmet += 1
                continue
            report(case, done)
            codes[done.code] += 1
    say('%d cases in %.0f s; exit statuses %s; %d met nothing' % (len(cases), time.monotonic() - started, dict(codes), unmet))
    fact(unmet <= len(cases) // 10, 'nearly every case met its request', unmet)


def main():
    rng = random.Random(SEED)
    with S3Server('s3', 'rgw dns name = ' + Names.HOST) as server:
        world = World(server)
        commands = {c: points_of(world, c) for c in COMMANDS}
        cases = chosen(every_case(commands), rng)
        run_all(world, cases + incomplete(world, commands['prune'])[::3 if QUICK else 1])
        if not ONLY:
            without_a_name(world)
    finish()


main()
