#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""WAL received into a bucket, and into one with object lock: parts of unfinished segments come and go, segments stay, and what is
there afterwards is what the server archives."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster
from s3 import S3Repo, S3Server
from scenario import equal, fact, finish, path, wait_until
from walarchive import Archive, own
from walreceiver import PATIENCE, Receiver

LOCK = {'BACKSTAY_S3_OBJECT_LOCK': 'governance', 'BACKSTAY_S3_OBJECT_LOCK_DAYS': '1'}


def add_rows(server, n):
    server.sql('insert into ledger (note) select repeat(md5(random()::text), 20) from generate_series(1, %d)' % n)


def parts(repo):
    return [k for k in repo.listing() if '.part.' in k]


def received(repo, server, slot):
    if os.path.exists(path('user', 'key')):
        os.remove(path('user', 'key'))
    archive = Archive(repo)
    receiver = Receiver(archive, server, slot=slot)
    receiver.started()
    add_rows(server, 200)
    receiver.catches_up()
    fact(wait_until(lambda: parts(repo), PATIENCE), slot + ': a part of the unfinished segment lies in the bucket')
    names = []
    for _ in range(3):
        add_rows(server, 2000)
        receiver.catches_up()
        names.append(server.sql('select pg_walfile_name(pg_switch_wal())'))
        receiver.waits_for(lambda name=names[-1]: [e for e in receiver.told('wal_received') if e['name'] == name and e['whole']],
                           slot + ': a segment is stored whole')
    fact(wait_until(lambda: not [k for k in parts(repo) for n in names if n in k], PATIENCE), slot + ': the parts of what is whole are gone', parts(repo))
    receiver.stop()
    fact(wait_until(lambda: set(names) <= set(os.listdir(server.archive)), PATIENCE, .1), slot + ': the server has archived them, too')
    wrong = [n for n in names if archive.fetched(server, n) != open(server.archive + '/' + n, 'rb').read()]
    equal(wrong, [], slot + ': what was received is what the server archives')
    archive.repo.backstay('wal', 'check', '--read-data', code=0, why=slot + ': wal check finds nothing')
    return names


def main():
    own('user')
    server = Cluster(path('server'))
    server.make('max_wal_senders = 4', 'max_replication_slots = 4')
    with S3Server() as store, server.start():
        server.sql('create table ledger (id serial primary key, note text)')
        store.make_bucket('plain')
        repo = S3Repo(store, 'plain')
        repo.backstay('init', code=0)
        received(repo, server, 'plain')
        store.make_bucket('locked', 'locked')
        repo = S3Repo(store, 'locked', environ=LOCK)
        repo.backstay('init', code=0)
        names = received(repo, server, 'locked')
        kept = {k for k, _, _ in store.versions('locked')}
        fact(all(any(k.endswith('/' + n) for k in kept) for n in names), 'locked: the segments are there', sorted(kept))
        until = [store.head('locked', k).get('x-amz-object-lock-retain-until-date') for k in store.list('locked') if k.rpartition('/')[2] in names]
        fact(len(until) == 3 and all(until), 'locked: and cannot be removed before their time', until)
    finish()


main()
