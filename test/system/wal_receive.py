#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=1200
"""WAL received over a replication slot from a real server: equal to what it archives, never further acknowledged than it is
stored, the unfinished segment within seconds; over restarts, outages, promotions, and a slot that vanishes."""
import glob
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, as_postgres
from scenario import BACKSTAY, MISMATCH, QUICK, Repo, equal, fact, finish, path, wait_until
from walarchive import Archive, hand_over_all, own
from walreceiver import PATIENCE, Receiver, lsn

WAL_GAP = 26
SETTINGS = ('max_wal_senders = 6', 'max_replication_slots = 4', 'wal_keep_size = 0')
SMALL = ('max_wal_size = 8MB', 'min_wal_size = 2MB', 'wal_sender_timeout = 4s')


def make_server(name, segment_mib=1, *settings):
    server = Cluster(path(name))
    server.make(*SETTINGS, *settings, segment_mib=segment_mib)
    return server


def make_archive(name):
    repo = Repo.named(name)
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    if os.path.exists(path('user', 'key')):
        os.remove(path('user', 'key'))
    return Archive(repo)


def add_rows(server, n):
    server.sql('insert into ledger (note) select repeat(md5(random()::text), 20) from generate_series(1, %d)' % n)


def ledger(server):
    return server.sql("select count(*), max(id), md5(string_agg(id || note, '' order by id)) from ledger")


def base_backup(server, name):
    own('user')
    subprocess.run([*as_postgres(), server.bin + '/pg_basebackup', '-h', server.socket, '-U', 'postgres', '-D', path('user', name), '-X',
                    'none', '--checkpoint=fast', '--no-sync'], check=True, stdin=subprocess.DEVNULL, cwd=server.dir)
    return path('user', name)


def recovered(archive, base, name):
    """The base backup, recovered with `wal get` to the end of what is held."""
    get = archive.script('get', 'exec %s wal get "$1" "$2"\n' % os.environ['BACKSTAY'])
    copy = Cluster(path(name))
    os.makedirs(copy.dir)
    os.chmod(copy.dir, 0o711)
    subprocess.run(['cp', '-a', base, copy.data], check=True)
    hand_over_all(copy.dir)
    copy.configure("unix_socket_directories = '%s'" % copy.dir, "restore_command = '%s %%f %%p'" % get, 'archive_mode = off',
                   "recovery_target_timeline = 'latest'")
    copy.run('touch', copy.data + '/recovery.signal')
    copy.start()
    fact(wait_until(lambda: copy.sql('select pg_is_in_recovery()') == 'f', PATIENCE, .1), 'the recovery ends')
    return copy


def restart_lsn(server, slot='backstay'):
    text = server.sql("select restart_lsn from pg_replication_slots where slot_name = '%s'" % slot)
    return lsn(text) if text else 0


def drop_slot(server):
    """The server learns a moment later that its receiver has gone."""
    wait_until(lambda: server.sql('select active from pg_replication_slots') == 'f', PATIENCE)
    server.sql("select pg_drop_replication_slot('backstay')")


def contents(file):
    with open(file, 'rb') as f:
        return f.read()


def held(archive):
    """(whole segments, parts as segment -> where it ends) of the only cluster."""
    lines = [line for cluster in archive.list() for line in cluster['timelines']]
    return lines, {p['segment']: lsn(p['end_lsn']) for line in lines for p in line['parts']}


def segments_are_the_servers(archive, server):
    """Those that the server has archived itself up to now, or up to the end of the last receiver, are in the repository, byte for
    byte."""
    lines, _ = held(archive)
    names = sorted(n for n in os.listdir(server.archive) if len(n) == 24 and lines[0]['first'] <= n <= lines[-1]['last'])
    wrong = [n for n in names if archive.fetched(server, n) != contents(server.archive + '/' + n)]
    fact(len(names) > 2 and not wrong, 'the server\'s own %d segments are held and equal' % len(names), wrong)
    equal([line['gaps'] for line in lines], [[] for _ in lines], 'without a gap')


# ---- a day without trouble ----

def unfinished(archive, server, receiver):
    """The segment that the server writes is held in part."""
    def one_part():
        server.sql("insert into ledger (note) values ('')")
        receiver.catches_up()
        return len(held(archive)[1]) == 1
    fact(wait_until(one_part, PATIENCE), 'of the unfinished segment one part is held', held(archive))
    lines, parts = held(archive)
    (now, end), = parts.items()
    fact(any(p['name'] == '%s.part.%016X' % (now, end) for p in lines[0]['parts']), 'under the name of where it ends', lines)
    fact('part: ' + now in archive.wal('list', code=0).text, 'the list tells people, too')
    data, want = archive.fetched(server, now), contents(server.data + '/pg_wal/' + now)
    end = max(end % len(want), len(data.rstrip(b'\0')))  # there may be a newer part by now
    fact(len(data) == len(want) and data[:end] == want[:end], 'wal get fills it up with zeros')
    beside(archive, server, now, data)


def streams(archive, server):
    receiver = Receiver(archive, server)
    receiver.started()
    equal(len(receiver.told('wal_slot_created')), 1, 'the slot is made when it never was there')
    server.sql('create table ledger (id serial primary key, note text)')
    base = base_backup(server, 'base')
    for _ in range(3):
        add_rows(server, 2000)
        receiver.catches_up()
    name = server.sql('select pg_walfile_name(pg_switch_wal())')
    receiver.waits_for(lambda: [e for e in receiver.told('wal_received') if e['name'] == name], 'a segment that is ended is stored whole')
    fact(wait_until(lambda: name in os.listdir(server.archive), PATIENCE, .1), 'the server archives it, too')
    add_rows(server, 20)
    ledger(server)  # which writes, too: what is read for the first time
    unfinished(archive, server, receiver)
    before = ledger(server)
    segments_are_the_servers(archive, server)
    archive.repo.backstay('wal', 'check', '--read-data', code=0, why='wal check accepts parts')
    with recovered(archive, base, 'copy') as copy:
        equal(ledger(copy), before, 'a recovery has all that was committed before the last part')
    add_rows(server, 5)
    receiver.stop()
    _, parts = held(archive)
    fact(max(parts.values()) >= restart_lsn(server), 'the server lets go of nothing more than is held', (parts, restart_lsn(server)))
    equal(receiver.told('summary')[0]['segments'], sum(e['whole'] for e in receiver.told('wal_received')), 'the summary counts')


def goes_on(archive, server):
    """Behind what is held; nothing is made twice."""
    receiver = Receiver(archive, server)
    receiver.started()
    equal(receiver.told('wal_slot_created'), [], 'the slot is used again')
    add_rows(server, 2000)
    receiver.catches_up()
    stop_and_start(server, receiver)
    receiver.stop()
    segments_are_the_servers(archive, server)


def stop_and_start(server, receiver):
    """The server waits until all is durable, and the receiver for the server."""
    add_rows(server, 3)
    n = len(receiver.told('wal_receive_started'))
    began = time.monotonic()
    server.stop('fast')
    fact(time.monotonic() - began < 50, 'a server that stops is not kept waiting')
    server.start()
    receiver.waits_for(lambda: len(receiver.told('wal_receive_started')) > n, 'the receiver comes back by itself')
    add_rows(server, 3)
    receiver.catches_up()


def beside(archive, server, name, data):
    """PostgreSQL prefers what it is given to what lies in pg_wal; a part must not hide a file that has more."""
    own('user/beside')
    for label, content, code in (('more', data[:-1] + b'x', 1), ('less', data[:8192] + bytes(len(data) - 8192), 0), ('the same', data, 0),
                                 ('something else', b'x' * len(data), 0)):
        with open(path('user', 'beside', name), 'wb') as f:
            f.write(content)
        archive.wal('get', name, path('user', 'beside', 'RECOVERYXLOG'), '--pgdata', server.data, code=code,
                    why='where pg_wal has %s of the segment beside, wal get ends with %d' % (label, code))


# ---- bad days ----

def standby_that_archives(archive, server):
    """With archive_mode = always PostgreSQL archives what wal get has given it, a part as if it were whole."""
    receiver = Receiver(archive, server)
    receiver.started()

    def one_part():
        add_rows(server, 1)
        receiver.catches_up()
        return len(held(archive)[1]) == 1
    fact(wait_until(one_part, PATIENCE), 'of the unfinished segment one part is held', held(archive))
    receiver.stop()
    (now, _), = held(archive)[1].items()
    standby = Cluster(path('standby'))
    os.makedirs(standby.dir)
    os.chmod(standby.dir, 0o711)
    subprocess.run(['cp', '-a', path('user', 'base'), standby.data], check=True)
    hand_over_all(standby.dir)
    standby.configure("unix_socket_directories = '%s'" % standby.dir, 'archive_mode = always',
                      "restore_command = '%s %%f %%p'" % archive.script('get', 'exec %s wal get --prefetch 0 "$1" "$2"\n' % BACKSTAY),
                      "archive_command = '%s %%p'" % archive.script('push', 'exec %s wal push "$1"\n' % BACKSTAY))
    standby.run('touch', standby.data + '/standby.signal')
    with standby:
        standby.start()
        status = standby.data + '/pg_wal/archive_status/' + now
        fact(wait_until(lambda: os.path.exists(status + '.done'), PATIENCE, .1), 'a standby with archive_mode = always gets rid of it')
        equal(standby.sql('select failed_count from pg_stat_archiver'), '0', 'without being held up')
        lines, parts = held(archive)
        fact(lines[0]['last'] < now and now in parts, 'but nothing takes the place of the whole segment', lines)
        [part] = glob.glob('%s/wal/*/*/%s.part.*' % (archive.repo.path, now))
        os.rename(part, path('kept'))
        done = archive.wal('push', standby.data + '/pg_wal/' + now, code=MISMATCH, why='a filled up segment of which nothing is held is refused')
        fact('no whole segment' in done.errors and 'archive_mode = always' in done.errors, 'and the reason is told', done.errors)
        os.rename(path('kept'), part)
    receiver = Receiver(archive, server)
    receiver.started()
    add_rows(server, 3000)
    receiver.catches_up()
    receiver.stop()
    fact(held(archive)[0][0]['last'] >= now, 'the whole one is stored when it is there')
    segments_are_the_servers(archive, server)


def slot_vanishes(archive, server):
    drop_slot(server)
    add_rows(server, 100)
    code, said = Receiver(archive, server).end()
    equal(code, WAL_GAP, 'a slot that has vanished is not made again')
    fact('is gone' in said and '--recreate-slot' in said and 'base backup' in said, 'what may be lost and what to do is told', said)
    equal(server.sql('select count(*) from pg_replication_slots'), '0', 'there is none')
    receiver = Receiver(archive, server, '--recreate-slot')
    receiver.started()
    receiver.catches_up()
    receiver.stop()
    segments_are_the_servers(archive, server)


def lost(archive, server):
    """The slot is away, and the server removes what nobody has."""
    drop_slot(server)
    before = held(archive)[0][-1]['last']
    for _ in range(4):
        add_rows(server, 3000)
        server.sql('select pg_switch_wal(); checkpoint')
    server.sql('checkpoint')
    fact(wait_until(lambda: before < min(n for n in os.listdir(server.data + '/pg_wal') if len(n) == 24), PATIENCE, .2),
         'the server removes old segments')
    code, said = Receiver(archive, server).end()
    equal(code, WAL_GAP, 'nothing is passed over silently')
    receiver = Receiver(archive, server, '--recreate-slot')
    receiver.started()
    receiver.catches_up()
    said = receiver.stop()
    fact('WAL is lost' in said, 'when told to go on, the loss is said', said)
    gaps = held(archive)[0][-1]['gaps']
    fact(len(gaps) == 1 and gaps[0]['first'] > before, 'and listed', gaps)
    receiver = Receiver(archive, server)
    receiver.started()
    receiver.catches_up()
    receiver.stop()


def wrong_cluster(archive, server):
    code, said = Receiver(archive, server, '--system-id', '1').end()
    equal(code, MISMATCH, 'another cluster than the one that is meant is refused')
    fact('nothing of it is stored' in said, 'and told', said)
    for options, slot in (((), 'No-Name'), (('--partial-interval', 'often'), 'backstay')):
        code, said = Receiver(archive, server, *options, slot=slot).end()
        equal(code, 1, 'wrong options are refused')


def outage(archive, server):
    """Nothing is acknowledged, the server is not lost, memory is bounded, and it goes on afterwards."""
    receiver = Receiver(archive, server)
    receiver.started()
    receiver.catches_up()
    place = '%s/wal/%s/00000001' % (archive.repo.path, server.sql('select system_identifier from pg_control_system()'))
    os.rename(place, place + '.away')
    with open(place, 'w', encoding='utf-8'):
        pass
    before = restart_lsn(server)
    for _ in range(3):
        add_rows(server, 8000)
    time.sleep(8)  # twice what the server waits for a silent receiver
    equal(server.sql('select active from pg_replication_slots'), 't', 'the connection lives on')
    equal(restart_lsn(server) // (1 << 20), before // (1 << 20), 'nothing is acknowledged that is not stored')
    with open('/proc/%d/status' % receiver.process.pid, encoding='utf-8') as f:
        resident = int(next(line for line in f if line.startswith('VmRSS')).split()[1])
    fact(resident < 128 << 10, 'memory is bounded', '%d KiB' % resident)
    os.unlink(place)
    os.rename(place + '.away', place)
    receiver.catches_up()
    said = receiver.stop()
    fact('WAL cannot be stored' in said and 'stored again' in said, 'the outage is told', said)
    segments_are_the_servers(archive, server)


def promoted(archive, server):
    """A standby is followed while it is promoted."""
    receiver = Receiver(archive, server)
    receiver.started()
    server.stop()
    server.run('touch', server.data + '/standby.signal')
    server.start()
    receiver.waits_for(lambda: server.sql('select active from pg_replication_slots') == 't', 'it streams from a standby, too')
    server.sql('select pg_promote()')
    receiver.started(timeline=2)
    add_rows(server, 3000)
    receiver.catches_up()
    before = ledger(server)
    receiver.stop()
    lines, _ = held(archive)
    equal([(line['timeline'], line['history']) for line in lines], [(1, False), (2, True)], 'both timelines and the history are held')
    history = archive.fetched(server, '00000002.history')
    equal(history, contents(server.data + '/pg_wal/00000002.history'), 'the history is the server\'s')
    segments_are_the_servers(archive, server)
    with recovered(archive, path('user', 'base2'), 'copy') as copy:
        equal(ledger(copy), before, 'a recovery follows to the new timeline, into its last part')
    receiver = Receiver(archive, server)
    receiver.started(timeline=2)
    equal([e['timeline'] for e in receiver.told('wal_receive_started')], [2], 'another run goes on there')
    receiver.stop()


def synchronous(archive, server):
    """A commit that waits for the receiver is in the repository when it returns."""
    receiver = Receiver(archive, server)
    receiver.started()
    server.sql("alter system set synchronous_standby_names = 'backstay'; select pg_reload_conf()")
    wait_until(lambda: server.sql("select sync_state from pg_stat_replication") == 'sync', PATIENCE)
    add_rows(server, 7)
    before = ledger(server)
    server.stop('immediate')
    receiver.kill()
    with recovered(archive, path('user', 'base2'), 'copy') as copy:
        equal(ledger(copy), before, 'with synchronous_standby_names no commit that returned is lost')
    server.start()
    server.sql('set synchronous_commit = local; alter system reset synchronous_standby_names; select pg_reload_conf()')


def sizes():
    """Segments of another size."""
    archive = make_archive('big')
    with make_server('big-server', 64) as server:
        server.start()
        receiver = Receiver(archive, server)
        receiver.started()
        server.sql('create table ledger (id serial primary key, note text)')
        for _ in range(3):
            add_rows(server, 20000)
            name = server.sql('select pg_walfile_name(pg_switch_wal())')
        receiver.waits_for(lambda: [e for e in receiver.told('wal_received') if e['name'] == name], 'segments of 64 MiB are stored')
        add_rows(server, 2)
        receiver.catches_up()
        fact(wait_until(lambda: name in os.listdir(server.archive), PATIENCE, .1), 'the server archives them, too')
        receiver.stop()
        segments_are_the_servers(archive, server)


def main():
    archive = make_archive('repo')
    with make_server('server', 1, *SMALL) as server:
        server.start()
        streams(archive, server)
        goes_on(archive, server)
        standby_that_archives(archive, server)
        wrong_cluster(archive, server)
        slot_vanishes(archive, server)
        outage(archive, server)
        receiver = Receiver(archive, server)
        receiver.started()
        base_backup(server, 'base2')
        receiver.stop()
        promoted(archive, server)
        synchronous(archive, server)
        lost(archive, server)
    if not QUICK:
        sizes()
    finish()


main()
