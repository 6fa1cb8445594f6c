#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=1500
"""Receiver and server killed at any moment: whatever the server was told to be durable is in the repository and equal, the
next receiver goes on there, and in the end nothing is missing."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from killed import Load, Mortal, nothing_is_missing
from scenario import Repo, equal, fact, finish, path, say
from walarchive import Archive, hand_over_all
from walreceiver import Receiver, lsn

KILLS = int(os.environ.get('KILLS', '20'))
SEED = int(os.environ.get('SEED', '0')) or random.randrange(1 << 30)
SIZE = 1 << 20
rng = random.Random(SEED)


def write(server):
    server.sql('insert into t select g, repeat(random()::text, 20) from generate_series(1, 150) g')


def told(server):
    """How far the server believes that all is durable."""
    return lsn(server.sql('select restart_lsn from pg_replication_slots'))


def segment_name(position):
    return '%08X%08X%08X' % (1, position >> 32, (position & 0xffffffff) // SIZE)


def is_held(archive, server, begin, end):
    """What the repository gives of the segment at begin is what the server has, up to end."""
    name, out = segment_name(begin), path('user', 'out')
    if archive.wal('get', name, out, '--pgdata', server.data).code:
        return False
    with open(out, 'rb') as got, open(server.data + '/pg_wal/' + name, 'rb') as want:
        return got.read()[:end - begin] == want.read()[:end - begin]


def check_told(archive, server, since):
    """From the segment at since to where the server was told."""
    until = told(server)
    while since + SIZE <= until:
        if not fact(is_held(archive, server, since, since + SIZE), 'an acknowledged segment is held'):
            return since
        since += SIZE
    fact(until == since or is_held(archive, server, since, until), 'and the acknowledged part of the next one')
    return since


def harm(archive, server):
    receiver = Receiver(archive, server)
    receiver.started()
    since = lsn(receiver.told('wal_receive_started')[0]['lsn'])
    with Load(lambda: write(server), .03):
        for _ in range(KILLS):
            time.sleep(rng.uniform(.05, 2))
            what = rng.choice(('receiver', 'receiver', 'receiver', 'server', 'both'))
            say(what)
            if what != 'receiver':
                server.kill()
            if what != 'server':
                receiver.kill()
            if what != 'receiver':
                server.come_back()
            since = check_told(archive, server, since)
            if what != 'server':
                receiver = Receiver(archive, server)
            n = len(receiver.events)
            receiver.waits_for(lambda: len(receiver.events) > n, 'it goes on after: ' + what)
    receiver.catches_up()
    receiver.stop()
    return check_told(archive, server, since)


def main():
    say('SEED', SEED)
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    archive = Archive(repo)
    with Mortal(path('server')) as server:
        server.make('wal_keep_size = 4GB', 'max_wal_size = 8GB', 'wal_sender_timeout = 3s', 'archive_mode = off')
        server.start()
        server.sql('create table t (id int, note text)')
        end = harm(archive, server)
        line = archive.list()[0]['timelines'][0]
        equal((lsn(line['end_lsn']), len(line['parts'])), (end, 1), 'all is held up to the one last part')
        nothing_is_missing(repo, line)
    finish()


main()
