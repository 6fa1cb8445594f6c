#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=1800
"""Random points in time on four timelines, with gaps and damage in a third of the archives, and from a base on each timeline
to each later one: the restored ledger is exactly that of the target, or the restore is refused before anything is written, and
says how far it could go.

SEED=N repeats a run, TARGETS=N sets how many."""
import collections
import os
import random
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, as_postgres
from scenario import BACKSTAY, Repo, equal, fact, finish, path, run, say, wait_until
from walarchive import Archive, hand_over_all, own
from wallife import LEDGER, Life
from walmodel import Target, expected, number, on_way, text

SEED = int(os.environ.get('SEED', '0')) or random.randrange(1 << 30)
TARGETS = int(os.environ.get('TARGETS', '50'))
rng = random.Random(SEED)
# base: None lets the program choose; timeline: a number, latest or current; harm: how, and the file
Case = collections.namedtuple('Case', 'base timeline target action harm')


# ---- what to ask for ----

def microsecond(time, step):
    """The neighbour of a time that is written down to the microsecond; its last digits do not overflow."""
    whole, fraction = time.split('.')
    return '%s.%06d' % (whole, min(max(int(fraction) + step, 0), 999999))


def any_record(life, timeline, base, kinds):
    """Mostly one that can be reached."""
    records = [r for r in life.wal.along(life.wal.path(timeline)) if r.kind in kinds]
    within = [r for r in records if r.lsn >= base.stop]
    return rng.choice(within if within and rng.random() < .85 else records)


def any_target(life, timeline, base):
    kind = rng.choice(('time', 'time', 'lsn', 'lsn', 'xid', 'xid', 'name', 'name', 'latest', 'immediate'))
    exclusive = kind in ('time', 'lsn', 'xid') and rng.random() < .4
    value = None
    if kind == 'time':
        value = microsecond(any_record(life, timeline, base, ('commit', 'abort')).time, rng.choice((-1, 0, 0, 1, 5000)))
    elif kind == 'lsn':
        value = any_record(life, timeline, base, ('commit', 'other', 'name')).lsn + rng.choice((-8, 0, 0, 8, 8, 300))
    elif kind == 'xid':
        value = any_record(life, timeline, base, ('commit', 'abort')).xid + rng.choice((0,) * 9 + (1000000,))
    elif kind == 'name':
        value = any_record(life, timeline, base, ('name',)).name
    return Target(kind, value, exclusive)


def any_harm(life, timeline, base):
    """Mostly to a file that is needed."""
    records = life.wal.along(life.wal.path(timeline))
    segments = sorted({r.lsn // life.wal.segment for r in records if r.lsn >= base.start})
    needed = [life.wal.needed(life.wal.path(timeline), s) for s in segments]
    return rng.choice(('gap', 'gap', 'flip', 'cut')), rng.choice(needed if needed and rng.random() < .75 else life.wal.files)


def any_case(life, i):
    base, newest = rng.choice(life.bases), max(life.wal.timelines)
    ways = [t for t in life.wal.timelines if on_way(life.wal.path(t), base)]
    goal = timeline = rng.choice(ways if rng.random() < .85 else life.wal.timelines)
    if rng.random() < .6:
        timeline = {newest: 'latest', base.timeline: 'current'}.get(goal, goal)
    target = any_target(life, goal, base)
    harm = any_harm(life, goal, base) if i % 3 == 0 else None
    free = timeline != 'current' and target.kind != 'immediate' and rng.random() < .4
    return Case(None if free else base, timeline, target, rng.choice(('pause', 'promote')), harm)


# ---- what must come of it ----

def outcomes(life, case):
    """Of each base that may be taken."""
    absent = [case.harm[1]] if case.harm else []
    found = []
    for base in [case.base] if case.base else life.bases:
        timeline = {'latest': max(life.wal.timelines), 'current': base.timeline}.get(case.timeline, case.timeline)
        found.append((timeline, expected(life.wal, base, timeline, case.target, absent)))
    return found


def refusal_is_right(case, found, done):
    """It may be refused, and a place up to which it could go is named."""
    named = [number(m) for m in re.findall(r'\b[0-9A-F]{1,8}/[0-9A-F]{1,8}\b', done.errors)]
    if not all(o.why or o.doubtful for _, o in found):
        return 'it can be reached'
    ends = [o for _, o in found if o.why in ('absent', 'end')]
    if case.base and len(ends) < len(found):
        return None
    # its first segment is in doubt: there is no place before that; or the time is, and it is the first thing that is told
    without = 'no recovery of this base backup is possible', 'so close to its begin'
    if ends and all(o.doubtful for o in ends) and any(w in done.errors for w in without):
        return None
    if ends and not any(o.last <= n <= o.end for n in named for o in ends):
        return 'no stop point between %s' % ', '.join('%s and %s' % (text(o.last), text(o.end)) for o in ends)
    return None


# ---- doing it ----

def harmed(repo, harm):
    """A copy of the repository with one WAL file gone, changed or cut."""
    copy = path('harmed')
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(['cp', '-al', repo.path, copy], check=True)
    how, name = harm
    found = [os.path.join(d, name) for d, _, names in os.walk(copy + '/wal') if name in names]
    with open(found[0], 'rb') as f:
        data = f.read()
    os.unlink(found[0])
    if how != 'gap':
        at = rng.randrange(len(data))
        with open(found[0], 'wb') as f:
            f.write(data[:at] if how == 'cut' else data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:])
        hand_over_all(copy + '/wal')
    return copy


def words(case, target_directory):
    kind, value, exclusive = case.target
    given = {'time': lambda: value.replace(' ', 'T') + 'Z', 'lsn': lambda: text(value), 'xid': lambda: str(value), 'name': lambda: value}
    return ['restore', *([case.base.snapshot] if case.base else []), '--target', target_directory, '--target-' + kind,
            *([given[kind]()] if kind in given else []), '--target-timeline', str(case.timeline), '--target-action', case.action,
            *(['--target-exclusive'] if exclusive else [])]


class Restored(Cluster):
    """A data directory that was restored to a target, in a place where it can harm nothing."""

    def __init__(self, folder):
        super().__init__(folder)
        self.data = folder + '/data'

    def ledger(self, action):
        self.configure("unix_socket_directories = '%s'" % self.socket, 'archive_mode = off', 'fsync = off')
        try:
            self.start()
            waits, want = (("select pg_get_wal_replay_pause_state()", 'paused') if action == 'pause' else
                           ('select pg_is_in_recovery()', 'f'))
            if not wait_until(lambda: self.sql(waits) == want, 120, .05):
                return 'it does not come to ' + action
            return [tuple(line.split('\t')) for line in self.sql(LEDGER).splitlines()]
        except (RuntimeError, subprocess.CalledProcessError) as e:
            with open(self.dir + '/server.log', encoding='utf-8') as f:
                return '%s\n%s' % (e, f.read()[-3000:])


def try_case(life, repo, archive, case, label):
    folder = own('user/restored')
    os.chmod(folder, 0o711)
    where = harmed(repo, case.harm) if case.harm else repo.path
    found = outcomes(life, case)
    with Restored(folder) as server:
        done = run(*as_postgres(), BACKSTAY, *words(case, server.data), env={**archive.environ, 'BACKSTAY_REPOSITORY': where},
                   cwd=path('user'))
        if done.code:
            wrong = refusal_is_right(case, found, done)
            left = os.path.exists(server.data) and os.listdir(server.data)
            fact(not wrong and not left, label + ': it is refused', '%s\nleft behind: %s\n%s' % (wrong, left, done.errors))
            return 'refused'
        got = server.ledger(case.action)
    if isinstance(got, str) and case.harm and any(not o.why and o.near(life.wal, [case.harm[1]]) for _, o in found):
        return fact('126' in got, label + ': the server looks ahead and ends loudly', got) and 'ended'
    wanted = [life.ledger(t, o.commits) for t, o in found if not o.why]
    fact(got in wanted, label + ': the ledger is that of the target',
         'outcomes %s\n%s' % ([(t, o.why, o.doubtful) for t, o in found],
                              [difference(got, w) for w in wanted] if isinstance(got, list) else got))
    return 'restored'


def difference(got, want):
    return {'got': len(got), 'want': len(want), 'too many': sorted(set(got) - set(want))[:3], 'missing': sorted(set(want) - set(got))[:3]}


# ---- close to a base ----

def close_to_base(life, repo, archive):
    """What the first transactions behind each base ask for is missing. Their times are within the second or two in which what
    a base holds cannot be told from what came later, and all the same the refusal says where the WAL breaks off."""
    for base in life.bases:
        path_of = life.wal.path(base.timeline)
        ended = [r for r in life.wal.along(path_of) if r.kind in ('commit', 'abort') and r.lsn >= base.stop]
        for record in ended[:2]:
            target = Target('time', record.time, False)
            case = Case(base, base.timeline, target, 'pause', ('gap', life.wal.needed(path_of, record.lsn // life.wal.segment)))
            try_case(life, repo, archive, case, 'close to a base: ' + described(case))


# ---- from each timeline to each ----

def last_point(life, timeline):
    """The last restore point that was made on it."""
    begin = life.wal.path(timeline)[-1][1]
    return [r.name for r in life.wal.records[timeline] if r.kind == 'name' and r.lsn >= begin][-1]


def each_pair(life, repo, archive):
    for i, first in enumerate(life.wal.timelines):
        base = next(b for b in life.bases if b.timeline == first)
        for second in life.wal.timelines[i:]:
            case = Case(base, second, Target('name', last_point(life, second), False), rng.choice(('pause', 'promote')), None)
            end = try_case(life, repo, archive, case, 'from %d to %d: %s' % (first, second, described(case)))
            way = on_way(life.wal.path(second), base)
            equal(end, 'restored' if way else 'refused', 'from %d to %d: it %s' % (first, second, 'can be done' if way else 'cannot be done'))


def from_standby(life, repo, archive):
    """The base that was taken of it is the last one of the first timeline."""
    base = [b for b in life.bases if b.timeline == 1][-1]
    case = Case(base, 3, Target('name', last_point(life, 3), False), 'promote', None)
    equal(try_case(life, repo, archive, case, 'of a standby: ' + described(case)), 'restored', 'a base of a standby is as good')


# ---- histories ----

def planted(repo, *names):
    """A copy of the repository without these histories; where they were."""
    copy = path('harmed')
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(['cp', '-al', repo.path, copy], check=True)
    found = {}
    for folder, _, there in os.walk(copy + '/wal'):
        for name in set(there) & set(names):
            found[name] = os.path.join(folder, name)
            os.unlink(found[name])
    return copy, found


def not_restored(archive, where, base, timeline, code, label, *said):
    target = path('user', 'refused')
    done = run(*as_postgres(), BACKSTAY, 'restore', base.snapshot, '--target', target, '--target-latest', '--target-timeline', str(timeline),
               env={**archive.environ, 'BACKSTAY_REPOSITORY': where}, cwd=path('user'), code=code, why=label + ' is refused')
    fact(all(word in done.errors for word in said) and not os.path.exists(target), label + ': the message says why, and nothing was made', done.errors)


def histories(life, repo, archive):
    """Which timeline comes from where is only known from them, so one that is missing or is another's ends it."""
    base = life.bases[1]
    where, _ = planted(repo, '00000004.history')
    not_restored(archive, where, base, 'latest', 26, 'a timeline without its history', '00000004.history')
    not_restored(archive, where, base, 4, 26, 'and by its number', '00000004.history')
    case = Case(base, 4, Target('name', last_point(life, 4), False), 'promote', ('gap', '00000003.history'))
    equal(try_case(life, repo, archive, case, described(case)), 'restored', 'the history of the last one names all')
    where, gone = planted(repo, '00000003.history', '00000004.history')
    (_, _, left), *_ = life.wal.path(4)
    with open(path('kept', '00000004.history'), encoding='utf-8') as f:
        false = f.read().replace(text(left), text(left - 8))
    with open(own('user/files') + '/00000004.history', 'w', encoding='utf-8') as f:
        f.write(false)
    os.chmod(path('user/files/00000004.history'), 0o644)
    system = next(name for name in os.listdir(where + '/wal'))
    push = lambda **more: run(*as_postgres(), BACKSTAY, 'wal', 'push', path('user/files/00000004.history'), '--system-id', system, cwd=path('user'),
                              env={**archive.environ, 'BACKSTAY_REPOSITORY': where}, **more)
    push(code=0, why='a history that nothing contradicts is archived')
    os.link(gone['00000003.history'].replace(where, repo.path, 1), gone['00000003.history'])
    not_restored(archive, where, base, 4, 27, 'a history that contradicts another', 'two servers', text(left), text(left - 8))
    done = archive.wal('check', '-r', where, code=1, why='wal check finds it')
    fact('wal-origin' in done.text and 'two servers' in done.text, 'and names it', done.all)
    os.unlink(gone['00000004.history'])
    done = push(code=27, why='it is not archived where the other one is held')
    fact('not archived' in done.errors, 'and the reason is told', done.errors)


def described(case):
    kind, value, exclusive = case.target
    value = text(value) if kind == 'lsn' else value
    return '%s%s%s, timeline %s, base %s, %s%s' % (
        kind, ' %s' % value if value is not None else '', ' exclusive' if exclusive else '', case.timeline,
        '%s of %d' % (case.base.snapshot[:8], case.base.timeline) if case.base else 'chosen', case.action,
        ', %s in %s' % case.harm if case.harm else '')


def main():
    say('SEED', SEED)
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    archive = Archive(repo)
    life = Life(archive, SEED)
    life.make()
    life.check_notes()
    ends = collections.Counter()
    for i in range(TARGETS):
        case = any_case(life, i)
        ends[try_case(life, repo, archive, case, '%d: %s' % (i, described(case)))] += 1
    say(dict(ends))
    close_to_base(life, repo, archive)
    each_pair(life, repo, archive)
    from_standby(life, repo, archive)
    histories(life, repo, archive)
    fact(ends['restored'] and ends['refused'], 'some were restored and some were refused', ends)
    finish()


main()
