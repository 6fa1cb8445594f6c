#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=1800
"""Clusters of every release, of Debian's layout, and with WAL that was received instead of archived, restored to targets."""
import os
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import releases
from cluster import as_postgres, debian_bin
from freeport import free_port
from pitrlife import Live, Restores, shows, wait_for
from scenario import BACKSTAY, FAILED, Repo, equal, fact, finish, path, run
from walarchive import Archive, hand_over_all, own


def of_directory(repo, archive):
    """The base is read from the data directory; the WAL comes from a receiver, which has a part of the last segment."""
    with Live('received', archive) as live:
        live.begin('false')
        live.add(3)
        receiver = subprocess.Popen([*as_postgres(), BACKSTAY, 'wal', 'receive', 'postgresql://postgres@/?host=' + live.socket, '--slot', 'pitr',
                                     '--partial-interval', '1s'], env=archive.environ, cwd=path('user'), stderr=subprocess.DEVNULL)
        try:
            wait_for('received: the slot is there', lambda: live.sql("select count(*) from pg_replication_slots where slot_name = 'pitr'") == '1')
            run(*as_postgres(), BACKSTAY, 'backup', 'pgcluster:' + live.data, '--checkpoint', 'fast', code=0, cwd=path('user'),
                env={**archive.environ, 'PGUSER': 'postgres'})
            live.fill()
            last = live.add(4)
            end = live.sql('select pg_current_wal_insert_lsn()')
            wait_for('received: all is stored', lambda: live.sql(
                "select flush_lsn >= '%s' from pg_stat_replication where state = 'streaming'" % end) == 't')
            system = live.sql('select system_identifier from pg_control_system()')
            parts = [n for _, _, names in os.walk('%s/wal/%s' % (repo.path, system)) for n in names if '.part.' in n]
            fact(parts, 'received: the last segment is held in part')
            restores = Restores(repo, archive, live)
            shows(restores, live, 'received: latest', last, '--target-latest', '--system-id', system, promote=True)
            shows(restores, live, 'received: a transaction in the part', last - 1, '--target-xid', live.marks[last]['xid'],
                  '--target-exclusive', '--system-id', system)
        finally:
            receiver.terminate()
            receiver.wait(300)


def of_debian(repo, archive):
    """pg_createcluster keeps the configuration in /etc; and nothing is archived: the base has what --target-immediate needs."""
    name, folder, release = 'backstay%d' % os.getpid(), own('debian'), debian_bin().split('/')[-2]
    # by itself it takes the first port that is free, which for two at a time is the same
    made = run('pg_createcluster', release, name, '-d', folder + '/data', '-s', folder, '-p', str(free_port()), '--start', '--', '--auth=trust', code=0)
    if made.code:
        return
    config = '/etc/postgresql/%s/%s/postgresql.conf' % (release, name)
    try:
        port = open(config, encoding='utf-8').read().split('\nport = ')[1].split()[0]
        psql = ['psql', '-XAtq', '-h', folder, '-p', port, '-U', 'postgres', '-c']
        run(*psql, 'create table t as select 42 as id', code=0)
        system = run(*psql, 'select system_identifier from pg_control_system()', code=0).text.strip()
        place = 'pgcluster:postgresql://postgres@/?host=%s&port=%s' % (urllib.parse.quote(folder, safe=''), port)
        run(*as_postgres(), BACKSTAY, 'backup', place, '--checkpoint', 'fast', env=archive.environ, cwd=path('user'), code=0)
        run('pg_ctlcluster', release, name, 'stop', code=0)
        os.rename(folder + '/data', folder + '/broken')
        restore = [BACKSTAY, 'restore', '--target', folder + '/data', '--target-immediate', '--target-action', 'promote', '--system-id', system]
        done = run(*restore, env=archive.environ, cwd=path('user'), code=FAILED, why='Debian: without its configuration it is refused')
        fact('--config-file' in done.errors and '/config --target' in done.errors, 'Debian: it is told where that is', done.errors)
        done = run(*restore, '--config-file', config, env=archive.environ, cwd=path('user'), code=0)
        fact('config_file=' + config in done.text, 'Debian: the start command names it', done.text)
        run('pg_ctlcluster', release, name, 'start', code=0)
        wait_for('Debian: it is promoted', lambda: run(*psql, 'select pg_is_in_recovery()').text.strip() == 'f')
        equal(run(*psql, 'select id from t').text.strip(), '42', 'Debian: and its rows are there')
    finally:
        run('pg_dropcluster', '--stop', release, name, code=0)


def of_release(repo, archive, push, bin, name):
    """Each release says differently what it takes for settings."""
    with Live(name, archive, bin) as live:
        live.begin(push)
        live.add(3)
        live.backup()
        mark = live.add(3)
        live.sql("select pg_create_restore_point('marked')")
        live.add(2)
        live.switch()
        system = live.sql('select system_identifier from pg_control_system()')
        restores = Restores(repo, archive, live)
        for label, argv in (('time', ['--target-time', live.marks[mark]['time']]), ('name', ['--target-name', 'marked'])):
            shows(restores, live, '%s: %s' % (name, label), mark, *argv, '--system-id', system, bin=bin)
        shows(restores, live, name + ': latest', mark + 2, '--target-latest', '--system-id', system, bin=bin, promote=True)


def main():
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    archive = Archive(repo)
    push = archive.script('push', 'exec %s wal push "$1"\n' % BACKSTAY)
    of_directory(repo, archive)
    of_debian(repo, archive)
    for release in sorted(releases.VERSIONS):
        of_release(repo, archive, push, releases.installed(release), 'pg%d' % release)
    finish()


main()
