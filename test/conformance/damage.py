#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan, timeout=900
"""What check, snapshots, restore and repair say of repositories that are damaged on purpose."""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import compare_manifest
from scenario import FIXTURE_PASSWORD, FIXTURES, NO_REPOSITORY, WRONG_PASSWORD, Repo, equal, fact, finish, path

# What the message must speak of when the repository cannot even be opened, and the exit status.
CANNOT_OPEN = {
    'config-missing': (NO_REPOSITORY, 'config'),
    'config-mac': (1, 'config'),
    'key-missing': ((1, NO_REPOSITORY, WRONG_PASSWORD), 'no key'),
    'key-name': ((1, WRONG_PASSWORD), 'key'),
}


def cannot_open(repo, case):
    before = sorted(f for _, _, fs in os.walk(repo.path) for f in fs)
    for what in ('check', 'check_read_data'):
        codes, word = CANNOT_OPEN[case[what]['error']]
        done = repo.backstay('check', *(['--read-data'] if what != 'check' else []), code=codes)
        fact(word in done.all.lower(), '%s: the message speaks of "%s"' % (case['name'], word), done.all)
        fact(case['name'] == 'config_missing' or 'wrong password' not in done.all.lower(),
             case['name'] + ': the password is not blamed', done.all)
    equal(sorted(f for _, _, fs in os.walk(repo.path) for f in fs), before, case['name'] + ': nothing was made or changed')


def findings(repo, case):
    for what, more in (('check', []), ('check_read_data', ['--read-data'])):
        want = case[what]
        label = '%s: check%s' % (case['name'], ' --read-data' if more else '')
        done = repo.backstay('check', '--json', *more)
        equal(done.code, want['exit'], label + ' exit status')
        equal(sorted({e.get('code') for e in done.messages('error')}), sorted(want['errors']), label + ' errors')
        equal(sorted({h.get('code') for h in done.messages('hint')}), sorted(want['hints']), label + ' hints')
        fact(all(e.get('message') and 'object' in e for e in done.messages('error') + done.messages('hint')),
             label + ': each finding names its object', done.text)
        fact(bool(done.summary().get('num_errors', -1)) == bool(want['errors']), label + ': the summary counts', done.text)


def restored(repo, case, manifest):
    """Restores every snapshot that can be read; the number of files lost, and their paths."""
    lost, paths = 0, set()
    known = {s['id'] for s in manifest['snapshots']}
    readable = [s['id'] for s in repo.snapshots() if s['id'] in known]
    equal(len(readable), case['snapshots_readable'], case['name'] + ': so many snapshots can be read')
    for snapshot in readable:
        target = path('out')
        done = repo.backstay('restore', snapshot, '--target', target)
        want = compare_manifest.wanted(compare_manifest.snapshot_of(manifest, snapshot))
        missed = set()
        for rel, entry in want.items():
            if 'sha256' in entry and not same(os.path.join(os.fsencode(target), rel), entry):
                missed.add(b'/' + rel)
        fact((done.code != 0) == bool(missed), '%s: restore of %s tells whether it is whole' % (case['name'], snapshot[:8]),
             'exit %d, lost %d' % (done.code, len(missed)))
        lost += len(missed)
        paths |= missed
        if 'lost_paths_b64' in case:
            for p in missed:
                fact(os.path.basename(p).decode() in done.all, '%s: the restore names %r' % (case['name'], p), done.all)
        shutil.rmtree(target, ignore_errors=True)
    equal(lost, case['files_lost'], case['name'] + ': so many files are lost, and no others')
    if 'lost_paths_b64' in case:
        equal(paths, {base64.b64decode(p) for p in case['lost_paths_b64']}, case['name'] + ': it is these')


def same(file, entry):
    try:
        with open(file, 'rb') as f:
            return hashlib.file_digest(f, 'sha256').hexdigest() == entry['sha256']
    except OSError:
        return False


def repaired(repo, case, manifest):
    repo.backstay('repair', 'index', code=0)
    repo.sound(case['name'] + ' after repair index')
    for snapshot in manifest['snapshots']:
        repo.backstay('restore', snapshot['id'], '--target', path('out'), code=0)
        found = compare_manifest.differences(manifest, snapshot['id'], path('out'))
        fact(not found, case['name'] + ': whole again after repair index', '\n'.join(found))
        shutil.rmtree(path('out'), ignore_errors=True)


def main():
    with open(FIXTURES + '/corruptions.json') as f:
        cases = json.load(f)['corruptions']
    for case in cases:
        subprocess.run([sys.executable, FIXTURES + '/derive_corrupt.py', path('bad'), case['name']], check=True,
                       stdout=subprocess.DEVNULL)
        repo = Repo(path('bad', case['name']), FIXTURE_PASSWORD)
        manifest = compare_manifest.load('%s/%s.manifest.json' % (FIXTURES, case['fixture']))
        if 'error' in case['check']:
            cannot_open(repo, case)
        else:
            findings(repo, case)
            restored(repo, case, manifest)
        if case.get('repaired_by_index_from_pack_headers'):
            repaired(repo, case, manifest)
        shutil.rmtree(repo.path)
    finish()


main()
