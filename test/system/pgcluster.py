#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan, timeout=1800
"""A whole PostgreSQL cluster over the replication protocol: what is restored, by us or by stock restic, starts as it is
and holds what the server held; whatever goes wrong meanwhile never leaves a snapshot."""
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import releases
from cluster import Replication, as_postgres, debian_bin
from livecluster import (Restored, backed_up_standby, backed_up_twice, comes, debian_cluster, fill, flip, follow, has_config, holds, left_nothing, links_inside,
                         listing, make_absolute, make_server, manifest_of, restore, sound, tags, verified)
from scenario import BACKSTAY, FAILED, INTERRUPTED, QUICK, REFUSED, SANITIZED, TOP, UNREACHABLE, Repo, equal, fact, finish, path, run, say

# The server gives the WAL of the backup in the end: what it removes before is missed where the backup is slow and the load is not.
KEEP = 'wal_keep_size = 1GB'


def url(server, user='postgres'):
    return 'pgcluster:postgresql://%s@/?host=%s' % (user, urllib.parse.quote(server.socket, safe=''))


def url_of_primary(*servers):
    return url(servers[0], 'saver') + ''.join(',' + urllib.parse.quote(s.socket, safe='') for s in servers[1:]) + '&target_session_attrs=read-write'


def backup(repo, server, *options, user='saver', code=0, **more):
    done = repo.backstay('backup', url(server, user), '--checkpoint', 'fast', '--json', *options, code=code, **more)
    return done.summary().get('snapshot_id'), done


# ---- what comes back ----

LINKED = ('pg_wal', 'pg_stat_tmp')


def arrange(server):
    """As administrators do: directories on other disks, by links that are root's, and postgresql.conf names where the data lie, which
    are not those of a copy."""
    server.configure("data_directory = '%s'" % server.data)
    for name in LINKED:
        os.rename(server.data + '/' + name, server.dir + '/' + name)
        os.symlink(server.dir + '/' + name, server.data + '/' + name)


def owned_by_server(folder, name):
    owner = os.stat(folder + '/pgdata/PG_VERSION').st_uid
    found = [n for n in (*LINKED, 'pg_wal/archive_status') if os.lstat(folder + '/pgdata/' + n).st_uid != owner]
    equal(found, [], name + ': what was linked elsewhere is a directory of the server\'s user')


def comes_back(repo, snapshot, live, least, bin, name, by_restic=False, amcheck=False):
    folder = restore(repo, snapshot, name, by_restic)
    equal(oct(os.stat(folder + '/pgdata').st_mode & 0o777), '0o700', name + ': the data directory is private')
    owned_by_server(folder, name)
    links_inside(folder, name)
    if bin == debian_bin():
        verified(folder, bin, name)
    with Restored(folder, bin) as copy:
        copy.start()
        holds(copy, live, least, name)
        if amcheck:
            sound(copy, name)
            # a server would leave such a tablespace out of a base backup without a word
            fails(repo, 'relative links', copy, FAILED, 'relative', 'ln -sfn')
    shutil.rmtree(path(name), ignore_errors=True)


def told(repo, snapshot, server):
    """Tags and manifest against what the server and the label in the backup say."""
    found, manifest = tags(repo, snapshot), manifest_of(repo, snapshot)
    system = server.sql('select system_identifier from pg_control_system()')
    top = '/' + found['source'] + '/pgdata/'
    label = repo.backstay('dump', snapshot, top + 'backup_label', code=0).text
    equal(found['kind'], 'pgcluster', 'the snapshot says what it is')
    equal((found['system-id'], manifest['cluster']['system_id']), (system, system), 'and of which cluster')
    fact('START WAL LOCATION: %s ' % found['start-lsn'] in label, 'and where it starts', label)
    equal((manifest['cluster']['start']['lsn'], manifest['cluster']['stop']['lsn']), (found['start-lsn'], found['stop-lsn']),
          'the manifest says the same')
    ours = repo.backstay('dump', snapshot, top + 'backup_manifest', code=0).out
    ranges = json.loads(ours)['WAL-Ranges']
    equal(ranges[-1]['End-LSN'], found['stop-lsn'], 'and so does the server\'s manifest of where it stops')
    with open(TOP + '/doc/pgcluster.schema.json') as f:
        schema = json.load(f)
    equal(sorted(manifest), sorted(schema['required']), 'the manifest has what its schema requires')
    equal(sorted(manifest['cluster']), sorted(schema['properties']['cluster']['required']), 'and so has what it says of the cluster')
    equal(len(manifest['tablespaces']), 1, 'the tablespace is in the manifest')
    done = repo.backstay('restore', snapshot, '--to', 'postgresql://postgres@/?host=' + server.socket, code=FAILED)
    fact('--target' in done.errors, 'it is no dump that a server could be given', done.errors)
    done = repo.backstay('backup', url(server), '--database', 'postgres', code=FAILED)
    fact('dumps' in done.errors, 'nor can a part of it be had', done.errors)
    absent = [n for n in ('postmaster.pid', 'postmaster.opts', 'pg_internal.init') if '/' + n in repo.backstay('ls', snapshot, code=0).text]
    equal(absent, [], 'what belongs to the running server is not in it')


def round_trip(repo, server, bin, name):
    found = backed_up_twice(backup, repo, server, name)
    if not found:
        return
    first, second, least = found
    told(repo, second, server)
    comes_back(repo, first, server, least, bin, name + '-ours', amcheck=bin == debian_bin())
    comes_back(repo, second, server, least, bin, name + '-restic', by_restic=True)


def of_a_standby(repo, server, bin):
    """A copy of the primary made by ourselves, which becomes a standby, which is then backed up."""
    snapshot, _ = backup(repo, server)
    folder = restore(repo, snapshot, 'standby')
    make_absolute(folder)
    with Restored(folder, bin) as standby:
        snapshot, least = backed_up_standby(backup, repo, standby, server)
        folder = restore(repo, snapshot, 'of-standby')
        os.unlink(folder + '/pgdata/standby.signal')
        with Restored(folder, bin) as copy:
            copy.start()
            holds(copy, server, least, 'of a standby')
        promoted_meanwhile(repo, standby)


# ---- what goes wrong ----

def fails(repo, label, server, code, *words, before=None, **options):
    kept = {s['id'] for s in repo.snapshots()}
    done = backup(repo, server, code=None, **options)[1]
    fact(done.code == code, '%s: exit status %s' % (label, code), '%s %s' % (done.code, done.all))
    for word in words:
        fact(word in done.errors, '%s: the message speaks of %s' % (label, word), done.errors)
    left_nothing(repo, label, kept)


def slow_backup(repo, server, source=None):
    """One that takes half a minute: there is time to do it harm."""
    process = subprocess.Popen([BACKSTAY, '-r', repo.path, 'backup', source or url(server, 'saver'), '--checkpoint', 'fast', '--max-rate', '1M'],
                               env=repo.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    comes(lambda: server.sql("select count(*) from pg_stat_progress_basebackup where phase like 'streaming%' and backup_streamed > 2000000")
               == '1', 'the backup streams')
    return process


def interrupted(repo, server):
    kept = {s['id'] for s in repo.snapshots()}
    process = slow_backup(repo, server)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    equal(process.returncode, INTERRUPTED, 'interrupted: exit status')
    left_nothing(repo, 'interrupted', kept)
    comes(lambda: server.sql('select count(*) from pg_stat_progress_basebackup') == '0', 'the server has ended it, too')
    process = slow_backup(repo, server)
    process.kill()
    process.communicate()
    equal({s['id'] for s in repo.snapshots()}, kept, 'killed: no snapshot was made')
    comes(lambda: server.sql('select count(*) from pg_stat_progress_basebackup') == '0', 'killed: the server notices')
    equal(server.sql('select count(*) from pg_replication_slots'), '0', 'killed: no slot is left, which would hold WAL for ever')
    repo.backstay('unlock', '--remove-all', code=0)


def promoted_meanwhile(repo, standby):
    kept = {s['id'] for s in repo.snapshots()}
    process = slow_backup(repo, standby)
    standby.run(standby.bin + '/pg_ctl', '-D', standby.data, '-w', 'promote')
    out, err = process.communicate(timeout=600)
    fact(process.returncode == FAILED and b'promoted' in err, 'promoted meanwhile: it fails and says so', err.decode())
    left_nothing(repo, 'promoted meanwhile', kept)


def switched_over(repo, server, bin):
    """The roles change during a backup whose URL names both: it fails, and the next one finds the new primary."""
    folder = restore(repo, backup(repo, server)[0], 'next')
    make_absolute(folder)
    with Restored(folder, bin) as other:
        follow(other, server)
        source = url_of_primary(other, server)
        kept = {s['id'] for s in repo.snapshots()}
        process = slow_backup(repo, server, source)
        server.stop('fast')
        other.run(other.bin + '/pg_ctl', '-D', other.data, '-w', 'promote')
        out, err = process.communicate(timeout=300)
        equal(process.returncode, UNREACHABLE, 'switched over: exit status')
        left_nothing(repo, 'switched over', kept)
        other.sql('checkpoint')
        snapshot = repo.backstay('backup', source, '--checkpoint', 'fast', '--json', code=0).summary()['snapshot_id']
        equal((tags(repo, snapshot)['timeline'], manifest_of(repo, snapshot)['cluster']['standby']), ('2', False),
              'switched over: the next backup is of the new primary')
    server.start()


def stopped_meanwhile(repo, server, how):
    kept = {s['id'] for s in repo.snapshots()}
    process = slow_backup(repo, server)
    server.stop(how)
    out, err = process.communicate(timeout=300)
    equal(process.returncode, UNREACHABLE, 'server stopped (%s): exit status' % how)
    left_nothing(repo, 'server stopped (%s)' % how, kept)
    server.start()


def refused(repo, server):
    fails(repo, 'no right', server, REFUSED, 'REPLICATION', user='nobody')
    hba = server.data + '/pg_hba.conf'
    with open(hba) as f:
        text = f.read()
    with open(hba, 'w') as f:
        f.write(''.join(l for l in text.splitlines(True) if 'replication' not in l or l.startswith('#')))
    server.sql('select pg_reload_conf()')
    comes(lambda: server.sql("select count(*) from pg_hba_file_rules where 'replication' = any(database)") == '0', 'no line for replication')
    fails(repo, 'no line in pg_hba.conf', server, REFUSED, 'pg_hba.conf', 'replication saver')
    with open(hba, 'w') as f:
        f.write(text)
    server.sql('select pg_reload_conf()')
    busy = []

    def taken():
        try:
            busy.append(Replication(server))
        except (RuntimeError, OSError):
            pass  # those that were refused take a moment to go
        return len(busy) == 6
    comes(taken, 'all WAL senders are taken')
    try:
        fails(repo, 'no WAL sender free', server, FAILED, 'max_wal_senders')
    finally:
        for one in busy:
            one.close()
    comes(lambda: server.sql("select count(*) from pg_stat_activity where backend_type = 'walsender'") == '0', 'they are free again')


def damaged_page(repo, server):
    file = server.data + '/' + server.sql("select pg_relation_filepath('still')")
    server.sql('checkpoint')
    flip(file, 8192 * 5 + 1000)
    fails(repo, 'a damaged page', server, FAILED, 'checksum', os.path.basename(file), 'block 5')
    snapshot, _ = backup(repo, server, '--no-verify-page-checksums')
    fact(snapshot, 'a damaged page: it can be saved as it is')
    flip(file, 8192 * 5 + 1000)


def linked_directory(repo, server):
    """The server leaves it out of the backup without a word, and nothing that starts would come back."""
    name, place = server.data + '/pg_xact', server.dir + '/pg_xact'
    server.stop()
    os.rename(name, place)
    os.symlink(place, name)
    server.start()
    fails(repo, 'a directory that is a link', server, FAILED, 'pg_xact', 'symbolic link', 'pgcluster:/path')
    server.stop()
    os.unlink(name)
    os.rename(place, name)
    server.start()


# ---- Debian's layout ----

def of_debian(repo):
    """pg_createcluster keeps the configuration in /etc."""
    with debian_cluster() as (release, name, folder):
        port = open('/etc/postgresql/%s/%s/postgresql.conf' % (release, name)).read().split('\nport = ')[1].split()[0]
        place = 'pgcluster:postgresql://postgres@/?host=%s&port=%s' % (urllib.parse.quote(folder, safe=''), port)
        subprocess.run(['psql', '-Xq', '-h', folder, '-p', port, '-U', 'postgres', '-c', 'create table t as select 42 as id'], check=True)
        done = repo.backstay('backup', place, '--checkpoint', 'fast', '--json', code=0)
        snapshot = done.summary()['snapshot_id']
        has_config(listing(repo, snapshot), 'Debian')
    starts_by_command(repo, snapshot)


def starts_by_command(repo, snapshot):
    """The command in the manifest starts it without what the dropped cluster had in /etc."""
    folder = restore(repo, snapshot, 'debian-copy')
    command = json.load(open(folder + '/manifest.json'))['start_command']
    say(command)
    command = command.replace(' start', " -w -l log start").replace('-c external_pid_file=', "-c port=5432 -c unix_socket_directories='$PWD' -c external_pid_file=")
    run(*as_postgres(), 'sh', '-c', command, cwd=folder, code=0, env={'PATH': debian_bin() + ':/usr/bin:/bin'},
        why='Debian: the command in the manifest starts it')
    got = subprocess.run(['psql', '-XAtq', '-h', folder, '-U', 'postgres', '-c', 'select id from t'], capture_output=True, text=True, check=False)
    equal(got.stdout.strip(), '42', 'Debian: and its rows are there')
    run(*as_postgres(), debian_bin() + '/pg_ctl', '-D', folder + '/pgdata', '-m', 'immediate', 'stop')


def of_release(repo, release):
    """The protocol changed with 15, the manifest with 17."""
    bin = releases.installed(release)
    with make_server('pg%d' % release, bin, KEEP) as server:
        server.start()
        fill(server)
        round_trip(repo, server, bin, 'PostgreSQL %d' % release)
        stopped_meanwhile(repo, server, 'fast')
    shutil.rmtree(path('npm-%d' % release))


def main():
    repo = Repo.named('repo')
    repo.init()
    bin = debian_bin()
    with make_server('live', bin, KEEP) as server:
        arrange(server)
        server.start()
        fill(server)
        round_trip(repo, server, bin, 'debian')
        of_a_standby(repo, server, bin)
        interrupted(repo, server)
        refused(repo, server)
        damaged_page(repo, server)
        linked_directory(repo, server)
        stopped_meanwhile(repo, server, 'fast')
        stopped_meanwhile(repo, server, 'immediate')
        switched_over(repo, server, bin)
    of_debian(repo)
    for release in [] if QUICK or SANITIZED else sorted(releases.VERSIONS):
        of_release(repo, release)
    repo.sound('after all')
    finish()


main()
