#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""SIGKILL at every request of backup, copy, forget and prune that changes a bucket: before it, after it was done, and in the
middle of a body. What had been saved is whole, the next prune goes on without an unlock by hand and removes what was left, and
the work is simply started again. Another machine cannot know of the death, and says what to do."""
import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from s3 import S3Server
from s3proxy import Proxy
from s3world import BUCKET, World
from scenario import LOCKED, QUICK, equal, fact, finish, say, wait_until

CHANGES = ('PutObject', 'DeleteObject', 'DeleteObjects')
COMMANDS = ('backup', 'prune', 'copy', 'forget')
SLOWLY = 10_000  # bytes a second, so that there is a middle
FAULTS = {'before': 'hang', 'after': 'unanswered', 'within': 'hang'}


class Kill:
    """One command, one of its requests, and when. After it the facts are in wrong."""

    def __init__(self, command, op, repo, kind, number, moment):
        self.command, self.op, self.repo, self.kind, self.number, self.moment = command, op, repo, kind, number, moment
        self.name = '%s, killed %s %s %d%s%s' % (command, moment, op, number, ' of ' + kind if kind else '', ' of the source' if repo else '')
        self.wrong = []

    def expect(self, good, what, detail=''):
        if not good:
            self.wrong.append('%s: %s' % (what, detail))


def points_of(world, command):
    """Every request that changes something, when nobody kills it."""
    place = world.place()
    place.lay(command)
    with Proxy(world.server) as proxy:
        done = place.run(command, proxy.endpoint)
        equal(done.code, 0, command + ': left alone it ends well')
        found = collections.Counter()
        for r in proxy.requests:
            top, _, rest = r.place[1:].partition('/')
            if r.op in CHANGES:
                found[r.op, top[len(place.prefix):] if top.startswith(place.prefix) else None, rest.partition('/')[0]] += 1
    world.places.put(place)
    say(command, dict(found))
    kills = [Kill(command, *where, n + 1, moment) for where, count in found.items() for n in range(count) for moment in ('before', 'after')]
    if QUICK:
        kills = [k for k in kills if k.kind != 'locks' and k.number == 1 and (k.kind == 'data') == (k.moment == 'after')]
    if found['PutObject', '', 'data']:
        kills.append(Kill(command, 'PutObject', '', 'data', 1, 'within'))
    return kills


def is_within(kill, requests, pattern):
    return any(r.op == kill.op and re.search(pattern, r.place) and 0 < r.sent < int(r.headers['content-length']) for r in requests)


def strike(place, kill):
    """Runs the command until it is there, and kills it."""
    with Proxy(place.world.server) as proxy:
        pattern = r'^/%s%s/%s(/|$)' % (place.prefix, kill.repo, kill.kind) if kill.repo is not None else ''
        # what is killed within a body is not held up
        rule = proxy.rule(FAULTS[kill.moment], op=kill.op, key=pattern, at=kill.number if kill.moment != 'within' else 10 ** 6)
        proxy.up.rate = SLOWLY if kill.moment == 'within' else None

        def is_there():
            if kill.moment == 'within':
                return is_within(kill, proxy.requests, pattern)
            return rule.hits and (kill.moment == 'before' or any(r.fault and r.done for r in proxy.requests))
        argv, env = place.call(kill.command, proxy.endpoint)
        process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        wait_until(lambda: is_there() or process.poll() is not None, 120)
        kill.expect(is_there() and process.poll() is None, 'it was at work', process.returncode)
        process.kill()
        process.wait()


def look_at(place, kill):
    """What it left, and how life goes on."""
    world, found = place.world, place.snapshots()
    if kill.command in ('backup', 'prune'):
        kill.expect(set(world.states) <= found, 'no snapshot is lost', found)
    elif kill.command == 'forget':
        kill.expect(list(world.states)[1] in found, 'what was not to go stays', found)
    done = place.clean('check', '--read-data')
    kill.expect(done.code == 0, 'the repository is sound', done.err)
    if any(n.startswith('locks/') for n in place.lies()) and kill.command in ('prune', 'forget'):
        elsewhere = place.clean('snapshots', machine='-other')
        kill.expect(elsewhere.code == LOCKED and 'backstay unlock' in elsewhere.err, 'another machine waits, and says what to do',
                    '%s %s' % (elsewhere.code, elsewhere.err))
    done = place.clean('prune', '--max-unused', '0')
    kill.expect(done.code == 0, 'the next prune goes on without an unlock by hand', done.err)
    there = place.truth
    listed = {p['id'] for name in there.objects('index') for p in indexed(place, name)}
    kill.expect(set(there.objects('data')) == listed, 'prune leaves no pack that nobody needs, and all others',
                set(there.objects('data')) ^ listed)
    kill.expect(not there.objects('locks'), 'nor a lock', there.objects('locks'))
    done = place.run(kill.command)
    # a snapshot that is gone already cannot be forgotten again
    kill.expect(done.code == 0 or kill.command == 'forget', 'started again it ends well', done.err)
    done = place.clean('check', '--read-data')
    kill.expect(done.code == 0, 'sound in the end', done.err)


def indexed(place, name):

    return json.loads(place.clean('cat', 'index', name).out)['packs']


def attempt(world, kill):
    place = world.place()
    place.lay(kill.command)
    strike(place, kill)
    look_at(place, kill)
    world.places.put(place)


def uploads_of_others(world):
    """An upload in parts that was never completed, as other clients make them for what is large: no listing shows it."""
    place = world.place()
    place.lay('prune')
    for kind in ('data/ff', 'index'):
        key = '%s/%s/%s' % (place.prefix, kind, 'f' * 64)
        upload = world.server.send('POST', BUCKET, key, {'uploads': ''}).text('UploadId')
        world.server.send('PUT', BUCKET, key, {'partNumber': 1, 'uploadId': upload}, trees.noise(1, 5 << 20))
    equal(len(world.server.uploads(BUCKET)), 2, 'there are two unfinished uploads')
    fact('unfinished' in (shown := place.clean('stats', '--store')).out.decode(), 'stats --store shows them', shown.out)
    equal(place.clean('prune').code, 0, 'prune')
    equal(world.server.uploads(BUCKET), [], 'leaves none')
    place.truth.sound('after all')
    world.places.put(place)


def main():
    with S3Server() as server:
        world = World(server)
        kills = [k for command in COMMANDS for k in points_of(world, command)]
        with concurrent.futures.ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda k: attempt(world, k), kills))
        for kill in kills:
            fact(not kill.wrong, kill.name, '\n'.join(kill.wrong))
        equal(server.uploads(BUCKET), [], 'no unfinished upload is left')
        uploads_of_others(world)
    finish()


main()
