#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=1200
"""WAL received from servers of every release: up to 14 a slot cannot be read over the replication protocol, from 15 on it can. What
is received equals what the server archives; a receiver that comes again goes on where it was, with the same slot."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import releases
from cluster import Cluster, debian_bin
from scenario import Repo, equal, fact, finish, path, wait_until
from walarchive import Archive, hand_over_all, own
from walreceiver import PATIENCE, Receiver


def archive_of(name):
    repo = Repo.named(name)
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    if os.path.exists(path('user', 'key')):
        os.remove(path('user', 'key'))
    return Archive(repo)


def contents(file):
    with open(file, 'rb') as f:
        return f.read()


def received(archive, server, label, new):
    """Three segments, the last of which is ended; their names."""
    receiver = Receiver(archive, server)
    receiver.started()
    equal(len(receiver.told('wal_slot_created')), int(new), label + ': the slot is ' + ('made' if new else 'used again'))
    names = []
    for _ in range(3):
        server.sql("insert into ledger (note) select repeat(md5(i::text), 20) from generate_series(1, 500) i")
        names.append(server.sql('select pg_walfile_name(pg_switch_wal())'))
        receiver.waits_for(lambda name=names[-1]: [e for e in receiver.told('wal_received') if e['name'] == name and e['whole']],
                           label + ': a segment is stored whole')
    receiver.stop()
    return names


def of_release(bin, label):
    archive = archive_of('repo-' + label)
    server = Cluster(path('server-' + label), bin)
    server.make('max_wal_senders = 4', 'max_replication_slots = 4')
    with server.start():
        server.sql('create table ledger (id serial primary key, note text)')
        names = received(archive, server, label, True)
        names += received(archive, server, label, False)
        fact(wait_until(lambda: set(names) <= set(os.listdir(server.archive)), PATIENCE, .1), label + ': the server has archived them, too')
        wrong = [n for n in names if archive.fetched(server, n) != contents(server.archive + '/' + n)]
        equal(wrong, [], label + ': what was received is what the server archives')
        lines = [line for cluster in archive.list() for line in cluster['timelines']]
        equal([line['gaps'] for line in lines], [[]], label + ': without a gap')


def main():
    own('user')
    of_release(debian_bin(), debian_bin().split('/')[-2])
    for release in sorted(releases.VERSIONS):
        of_release(releases.installed(release), str(release))
    finish()


main()
