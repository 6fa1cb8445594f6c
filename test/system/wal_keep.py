#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=600
"""Retention of WAL with a real server: what no base backup needs goes, what a kept one needs stays, and a recovery from what is
left comes to the last row. What must not go does not, whatever is asked for."""
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, hand_over
from scenario import BACKSTAY, PARTIAL, Repo, equal, fact, finish, path, run, wait_until
from walarchive import Archive

GUARD, BEHIND = 28, 30


def segments(archive):
    """What is held of timeline 1."""
    listed = archive.list()
    return listed[0]['timelines'][0] if listed else {}


def held(repo):
    found = []
    for _, _, names in os.walk(repo.path + '/wal'):
        found += names
    return sorted(n for n in found if len(n) == 24)


def work(server, rows=300):
    """Some segments of WAL, the last of them archived."""
    for _ in range(2):
        server.sql('insert into ledger (note) select repeat(md5(random()::text), 20) from generate_series(1, %d)' % rows)
        name = server.sql('select pg_walfile_name(pg_switch_wal())')
    fact(wait_until(lambda: server.sql("select coalesce(last_archived_wal, '') >= '%s' from pg_stat_archiver" % name) == 't', 120),
         name + ' is archived')


def base(repo, server, *more):
    """The id of a new base backup, and the segment that it begins in."""
    url = 'pgcluster:postgresql://postgres@/?host=' + urllib.parse.quote(server.socket, safe='')
    done = repo.backup(url, '--checkpoint', 'fast', *more)
    snapshot = next(s for s in repo.snapshots() if s['id'] == done['snapshot_id'])
    start = next(t for t in snapshot['tags'] if t.startswith('start-lsn=')).split('=')[1]
    return done['snapshot_id'], server.sql("select pg_walfile_name('%s'::pg_lsn + 1)" % start)


def pruned(repo, *argv, code=0, why):
    done = repo.backstay(*argv, '--json', code=code, why=why)
    return (done.messages('wal_pruned') or [{}])[0]


def copied(repo):
    """What was removed from between is no gap in a copy either, and comes not back where it was removed."""
    other = Repo.named('copied', 'another password')
    other.init()
    copy = ('copy', '--from-repo', repo.path, '--json')
    env = {'RESTIC_FROM_PASSWORD': repo.password}
    other.backstay(*copy, env=env, code=0)
    equal(held(other), held(repo), 'a copy has the same WAL')
    found = other.backstay('wal', 'check', '--json', code=0, why='and knows what is missing on purpose').summary()
    equal((found['snapshots_complete'], found['gaps'], found['missing']), (2, 0, 0), 'so that both bases have what they need there, too')
    equal(other.backstay(*copy, env=env, code=0).summary()['wal_copied'], 0, 'nothing is copied twice')


# ---- mirrors ----

def mirrored(repo):
    """A copy that follows from here on."""
    mirror = Repo.named('mirror')
    repo.backstay('mirror', 'add', mirror.path, '--name', 'second', code=0)
    repo.backstay('mirror', 'sync', code=0)
    equal(held(mirror), held(repo), 'a mirror has all WAL')
    for one in (repo, mirror):
        run('chown', '-R', 'postgres', one.path, code=0)
    return mirror


def prune_without_it(repo, mirror):
    """What is removed while the mirror is away it keeps: it may be the last copy."""
    before = held(repo)
    os.rename(mirror.path, mirror.path + '.away')
    repo.backstay('prune', code=BEHIND, why='prune without the mirror')
    os.rename(mirror.path + '.away', mirror.path)
    fact(len(held(repo)) < len(before), 'without it the rest goes')
    equal(held(mirror), before, 'but not from a mirror that was away')
    done = repo.backstay('prune', code=BEHIND, why='the next prune leaves it there')
    fact('second' in done.errors and held(mirror) == before, 'and says so', done.errors)
    repo.backstay('mirror', 'sync', '--delete', code=0, why='until somebody says that it was on purpose')
    equal(held(mirror), held(repo), 'then both have the same')


def nothing_goes_without_a_base(repo, server):
    before = held(repo)
    told = pruned(repo, 'prune', why='prune with WAL and no base')
    equal((told.get('bases'), told.get('segments_remove'), held(repo)), (0, 0, before), 'removes nothing')


def the_oldest_base_decides(repo, server):
    first, begins = base(repo, server)
    work(server)
    second, _ = base(repo, server, '--tag', 'monthly')
    work(server)
    before = held(repo)
    told = pruned(repo, 'prune', '--dry-run', why='a dry run of prune')
    equal((told['segments_remove'], held(repo)), (len([n for n in before if n < begins]), before), 'tells what would go, and nothing does')
    told = pruned(repo, 'prune', why='prune')
    equal(held(repo), [n for n in before if n >= begins], 'removes what is older than the oldest base')
    equal((told['ranges'][0]['first'], told['ranges'][-1]['last']), (before[0], [n for n in before if n < begins][-1]), 'which it had named')
    fact(begins in held(repo), 'the segment that the base begins in stays')
    return first, second


def a_window_leaves_old_bases_their_own(repo, archive, server, first, second):
    third, begins = base(repo, server)
    work(server)
    before = held(repo)
    mirror = mirrored(repo)
    policy = ('forget', '--keep-pitr', '0h', '--keep-tag', 'monthly', '--group-by', 'host', '--prune')
    told = pruned(repo, *policy, '--dry-run', why='a dry run of forget --keep-pitr --prune')
    equal(held(repo), before, 'removes nothing')
    would = told['segments_remove']
    told = pruned(repo, *policy, why='forget --keep-pitr --prune')
    equal(told['segments_remove'], would, 'removes as many as the dry run said')
    equal(held(mirror), held(repo), 'and the same from the mirror')
    equal(sorted(s['id'] for s in repo.snapshots()), sorted([second, third]), 'the base of the window and the tagged one stay')
    left = held(repo)
    equal([n for n in left if n >= begins], [n for n in before if n >= begins], 'from the base of the window on no segment is missing')
    fact(len([n for n in left if n < begins]) in (1, 2) and would > 0, 'of the older ones those that the tagged base needs', left)
    fact(segments(archive)['gaps'], 'so there is a gap', segments(archive))
    found = repo.backstay('wal', 'check', '--json', code=0, why='which wal check knows is on purpose').summary()
    equal((found['snapshots_complete'], found['gaps'], found['missing']), (2, 0, 0), 'and both bases have what they need')
    equal(pruned(repo, 'prune', why='a later prune that knows of no window')['segments_remove'], 0, 'removes nothing more')
    victim = left[-1]
    place = next(os.path.join(d, victim) for d, _, n in os.walk(repo.path + '/wal') if victim in n)
    lost = left[-2]
    os.rename(place.replace(victim, lost), path('aside'))
    repo.backstay('wal', 'check', code=26, why='a segment that is lost in the window is still missed')
    os.rename(path('aside'), place.replace(victim, lost))
    return second, third, mirror


def what_is_left_recovers(repo, archive, server, third):
    """To the last row, from the base of the window."""
    want = server.sql("select count(*), md5(string_agg(id || note, '' order by id)) from ledger")
    get = archive.script('get', 'exec %s wal get "$1" "$2"\n' % BACKSTAY)
    target = path('recovered')
    repo.backstay('restore', third, '--target', target, code=0)
    copy = Cluster(path('copy'))
    os.makedirs(copy.dir)
    hand_over(copy.dir)
    top = next(os.path.join(target, n) for n in os.listdir(target))
    os.rename(top + '/pgdata', copy.data)
    for parent, dirs, names in os.walk(copy.data):
        for name in [parent] + [os.path.join(parent, n) for n in names]:
            hand_over(name)
    copy.configure("unix_socket_directories = '%s'" % copy.dir, "restore_command = '%s %%f %%p'" % get, 'archive_mode = off')
    copy.run('touch', copy.data + '/recovery.signal')
    with copy.start():
        fact(wait_until(lambda: copy.sql('select pg_is_in_recovery()') == 'f', 120), 'the recovery ends')
        equal(copy.sql("select count(*), md5(string_agg(id || note, '' order by id)) from ledger"), want, 'with the last row')


def what_must_not_go(repo, mirror, third):
    before = held(repo)
    done = repo.backstay('forget', third, code=GUARD, why='the newest base is not removed by name')
    fact('newest base backup' in done.errors, 'and the reason is told', done.errors)
    equal(len(repo.snapshots()), 2, 'nothing was')
    repo.backstay('forget', '--keep-tag', 'nothing', '--group-by', '', code=0)
    equal([s['id'] for s in repo.snapshots()], [third], 'by a policy that keeps nothing the newest stays')
    odd = repo.backup('--tag', 'kind=pgcluster,system-id=1x', os.path.abspath(__file__))
    done = repo.backstay('prune', '--keep-pitr', '0h', '--json', code=PARTIAL, why='a base that nobody can place')
    equal(held(repo), before, 'keeps all WAL where it is')
    fact(done.messages('wal_pruned')[0]['problem'], 'and the reason is told', done.text)
    repo.backstay('forget', odd['snapshot_id'], code=0)
    snapshot = repo.path + '/snapshots/' + '0' * 64
    with open(snapshot, 'wb') as f:
        f.write(b'no snapshot')
    repo.backstay('prune', code=(1, PARTIAL), why='a snapshot that cannot be read')
    equal(held(repo), before, 'keeps all WAL, too')
    os.unlink(snapshot)
    prune_without_it(repo, mirror)
    repo.backstay('forget', third, '--unsafe-allow-remove-all', code=0)
    before = held(repo)
    repo.backstay('prune', '--keep-pitr', '0h', code=0)
    equal(held(repo), before, 'without any base all WAL stays')
    for words in (('prune', '--keep-pitr', '7x'), ('forget', third, '--keep-pitr', '7d')):
        repo.backstay(*words, code=1, why='%s is refused' % ' '.join(words[::2]))


def main():
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    archive = Archive(repo)
    run('chown', '-R', 'postgres', repo.path, code=0)
    push = archive.script('push', 'exec %s wal push "$1"\n' % BACKSTAY)
    server = Cluster(path('server'))
    server.make("archive_command = '%s %%p'" % push, 'max_wal_senders = 4')
    with server.start():
        server.sql('create table ledger (id serial primary key, note text)')
        work(server)
        nothing_goes_without_a_base(repo, server)
        first, second = the_oldest_base_decides(repo, server)
        second, third, mirror = a_window_leaves_old_bases_their_own(repo, archive, server, first, second)
        what_is_left_recovers(repo, archive, server, third)
        copied(repo)
    what_must_not_go(repo, mirror, third)
    repo.backstay('check', code=0)


main()
finish()
