#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan, timeout=1500
"""repair: a damaged repository is sound again for restic and us, whatever was whole restores exactly, and a kill at any
moment costs nothing. KILLS says how often (8, 4 in quick)."""
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import compare_manifest
import trees
import writer
from scenario import BACKSTAY, FAILED, FIXTURE_PASSWORD, FIXTURES, PARTIAL, PASSWORD, QUICK, SANITIZED, Repo, equal, fact, finish, path, say

SHORT = QUICK or SANITIZED  # a sanitizer sees the same code in every kind of damage
KILLS = int(os.environ.get('KILLS', '4' if SHORT else '8'))
rng = random.Random(int(os.environ.get('SEED', '0')) or None)
# What `repair index` needs to know of a damage that no structure shows.
INSIDE_PACKS = ('blob_bitflip_data', 'blob_bitflip_iv', 'blob_bitflip_mac', 'blob_bitflip_tree', 'pack_header_bitflip',
                'pack_header_length', 'v1_blob_bitflip_data')
OF_PACKS = ('pack_truncated', 'pack_empty', 'pack_appended', 'pack_missing_data', 'pack_missing_tree', 'v1_pack_missing_data',
            'pack_unindexed_garbage')
OF_INDEX = ('index_missing', 'index_missing_one', 'index_wrong_mac', 'index_bitflip', 'index_truncated', 'index_empty',
            'v1_index_wrong_mac')
QUICK_ONES = ('index_bitflip', 'pack_truncated', 'pack_missing_tree', 'blob_bitflip_data')


def damaged(case):
    shutil.rmtree(path('bad'), ignore_errors=True)
    subprocess.run([sys.executable, FIXTURES + '/derive_corrupt.py', path('bad'), case['name']], check=True,
                   stdout=subprocess.DEVNULL)
    return Repo(path('bad', case['name']), FIXTURE_PASSWORD)


def contents(repo):
    found = {}
    for d, _, names in os.walk(repo.path):
        for name in names:
            if 'locks' not in os.path.relpath(d, repo.path).split('/'):
                with open(os.path.join(d, name), 'rb') as f:
                    found[os.path.join(d, name)] = hashlib.sha256(f.read()).digest()
    return found


def listed(repo):
    """As restic sees them."""
    return repo.restic('snapshots', '--json', '--no-lock', code=0).json() or []


def lost(repo, snapshot, manifest, original):
    """What is not as it once was: paths of files by their content, paths of all entries by everything. A link to a lost
    file differs in nothing else."""
    target = path('out')
    shutil.rmtree(target, ignore_errors=True)
    repo.backstay('restore', snapshot, '--target', target)
    want = compare_manifest.wanted(compare_manifest.snapshot_of(manifest, original))
    got = trees.describe(target)
    shutil.rmtree(target, ignore_errors=True)
    files = {rel for rel, e in want.items() if 'sha256' in e and got.get(rel, {}).get('sha256') != e['sha256']}
    linked = {rel for rel, e in want.items() if files & set(e.get('hardlinks', ()))}
    same = lambda a, b, rel: all(a.get(k) == b.get(k) for k in b if k != 'hardlinks' or rel not in linked)
    return files, {rel for rel, e in want.items() if not same(got.get(rel, {}), e, rel)}


def readable(name):
    """JSON has no bytes: what is not UTF-8 is replaced."""
    return re.sub('\ufffd+', '\ufffd', (name if isinstance(name, str) else name.decode(errors='replace')))


def mended(case):
    """One damage from the report to the clean repository."""
    name = case['name']
    repo = damaged(case)
    manifest = compare_manifest.load('%s/%s.manifest.json' % (FIXTURES, case['fixture']))
    ids = [s['id'] for s in manifest['snapshots']]
    before = contents(repo)
    more = ['--read-data'] if name in INSIDE_PACKS else []
    repo.backstay('repair', 'index', '--dry-run', *more, code=0)
    equal(contents(repo), before, name + ': a dry run changes nothing')
    packs = repo.objects('data')
    done = repo.backstay('repair', 'index', '--json', *more, code=0)
    fact(done.summary()['changed'] or name in ('pack_unindexed_garbage',), name + ': repair index tells what it did', done.text)
    fact(set(packs) <= set(repo.objects('data')), name + ': repair index removes no pack')
    if name in OF_INDEX:
        repo.sound(name + ' after repair index')
        for snapshot in ids:
            equal(lost(repo, snapshot, manifest, snapshot)[1], set(), '%s: %s restores exactly' % (name, snapshot[:8]))
        return
    # what is lost now is what the damage cost, and nothing else
    files, entries = {}, {}
    for snapshot in ids:
        files[snapshot], entries[snapshot] = lost(repo, snapshot, manifest, snapshot)
    equal(sum(map(len, files.values())), case['files_lost'], name + ': repair index gave up nothing that could be restored')
    before = contents(repo)
    done = repo.backstay('repair', 'snapshots', '--forget', '--dry-run', '--json', code=0)
    equal(contents(repo), before, name + ': a dry run of repair snapshots changes nothing')
    would = {r['source_snapshot_id']: r['lost'] for r in done.messages('repaired')}
    done = repo.backstay('repair', 'snapshots', '--forget', '--json', code=0)
    equal({r['source_snapshot_id']: r['lost'] for r in done.messages('repaired')}, would, name + ': the dry run foretold it')
    equal(set(would), {s for s in ids if entries[s]}, name + ': the snapshots that lost something are repaired, no others')
    for snapshot in would:
        told = {readable(d['path']).rstrip('/') for d in done.messages('damaged') if d['snapshot'] == snapshot}
        untold = {rel for rel in files[snapshot]
                  if not any(readable(b'/' + rel) == p or readable(b'/' + rel).startswith(p + '/') for p in told)}
        equal(untold, set(), '%s: each damaged path of %s is told' % (name, snapshot[:8]))
    repo.backstay('prune', code=0)
    repo.sound(name + ' after repair and prune')
    now = listed(repo)
    for snapshot in ids:
        new = [s for s in now if s['id'] == snapshot or s.get('original') == snapshot]
        equal(len(new), 0 if would.get(snapshot) else 1, '%s: %s has its successor' % (name, snapshot[:8]))
        for successor in new:
            equal('repaired' in (successor.get('tags') or []), snapshot in would, '%s: tag of %s' % (name, snapshot[:8]))
            old = compare_manifest.snapshot_of(manifest, snapshot)['snapshot']
            equal(successor['time'], old['time'], '%s: time of %s' % (name, snapshot[:8]))
            still = lost(repo, successor['id'], manifest, snapshot)[1]
            equal(still - entries[snapshot], set(), '%s: what was whole in %s restores exactly' % (name, snapshot[:8]))
    before = contents(repo)
    repo.backstay('repair', 'index', code=0)
    repo.backstay('repair', 'snapshots', '--forget', code=0)
    equal(contents(repo), before, name + ': there is nothing left to repair')


def sound_ones_stay():
    for name in sorted(f[:-len('.manifest.json')] for f in os.listdir(FIXTURES) if f.endswith('.manifest.json')):
        repo = Repo.fixture(name)
        before = contents(repo)
        repo.backstay('repair', 'index', code=0)
        done = repo.backstay('repair', 'snapshots', '--forget', code=0)
        equal(contents(repo), before, name + ': repair leaves a sound repository alone')
        repo.backstay('repair', 'index', '--read-all-packs', code=0)
        repo.backstay('repair', 'index', '--read-data', code=0)
        done = repo.backstay('check', '--read-data', '--json')
        fact(done.code == 0 and not done.messages('error'), name + ': sound with an index made from all packs', done.all)
        done = repo.restic('check', '--read-data')
        fact(done.code == 0, name + ': and for restic', done.all)
        shutil.rmtree(repo.path)


def misuse(source):
    """Snapshots are not repaired by an index that is not."""
    repo = Repo.named('misuse')
    repo.init()
    first = repo.backup(source)['snapshot_id']
    with open(source + '/more', 'wb') as f:
        f.write(trees.noise(4, 300_000))
    repo.backup(source)
    whole = path('whole')
    shutil.copytree(repo.path, whole)
    for what, spoil in (('without an index', lambda: [os.unlink(repo.path + '/index/' + f) for f in repo.objects('index')]),
                        ('with half an index', lambda: os.unlink(repo.path + '/index/' + repo.objects('index')[0])),
                        ('with a lost pack', lambda: [os.unlink('%s/data/%s/%s' % (repo.path, p[:2], p)) for p in repo.objects('data')[:1]])):
        spoil()
        before = contents(repo)
        done = repo.backstay('repair', 'snapshots', '--forget', code=FAILED)
        fact('repair index' in done.errors, what + ': repair snapshots asks for repair index first', done.errors)
        equal(contents(repo), before, what + ': nothing was changed')
        shutil.rmtree(repo.path)
        shutil.copytree(whole, repo.path)
    for argv in (['repair'], ['repair', 'packs'], ['repair', 'index', 'x'], ['repair', 'index', '--forget'],
                 ['repair', 'snapshots', '--read-data']):
        repo.backstay(*argv, code=FAILED)
    # a snapshot object that cannot be read goes when it is named, never by itself
    with open(repo.path + '/snapshots/' + first, 'r+b') as f:
        f.write(b'no snapshot')
    repo.backstay('repair', 'snapshots', code=PARTIAL)
    repo.backstay('repair', 'snapshots', '--forget', code=PARTIAL)
    fact(first in repo.objects('snapshots'), 'an unreadable snapshot stays when it is not named')
    repo.backstay('repair', 'snapshots', '--forget', '--dry-run', first, code=0)
    fact(first in repo.objects('snapshots'), 'and in a dry run')
    repo.backstay('repair', 'snapshots', '--forget', first[:12], code=0)
    fact(first not in repo.objects('snapshots'), 'it goes when it is named')
    repo.sound('without the unreadable snapshot')


def not_of_the_format():
    """A directory that we refuse is not lost: its bytes are whole, and restic lists it. Nobody removes it unasked."""
    made = writer.Writer(path('unlike'), PASSWORD)
    unlike = made.tree([made.file('a/b', b'kept\n')])
    first = made.snapshot([made.file('good', b'good\n'), writer.node('d', 'dir', mode=(1 << 31) | 0o755, subtree=unlike)])
    repo = Repo(made.path, PASSWORD)
    equal([e['code'] for e in repo.backstay('check', '--json', code=FAILED).messages('error')], ['tree-invalid'], 'check finds it')
    for more in (['--dry-run'], []):
        done = repo.backstay('repair', 'snapshots', '--forget', '--json', *more, code=PARTIAL)
        equal([(d['path'], d['action']) for d in done.messages('damaged')], [('/d', 'dir-emptied')], 'repair snapshots tells of it')
        equal((done.summary()['kept'], done.summary()['removed']), (1, 0), 'and that the snapshot stays')
    now = {s['id']: s for s in listed(repo)}
    equal((len(now), first in now), (2, True), 'beside the repaired one')
    new = next(s for s in now if s != first)
    repo.backstay('restore', new, '--target', path('out'), code=0)
    equal(sorted(os.listdir(path('out'))), ['d', 'good'], 'which holds the rest')
    shutil.rmtree(path('out'))
    before = contents(repo)
    repo.backstay('prune', code=FAILED)
    equal(contents(repo), before, 'prune removes nothing')
    fact('/d/a/b' in repo.restic('ls', first, code=0).text, 'and restic still lists what we do not understand')
    repo.backstay('repair', 'snapshots', '--forget', first, code=0)
    equal([s['id'] for s in listed(repo)], [new], 'a snapshot that is named goes')
    repo.backstay('prune', code=0)
    repo.sound('without the directory that is not of the format')


def heals(source):
    """Damage inside a pack, the source still there: the next backup makes the old snapshot whole again."""
    repo = Repo.named('heals')
    repo.init()
    first = repo.backup(source)['snapshot_id']
    pack = max(repo.objects('data'), key=lambda p: os.path.getsize('%s/data/%s/%s' % (repo.path, p[:2], p)))
    with open('%s/data/%s/%s' % (repo.path, pack[:2], pack), 'r+b') as f:
        f.seek(1000)
        f.write(b'rot')
    repo.backstay('check', '--read-data', code=FAILED)
    repo.backstay('repair', 'index', '--read-data', code=0)
    repo.backup(source, '--force')
    done = repo.backstay('repair', 'snapshots', '--forget', '--json', code=0)
    equal(done.messages('repaired'), [], 'after a new backup no snapshot needs repair')
    repo.backstay('prune', code=0)
    repo.sound('after a new backup')
    repo.backstay('restore', first, '--target', path('out'), code=0)
    found = trees.compare(path('out') + source, source)
    fact(not found, 'the old snapshot is whole again', '\n'.join(found))
    shutil.rmtree(path('out'))


def restorable(repo, source):
    """Files of the newest snapshot that restore exactly, whatever else cannot be had."""
    shutil.rmtree(path('out'), ignore_errors=True)
    repo.backstay('restore', 'latest', '--target', path('out'))
    want, n = trees.describe(source), 0
    got = trees.describe(path('out') + source) if os.path.isdir(path('out') + source) else {}
    for rel, entry in want.items():
        n += 'sha256' in entry and got.get(rel, {}).get('sha256') == entry['sha256']
    shutil.rmtree(path('out'), ignore_errors=True)
    return n


def killed_any_time(source):
    """kill -9 at random moments of `repair index --read-data`, which moves blobs, writes and removes index objects."""
    repo = Repo.named('killed')
    repo.init()
    for part in sorted(os.listdir(source)):  # an index object and some packs each
        repo.backup(os.path.join(source, part), '--pack-size', '4')
    repo.backup(source)
    total = sum('sha256' in e for e in trees.describe(source).values())
    packs = ['%s/data/%s/%s' % (repo.path, p[:2], p) for p in repo.objects('data')]
    packs.sort(key=os.path.getsize)
    for pack in packs[-4:-1]:
        with open(pack, 'r+b') as f:
            f.truncate(os.path.getsize(pack) - 30)  # every blob is whole, the header is not
    with open(packs[-1], 'r+b') as f:
        f.seek(2000)
        f.write(b'rot')
    spoilt = path('spoilt')
    shutil.copytree(repo.path, spoilt)
    before = restorable(repo, source)
    fact(total > before > total // 2, 'most of %d files can be restored before (%d)' % (total, before))
    seconds = repo.backstay('repair', 'index', '--read-data', code=0).seconds
    equal(restorable(repo, source), before, 'as many after repair index')
    met = 0
    for n in range(KILLS):
        shutil.rmtree(repo.path)
        shutil.copytree(spoilt, repo.path)
        process = subprocess.Popen([BACKSTAY, '-r', repo.path, 'repair', 'index', '--read-data'], env=repo.env(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        pause = seconds * (n + rng.random()) / KILLS
        time.sleep(pause)
        if process.poll() is None:
            met += 1
            os.killpg(process.pid, signal.SIGKILL)
        else:
            seconds *= 0.6  # the machine is less busy than it was when the first one was measured
        process.wait()
        say('killed after %.0f ms' % (pause * 1000))
        equal(restorable(repo, source), before, 'kill %d: as many files can be restored' % (n + 1))
        repo.backstay('repair', 'index', '--read-data', code=0, why='kill %d: started again it ends well' % (n + 1))
        equal(restorable(repo, source), before, 'kill %d: as many when it is done' % (n + 1))
    fact(met > 0, 'some of the signals met a running process (%d of %d)' % (met, KILLS))
    repo.backstay('repair', 'snapshots', '--forget', code=0)
    repo.backstay('prune', code=0)
    repo.sound('after the last kill, repair and prune')


def main():
    with open(FIXTURES + '/corruptions.json') as f:
        cases = {c['name']: c for c in json.load(f)['corruptions']}
    for name in QUICK_ONES if SHORT else OF_INDEX + OF_PACKS + INSIDE_PACKS:
        mended(cases[name])
    if not SHORT:
        sound_ones_stay()
    source = path('source')
    trees.everything(source, devices=False, big=3_000_000)
    not_of_the_format()
    misuse(source)
    heals(source)
    trees.many(source + '/many', 300, size=20_000)
    for i in range(6):
        trees.write('%s/noise%d' % (source, i), trees.noise(i, 6_000_000))
    killed_any_time(source)
    finish()


main()
