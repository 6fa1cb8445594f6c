#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan
"""Mirrors: every write goes everywhere, a mirror that is away is told and caught up, damage and emptiness do not spread,
and on the day the repository is gone its mirrors are repositories."""
import filecmp
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import BACKSTAY, FAILED, LOCKED, NOT_EMPTY, QUICK, Repo, equal, fact, finish, path

BEHIND = 30


class Mirrored(Repo):
    """A repository whose command line remembers on this machine, as root's does."""

    def env(self, **more):
        return super().env(BACKSTAY_STATE_DIR=path('state'), **more)


def objects(repo):
    """Everything but locks and the mark, by name."""
    found = {}
    for d, _, names in os.walk(repo.path):
        for name in names:
            full = os.path.join(d, name)
            key = os.path.relpath(full, repo.path)
            if not key.startswith('locks/') and key != 'backstay/mirrors/this' and '-tmp-' not in key:
                found[key] = full
    return found


def same(repo, mirror, name):
    here, there = objects(repo), objects(mirror)
    differ = [k for k in here if k in there and not filecmp.cmp(here[k], there[k], shallow=False)]
    return fact(sorted(here) == sorted(there) and not differ, name,
                'only here %s, only there %s, differ %s' % (sorted(set(here) - set(there)), sorted(set(there) - set(here)), differ))


def state(repo, name):
    return next(m for m in repo.backstay('mirror', 'status', '--json').json() if m['name'] == name)


def change(source, n):
    trees.write('%s/changing' % source, trees.noise(n, 300_000))


def new(name, source, *mirrors):
    """A repository with one snapshot; its mirrors, filled."""
    repo = Mirrored.named(name)
    repo.init()
    change(source, 1)
    repo.backup(source)
    made = []
    for mirror, *options in mirrors:
        made.append(Mirrored.named('%s-%s' % (name, mirror)))
        repo.backstay('mirror', 'add', made[-1].path, '--name', mirror, *options, code=0)
    repo.backstay('mirror', 'sync', code=0)
    return (repo, *made)


def writes_go_everywhere(source):
    repo, near, far = new('everywhere', source, ('near', '--required'), ('far',))
    same(repo, near, 'the required mirror is filled')
    same(repo, far, 'the eventual mirror is filled')
    change(source, 2)
    told = repo.backup(source)
    equal({m['name']: m['state'] for m in told['mirrors']}, {'near': 'in_sync', 'far': 'in_sync'}, 'the summary of a backup tells of the mirrors')
    trees.write(path('second'), b'second\n', 0o600)
    repo.backstay('tag', '--add', 'x', code=0)
    repo.backstay('key', 'add', '--new-password-file', path('second'), code=0)
    repo.backstay('forget', '--keep-last', '1', '--prune', '--max-unused', '0', code=0)
    repo.backstay('repair', 'index', '--read-data', code=0)
    for mirror in (near, far):
        same(repo, mirror, 'tag, key add, forget and prune reach %s' % os.path.basename(mirror.path))
        mirror.sound(os.path.basename(mirror.path))
        Repo(mirror.path, 'second').restic('restore', 'latest', '--target', path('out'), code=0)
        found = trees.compare(path('out') + source, source)
        fact(not found, 'stock restic restores from %s' % os.path.basename(mirror.path), '\n'.join(found))
        shutil.rmtree(path('out'))
    listed = repo.backstay('mirror', 'list', '--json', code=0).json()
    equal([(m['name'], m['required']) for m in listed], [('far', False), ('near', True)], 'mirror list')
    equal(repo.backstay('copy', '--from-repo', near.path, env={'RESTIC_FROM_PASSWORD': repo.password}, code=0).code, 0, 'copy from a mirror')
    same(repo, far, 'which brings nothing new')


def down(source):
    """The eventual one is away: told, exit status 30, caught up by the next command. The required one: nothing counts as saved."""
    repo, near, far = new('down', source, ('near', '--required'), ('far',))
    os.rename(far.path, far.path + '.away')
    change(source, 2)
    done = repo.backstay('backup', '--json', source, code=BEHIND)
    fact('far' in done.errors and 'mounted' in done.errors, 'a mirror that is away is named, and what to look for', done.errors)
    equal({m['name']: m['state'] for m in done.summary()['mirrors']}, {'near': 'in_sync', 'far': 'away'}, 'and told in the summary')
    fact('snapshot_id' in done.summary(), 'the snapshot was saved')
    same(repo, near, 'and is at the required mirror')
    equal((state(repo, 'far')['state'], 'error' in state(repo, 'far')), ('away', True), 'mirror status says it is away')
    fact(not os.path.exists(far.path), 'nothing is made where a mirror should be')
    os.rename(far.path + '.away', far.path)
    told = state(repo, 'far')
    fact(told['state'] == 'behind' and told['missing_objects'] > 2 and told['missing_bytes'] > 300_000 and told['behind_since'].startswith('20'),
         'back again it is behind, by how much and since when', told)
    repo.backstay('mirror', 'status', code=BEHIND)
    change(source, 3)
    done = repo.backstay('backup', '--json', source, code=0)
    line = json.loads(next(row for row in done.errors.splitlines() if '"mirror"' in row and 'message_type' in row))
    fact(line['name'] == 'far' and line['state'] == 'in_sync' and line['carried']['objects'] > 4, 'the next backup catches it up', line)
    same(repo, far, 'it has everything again')
    far.sound('the mirror that was away')
    # removals are caught up by prune
    os.rename(far.path, far.path + '.away')
    repo.backstay('forget', '--keep-last', '1', code=BEHIND)
    os.rename(far.path + '.away', far.path)
    equal(state(repo, 'far')['state'], 'ahead', 'what was forgotten meanwhile is still there')
    change(source, 4)
    repo.backup(source)
    fact(state(repo, 'far')['extra_objects'] == 2 and state(repo, 'far')['missing_objects'] == 0, 'a backup leaves that alone', state(repo, 'far'))
    done = repo.backstay('prune', '--max-unused', '0', code=BEHIND)
    fact('--delete' in done.errors and state(repo, 'far')['state'] == 'ahead',
         'prune removes no snapshot from a mirror by itself: it might be the last copy', done.errors)
    far.sound('a mirror that is ahead')
    repo.backstay('mirror', 'sync', '--delete', code=0)
    same(repo, far, 'mirror sync --delete catches up with removals')
    far.sound('after that')
    # packs and indexes, which nothing needs, go with prune
    repo.backstay('forget', '--keep-last', '1', code=0)
    os.rename(far.path, far.path + '.away')
    repo.backstay('prune', '--max-unused', '0', code=BEHIND)
    os.rename(far.path + '.away', far.path)
    fact(state(repo, 'far')['extra_objects'] > 0, 'what was pruned meanwhile is still there')
    repo.backstay('prune', '--max-unused', '0', code=0)
    same(repo, far, 'the next prune removes it there, too')
    far.sound('after that prune')
    # the required one
    os.rename(near.path, near.path + '.away')
    before = objects(repo)
    done = repo.backstay('backup', source, code=FAILED)
    fact('required mirror near' in done.errors, 'without a required mirror there is no backup', done.errors)
    equal(sorted(objects(repo)), sorted(before), 'and nothing was stored')
    repo.backstay('snapshots', code=0)
    repo.backstay('mirror', 'sync', 'far', code=0)
    repo.backstay('mirror', 'sync', code=BEHIND)
    os.rename(near.path + '.away', near.path)
    repo.backup(source)
    same(repo, near, 'back again it gets everything')


def full_in_between(source):
    """A mirror that fails in the middle of a run."""
    repo, far = new('full', source, ('far',))
    os.chmod(far.path + '/data', 0o500)
    os.chmod(far.path + '/snapshots', 0o500)
    for d in os.listdir(far.path + '/data'):
        os.chmod('%s/data/%s' % (far.path, d), 0o500)
    if os.geteuid() == 0:  # whom modes do not stop
        for d in ('data', 'snapshots'):
            subprocess.run(['mount', '--bind', '-o', 'ro', far.path + '/' + d, far.path + '/' + d], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(['mount', '-o', 'remount,bind,ro', far.path + '/' + d], check=False, stderr=subprocess.DEVNULL)
    change(source, 2)
    done = repo.backstay('backup', '--json', source)
    if done.code == 0:
        fact(os.geteuid() == 0, 'only where nothing can be made read-only a mirror cannot be made to fail')
    else:
        equal(done.code, BEHIND, 'a mirror that fails in between does not fail the backup')
        equal(done.errors.count('"a mirror is behind"'), 1, 'it is told once')
        equal(done.summary()['mirrors'][0]['state'], 'away', 'and in the summary')
        fact(done.summary()['mirrors'][0]['missed_objects'] > 0, 'with what it missed', done.summary())
        equal(len(far.objects('snapshots')), 1, 'it has no snapshot that lacks something')
    for d in ('data', 'snapshots'):
        subprocess.run(['umount', far.path + '/' + d], check=False, stderr=subprocess.DEVNULL)
        os.chmod(far.path + '/' + d, 0o700)
    for d in os.listdir(far.path + '/data'):
        os.chmod('%s/data/%s' % (far.path, d), 0o700)
    far.sound('a mirror that failed in between')
    repo.backup(source, code=0)
    same(repo, far, 'the next backup catches it up')


def wiped(source):
    repo, far = new('wiped', source, ('far',))
    shutil.rmtree(far.path)
    os.mkdir(far.path)
    change(source, 2)
    done = repo.backstay('backup', source, code=BEHIND)
    fact('--refill' in done.errors, 'an emptied mirror is not filled by itself: its disk may not be mounted', done.errors)
    equal(os.listdir(far.path), [], 'nothing was written to it')
    repo.backstay('mirror', 'sync', 'far', code=BEHIND)
    repo.backstay('mirror', 'sync', '--refill', 'far', code=0)
    same(repo, far, 'mirror sync --refill fills it')
    far.sound('the mirror filled anew')
    # another repository in its place
    os.rename(far.path, far.path + '.away')
    other = Mirrored.named('wiped-far')
    other.init()
    before = sorted(objects(other))
    done = repo.backstay('backup', source, code=BEHIND)
    fact('mark' in done.errors, 'another repository in the place of a mirror is not written to', done.errors)
    repo.backstay('mirror', 'sync', '--refill', 'far', code=NOT_EMPTY)
    equal(sorted(objects(other)), before, 'nor filled')
    shutil.copytree(far.path + '.away/backstay', far.path + '/backstay')
    done = repo.backstay('backup', source, code=BEHIND)
    fact('another repository' in done.errors, 'nor when the mark was copied into it', done.errors)
    other.restic('check', code=0)
    shutil.rmtree(far.path)
    os.rename(far.path + '.away', far.path)
    repo.backup(source)
    # the other way round: a repository that lost a snapshot does not take it from its mirrors
    victim = repo.objects('snapshots')[0]
    os.rename('%s/snapshots/%s' % (repo.path, victim), path('snapshot'))
    done = repo.backstay('prune', code=BEHIND)
    fact(victim in far.objects('snapshots') and 'copy' in done.errors, 'a snapshot that only the mirror has stays there', done.errors)
    far.sound('the mirror that is richer than its repository')
    repo.backstay('copy', '--from-repo', far.path, env={'RESTIC_FROM_PASSWORD': repo.password}, code=0)
    repo.sound('with the snapshot back')
    repo.backstay('mirror', 'sync', '--delete', code=0)
    same(repo, far, 'and both are equal again')
    # nor does an emptied one empty them
    kept = len(far.objects('snapshots'))
    for snapshot in repo.objects('snapshots'):
        os.unlink('%s/snapshots/%s' % (repo.path, snapshot))
    before = objects(far)
    repo.backstay('prune', code=BEHIND)
    equal({k for k in before if k.split('/')[0] in ('snapshots', 'index', 'data')} - set(objects(far)), set(),
          'a repository that lost its snapshots does not take them from the mirror')
    done = repo.backstay('mirror', 'sync', '--delete', code=BEHIND)
    fact('--force' in done.errors, 'which says how, if that is meant', done.errors)
    equal(len(far.objects('snapshots')), kept, 'and keeps them until then')
    repo.backstay('copy', '--from-repo', far.path, env={'RESTIC_FROM_PASSWORD': repo.password}, code=0)
    equal(len(repo.objects('snapshots')), kept, 'copy brings the snapshots back')
    repo.sound('with its snapshots back')
    repo.backstay('mirror', 'sync', '--delete', '--force', code=0)
    same(repo, far, '--force makes them equal')


def damage_stays(source):
    repo, far = new('rot', source, ('far',))
    os.rename(far.path, far.path + '.away')
    change(source, 2)
    repo.backstay('backup', source, code=BEHIND)
    sound = objects(Repo(far.path + '.away'))
    pack = max((p for p in objects(repo) if p.startswith('data/') and p not in sound), key=lambda p: os.path.getsize(objects(repo)[p]))
    old = max((p for p in sound if p.startswith('data/')), key=lambda p: os.path.getsize(sound[p]))
    for victim in (pack, old):
        os.chmod(objects(repo)[victim], 0o600)
        with open(objects(repo)[victim], 'r+b') as f:
            f.seek(1000)
            f.write(b'rot')
    os.rename(far.path + '.away', far.path)
    done = repo.backstay('mirror', 'sync', code=BEHIND)
    fact(os.path.basename(pack) in done.errors and 'check' in done.errors, 'a damaged pack is named', done.errors)
    fact(pack not in objects(far), 'and not carried')
    equal(len(far.objects('snapshots')), 1, 'nor is what names it')
    far.sound('the mirror of a damaged repository')
    # repaired the usual way, the mirror follows
    repo.backstay('repair', 'index', '--read-data', code=BEHIND)
    repo.backstay('backup', '--force', source)
    repo.backstay('repair', 'snapshots', '--forget', code=(0, BEHIND))  # whatever the source no longer has
    repo.backstay('prune', code=(0, BEHIND))  # a snapshot that was replaced while the mirror was behind is still there
    repo.backstay('mirror', 'sync', '--delete', code=0)
    repo.sound('the repaired repository')
    same(repo, far, 'once that is repaired the mirror follows')
    far.sound('and is sound')


def restores_from_mirrors(source):
    repo, far = new('gone', source, ('far',))
    repo.backstay('snapshots', code=0)
    victim = max(glob.glob(repo.path + '/data/*/*'), key=os.path.getsize)
    os.rename(victim, path('victim'))
    done = repo.backstay('restore', 'latest', '--target', path('out'), code=0, why='with a pack lost the restore is whole')
    fact('reading from a mirror' in done.errors and 'far' in done.errors, 'and says from where', done.errors)
    found = trees.compare(path('out') + source, source)
    fact(not found, 'it is exact', '\n'.join(found))
    shutil.rmtree(path('out'))
    equal(repo.backstay('check').code, FAILED, 'check looks at the repository alone')
    os.rename(path('victim'), victim)
    os.rename(repo.path, repo.path + '.gone')
    done = repo.backstay('restore', 'latest', '--target', path('out'), code=0, why='with the repository gone the restore is whole')
    fact('may lack the newest' in done.errors, 'and says what to expect', done.errors)
    found = trees.compare(path('out') + source, source)
    fact(not found, 'it is exact, too', '\n'.join(found))
    shutil.rmtree(path('out'))
    repo.backstay('backup', source, code=10)
    repo.backstay('check', code=10)
    # on another machine nobody remembers: the mirror is named
    far.backstay('restore', 'latest', '--target', path('out'), code=0)
    shutil.rmtree(path('out'))
    done = far.backstay('backup', source, code=FAILED)
    fact('promote' in done.errors, 'a mirror is not written to alone', done.errors)
    equal(len(far.objects('snapshots')), 1, 'and has not changed')
    far.backstay('check', '--read-data', code=0)
    far.backstay('mirror', 'promote', code=0)
    change(source, 5)
    far.backup(source)
    far.sound('the promoted mirror')
    far.backstay('mirror', 'promote', code=FAILED)
    # the old one comes back: what it takes for its mirror is a repository of its own
    os.rename(repo.path + '.gone', repo.path)
    before = objects(far)
    done = repo.backstay('backup', source, code=BEHIND)
    equal(sorted(objects(far)), sorted(before), 'the old repository does not write to it')
    repo.backstay('prune', code=BEHIND)
    equal(sorted(objects(far)), sorted(before), 'nor does it prune there')
    far.sound('the promoted mirror beside the old repository')


def locks(source):
    """Whoever works on a copy alone is seen by those who remove."""
    repo, far = new('locks', source, ('far',))
    reader = subprocess.Popen([BACKSTAY, '-r', far.path, 'dump', 'latest', source + '/big.bin'], env=far.env(),
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    reader.stdout.read(1)  # more than a pipe holds: it waits
    equal(len(far.objects('locks')), 1, 'a reader of the mirror has its lock there')
    done = repo.backstay('prune', code=LOCKED)
    fact('locked' in done.errors, 'who prunes the repository waits for it', done.errors)
    repo.backup(source, code=0)
    reader.kill()
    reader.wait()
    repo.backstay('unlock', code=0)
    far.backstay('unlock', code=0)
    repo.backstay('prune', code=0)
    equal((len(repo.objects('locks')), len(far.objects('locks'))), (0, 0), 'no locks are left')
    # a killed writer leaves its lock in both places; the next one takes it away in both
    os.mkfifo(path('fifo'))
    writer = subprocess.Popen([BACKSTAY, '-r', repo.path, 'backup', '--stdin'], env=repo.env(), stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(far.objects('locks')) < 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    equal((len(repo.objects('locks')), len(far.objects('locks'))), (1, 1), 'who writes has a lock in both places')
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    repo.backstay('prune', code=0)
    equal((len(repo.objects('locks')), len(far.objects('locks'))), (0, 0), 'the locks of the dead go from both')


def killed(source):
    """Whenever a writer dies, every copy is whole, and the next run makes them equal."""
    repo, near, far = new('killed', source, ('near', '--required'), ('far',))
    chance = random.Random(7)
    longest, hits = 0.0, 0
    for n in range(3 if QUICK else 12):
        argv = ['forget', '--keep-last', '2', '--prune', '--max-unused', '0'] if n % 3 == 2 else ['backup', source]
        change(source, 100 + n)
        started = time.monotonic()
        process = subprocess.Popen([BACKSTAY, '-r', repo.path, *argv], env=repo.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.3, 1.0) * (longest or 0.5))
            longest = time.monotonic() - started
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            hits += 1
            longest = max(longest, time.monotonic() - started) * 1.2
        for each in (repo, near, far):
            equal(each.backstay('check').code, 0, 'killed in %s: %s is whole' % (argv[0], os.path.basename(each.path)))
    fact(hits > 0, 'some were hit', hits)
    repo.backstay('backup', source, code=0)
    repo.backstay('prune', '--max-unused', '0', code=(0, BEHIND))
    repo.backstay('mirror', 'sync', '--delete', code=0)
    for mirror in (near, far):
        same(repo, mirror, 'after the kills %s is equal' % os.path.basename(mirror.path))
        mirror.sound(os.path.basename(mirror.path))


def misuse(source):
    repo, far = new('misuse', source, ('far',))
    other = Mirrored.named('misuse-other')
    other.init()
    other.backup(source)
    before = objects(other)
    repo.backstay('mirror', 'add', other.path, code=NOT_EMPTY)
    equal(sorted(objects(other)), sorted(before), 'another repository is not touched')
    repo.backstay('mirror', 'add', far.path, '--name', 'again', code=FAILED)
    repo.backstay('mirror', 'add', repo.path, '--name', 'itself', code=FAILED)
    os.symlink(repo.path, path('link'))
    done = repo.backstay('mirror', 'add', path('link'), '--name', 'itself', code=FAILED)
    fact('itself' in done.errors, 'the repository is no mirror of its own, by whatever name', done.errors)
    fact(not os.path.exists(repo.path + '/backstay/mirrors/this'), 'and bears no mark')
    repo.backstay('mirror', 'add', path('new'), '--name', 'FAR', code=FAILED)
    repo.backstay('mirror', 'add', path('new'), '--name', 'a/b', code=FAILED)
    repo.backstay('mirror', 'remove', 'nobody', code=FAILED)
    repo.backstay('mirror', 'sync', 'nobody', code=FAILED)
    repo.backstay('mirror', 'list', '--required', code=FAILED)
    far.backstay('mirror', 'add', path('new'), code=FAILED)
    for argv in ([], ['show'], ['add'], ['list', 'x'], ['sync', '--force']):
        repo.backstay('mirror', *argv, code=FAILED)
    # a copy that was made by other means becomes a mirror as it is
    shutil.copytree(repo.path, path('rsynced'))
    repo.backstay('mirror', 'add', path('rsynced'), '--required', code=0)
    change(source, 7)
    repo.backup(source)
    same(repo, Repo(path('rsynced')), 'a copy made by other means becomes a mirror')
    repo.backstay('mirror', 'remove', 'rsynced', code=0)
    repo.backstay('mirror', 'remove', 'FAR', code=0)
    fact('mirrors' not in repo.backup(source), 'without mirrors nothing is told of them')
    # a list that cannot be read is not an empty one
    repo.backstay('mirror', 'add', path('third'), '--required', code=0)
    record = next(k for k in objects(repo) if k.startswith('backstay/mirrors/'))
    os.chmod(objects(repo)[record], 0o600)
    with open(objects(repo)[record], 'r+b') as f:
        first = f.read(1)[0]
        f.seek(0)
        f.write(bytes([first ^ 1]))  # it is sealed: any byte may stand there
    done = repo.backstay('backup', source, code=FAILED)
    fact('list of mirrors' in done.errors, 'a list of mirrors that cannot be read stops who writes', done.errors)
    repo.backstay('snapshots', code=0)


def main():
    source = path('source')
    trees.everything(source, big=2_000_000)
    writes_go_everywhere(source)
    down(source)
    full_in_between(source)
    wiped(source)
    damage_stays(source)
    restores_from_mirrors(source)
    locks(source)
    killed(source)
    misuse(source)
    finish()


main()
