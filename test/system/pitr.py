#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan, timeout=1800
"""A cluster restored to a target: a moment, a position, a transaction, a name, over two timelines. The ledger is exactly
that of the target, or the restore was refused before anything was touched, with the point that can be reached. The same from a copy
in another repository, when the first one is gone."""
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, hand_over
from pitrlife import NO_SPACE, Live, Restores, shows, wait_for
from scenario import BACKSTAY, FAILED, NOT_EMPTY, PARTIAL, QUICK, Repo, equal, fact, finish, path, run
from walarchive import Archive, hand_over_all, own


# ---- what comes back ----

def of_each_kind(restores, live, first):
    mark = live.marks[first]
    shows(restores, live, 'transaction', first, '--target-xid', mark['xid'])
    shows(restores, live, 'transaction, not included', first - 1, '--target-xid', mark['xid'], '--target-exclusive')
    shows(restores, live, 'time', first, '--target-time', mark['time'], promote=True)
    shows(restores, live, 'time, not included', first - 1, '--target-time', mark['time'].replace(' ', 'T'), '--target-exclusive')
    shows(restores, live, 'position', first, '--target-lsn', mark['lsn'])
    shows(restores, live, 'name', first, '--target-name', 'marked')


def files_as_they_must_be(restores, live):
    copy, done = restores.server('files', '--target-name', 'marked')
    with copy:
        auto = open(copy.data + '/postgresql.auto.conf', encoding='utf-8').read()
        settings = dict(re.findall(r"^(\S+) = '(.*)'$", auto, re.M))
        equal((settings['recovery_target_name'], settings['recovery_target_timeline'], settings['recovery_target_action'],
               settings['recovery_min_apply_delay']), ('marked', '1', 'pause', '0'), 'files: the settings say all of it')
        fact(settings['restore_command'].startswith(BACKSTAY + ' -r ' + restores.repo.path) and restores.archive.key in settings['restore_command'],
             'files: restore_command names program, repository and key file', auto)
        fact("'false'" not in auto, 'files: the old restore_command is gone', auto)
        equal(sorted(n for n in ('postmaster.pid', 'standby.signal', 'recovery.signal', 'backup_label', '.backstay-unfinished')
                     if os.path.exists(copy.data + '/' + n)), ['backup_label', 'recovery.signal'], 'files: signal and label, nothing of old')
        links = [os.readlink(copy.data + '/pg_tblspc/' + n) for n in os.listdir(copy.data + '/pg_tblspc')]
        equal(links, [copy.dir + '/space'], 'files: the link to the tablespace is absolute and ours')
        equal(oct(os.stat(copy.data).st_mode & 0o7777), '0o700', 'files: the data directory is private')
        equal(os.stat(copy.data + '/recovery.signal').st_uid, os.stat(live.data).st_uid, 'files: and the server\'s own')
        equal(done.summary().get('start_command'), 'pg_ctl -D %s start' % copy.data, 'files: the start command is told')


def told_of_other_data(restores, live, bases):
    """In the second base postgresql.conf names the live data directory. What is restored of it is started by the command that is
    told, here and below."""
    for base, want in zip(bases, (False, True)):
        done, folder = restores.call(base, '--target-immediate', '--dry-run', '--json', code=0)
        equal("data_directory = '%s'" % live.data in done.all, want, 'other data: a note names them if there are any')
        equal('-c data_directory=%s/data' % folder in done.summary().get('start_command', ''), want, 'other data: and the start command overrides them')
    shows(restores, live, 'other data', max(live.marks) - 4, bases[1], '--target-immediate')


def shuts_down(restores, live, first):
    copy, _ = restores.server('shutdown', '--target-xid', live.marks[first]['xid'], '--target-action', 'shutdown')
    with copy:
        try:
            copy.start()
        except subprocess.CalledProcessError:
            pass  # it is gone before it could be asked
        wait_for('shutdown: the server ends', lambda: not os.path.exists(copy.data + '/postmaster.pid'))
        log = open(copy.dir + '/server.log', encoding='utf-8').read()
        fact('shutdown at recovery target' in log, 'shutdown: at the target', log)
        copy.running = False


# ---- what is refused ----

def object_of(repo, system, name):
    return '%s/wal/%s/%s/%s' % (repo.path, system, name[:8], name)


class Aside:
    """A WAL file that is missing, or has other content, for a while."""

    def __init__(self, file, content=None):
        self.file, self.content = file, content

    def __enter__(self):
        os.rename(self.file, path('aside'))
        if self.content is not None:
            with open(self.file, 'wb') as f:
                f.write(self.content)
            hand_over(self.file)

    def __exit__(self, *_):
        os.rename(path('aside'), self.file)


def read(file):
    with open(file, 'rb') as f:
        return f.read()


def out_of_reach(restores, live, first, bases):
    early = live.marks[first]
    restores.refused('a position after the end', '--target-lsn', 'FF/0', words=['FF/0 is not reached', '--target-lsn'])
    restores.refused('a time after the end', '--target-time', '2099-01-01T00:00:00Z', words=['is not reached', 'its last transaction ended at'])
    restores.refused('an unknown transaction', '--target-xid', '4000000000', words=['transaction 4000000000 is not reached'])
    restores.refused('an unknown name', '--target-name', 'nowhere', words=['restore point "nowhere" is not reached'])
    restores.refused('a time before the first base', '--target-time', '2001-01-01 00:00:00+00', words=['before the base backup'])
    start = next(t for s in restores.repo.snapshots() if s['id'] == bases[0] for t in s['tags'] if t.startswith('start-lsn='))
    restores.refused('a position in the base', bases[0], '--target-lsn', start.split('=')[1], words=['before the end of the base backup'])
    restores.refused('a base that is too young', bases[1], '--target-xid', early['xid'], words=[bases[1][:8]])
    equal(restores.reaches('the older base', '--target-xid', early['xid']).get('snapshot_id'), bases[0], 'the base is chosen by the target')
    newest = max(live.marks)
    equal(restores.reaches('the younger base', '--target-xid', live.marks[newest]['xid']).get('snapshot_id'), bases[1],
          'and it is the newest that can')
    restores.refused('a timeline that is not there', '--target-latest', '--target-timeline', '7', words=['00000007.history'])


def gaps_and_damage(restores, live, hole, first, last, bases):
    """hole: a segment between the first mark and the last one."""
    system = live.sql('select system_identifier from pg_control_system()')
    file = object_of(restores.repo, system, hole)
    before, after = ['--target-xid', live.marks[first]['xid']], [bases[0], '--target-xid', live.marks[last]['xid']]
    good = read(file)
    other = next(n for n in sorted(os.listdir(os.path.dirname(file))) if n < hole and len(n) == 24)
    for label, content in (('a missing segment', None), ('a damaged segment', good[:500] + bytes([good[500] ^ 1]) + good[501:]),
                           ('a segment in the place of another', read(object_of(restores.repo, system, other))), ('a cut segment', good[:-1])):
        with Aside(file, content):
            text = restores.refused(label + ' before the target', *after, words=[hole, 'last transaction ended at'])
            restores.refused(label + ' before the end', bases[0], '--target-latest', words=[hole])
            restores.reaches(label + ' behind the target', *before)
            found = re.search(r'--target-lsn (\S+) restores', text)
            if fact(found, label + ': the point that can be reached is named', text):
                restores.reaches(label + ': that point', bases[0], '--target-lsn', found.group(1))
    with Aside(file, b'not a segment'):
        shows(restores, live, 'damage right behind the target', first, bases[0], '--target-xid', live.marks[first]['xid'])


def wrong_words(restores, live, first):
    xid = ['--target-xid', live.marks[first]['xid']]
    for label, argv, words in (
            ('two targets', [*xid, '--target-latest'], ['only once']), ('no target', ['--target-action', 'pause'], ['--target-time']),
            ('a time that is none', ['--target-time', 'yesterday'], ['not a time']), ('a position that is none', ['--target-lsn', '12'], ['LSN', '12']),
            ('an action that is none', [*xid, '--target-action', 'stop'], ['promote']), ('--delete', [*xid, '--delete'], ['--delete']),
            ('a mapping for nothing', [*xid, '--tablespace-mapping', '/nowhere=/elsewhere'], ['/nowhere=/elsewhere'])):
        restores.refused(label, *argv, code=FAILED, words=[w for w in words if w != 'LSN'])
    restores.refused('a tablespace without a place', *xid, code=FAILED, words=['--tablespace-mapping %s/space=' % live.dir], mapped=False)


def places_that_are_taken(restores, live, first):
    xid = ['--target-xid', live.marks[first]['xid']]
    mapping = ['--tablespace-mapping', live.dir + '/space=' + path('taken-space')]
    taken = own('taken')
    with open(taken + '/thing', 'w', encoding='utf-8') as f:
        f.write('x')
    call = lambda *argv, **more: run(BACKSTAY, 'restore', *xid, *argv, env=restores.archive.environ, cwd=path('user'), **more)
    call('--target', taken, *mapping, code=NOT_EMPTY, why='a directory that is not empty is refused')
    call('--target', live.data, *mapping, '--force', code=NOT_EMPTY, why='a running server is refused, also with --force')
    equal(live.sql('select 1'), '1', 'and goes on')
    os.unlink(taken + '/thing')
    call('--target', taken, '--tablespace-mapping', '%s=%s' % (restores.space, taken + '/inside'), code=FAILED, why='places in each other are refused')
    before = live.rows()
    done = call('--target', taken, '--tablespace-mapping', '%s=%s' % (restores.space, live.dir + '/space'), '--force', code=NOT_EMPTY,
                why='the live tablespace is refused, also with --force')
    fact('server that runs' in done.errors and live.rows() == before, 'because a server uses it, which goes on', done.errors)
    # what is there is replaced, with all strangers
    call('--target', taken, *mapping, code=0)
    for stranger in ('standby.signal', 'pg_wal/0000000100000000000000FF', 'base/stranger'):
        with open(taken + '/' + stranger, 'w', encoding='utf-8') as f:
            f.write('x')
    call('--target', taken, *mapping, '--force', code=0, why='--force replaces what lies there')
    equal([n for n in ('standby.signal', 'pg_wal/0000000100000000000000FF', 'base/stranger') if os.path.exists(taken + '/' + n)], [],
          'strangers are removed')
    shutil.rmtree(taken)
    shutil.rmtree(path('taken-space'))


def unfinished(restores, live, first):
    """The disk is full in the middle: what lies there does not start."""
    folder = own('full')
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=16m,mode=711', 'tmpfs', folder], check=True)
    try:
        hand_over(folder)
        call = lambda: run(BACKSTAY, 'restore', '--target-xid', live.marks[first]['xid'], '--target', folder + '/data', '--tablespace-mapping',
                           restores.space + '=' + folder + '/space', env=restores.archive.environ, cwd=path('user'))
        done = call()
        equal(done.code, NO_SPACE, 'a disk that is full: it fails')
        fact('does not start' in done.errors, 'a disk that is full: it says that nothing starts from there', done.errors)
        code, out, err = Cluster(folder).tool('pg_ctl', '-D', folder + '/data', '-w', 'start')
        fact(code != 0 and not os.path.exists(folder + '/data/global/pg_control'), 'a disk that is full: and none does', out + err)
        equal(call().code, NOT_EMPTY, 'a disk that is full: what is left is not taken for empty')
    finally:
        subprocess.run(['umount', '-l', folder], check=False)


def two_clusters(restores, live, first):
    """A snapshot of another cluster: which one is wanted must be said."""
    system = live.sql('select system_identifier from pg_control_system()')
    tags = ['kind=pgcluster', 'source=elsewhere', 'system-id=7000000000000000001', 'timeline=1', 'start-lsn=0/2000028', 'stop-lsn=0/2000100']
    restores.repo.backstay('backup', *[w for t in tags for w in ('--tag', t)], restores.archive.key, code=0)
    hand_over_all(restores.repo.path)
    xid = ['--target-xid', live.marks[first]['xid']]
    restores.refused('two clusters', *xid, code=FAILED, words=[system, '7000000000000000001', 'elsewhere', '--system-id'])
    restores.reaches('one of two', *xid, '--system-id', system)
    snapshot = next(s['id'] for s in restores.repo.snapshots() if 'source=elsewhere' in s['tags'])
    restores.repo.backstay('forget', snapshot, code=0)
    hand_over_all(restores.repo.path)


# ---- two timelines ----

def second_timeline(restores, live, push, first, last, bases):
    """A recovery to the first mark is promoted and goes on: what is newest is there, what was left is on its own timeline."""
    copy, _ = restores.server('second', '--target-xid', live.marks[first]['xid'], '--target-action', 'promote', archiving=True)
    system = live.sql('select system_identifier from pg_control_system()')
    with copy:
        copy.start()
        wait_for('second: it is promoted', lambda: copy.sql('select pg_is_in_recovery()') == 'f')
        second = Live('unused', restores.archive)
        second.socket, second.data, second.dir = copy.socket, copy.data, copy.dir
        second.marks = {}
        newest = second.add(5)
        second.switch()
        base = second.backup()
        end = second.add(3)
        second.switch()
        shows(restores, second, 'latest', end, '--target-latest', promote=True)
        shows(restores, second, 'latest, from the first timeline', end, bases[0], '--target-latest', '--target-action', 'pause')
        shows(restores, second, 'a transaction of the second timeline', newest, bases[0], '--target-xid', second.marks[newest]['xid'])
        shows(restores, live, 'what the first timeline had last', last, '--target-timeline', '1', '--target-latest', promote=True)
        restores.refused('a timeline that the base has left', base, '--target-latest', '--target-timeline', '1',
                         words=['does not pass timeline 2'])
        restores.refused('a base that ran past the switch', bases[1], '--target-latest', words=['leaves timeline 1', 'current'])
        restores.reaches('its own timeline', bases[1], '--target-latest', '--target-timeline', 'current')
        restores.refused('a position in the second timeline by way of the first', '--target-timeline', '1', '--target-xid',
                         second.marks[end]['xid'] + '00', words=['is not reached'])
        with Aside(object_of(restores.repo, system, '00000002.history')):
            restores.refused('a missing history', '--target-latest', words=['00000002.history'])
            restores.reaches('the first timeline without it', '--target-latest', '--target-timeline', '1')


# ---- another repository ----

def wal_of(repo):
    return sorted(os.path.relpath(os.path.join(d, n), repo.path) for d, _, names in os.walk(repo.path + '/wal') for n in names)


def needed(repo, live, base):
    """Of it, what lies behind the begin of that base, on any timeline."""
    start = next(t for s in repo.snapshots() if s['id'] == base for t in s['tags'] if t.startswith('start-lsn=')).split('=')[1]
    begin = live.sql("select pg_walfile_name('%s'::pg_lsn + 1)" % start)[8:]
    found = [n for n in wal_of(repo) if n.endswith('.history') or os.path.basename(n)[8:24] >= begin]
    fact(len(found) < len(wal_of(repo)), 'copy: there is older WAL')
    return found


def copied(repo, other, *ids, code=0, why):
    done = other.backstay('copy', '--from-repo', repo.path, '--json', *ids, env={'RESTIC_FROM_PASSWORD': repo.password}, code=code, why=why)
    return done.summary(), done.errors


def carries_all(repo, other, want, system, hole):
    with Aside(object_of(repo, system, hole), b'not a segment'):
        told, errors = copied(repo, other, code=PARTIAL, why='copy: a segment that is damaged is held back')
        fact(hole in errors and told['held_back'] == 1, 'copy: it is named', errors)
        equal(wal_of(other), [n for n in want if not n.endswith(hole)], 'copy: all else is there')
    told, _ = copied(repo, other, why='copy: when it is whole again')
    equal((told['wal_copied'], told['wal_existing'], told['held_back'], told['snapshots_copied']), (1, len(want) - 1, 0, 0), 'copy: the rest comes')
    equal(wal_of(other), want, 'copy: with every timeline and history')
    told, _ = copied(repo, other, why='copy: once more')
    equal((told['wal_copied'], told['snapshots_copied']), (0, 0), 'copy: finds nothing to do')
    fact(read(object_of(repo, system, hole)) != read(object_of(other, system, hole)), 'copy: each has a seal of its own')


def elsewhere(repo, live, first, last, bases, hole):
    other = Repo.named('elsewhere', 'another password')
    other.init()
    carries_all(repo, other, needed(repo, live, bases[0]), live.sql('select system_identifier from pg_control_system()'), hole)
    younger = Repo.named('younger', 'a third password')
    younger.init()
    copied(repo, younger, bases[1], why='copy of one base')
    equal(wal_of(younger), needed(repo, live, bases[1]), 'copy: of one base only the WAL from its begin on, and histories')
    archive = Archive(other, 'key-of-the-copy')
    hand_over_all(other.path)
    os.rename(repo.path, repo.path + '.away')
    try:
        restores = Restores(other, archive, live)
        restores.n = 1000  # directories of its own
        shows(restores, live, 'a transaction, from the copy', first, '--target-xid', live.marks[first]['xid'])
        shows(restores, live, 'the end of the first timeline, from the copy', last, '--target-timeline', '1', '--target-latest', promote=True)
    finally:
        os.rename(repo.path + '.away', repo.path)
    other.sound('the copy', read_data=False)


# ---- a tablespace that the base does not have ----

def files_in(top):
    """Their content, by name: what another server has written there would be another."""
    return {os.path.relpath(os.path.join(d, n), top): read(os.path.join(d, n)) for d, _, names in os.walk(top) for n in names}


def made_later(restores, live):
    """Made behind the base: a recovery makes it again in the very directory of the live server, whatever is mapped."""
    place = live.dir + '/later'
    # with less than the server had meanwhile a recovery stands still there, far from its target
    live.sql('alter system set max_connections = 123')
    live.stop()
    live.start()
    before = live.add(1)
    os.mkdir(place)
    hand_over(place)
    live.sql("create tablespace later location '%s'" % place)
    live.sql("create table there tablespace later as select g as id from generate_series(1, 1000) g")
    target = ['--target-timeline', '1', '--target-xid', live.marks[live.add(1)]['xid']]
    live.switch()
    live.sql('insert into there select g from generate_series(1001, 9000) g')
    restores.refused('a tablespace made later', *target, code=NOT_EMPTY, words=[place, 'no mapping'])
    restores.refused('a tablespace made later, with --force', *target, '--force', code=NOT_EMPTY, words=[place])
    restores.reaches('a target before it', '--target-timeline', '1', '--target-xid', live.marks[before]['xid'])
    live.stop()
    os.rename(place, place + '.old')
    kept = files_in(place + '.old')
    os.mkdir(place)
    hand_over(place)
    copy, done = restores.server('into an empty directory', *target, '--target-action', 'promote')
    fact('makes tablespace' in done.all and place in done.all, 'it is told where the recovery makes it', done.all)
    with copy:
        copy.start()
        wait_for('it is promoted', lambda: copy.sql('select pg_is_in_recovery()') == 'f')
        equal(copy.sql('select count(*), max(id) from there'), '1000\t1000', 'the tablespace is as it was at the target')
        equal(copy.sql('show max_connections'), '123', 'it has as many connections as the server had meanwhile')
    equal(files_in(place + '.old'), kept, 'what was moved away is as it was')


def main():
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    archive = Archive(repo)
    push = archive.script('push', 'exec %s wal push "$1"\n' % BACKSTAY)
    with Live('live', archive) as live:
        live.begin(push)
        live.add(5)
        bases = [live.backup()]
        live.fill()
        first = live.add(4)
        live.sql("select pg_create_restore_point('marked')")
        time.sleep(.01)
        live.switch()
        hole = live.sql('select pg_walfile_name(pg_current_wal_insert_lsn())')
        live.fill()
        live.switch()
        live.add(4)
        live.switch()
        live.configure("data_directory = '%s'" % live.data)
        bases.append(live.backup())
        last = live.add(4)
        live.switch()
        restores = Restores(repo, archive, live)
        shows(restores, live, 'the end of the base', 5, bases[0], '--target-immediate')
        files_as_they_must_be(restores, live)
        of_each_kind(restores, live, first)
        told_of_other_data(restores, live, bases)
        out_of_reach(restores, live, first, bases)
        gaps_and_damage(restores, live, hole, first, last, bases)
        wrong_words(restores, live, first)
        places_that_are_taken(restores, live, first)
        two_clusters(restores, live, first)
        if not QUICK:
            shuts_down(restores, live, first)
        unfinished(restores, live, first)
        second_timeline(restores, live, push, first, last, bases)
        elsewhere(repo, live, first, last, bases, hole)
        made_later(restores, live)
    repo.sound('after all')
    finish()


main()
