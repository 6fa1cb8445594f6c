#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=1200
"""The archive module in a real server: it archives through the WAL server alone, says what is wrong when that is away, hangs
or refuses, goes on afterwards, and never acknowledges what is not held."""
import os
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster
from scenario import BACKSTAY, QUICK, Repo, equal, fact, finish, path, say, wait_until
from walarchive import Archive, hand_over_all, own
from walserver import PATIENCE, Pushers, Server, all_archived, all_there, fill, killed, waiting

MODULE = os.path.join(os.path.dirname(os.path.dirname(BACKSTAY)), 'archive/backstay.so')
ROUNDS = 3 if QUICK else 6
N_TIMED = 64
rng = random.Random(int(os.environ.get('SEED', '0')) or None)


def library():
    """Where the server's user can read it."""
    there = own('lib') + '/backstay.so'
    shutil.copy(MODULE, there)
    os.chmod(there, 0o755)
    return there


def made(name, *settings):
    """A cluster that keeps its segments, so that what was acknowledged can be compared."""
    cluster = Cluster(path(name))
    cluster.make("archive_command = ''", 'wal_keep_size = 1GB', *settings)
    return cluster


def logged(cluster, text):
    with open(cluster.dir + '/server.log', encoding='utf-8') as f:
        return text in f.read()


def told(cluster, text, name):
    return fact(wait_until(lambda: logged(cluster, text), PATIENCE), name, text)


def acknowledged(cluster):
    return sorted(n[:-5] for n in os.listdir(cluster.data + '/pg_wal/archive_status') if n.endswith('.done') and len(n) == 29)


def compare(archive, cluster):
    system = cluster.sql('select system_identifier from pg_control_system()')
    all_there(archive, system, acknowledged(cluster), cluster.data + '/pg_wal')


def failures(cluster):
    return int(cluster.sql('select failed_count from pg_stat_archiver'))


def reload(cluster, *settings):
    cluster.configure(*settings)
    cluster.sql('select pg_reload_conf()')


def without_server(cluster, server):
    server.kill(signal.SIGTERM)
    before = acknowledged(cluster)
    fill(cluster, 2)
    told(cluster, 'backstay: no WAL server at "%s"' % server.socket, 'without a server the log says where it should be')
    told(cluster, 'Is "backstay wal serve" running', 'and what to do')
    equal(acknowledged(cluster), before, 'and nothing is acknowledged')
    server.start()
    all_archived(cluster)


def hanging(cluster, server):
    """It takes connections and never answers."""
    reload(cluster, "backstay.timeout = '1s'")
    os.kill(server.process.pid, signal.SIGSTOP)
    before = failures(cluster)
    fill(cluster, 2)
    fact(wait_until(lambda: failures(cluster) > before, PATIENCE), 'a server that hangs does not hang the archiver')
    told(cluster, 'it is silent or busy', 'and the log says so')
    cluster.stop()
    fact(True, 'PostgreSQL stops meanwhile')
    os.kill(server.process.pid, signal.SIGCONT)
    reload_at_start(cluster, "backstay.timeout = '5min'")
    all_archived(cluster)


def reload_at_start(cluster, *settings):
    cluster.configure(*settings)
    cluster.start()


def refused(archive, cluster):
    """What the WAL server says is in PostgreSQL's log."""
    os.rename(archive.repo.path, archive.repo.path + '.away')
    before = acknowledged(cluster)
    fill(cluster, 2)
    told(cluster, 'is not archived: ', 'a store that is away is told with its reason')
    equal(acknowledged(cluster), before, 'and nothing is acknowledged')
    os.rename(archive.repo.path + '.away', archive.repo.path)
    all_archived(cluster)


def configured(cluster, server):
    reload(cluster, "backstay.socket = 'relative'")
    fill(cluster, 1)
    told(cluster, 'archiving is not configured', 'a socket that is no path is no configuration')
    fact(waiting(cluster), 'and nothing is acknowledged')
    reload(cluster, "backstay.socket = '%s'" % server.socket)
    all_archived(cluster)


def another_cluster(server, settings):
    """One server for several of them: they never mix."""
    with made('other', *settings) as other:
        other.start()
        other.sql('create table t (x text)')
        fill(other, 3)
        all_archived(other)
        equal(failures(other), 0, 'a second cluster archives through the same server')
    fact(server.process.poll() is None, 'which lives on')


def timed(name, archive, server, pushers, *settings):
    """Segments a second while 64 wait."""
    with made(name) as cluster:
        cluster.start()
        cluster.sql('create table t (x text)')
        fill(cluster, N_TIMED)
        n = len(waiting(cluster))
        reload(cluster, *settings)
        wait_until(lambda: len(waiting(cluster)) < n, PATIENCE)
        started, first = time.monotonic(), len(waiting(cluster))
        wait_until(lambda: not waiting(cluster), PATIENCE, pause=.002)
        seconds = time.monotonic() - started
        say('%s: %d segments of 1 MiB in %.2f s, %.0f a second' % (name, first, seconds, first / seconds))
        fact(not waiting(cluster), name + ': all that waited is archived')


def speed(archive, server, pushers, library_settings):
    alone = archive.script('alone', 'exec %s wal push --server never "$1"\n' % BACKSTAY)
    with_server = path('with-server')
    with open(with_server, 'w', encoding='utf-8') as f:
        f.write('#!/bin/sh\nexport BACKSTAY_WAL_SOCKET=%s\nexec %s wal push "$1"\n' % (pushers.environ['BACKSTAY_WAL_SOCKET'], BACKSTAY))
    os.chmod(with_server, 0o755)
    timed('command-alone', archive, server, pushers, "archive_command = '%s %%p'" % alone)
    timed('command-and-server', archive, server, pushers, "archive_command = '%s %%p'" % with_server)
    timed('module', archive, server, pushers, *library_settings)


def main():
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    archive = Archive(repo)
    with Server(archive) as server:
        settings = ("archive_library = '%s'" % library(), "backstay.socket = '%s'" % server.socket)
        with made('server', *settings) as cluster:
            cluster.start()
            cluster.sql('create table t (x text)')
            fill(cluster, 6)
            all_archived(cluster)
            equal(failures(cluster), 0, 'the module archives, and nothing fails')
            killed(cluster, server, ROUNDS, rng)
            without_server(cluster, server)
            refused(archive, cluster)
            configured(cluster, server)
            hanging(cluster, server)
            compare(archive, cluster)
        another_cluster(server, settings)
        if not QUICK:
            speed(archive, server, Pushers(archive, server), settings)
    finish()


main()
