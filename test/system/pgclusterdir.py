#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan, timeout=1800
"""A whole PostgreSQL cluster read from its data directory: what is restored, by us or by stock restic, starts as it is and
holds what the server held; whatever goes wrong meanwhile never leaves a snapshot, nor a server in backup mode."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import releases
from cluster import debian_bin, hand_over
from livecluster import (Restored, backed_up_standby, backed_up_twice, comes, debian_cluster, fill, flip, has_config, holds, left_nothing, links_inside,
                         listing, make_server, manifest_of, restore, sound, tags, top_of, verified)
from scenario import (BACKSTAY, FAILED, INTERRUPTED, MISMATCH, PARTIAL, QUICK, REFUSED, SANITIZED, TOP, UNREACHABLE, Repo, equal, fact, finish, path)


def backup(repo, server, *options, code=0, **more):
    done = repo.backstay('backup', 'pgcluster:' + server.data, '--checkpoint', 'fast', '--json', *options, code=code, **more)
    return done.summary().get('snapshot_id'), done


# ---- what comes back ----

def bring_back(repo, snapshot, name, by_restic=False):
    """Under a name that is short enough for a socket."""
    folder = path(name) + '/c'
    os.rename(restore(repo, snapshot, name, by_restic), folder)
    return folder


def comes_back(repo, snapshot, live, least, name, by_restic=False, amcheck=False, fleeting='0'):
    folder = bring_back(repo, snapshot, name, by_restic)
    equal(oct(os.stat(folder + '/pgdata').st_mode & 0o777), '0o700', name + ': the data directory is private')
    links_inside(folder, name)
    if live.bin == debian_bin():
        verified(folder, live.bin, name)
    with Restored(folder, live.bin) as copy:
        copy.start()
        holds(copy, live, least, name, fleeting)
        if amcheck:
            sound(copy, name)
    shutil.rmtree(path(name), ignore_errors=True)


def told(repo, snapshot, server):
    found, manifest = tags(repo, snapshot), manifest_of(repo, snapshot)
    system = server.sql('select system_identifier from pg_control_system()')
    equal((found['kind'], found['system-id'], manifest['cluster']['system_id']), ('pgcluster', system, system), 'the snapshot says of which cluster')
    label = repo.backstay('dump', snapshot, top_of(repo, snapshot) + '/pgdata/backup_label', code=0).text
    fact('START WAL LOCATION: %s ' % found['start-lsn'] in label, 'and where it starts', label)
    ours = json.loads(repo.backstay('dump', snapshot, top_of(repo, snapshot) + '/pgdata/backup_manifest', code=0).out)
    equal(ours['WAL-Ranges'], [{'Timeline': int(found['timeline']), 'Start-LSN': found['start-lsn'], 'End-LSN': found['stop-lsn']}],
          'and which WAL it needs')
    with open(TOP + '/doc/pgcluster.schema.json') as f:
        schema = json.load(f)
    equal(sorted(manifest), sorted([*schema['required'], 'directory']), 'the manifest has what its schema requires, and of the directory')
    equal(sorted(manifest['directory']), sorted(schema['properties']['directory']['required']), 'all that its schema requires')
    fact(manifest['directory']['pages_checked'] and manifest['wal_held'], 'pages were checked, WAL was held', manifest)


def same_as_protocol(repo, server):
    """With the server at rest both ways find the same files."""
    server.sql('checkpoint')
    direct, _ = backup(repo, server)
    place = 'pgcluster:postgresql://postgres@/?host=' + urllib.parse.quote(server.socket, safe='')
    other = repo.backstay('backup', place, '--checkpoint', 'fast', '--json', code=0).summary()['snapshot_id']
    wal = ('pgdata/pg_wal/0', 'pgdata/pg_wal/archive_status/')
    found = [{p for p in listing(repo, s) if not p.startswith(wal)} for s in (direct, other)]
    equal(sorted(found[0] ^ found[1]), [], 'the same lies in it as over the replication protocol')
    fleeting = server.sql("select pg_relation_filepath('fleeting')")
    fact('pgdata/%s_init' % fleeting in found[0] and 'pgdata/' + fleeting not in found[0], 'of an unlogged table only what makes it empty', fleeting)


def round_trip(repo, server, name):
    found = backed_up_twice(backup, repo, server, name)
    if not found:
        return
    first, second, least = found
    told(repo, second, server)
    comes_back(repo, first, server, least, name + '-ours', amcheck=server.bin == debian_bin())
    comes_back(repo, second, server, least, name + '-restic', by_restic=True)
    equal(server.sql('select count(*) from pg_replication_slots'), '0', name + ': no slot is left')


def of_a_standby(repo, server):
    """Made of a backup, whose relative links a server would not see in a base backup of its own."""
    snapshot, _ = backup(repo, server)
    with Restored(bring_back(repo, snapshot, 'standby'), server.bin) as standby:
        snapshot, least = backed_up_standby(backup, repo, standby, server)
        label = repo.backstay('dump', snapshot, top_of(repo, snapshot) + '/pgdata/backup_label', code=0).text
        fact('BACKUP FROM: standby' in label, 'standby: and so does its label', label)
        folder = bring_back(repo, snapshot, 'of-standby')
        verified(folder, server.bin, 'standby')
        os.unlink(folder + '/pgdata/standby.signal')
        with Restored(folder, server.bin) as copy:
            copy.start()
            holds(copy, server, least, 'of a standby')
        fails(repo, 'promoted meanwhile', standby, FAILED, 'promoted', primary=server,
              meanwhile=lambda: standby.run(standby.bin + '/pg_ctl', '-D', standby.data, '-w', 'promote'))


# ---- what goes wrong ----

def paused_backup(repo, server, primary=None, **env):
    """One that stands still while the server is in backup mode: it is stopped in the checkpoint at the start, which a
    second checkpoint brings to its end."""
    writer = primary or server
    writer.sql("update still set v = v where id % 600 = 0")
    if primary:
        lsn = primary.sql('checkpoint; select pg_current_wal_lsn()')
        comes(lambda: server.sql("select pg_last_wal_replay_lsn() >= '%s'" % lsn) == 't', 'the standby has replayed it')
    process = subprocess.Popen([BACKSTAY, '-r', repo.path, 'backup', 'pgcluster:' + server.data], env={**repo.env(), **env}, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    begins = "select count(*) from pg_stat_activity where application_name = 'backstay' and query ~ 'pg_backup_start' and state = '%s'"
    comes(lambda: server.sql(begins % 'active') == '1', 'the server begins the backup')
    process.send_signal(signal.SIGSTOP)
    server.sql('checkpoint')
    comes(lambda: server.sql(begins % 'idle') == '1', 'the server is in backup mode')
    return process


def fails(repo, label, server, code, *words, meanwhile=None, primary=None, **env):
    kept = {s['id'] for s in repo.snapshots()}
    if meanwhile:
        process = paused_backup(repo, server, primary, **env)
        meanwhile()
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=300)
        got, errors = process.returncode, err.decode()
    else:
        done = backup(repo, server, code=None, env=env)[1]
        got, errors = done.code, done.errors
    fact(got == code, '%s: exit status %s' % (label, code), '%s %s' % (got, errors))
    for word in words:
        fact(word in errors, '%s: the message speaks of %s' % (label, word), errors)
    left_nothing(repo, label, kept)


def idle(server):
    return server.sql("select (select count(*) from pg_stat_activity where application_name = 'backstay') + (select count(*) from"
                      " pg_replication_slots)") == '0'


def interrupted(repo, server):
    kept = {s['id'] for s in repo.snapshots()}
    process = paused_backup(repo, server)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=300)
    equal(process.returncode, INTERRUPTED, 'interrupted: exit status')
    left_nothing(repo, 'interrupted', kept)
    process = paused_backup(repo, server)
    process.kill()
    process.communicate()
    equal({s['id'] for s in repo.snapshots()}, kept, 'killed: no snapshot was made')
    comes(lambda: idle(server), 'killed: the server has left backup mode, and no slot holds WAL')
    fact(not os.path.exists(server.data + '/backup_label'), 'killed: nothing lies in the data directory')
    repo.backstay('unlock', '--remove-all', code=0)


def recycled(repo, server):
    """A role that may not hold WAL, and a server that has no room for it."""
    def write():
        needed = server.data + '/pg_wal/' + server.sql('select pg_walfile_name(pg_current_wal_lsn())')

        def goes():
            server.sql('insert into bulk values (1, md5(random()::text)); select pg_switch_wal(); checkpoint')
            return not os.path.exists(needed)
        comes(goes, 'the server recycles what the backup needs')
    server.sql('create table bulk (id int, v text)')
    fails(repo, 'WAL recycled meanwhile', server, FAILED, 'recycled', 'max_replication_slots', meanwhile=write, PGUSER='holds_none')
    server.sql('drop table bulk')


def tablespace_made(repo, server):
    """A copy that replays its making would go to the directory of the live one."""
    place = path('made')
    os.mkdir(place)
    hand_over(place)
    fails(repo, 'a tablespace made meanwhile', server, FAILED, place, 'back up again',
          meanwhile=lambda: server.sql("create tablespace made location '%s'" % place))
    server.sql('drop tablespace made')


def in_place(repo, server):
    """A tablespace that is a directory in pg_tblspc lies beside the data directory in a snapshot, and is mapped like others."""
    server.sql("set allow_in_place_tablespaces = on; create tablespace placed location ''")
    server.sql('create table placed tablespace placed as select g as id from generate_series(1, 1000) g')
    snapshot, _ = backup(repo, server)
    oids = dict(l.split('\t') for l in server.sql("select spcname, oid from pg_tablespace where spcname in ('placed', 'other')").splitlines())
    call = lambda *argv, **more: repo.backstay('restore', snapshot, '--target', path('placed'), '--target-immediate', '--tablespace-mapping',
                                               '%s=%s' % (oids['other'], path('placed-other')), *argv, **more)
    done = call(code=FAILED, why='a tablespace in place: it must be mapped, too')
    fact('--tablespace-mapping %s=' % oids['placed'] in done.errors, 'and is named', done.errors)
    call('--tablespace-mapping', '%s=%s' % (oids['placed'], path('placed-in')), code=0)
    file = server.sql("select pg_relation_filepath('placed')")
    equal(os.path.getsize(path('placed') + '/' + file), os.path.getsize(server.data + '/' + file), 'a tablespace in place: its files are there')
    server.sql('drop table placed')
    server.sql('drop tablespace placed')


def roles(server):
    two = 'pg_backup_start(text, boolean), pg_backup_stop(boolean)'
    server.sql('create role least login replication; create role holds_none login;'
               'grant pg_read_all_settings to least, holds_none; grant execute on function %s to least, holds_none' % two)


def refused(repo, server, other):
    fails(repo, 'no right to see the settings', server, REFUSED, 'pg_read_all_settings', PGUSER='nobody')
    server.sql('grant pg_read_all_settings to nobody')
    fails(repo, 'no right to back up', server, REFUSED, 'GRANT EXECUTE', 'pg_backup_start', PGUSER='nobody')
    fails(repo, 'another server', server, MISMATCH, other.data, PGHOST=other.socket)
    copy = type(server)(path('live-copy'), server.bin)
    os.mkdir(copy.dir)
    subprocess.run(['cp', '-a', server.data, copy.data], check=False)
    fails(repo, 'a copy beside the running server', copy, MISMATCH, server.data)
    shutil.rmtree(copy.dir)
    snapshot, _ = backup(repo, server, env={'PGUSER': 'least'})
    fact(snapshot and manifest_of(repo, snapshot)['wal_held'], 'a role with few rights is enough')


def damaged_page(repo, server):
    file = server.sql("select pg_relation_filepath('still')")
    server.sql('checkpoint')
    flip(server.data + '/' + file, 8192 * 5 + 1000)
    snapshot, done = backup(repo, server, code=PARTIAL)
    fact(file in done.all and 'block 5' in done.all, 'a damaged page: the message names file and block', done.all)
    equal(manifest_of(repo, snapshot)['directory']['damaged'], [{'file': file, 'block': 5, 'pages': 1}], 'a damaged page: and so does the manifest')
    equal(tags(repo, snapshot).get('damaged-pages'), '1', 'a damaged page: and a tag')
    space = server.sql("select oid from pg_tablespace where spcname = 'other'")
    done = repo.backstay('restore', snapshot, '--target', path('damaged'), '--target-immediate', '--dry-run', '--tablespace-mapping',
                         space + '=' + path('damaged-space'), code=0)
    fact('has damaged pages (1)' in done.errors, 'a damaged page: a restore to a target says so', done.all)
    snapshot, _ = backup(repo, server, '--no-verify-page-checksums')
    fact(not manifest_of(repo, snapshot)['directory']['pages_checked'], 'a damaged page: nobody looks when told not to')
    flip(server.data + '/' + file, 8192 * 5 + 1000)


def link_at_the_top(repo, server):
    """Configuration kept elsewhere is saved; what leads to a directory of others is not."""
    os.makedirs(path('elsewhere/log'))
    with open(path('elsewhere/extra.conf'), 'w') as f:
        f.write('# kept elsewhere\n')
    os.symlink(path('elsewhere/extra.conf'), server.data + '/extra.conf')
    os.symlink(path('elsewhere/log'), server.data + '/log')
    snapshot, done = backup(repo, server)
    text = repo.backstay('dump', snapshot, top_of(repo, snapshot) + '/pgdata/extra.conf', code=0).text
    equal(text, '# kept elsewhere\n', 'a linked file is saved as what it holds')
    fact('log: it is a symbolic link' in done.all, 'a linked directory is named', done.all)
    os.symlink(path('elsewhere'), server.data + '/base/pgdata')
    fails(repo, 'a link among the data', server, FAILED, 'base/pgdata')
    for name in ('extra.conf', 'log', 'base/pgdata'):
        os.unlink(server.data + '/' + name)


# ---- what is not read again ----

SETTLED = 10  # seconds; the least there is


def kept(repo, snapshot):
    return manifest_of(repo, snapshot)['directory']['kept']


def not_read_again(repo, server):
    """Files that nobody wrote for a while before the last backup, nor since; and only those."""
    still = server.data + '/' + server.sql("select pg_relation_filepath('still')")
    server.sql('checkpoint')
    time.sleep(SETTLED + 2)
    first, _ = backup(repo, server, '--settled', '10s', '--force')
    equal(kept(repo, first), 0, 'with --force everything is read')
    second, _ = backup(repo, server, '--settled', '10s')
    most = kept(repo, second)
    if not manifest_of(repo, second)['directory']['circumstances']['local']:
        equal(most, 0, 'on a file system that is not relied on everything is read')
        return
    fact(most > 500, 'files that nobody wrote are not read again', most)
    server.sql("update still set v = 'changed' where id = 4711; checkpoint")
    least = int(server.sql('select max(id) from ledger'))
    third, _ = backup(repo, server, '--settled', '10s')
    fact(0 < kept(repo, third) < most, 'and what was written is', kept(repo, third))
    comes_back(repo, third, server, least, 'kept')
    times = os.stat(still)
    flip(still, 8192 * 5 + 1000)
    os.utime(still, ns=(times.st_atime_ns, times.st_mtime_ns))
    backup(repo, server, '--settled', '10s', code=PARTIAL)
    backup(repo, server, '--settled', '10s', code=PARTIAL)
    flip(still, 8192 * 5 + 1000)
    done = backup(repo, server, '--ignore-ctime', code=FAILED)[1]
    fact('--ignore-ctime' in done.all, 'times cannot be ignored', done.all)
    server.stop('fast')
    server.start()
    last, _ = backup(repo, server, '--settled', '10s')
    equal(kept(repo, last), 0, 'after a restart of the server everything is read')


# ---- a server that does not run ----

def started(server):
    """What a killed one leaves behind ends soon, but not at once."""
    try:
        return server.start()
    except subprocess.CalledProcessError:
        return None


def stopped(repo, server):
    server.sql("insert into ledger select coalesce(max(id), 0) + 1, 'the last' from ledger")
    least = int(server.sql('select max(id) from ledger'))
    fails(repo, 'stopped meanwhile', server, UNREACHABLE, meanwhile=lambda: server.stop('fast'))
    snapshot, _ = backup(repo, server)
    found = listing(repo, snapshot)
    fact('pgdata/backup_label' not in found, 'of a stopped server: no label', found)
    fact(manifest_of(repo, snapshot)['directory']['stopped'], 'of a stopped server: the manifest says so')
    server.start()
    comes_back(repo, snapshot, server, least, 'cold', fleeting='1')
    fails(repo, 'crashed meanwhile', server, UNREACHABLE, meanwhile=lambda: server.stop('immediate'))
    fails(repo, 'a server that crashed', server, FAILED, 'not shut down cleanly', 'in production')
    server.start()
    pid = int(open(server.data + '/postmaster.pid').readline())
    os.kill(pid, signal.SIGKILL)
    comes(lambda: not os.path.exists('/proc/%d' % pid), 'the server is gone')
    server.running = False
    fails(repo, 'a server that was killed', server, UNREACHABLE, 'postmaster.pid')
    comes(lambda: started(server), 'the server starts again')


# ---- Debian's layout ----

def of_debian(repo):
    """pg_createcluster keeps the configuration in /etc."""
    with debian_cluster() as (_, _, folder):
        done = repo.backstay('backup', 'pgcluster:' + folder + '/data', '--checkpoint', 'fast', '--json', code=0)
        has_config(listing(repo, done.summary()['snapshot_id']), 'Debian')


def of_release(repo, release):
    """Functions and manifest are others in other releases."""
    with make_server('pg%d' % release, releases.installed(release)) as server:
        server.start()
        fill(server)
        round_trip(repo, server, 'PostgreSQL %d' % release)
    shutil.rmtree(path('npm-%d' % release))


def main():
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    with make_server('live') as server, make_server('other') as other:
        server.start()
        fill(server)
        roles(server)
        round_trip(repo, server, 'debian')
        same_as_protocol(repo, server)
        of_a_standby(repo, server)
        interrupted(repo, server)
        other.start()
        refused(repo, server, other)
        recycled(repo, server)
        tablespace_made(repo, server)
        in_place(repo, server)
        damaged_page(repo, server)
        link_at_the_top(repo, server)
        not_read_again(repo, server)
        stopped(repo, server)
    of_debian(repo)
    for release in [] if QUICK or SANITIZED else sorted(releases.VERSIONS):
        of_release(repo, release)
    repo.sound('after all')
    finish()


main()
