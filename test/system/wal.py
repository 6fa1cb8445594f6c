#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=1500
"""WAL of a real server in a repository: archive_command and restore_command, a recovery on the same and on a new timeline
to the last committed row, everything that must be refused, and a push that is killed at any moment."""
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, as_postgres, hand_over
from s3 import S3Repo, S3Server
from scenario import BACKSTAY, MISMATCH, QUICK, Repo, equal, fact, finish, path, say
from walarchive import Archive, hand_over_all, own

KILLS = int(os.environ.get('KILLS', '24' if QUICK else '200'))
ABSENT, GET_FAILED = 1, 126
rng = random.Random(int(os.environ.get('SEED', '0')) or None)


def files_below(top):
    found = {}
    for parent, _, names in os.walk(top):
        for name in names:
            with open(os.path.join(parent, name), 'rb') as f:
                found[os.path.relpath(os.path.join(parent, name), top)] = hashlib.sha256(f.read()).hexdigest()
    return found


def wait_for(what, condition):
    deadline = time.monotonic() + 300
    while not condition():
        if time.monotonic() > deadline:
            return fact(False, what + ' in time')
        time.sleep(.05)
    return True


def archived(server, name):
    return wait_for(name + ' is archived', lambda: server.sql(
        "select coalesce(last_archived_wal, '') >= '%s' from pg_stat_archiver" % name) == 't')


def switch(server):
    """Ends the segment and waits until it is archived; its name."""
    name = server.sql('select pg_walfile_name(pg_switch_wal())')
    archived(server, name)
    return name


def add_rows(server, n):
    server.sql('insert into ledger (note) select repeat(md5(random()::text), 20) from generate_series(1, %d)' % n)


def ledger(server):
    return server.sql("select count(*), max(id), md5(string_agg(id || note, '' order by id)) from ledger")


def recovered(base, name, get, push, *settings):
    """The base backup in a directory of its own, started with our restore_command and promoted at the end of the WAL."""
    copy = Cluster(path(name))
    os.makedirs(copy.dir)
    os.chmod(copy.dir, 0o711)
    subprocess.run(['cp', '-a', base, copy.data], check=True)
    hand_over_all(copy.dir)
    copy.configure("unix_socket_directories = '%s'" % copy.dir, "restore_command = '%s %%f %%p'" % get,
                   "archive_command = '%s %%p'" % push, "recovery_target_timeline = 'latest'", *settings)
    copy.run('touch', copy.data + '/recovery.signal')
    copy.start()
    wait_for('the recovery', lambda: copy.sql('select pg_is_in_recovery()') == 'f')
    return copy


# ---- a server archives and recovers ----

def tells_what_is_held(archive, server, kept):
    listed = archive.list()
    equal([c['system_identifier'] for c in listed], [server.sql('select system_identifier from pg_control_system()')],
          'the list names the cluster')
    line = listed[0]['timelines'][0]
    segments = sorted(n for n in kept if len(n) == 24 and n.startswith('00000001'))
    equal((line['timeline'], line['segments'], line['first'], line['last'], line['gaps'], line['segment_size']),
          (1, len(segments), segments[0], segments[-1], [], 1 << 20), 'and every segment without a gap')
    fact(any(n.endswith('.backup') for n in line['other_files']), 'and the label of the base backup', line)
    shown = archive.wal('list', code=0)
    fact(segments[-1] in shown.text and 'gap:' not in shown.text, 'for people, too', shown.text)


def gives_back_every_file(archive, server, kept):
    wrong = []
    for name in sorted(kept):
        out = path('user', 'out')
        done = archive.wal('get', name, out, '--pgdata', server.data)
        with open(out, 'rb') as got:
            if done.code or hashlib.sha256(got.read()).hexdigest() != kept[name]:
                wrong.append(name)
        os.unlink(out)
    fact(kept and not wrong, 'all %d files come back byte for byte' % len(kept), wrong)


def timelines(repo, archive):
    push = archive.script('push', '%s wal push "$1" || exit\ncp "$1" %s/"${1##*/}"\n' % (BACKSTAY, own('kept')))
    get = archive.script('get', 'exec %s wal get "$1" "$2"\n' % BACKSTAY)
    server = Cluster(path('server'))
    server.make("archive_command = '%s %%p'" % push)
    with server.start():
        server.sql('create table ledger (id serial primary key, note text)')
        add_rows(server, 200)
        subprocess.run([*as_postgres(), server.bin + '/pg_basebackup', '-h', server.socket, '-U', 'postgres', '-D', own('user') + '/base',
                        '-X', 'none', '--checkpoint=fast', '--no-sync'], check=True, stdin=subprocess.DEVNULL, cwd=server.dir)
        for _ in range(4):
            add_rows(server, 3000)
            switch(server)
        equal(server.sql('select failed_count from pg_stat_archiver'), '0', 'no archive_command has failed')
        tells_what_is_held(archive, server, files_below(path('kept')))
        outage(repo, server)
        gives_back_every_file(archive, server, files_below(path('kept')))
        refusals(repo, archive, server)
        add_rows(server, 10)
        before = ledger(server)
        switch(server)
        checked(repo, server)
        server.sql('insert into ledger (note) values (\'not archived\')')
        server.stop('immediate')

        with recovered(path('user', 'base'), 'second', get, push) as second:
            equal(ledger(second), before, 'a recovery ends with the last row that was archived')
            equal(second.sql('select timeline_id from pg_control_checkpoint()') in ('1', '2'), True, 'it is promoted')
            add_rows(second, 2000)
            switch(second)
            later = ledger(second)
            equal(second.sql('select failed_count from pg_stat_archiver'), '0', 'the new timeline archives beside the old one')
        lines = archive.list()[0]['timelines']
        equal([(x['timeline'], x['history'], x['gaps']) for x in lines], [(1, False, []), (2, True, [])], 'both are listed')
        way = repo.backstay('wal', 'check', '--json', code=0, why='wal check follows over the promotion').messages('wal_way')
        equal([(w['from_timeline'], w['timeline'], w['gaps']) for w in way], [(1, 2, 0)], 'from the base on the old timeline to the new one')
        with recovered(path('user', 'base'), 'third', get, push) as third:
            equal(ledger(third), later, 'a recovery follows to the new timeline')
        gives_back_every_file(archive, server, files_below(path('kept')))


def outage(repo, server):
    """The archive is away for a while: nothing is acknowledged, and it catches up."""
    os.rename(repo.path, repo.path + '.away')
    last = server.sql('select last_archived_wal from pg_stat_archiver')
    add_rows(server, 3000)
    server.sql('select pg_switch_wal()')
    wait_for('a failure', lambda: server.sql('select failed_count > 0 from pg_stat_archiver') == 't')
    equal(server.sql('select last_archived_wal from pg_stat_archiver'), last, 'nothing is acknowledged without a repository')
    os.rename(repo.path + '.away', repo.path)
    add_rows(server, 10)
    switch(server)
    fact(True, 'it catches up')
    server.sql("select pg_stat_reset_shared('archiver')")


# ---- what is refused ----

def segment_file(name, data):
    """The data under the name of a WAL file, in a directory that is no pg_wal."""
    file = os.path.join(own('user/files'), name)
    with open(file, 'wb') as f:
        f.write(data)
    hand_over(file)
    return file


def kept_segments():
    return sorted(n for n in os.listdir(path('kept')) if len(n) == 24)


def refused_pushes(archive, server, name, data):
    push = archive.wal
    again = push('push', '--json', segment_file(name, data), code=0, why='the same segment again is success').messages('wal_pushed')
    equal([(x['name'], x['was_there'], x['data_added_packed']) for x in again], [(name, True, 0)], 'and nothing is added')
    other = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
    done = push('push', segment_file(name, other), code=MISMATCH, why='another content of the same name is refused')
    fact(hashlib.sha256(data).hexdigest() in done.errors and hashlib.sha256(other).hexdigest() in done.errors, 'and both hashes are named',
         done.errors)
    for label, bad_name, bad, says in (
            ('a segment that was cut', name, data[:-1], 'cut'),
            ('one that was cut to another size', name, data + data, 'cut'),
            ('one of another name', name[:-1] + ('0' if name[-1] != '0' else '1'), data, ''),
            ('an empty page', name, bytes(len(data)), 'empty'),
            ('a text', 'passwd', b'root', 'not the name'),
            ('a history that is none', '00000009.history', b'x\ty\n', ''),
            ('a label that is none', name + '.00000028.backup', b'x', 'label')):
        done = push('push', segment_file(bad_name, bad), '--pgdata', server.data, code=1, why=label + ' is refused')
        fact(says in done.errors, 'and the reason is told', done.errors)
    stranger = data[:24] + bytes([data[24] ^ 1]) + data[25:]  # of the system identifier, whose lowest byte may be any
    done = push('push', segment_file(name, stranger), '--pgdata', server.data, code=MISMATCH, why='a segment of another cluster is refused')
    fact('not archived' in done.errors, 'by its data directory', done.errors)
    push('push', segment_file('00000009.history', b'1\t0/2000000\tx\n'), code=1, why='a history without a cluster is refused')
    push('push', path('user', 'files', '0' * 23 + '1'), code=(1,), why='a file that is not there is refused')


def refused_gets(repo, archive, server, name):
    out, data = path('user', 'out'), ['--pgdata', server.data]
    get = archive.wal
    get('get', '0000000100000AAA00000001', out, *data, code=ABSENT, why='an absent segment is absent')
    get('get', '00000001.history', out, *data, code=ABSENT, why='so is the history of the first timeline, which servers ask for')
    get('get', 'RECOVERYXLOG', out, *data, code=GET_FAILED, why='what is no name is a failure')
    get('get', name, out, code=GET_FAILED, why='so is an unknown cluster')
    get('get', name, out, '--system-id', '1', code=ABSENT, why='of another cluster nothing is held')
    get('get', name, out, '--no-such-option', code=GET_FAILED, why='a wrong option is no end of the WAL')
    get('get', name, code=GET_FAILED, why='nor a missing operand')
    get('get', name, path('user', 'nowhere', 'out'), *data, code=GET_FAILED, why='nor a target that cannot be written')
    os.rename(repo.path, repo.path + '.away')
    get('get', name, out, *data, code=GET_FAILED, why='nor a repository that is away')
    os.rename(repo.path + '.away', repo.path)
    os.chmod(archive.key, 0o644)
    get('get', name, out, *data, code=GET_FAILED, why='nor a key file that others may read')
    os.chmod(archive.key, 0o600)
    damaged_objects(repo, archive, server, name, out)
    fact(not os.path.exists(out), 'and none of them leaves a file')


def damaged_objects(repo, archive, server, name, out):
    system = server.sql('select system_identifier from pg_control_system()')
    place = '%s/wal/%s/00000001/' % (repo.path, system)
    other = next(n for n in kept_segments() if n != name and n.startswith('00000001'))
    with open(place + name, 'rb') as f:
        good = f.read()
    with open(place + other, 'rb') as f:
        swapped = f.read()
    for label, bad in (('one changed byte', good[:99] + bytes([good[99] ^ 1]) + good[100:]), ('a cut object', good[:-1]),
                       ('an empty object', b''), ('a swapped object', swapped)):
        os.chmod(place + name, 0o600)
        with open(place + name, 'wb') as f:
            f.write(bad)
        archive.wal('get', name, out, '--pgdata', server.data, code=GET_FAILED, why=label + ' is a failure')
        archive.wal('push', path('kept', name), code=(1, MISMATCH), why=label + ' is not taken for the segment')
    with open(place + name, 'wb') as f:
        f.write(good)
    archive.wal('get', name, out, '--pgdata', server.data, code=0, why='and the right one is fine')
    os.unlink(out)


def refusals(repo, archive, server):
    name = kept_segments()[1]
    with open(path('kept', name), 'rb') as f:
        data = f.read()
    refused_pushes(archive, server, name, data)
    refused_gets(repo, archive, server, name)


# ---- checked ----

def checked(repo, server):
    """A snapshot that says which WAL it needs: from where the base backup began to where it ended."""
    system = server.sql('select system_identifier from pg_control_system()')
    label = next(n for n in os.listdir(path('kept')) if n.endswith('.backup'))
    with open(path('kept', label), encoding='utf-8') as f:
        lines = dict(line.split(': ', 1) for line in f.read().splitlines())
    start, stop = (lines[w + ' WAL LOCATION'].split(' ')[0] for w in ('START', 'STOP'))
    tags = ['system-id=' + system, 'timeline=1', 'start-lsn=' + start, 'stop-lsn=' + stop]
    repo.backstay('backup', *[w for t in tags for w in ('--tag', t)], path('kept', label), code=0)
    found = repo.backstay('wal', 'check', '--read-data', '--json', code=0, why='wal check finds nothing').summary()
    equal([found.get(k) for k in ('snapshots', 'snapshots_complete', 'gaps', 'missing', 'damaged')], [1, 1, 0, 0, 0],
          'and the snapshot has what it needs')
    place = '%s/wal/%s/00000001/' % (repo.path, system)
    segments = [n for n in kept_segments() if n.startswith('00000001')]
    for name, codes in ((label[:24], ['wal-missing', 'wal-gap']), (segments[segments.index(label[:24]) + 2], ['wal-gap'])):
        os.rename(place + name, path('aside'))
        done = repo.backstay('wal', 'check', '--json', code=26, why='wal check misses ' + name)
        equal([(x['code'], x['first'], x['last']) for x in done.messages('wal_problem')], [(c, name, name) for c in codes], 'by its name')
        os.rename(path('aside'), place + name)
    with open(place + label[:24], 'rb') as f:
        good = f.read()
    os.chmod(place + label[:24], 0o600)
    for at in (17, len(good) - 20):
        with open(place + label[:24], 'wb') as f:
            f.write(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
        done = repo.backstay('wal', 'check', '--json', code=1, why='wal check finds a changed byte')
        fact([x['first'] for x in done.messages('wal_problem')] == [label[:24]], 'and names the segment', done.text)
    with open(place + label[:24], 'wb') as f:
        f.write(good)
    repo.backstay('wal', 'check', code=0)


# ---- beside the rest of the repository ----

def restic_leaves_it_alone(repo):
    before = files_below(repo.path + '/wal')
    repo.backstay('backup', path('kept'), code=0)
    for words in (['check', '--read-data'], ['forget', '--keep-last', '1', '--prune'], ['prune'], ['check']):
        repo.restic(*words, code=0)
    repo.backstay('check', '--read-data', code=0)
    equal(files_below(repo.path + '/wal'), before, 'their check and prune, and our check, leave wal/ alone')
    for words in (['prune'], ['forget', '--keep-last', '1', '--prune']):
        repo.backstay(*words, code=0)
    start = next(n for n in os.listdir(path('kept')) if n.endswith('.backup'))[:24]
    equal(files_below(repo.path + '/wal'), {k: v for k, v in before.items() if not (os.path.basename(k)[8:] < start[8:] and not k.endswith('.history'))},
          'our prune removes what is older than the base backup')


# ---- killed ----

def killed_pushes():
    """Whatever is acknowledged is there; whatever is not can be pushed again."""
    repo = Repo.named('killed')
    repo.init()
    hand_over_all(repo.path)
    os.remove(path('user', 'key'))
    archive = Archive(repo)
    seconds, acknowledged = .1, set()
    for i in range(KILLS):
        name = kept_segments()[i % len(kept_segments())]
        process = subprocess.Popen([*as_postgres(), BACKSTAY, 'wal', 'push', path('kept', name)], env=archive.environ, cwd=path('user'),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        started = time.monotonic()
        try:
            code = process.wait(timeout=rng.uniform(0, 1.2 * seconds))
            seconds = .7 * seconds + .3 * (time.monotonic() - started)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        if code == 0:
            acknowledged.add(name)
    say('acknowledged', len(acknowledged), 'of', len(kept_segments()), 'in', KILLS, 'pushes')
    listed = archive.list()
    system = listed[0]['system_identifier'] if listed else '1'
    lost = [n for n in sorted(acknowledged) if not same_as_kept(archive, n, system)]
    fact(not lost, 'every acknowledged segment is there and equal', lost)
    failed = [n for n in kept_segments() if archive.wal('push', path('kept', n)).code]
    fact(not failed, 'what was killed can be pushed again', failed)
    held = archive.list()
    equal(sum(line['segments'] for line in held[0]['timelines']), len(kept_segments()), 'then all are held, and nothing else')


def same_as_kept(archive, name, system):
    out = path('user', 'out')
    if archive.wal('get', name, out, '--system-id', system).code:
        return False
    with open(out, 'rb') as a, open(path('kept', name), 'rb') as b:
        return a.read() == b.read()


# ---- in a bucket ----

def bucket():
    os.remove(path('user', 'key'))
    with S3Server() as s3:
        s3.make_bucket('wal')
        repo = S3Repo(s3, 'wal', 'p')
        repo.init()
        archive = Archive(repo)
        names = kept_segments()[:3]
        for name in names * 2:
            archive.wal('push', path('kept', name), code=0)
        held = archive.list()
        equal(sum(line['segments'] for line in held[0]['timelines']), len(names), 'a bucket holds them once')
        fact(all(same_as_kept(archive, n, held[0]['system_identifier']) for n in names), 'and gives them back')
        archive.wal('get', '0000000100000AAA00000001', path('user', 'out'), '--system-id', held[0]['system_identifier'], code=ABSENT,
                    why='what a bucket does not have is absent')
        with open(path('kept', names[0]), 'rb') as f:
            data = f.read()
        other = segment_file(names[0], data[:-1] + bytes([data[-1] ^ 1]))
        archive.wal('push', other, code=MISMATCH, why='another content of the same name is refused there, too')
        s3.halt()
        archive.wal('get', names[0], path('user', 'out'), '--system-id', held[0]['system_identifier'], '--retry-deadline', '1s',
                    code=GET_FAILED, why='a server that is away is no end of the WAL')
        archive.wal('push', path('kept', names[0]), '--retry-deadline', '1s', code=1, why='and acknowledges nothing')


def main():
    repo = Repo.named('repo')
    repo.init()
    hand_over_all(repo.path)
    archive = Archive(repo)
    timelines(repo, archive)
    restic_leaves_it_alone(repo)
    killed_pushes()
    bucket()
    finish()


main()
