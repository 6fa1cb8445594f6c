#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan
"""Whatever looks into a repository shows what stock restic shows, of repositories that restic wrote."""
import base64
import glob
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import FIXTURES, QUICK, Repo, equal, fact, finish, path

QUIET = ('--no-lock', '--no-cache')
# restic 0.14 writes no target for these, and times in the zone of the backup
SOFT = ('linktarget', 'mtime', 'atime', 'ctime', 'message_type')


def shared(ours, theirs, skip=SOFT):
    """What restic 0.14 knows of; later versions, which we follow, have more."""
    return {k: ours.get(k) for k in theirs if k not in skip}, {k: v for k, v in theirs.items() if k not in skip}


def compare(ours, theirs, name, key=lambda x: x['path']):
    a, b = sorted(ours, key=key), sorted(theirs, key=key)
    pairs = [shared(x, y) for x, y in zip(a, b)]
    wrong = [p for p in pairs if p[0] != p[1]]
    return fact(len(a) == len(b) and not wrong, name, '%d and %d\n%r' % (len(a), len(b), wrong[:2]))


def both(repo, *argv, **options):
    return repo.backstay(*argv, '--json', code=0, **options), repo.restic(*QUIET, *argv, '--json', code=0, **options)


def snapshots(name, repo):
    ours, theirs = (r.json() for r in both(repo, 'snapshots'))
    theirs.sort(key=lambda s: s['time'])
    equal([s['id'] for s in ours], [s['id'] for s in theirs], name + ': the same snapshots, oldest first')
    for a, b in zip(ours, theirs):
        equal(*shared({**a, 'paths': sorted(a['paths'])}, {**b, 'paths': sorted(b['paths'])}, ()),
              '%s: snapshot %s' % (name, b['short_id']))
    for by in ('host', 'paths', 'host,tags'):
        ours, theirs = (sorted(((json.dumps(g['group_key'], sort_keys=True), sorted(s['id'] for s in g['snapshots']))
                                for g in r.json())) for r in both(repo, 'snapshots', '--group-by', by))
        equal(ours, theirs, '%s: grouped by %s' % (name, by))
    ours, theirs = (sorted(s['id'] for s in r.json()) for r in both(repo, 'snapshots', '--latest', '1'))
    equal(ours, theirs, name + ': the latest of each host and paths')
    return [s['id'] for s in sorted(repo.backstay('snapshots', '--json').json(), key=lambda s: s['time'])]


def entries(name, repo, ids):
    for snapshot in ids:
        ours, theirs = ([n for n in r.lines() if n['struct_type'] == 'node'] for r in both(repo, 'ls', snapshot))
        compare(ours, theirs, '%s: ls %s' % (name, snapshot[:8]))
        first = repo.backstay('ls', '--json', snapshot).lines()[0]
        equal((first['struct_type'], first['message_type'], first['id']), ('snapshot', 'snapshot', snapshot),
              name + ': ls tells first which snapshot it is')
        dirs = sorted(n['path'] for n in theirs if n['type'] == 'dir' and '\ufffd' not in n['path'])
        for more in ([dirs[0]], [dirs[-1]], ['--recursive', dirs[len(dirs) // 2], dirs[-1]]):
            argv = [m for m in more if m[0] == '-'] + [snapshot] + [m for m in more if m[0] == '/']
            ours, theirs2 = ([n for n in r.lines() if n['struct_type'] == 'node'] for r in both(repo, 'ls', *argv))
            equal([n['path'] for n in ours], [n['path'] for n in theirs2], '%s: ls %s' % (name, ' '.join(more)))
    for pattern in ('*.txt', '/fixture/**/*a*', 'NAMES'):
        options = ['--ignore-case'] if pattern.isupper() else []
        a, b = ([{**m, 'snapshot': s['snapshot']} for s in r.json() or [] for m in s['matches']]
                for r in both(repo, 'find', *options, pattern))
        compare(a, b, '%s: find %s' % (name, pattern), lambda m: (m['snapshot'], m['path']))


def numbers(name, repo, ids):
    for names in ([], [ids[-1]]):
        for mode in ('restore-size', 'files-by-contents', 'blobs-per-file', 'raw-data'):
            ours, theirs = (r.json() for r in both(repo, 'stats', '--mode', mode, *names))
            theirs = {k: v for k, v in theirs.items() if v}  # later versions leave out zeros
            equal(*shared(ours, theirs), '%s: stats --mode %s %s' % (name, mode, ' '.join(n[:8] for n in names)))


def differences(name, repo, ids):
    for a, b in zip(ids, ids[1:]):
        ours, theirs = both(repo, 'diff', '--metadata', a, b)
        strip = [{(m['path'], m['modifier'].replace('?', '')) for m in r.messages('change')} for r in (ours, theirs)]
        equal(strip[0], strip[1], '%s: diff %s %s' % (name, a[:8], b[:8]))
        ours, theirs = (r.messages('statistics')[0] for r in (ours, theirs))
        equal(ours, theirs, '%s: what %s and %s differ in' % (name, a[:8], b[:8]))


def clamped(key):
    """Poly1305 does not use all bits of r; restic 0.14 prints it without the others."""
    r = bytearray(base64.b64decode(key['mac']['r']))
    for i in (3, 7, 11, 15):
        r[i] &= 15
    for i in (4, 8, 12):
        r[i] &= 252
    return {**key, 'mac': {**key['mac'], 'r': bytes(r)}}


def inner(name, repo, ids):
    def pair(*argv):
        return (r.out for r in (repo.backstay('cat', *argv, code=0), repo.restic(*QUIET, 'cat', *argv, code=0)))

    packs = [p for i in repo.objects('index') for p in repo.backstay('cat', 'index', i, code=0).json()['packs']]
    data = next(p for p in packs if p['blobs'][0]['type'] == 'data')
    ours, theirs = map(json.loads, pair('masterkey'))
    equal(clamped(ours), clamped(theirs), name + ': cat masterkey')
    for argv in (['config'], ['key', repo.objects('keys')[0]], ['snapshot', ids[0]], ['index', repo.objects('index')[0]]):
        equal(*shared(*map(json.loads, pair(*argv)), ('created',)), '%s: cat %s' % (name, argv[0]))
    for argv in (['pack', data['id']], ['blob', data['blobs'][0]['id']]):
        ours, theirs = pair(*argv)
        fact(ours == theirs and ours, '%s: cat %s' % (name, argv[0]), (ours[:99], theirs[:99]))
    snapshot = repo.backstay('snapshots', '--json').json()[0]
    ours = repo.backstay('cat', 'tree', snapshot['id'], code=0).out
    equal(hashlib.sha256(ours).hexdigest(), snapshot['tree'], name + ': cat tree')
    inside = next(n['subtree'] for n in json.loads(ours)['nodes'] if n['type'] == 'dir')
    for argv in (['--tree', inside], ['--blob', data['blobs'][0]['id']], ['--pack', data['id']]):
        ours, theirs = (r.json() for r in both(repo, 'find', *argv))
        compare(ours, theirs, '%s: find %s' % (name, argv[0]), lambda x: (x['snapshot'], x['path'], x['id']))
        fact(ours, name + ': and something is found')


def content(name, repo, snapshot):
    nodes = [n for n in repo.backstay('ls', '--json', snapshot).lines() if n['struct_type'] == 'node']
    plain = [n for n in nodes if n['type'] == 'file' and n['path'].isprintable() and '\ufffd' not in n['path']]
    for n in (max(plain, key=lambda n: n['size']), min(plain, key=lambda n: n['size']), plain[len(plain) // 2]):
        ours = repo.backstay('dump', snapshot, n['path'], code=0).out
        fact(ours == repo.restic(*QUIET, 'dump', snapshot, n['path'], code=0).out and len(ours) == n['size'],
             '%s: dump %s' % (name, n['path'][:40]))
    target = path('dumped')
    repo.backstay('dump', '--target', target, snapshot, plain[0]['path'], code=0)
    with open(target, 'rb') as f:
        fact(f.read() == repo.restic(*QUIET, 'dump', snapshot, plain[0]['path']).out, name + ': dump --target')
    ours, theirs = (tarred(r.out) for r in (repo.backstay('dump', snapshot, '/', code=0), repo.restic(*QUIET, 'dump', snapshot, '/', code=0)))
    # restic 0.14 leaves out more than we do
    for special in [n['path'][1:] for n in nodes if n['type'] not in ('file', 'dir', 'symlink')]:
        ours.pop(special, None), theirs.pop(special, None)
    equal(set(ours) ^ set(theirs), set(), name + ': a tar of everything holds the same names')
    wrong = {k: (ours[k], theirs[k]) for k in ours if k in theirs and ours[k] != theirs[k]}
    equal(wrong, {}, name + ': and the same entries')
    zipped = zipfile.ZipFile(io.BytesIO(repo.backstay('dump', '--archive', 'zip', snapshot, '/', code=0).out))
    equal(zipped.testzip(), None, name + ': a zip of everything is whole')


def tarred(text):
    found = {}
    with tarfile.open(fileobj=io.BytesIO(text), errors='surrogateescape') as tar:
        for m in tar:
            data = tar.extractfile(m).read() if m.isfile() else None
            found[m.name.rstrip('/')] = (m.type, m.mode & 0o777, m.uid, m.gid, int(m.mtime + 0.5), m.size, data)
    return found


def main():
    for manifest in sorted(glob.glob(FIXTURES + '/*.manifest.json')):
        name = os.path.basename(manifest)[:-len('.manifest.json')]
        if name == 'v2-twokeys' or (QUICK and name not in ('v1-migrated', 'v2-auto', 'v2-otherwriter', 'v2-pruned')):
            continue
        repo = Repo.fixture(name)
        if len(os.listdir(repo.path + '/keys')) == 1:  # some have strays there, on purpose
            repo.cheapen()
        ids = snapshots(name, repo)
        entries(name, repo, ids)
        numbers(name, repo, ids)
        differences(name, repo, ids)
        inner(name, repo, ids)
        content(name, repo, ids[-1])
    finish()


main()
