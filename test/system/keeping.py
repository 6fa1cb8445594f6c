#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan, tsan
"""What keeps a repository in order: forget as restic decides, prune that frees space, tag, copy, keys, repair, rewrite of caches."""
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import BACKSTAY, WRONG_PASSWORD, Repo, environment, equal, fact, finish, path, run
from writer import Keys

POLICIES = [['--keep-last', '3'], ['--keep-daily', '4'], ['--keep-hourly', '5', '--keep-daily', '3'], ['--keep-weekly', '3', '--keep-monthly', '5'],
            ['--keep-yearly', '2'], ['--keep-within', '40d'], ['--keep-within-daily', '20d', '--keep-last', '1'], ['--keep-tag', 'a'],
            ['--keep-daily', '2', '--group-by', 'host'], ['--keep-last', '1', '--group-by', 'tags'], ['--keep-last', '2', '--tag', 'a'],
            ['--keep-last', '2', '--host', 'h2']]


def retention(source):
    """The same history, the same policy: restic and we keep the same snapshots."""
    repo = Repo.named('history')
    repo.init()
    times = ['2023-06-30 23:59:59', '2024-01-01 00:00:00', '2024-02-29 12:00:00', '2024-12-29 10:00:00', '2024-12-31 10:00:00',
             '2025-01-01 10:00:00', '2025-03-30 01:30:00', '2025-03-30 03:30:00', '2025-10-26 00:30:00', '2025-10-26 01:30:00',
             '2025-11-01 00:00:00', '2025-11-01 00:00:01', '2025-11-10 08:00:00', '2025-11-15 20:00:00', '2025-11-15 20:30:00', '2025-11-16 21:00:00']
    for n, time in enumerate(times):
        repo.backup(source, '--time', time, '--host', 'h%d' % (1 + n % 5 // 4), *(['--tag', 'a'] if n % 4 == 0 else []))
    for policy in POLICIES:
        def kept(result):
            # we never let go of the newest of a group, whatever the policy
            keep, remove = set(), set()
            for g in result.json():
                newest = max([*(g['keep'] or []), *(g['remove'] or [])], key=lambda s: s['time'])['id']
                keep |= {s['id'] for s in g['keep'] or []} | {newest}
                remove |= {s['id'] for s in g['remove'] or []} - {newest}
            return sorted(keep), sorted(remove)
        ours = kept(repo.backstay('forget', '--dry-run', '--json', *policy, code=0))
        theirs = kept(repo.restic('forget', '--dry-run', '--json', *policy, code=0))
        equal(ours, theirs, 'forget %s keeps what restic keeps' % ' '.join(policy))
    equal(len(repo.snapshots()), len(times), 'forget --dry-run removed nothing')
    repo.backstay('forget', code=(0, 1))
    equal(len(repo.snapshots()), len(times), 'forget without a policy removes nothing')
    before = repo.snapshots()
    repo.backstay('forget', before[0]['id'], code=0)
    equal({s['id'] for s in repo.snapshots()}, {s['id'] for s in before[1:]}, 'forget ID removes that snapshot')
    return repo


def one_second(source):
    """Two backups that began in the same second: the older one goes."""
    repo = Repo.named('second-long')
    repo.backstay('init', code=0)
    for fraction in ('.9', '.1', '.5'):
        repo.backup(source, '--time', '2025-11-16T21:00:00%sZ' % fraction, '--tag', fraction[1:])
    repo.backstay('forget', '--keep-last', '1', code=0)
    equal([s['tags'] for s in repo.snapshots()], [['9']], 'of the backups of one second the newest stays')


def prune(source):
    repo = Repo.named('prune')
    repo.init()
    keep = repo.backup(source)['snapshot_id']
    extra = path('extra')
    os.mkdir(extra)
    for i in range(6):
        trees.write('%s/%d' % (extra, i), trees.noise(50 + i, 5_000_000))
    drop = repo.backup(source, extra)['snapshot_id']
    full = repo.size()
    objects = repo.objects('data')
    repo.backstay('prune', '--dry-run', code=0)
    equal(repo.objects('data'), objects, 'prune --dry-run removes nothing')
    repo.backstay('forget', drop, code=0)
    equal(repo.objects('data'), objects, 'forget alone removes no pack')
    repo.backstay('prune', '--max-unused', '0', code=0)
    fact(repo.size() < full - 29_000_000, 'prune gives the space back', '%d -> %d' % (full, repo.size()))
    repo.sound('after prune')
    repo.restic('restore', keep, '--target', path('pruned'), code=0)
    fact(not (found := trees.compare(path('pruned') + source, source)), 'what was kept restores exactly', '\n'.join(found))
    objects = repo.objects('data')
    leftover = os.path.join(repo.path, 'data', 'ab', 'ab' * 32 + '-tmp-0123456789abcdef')
    os.makedirs(os.path.dirname(leftover), exist_ok=True)
    trees.write(leftover, b'half of a pack')
    repo.backstay('prune', code=0)
    equal(repo.objects('data'), objects, 'a second prune finds nothing to do')
    fact(not os.path.exists(leftover), 'but what a killed run left half written, which it removes')
    done = repo.restic('stats', '--mode', 'raw-data', '--json')
    fact(repo.size() < 1.2 * done.json()['total_size'] + 300_000, 'little is kept that nobody needs', '%d, %s' % (repo.size(), done.text))
    # damage stops it: removing anything would make it worse
    victim = max(glob.glob(repo.path + '/data/*/*'), key=os.path.getsize)
    shutil.move(victim, path('victim'))
    left = repo.objects('data')
    done = repo.backstay('prune')
    fact(done.code != 0, 'prune refuses when a needed pack is missing', done.all)
    equal(repo.objects('data'), left, 'and removes nothing')
    shutil.move(path('victim'), victim)
    repo.sound('once the pack is back')


def limits():
    """How much prune rewrites, and how much check reads, can be bounded."""
    repo = Repo.named('limits')
    repo.init()
    tree = path('halved')
    os.mkdir(tree)
    for i in range(3):  # a pack each, whose halves differ: which of several packs a worker fills is chance
        for half in range(2):
            trees.write('%s/%d-%d' % (tree, i, half), trees.noise(80 + 2 * i + half, 1_800_000))
        repo.backup(tree, '--pack-size', '4')
    for i in range(3):
        os.unlink('%s/%d-0' % (tree, i))
    repo.backup(tree)
    repo.backstay('forget', '--keep-last', '1', code=0)

    def planned(*options):
        return repo.backstay('prune', '--dry-run', '--json', '--max-unused', '0', *options, code=0).messages('summary')[0]['packs_repack']
    all_of_them = planned()
    equal(all_of_them, 3, 'packs are half used')
    equal(planned('--max-repack-size', '1K'), 0, '--max-repack-size 1K rewrites nothing')
    equal(planned('--max-repack-size', '5M'), 1, '--max-repack-size 5M rewrites some of them')
    packs = glob.glob(repo.path + '/data/*/*')
    damage(max(packs, key=os.path.getsize))
    found = [repo.backstay('check', '--read-data-subset', '%d/2' % i).code for i in (1, 2)]
    equal(sorted(found), [0, 1], 'a changed byte is found in one half of the packs, not in the other')
    for subset in ('100%', '1G'):
        equal(repo.backstay('check', '--read-data-subset', subset).code, 1, 'and with --read-data-subset ' + subset)
    equal(repo.backstay('check').code, 0, 'without reading data it is not')


def damage(file):
    with open(file, 'r+b') as f:
        f.seek(1000)
        byte = f.read(1)[0]
        f.seek(1000)
        f.write(bytes([byte ^ 1]))


def tags(source):
    repo = Repo.named('tags')
    repo.init()
    first = repo.backup(source, '--tag', 'one')['snapshot_id']
    repo.backstay('tag', '--add', 'two', '--remove', 'one', first, code=0)
    now = repo.snapshots()
    equal((len(now), now[0].get('tags'), now[0].get('original')), (1, ['two'], first), 'tag writes a new snapshot that remembers the first')
    repo.backstay('tag', '--set', 'x,y', code=0)
    now = repo.snapshots()[0]
    equal((sorted(now['tags']), now['original']), (['x', 'y'], first), 'also when it is done again')
    equal([s['id'] for s in repo.backstay('snapshots', '--json', '--tag', 'x').json()], [now['id']], 'snapshots --tag finds it')
    equal(repo.backstay('snapshots', '--json', '--tag', 'one').json(), [], 'and not the old one')
    repo.sound('after tag')


def copies(source):
    repo, other = Repo.named('copy-from'), Repo.named('copy-to', 'another password')
    for r in (repo, other):
        r.init()
    repo.backup(source)
    trees.write(source + '/plain.txt', b'changed once more\n')
    repo.backup(source)
    env = {'RESTIC_FROM_REPOSITORY': repo.path, 'RESTIC_FROM_PASSWORD': repo.password}
    other.backstay('copy', env=env, code=0)
    equal([(s['time'], s['tree']) for s in other.snapshots()], [(s['time'], s['tree']) for s in repo.snapshots()], 'copy carries snapshots as they are')
    other.sound('the copy')
    before = other.objects('snapshots'), other.objects('data')
    other.backstay('copy', env=env, code=0)
    equal((other.objects('snapshots'), other.objects('data')), before, 'a second copy adds nothing')
    other.restic('restore', 'latest', '--target', path('copied'), code=0)
    fact(not (found := trees.compare(path('copied') + source, source)), 'a copied snapshot restores exactly', '\n'.join(found))
    same = Repo.named('copy-same')
    trees.write(path('where'), os.fsencode(repo.path) + b'\n')
    file_env = {'RESTIC_FROM_REPOSITORY_FILE': path('where'), 'RESTIC_FROM_PASSWORD': repo.password}
    same.backstay('init', '--copy-chunker-params', env=file_env, code=0)
    equal(same.restic('cat', 'config').json()['chunker_polynomial'], repo.restic('cat', 'config').json()['chunker_polynomial'],
          'init --copy-chunker-params')
    # of so many keys only a few are tried
    hint, key = repo.objects('keys')[0], Keys.open(repo.path, repo.password)
    for n in range(200):
        key.put_key(repo.path, 'of somebody else %d' % n)
    env['BACKSTAY_STATE_DIR'] = path('state-without-memory')
    other.backstay('copy', env={**env, 'RESTIC_FROM_KEY_HINT': hint}, code=0, why='the key of the other repository can be named')
    env['BACKSTAY_STATE_DIR'] += '-2'
    other.backstay('copy', '--from-key-hint', hint, env=env, code=0, why='with an option, too')


def keys(source):
    repo = Repo.named('keys')
    repo.init()
    repo.backup(source)
    trees.write(path('new-password'), b'second\n', 0o600)
    repo.backstay('key', 'add', '--new-password-file', path('new-password'), code=0)
    run(BACKSTAY, '-r', repo.path, 'snapshots', env=environment('second'), code=0)
    run('restic', '-r', repo.path, 'snapshots', env=environment('second'), code=0, why='restic opens it with the new password')
    listed = repo.backstay('key', 'list', '--json', code=0).json()
    equal((len(listed), [k['current'] for k in listed].count(True)), (2, 1), 'key list shows both and which one is in use')
    current = next(k['id'] for k in listed if k['current'])
    done = repo.backstay('key', 'remove', current)
    fact(done.code != 0 and len(repo.objects('keys')) == 2, 'the key in use is not removed', done.all)
    second = Repo(repo.path, 'second')
    second.backstay('key', 'remove', current, code=0)
    repo.backstay('snapshots', code=WRONG_PASSWORD)
    trees.write(path('new-password'), b'third\n', 0o600)
    second.backstay('key', 'passwd', '--new-password-file', path('new-password'), code=0)
    second.backstay('snapshots', code=WRONG_PASSWORD)
    third = Repo(repo.path, 'third')
    done = third.backstay('key', 'remove', third.backstay('key', 'list', '--json').json()[0]['id'])
    fact(done.code != 0, 'the last key is not removed', done.all)
    third.sound('after key changes')


def repairs(source):
    repo = Repo.named('repair')
    repo.init()
    first = repo.backup(source)['snapshot_id']
    for f in glob.glob(repo.path + '/index/*'):
        os.unlink(f)
    fact(repo.backstay('check').code == 1, 'without an index check fails')
    repo.backstay('repair', 'index', code=0)
    repo.sound('after repair index')
    repo.backstay('restore', first, '--target', path('repaired'), code=0)
    fact(not (found := trees.compare(path('repaired') + source, source)), 'everything is there again', '\n'.join(found))
    # a pack of file contents is lost for good
    trees.write(source + '/docs/only-here', trees.noise(99, 400_000))
    second = repo.backup(source)['snapshot_id']
    sizes = {f: os.path.getsize(f) for f in glob.glob(repo.path + '/data/*/*')}
    lost = min(sizes, key=lambda f: abs(sizes[f] - 400_000))
    os.unlink(lost)
    fact(repo.backstay('check').code == 1, 'a lost pack: check fails')
    repo.backstay('repair', 'index', code=0)
    repo.backstay('repair', 'snapshots', '--forget', code=0)
    repo.sound('a lost pack: after repair snapshots')
    ids = {s['id'] for s in repo.snapshots()}
    fact(first in ids and second not in ids, 'a lost pack: the whole snapshot stays, the other one is replaced')
    repo.backstay('restore', 'latest', '--target', path('rest'), code=0)
    fact(os.path.exists(path('rest') + source + '/big.bin'), 'a lost pack: the rest is there')
    repo.backup(source)
    repo.backstay('restore', 'latest', '--target', path('whole'), code=0)
    fact(not (found := trees.compare(path('whole') + source, source)), 'a lost pack: the next backup stores it anew', '\n'.join(found))


def caches(source):
    """A cache is only ever a copy: damaged, removed or of another repository, it changes nothing."""
    repo = Repo.named('cached')
    repo.init()
    repo.backup(source)
    repo.backstay('snapshots', code=0)
    cache = path('cache/backstay')
    for d, _, fs in os.walk(cache):
        for f in fs:
            with open(os.path.join(d, f), 'r+b') as handle:
                handle.seek(os.path.getsize(handle.name) // 2)
                handle.write(b'damage')
    repo.sound('with a damaged cache')
    second = repo.backup(source)
    equal(second['data_blobs'], 0, 'with a damaged cache a backup still finds what it has')
    shutil.rmtree(cache, ignore_errors=True)
    equal(repo.backup(source, '--no-cache')['data_blobs'], 0, '--no-cache works')
    fact(not os.path.exists(cache) or not os.listdir(cache), 'and makes no cache')
    shutil.rmtree(repo.path)
    repo.init()
    fact(repo.backup(source)['data_blobs'] > 20, 'a new repository in the same place starts from nothing')
    repo.sound('a new repository in the same place')


def main():
    small = path('small')
    os.mkdir(small)
    trees.write(small + '/f', b'x')
    retention(small)
    one_second(small)
    source = path('source')
    trees.everything(source, big=1_000_000)
    prune(source)
    limits()
    tags(source)
    copies(source)
    keys(source)
    repairs(source)
    caches(source)
    finish()


main()
