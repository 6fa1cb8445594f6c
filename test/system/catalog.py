#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan
"""The daemon's catalogue: history comes back from the repository alone, and damage is told, set aside and never written over."""
import glob
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import FAILED, LOCKED, Repo, equal, fact, finish, path

NO_SPACE = 24
RUNS = ['0190000000%02xabcdef0123456789abcd' % n for n in range(4)]
FILE = path('catalogue.db')
AT = 'sqlite:' + FILE


def history(file=FILE):
    db = sqlite3.connect(file)
    rows = db.execute('SELECT id, schedule, state, source_bytes, files, started_at, ended_at FROM backup_history ORDER BY id').fetchall()
    db.close()
    return rows


def damage(file):
    db = sqlite3.connect(file)
    db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'backup_history'").fetchone()[0]
    size = db.execute('PRAGMA page_size').fetchone()[0]
    db.close()
    with open(file, 'r+b') as f:
        f.seek((page - 1) * size)
        f.write(b'\xa5' * size)


def full_disk(repo):
    """Of whatever size the disk is: a whole catalogue or none, and the reason."""
    disk = path('disk')
    os.mkdir(disk)
    for kilobytes in (100, 250, 350, 450, 2000):
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%dk' % kilobytes, 'tmpfs', disk], check=True)
        try:
            at = 'sqlite:' + disk + '/catalogue.db'
            done = repo.backstay('catalog', 'rebuild', '--at', at, code=0 if kilobytes == 2000 else NO_SPACE)
            if done.code:
                equal(os.listdir(disk), [], 'nothing is left on a disk of %d KiB' % kilobytes)
            else:
                repo.backstay('catalog', 'check', '--at', at, code=0)
        finally:
            subprocess.run(['umount', '-l', disk], check=False)


def main():
    source = path('source')
    trees.many(source, 20)
    repo = Repo.named('repo')
    repo.init()
    for run in RUNS:
        left_out = ',left-out=3' if run == RUNS[-1] else ''
        repo.backup(source, '--tag', 'run=%s,schedule=nightly,source=app,kind=files%s' % (run, left_out))
    repo.backup(source, '--tag', 'run=%s,schedule=nightly,source=other,kind=files' % RUNS[0])
    repo.backup(source)
    repo.backup(source, '--tag', 'run=../../etc')

    told = repo.backstay('catalog', 'rebuild', '--at', AT, '--json', code=0).summary()
    equal([told.get(k) for k in ('snapshots', 'snapshots_without_run', 'runs', 'runs_added', 'set_aside')], [7, 2, 4, 4, None],
          'each run of the repository comes back, others are counted')
    rows = history()
    states = ['succeeded'] * (len(RUNS) - 1) + ['partial']
    equal([r[:3] for r in rows], [(run, 'nightly', state) for run, state in zip(RUNS, states)],
          'with its id, its schedule and its state: one that left something out is no success')
    fact(rows[0][3] == 2 * rows[1][3] > 0 and rows[0][4] == 2 * rows[1][4] > 0, 'what its snapshots hold is summed up', rows)
    fact(all(r[5] <= r[6] and r[5] > 1.6e12 for r in rows), 'and it has their times', rows)
    equal(os.stat(FILE).st_mode & 0o777, 0o600, 'the file is for its owner alone')
    told = repo.backstay('catalog', 'rebuild', '--at', AT, '--json', code=0).summary()
    equal((told.get('runs'), told.get('runs_added')), (4, 0), 'a second time adds nothing')
    equal(history(), rows, 'and changes nothing')
    told = repo.backstay('catalog', 'check', '--at', AT, '--json', code=0).summary()
    equal(told.get('audit_lines'), 0, 'check finds it sound')

    absent = path('absent.db')
    done = repo.backstay('catalog', 'check', '--at', 'sqlite:' + absent, code=FAILED)
    fact(absent in done.errors and not os.path.exists(absent), 'what is not there is not sound, and is not made by a look', done.errors)

    damage(FILE)
    done = repo.backstay('catalog', 'check', '--at', AT, code=FAILED)
    fact('backstay catalog rebuild' in done.errors, 'damage is told, and what to do', done.errors)
    busy = sqlite3.connect(FILE)
    busy.execute('SELECT count(*) FROM catalog_version').fetchall()
    done = repo.backstay('catalog', 'rebuild', '--at', AT, code=LOCKED)
    fact('process %d' % os.getpid() in done.errors, 'one that is in use is not set aside', done.errors)
    busy.close()
    with open(FILE, 'rb') as f:
        broken = f.read()
    told = repo.backstay('catalog', 'rebuild', '--at', AT, '--json', code=0).summary()
    aside = told.get('set_aside') or ''
    fact(os.path.exists(aside) and open(aside, 'rb').read() == broken, 'the damaged one is kept as it was', (aside, glob.glob(FILE + '*')))
    equal(history(), rows, 'and the new one has the history again')
    repo.backstay('catalog', 'check', '--at', AT, code=0)

    other = Repo(path('nowhere'))
    damage(FILE)
    before = sorted(glob.glob(FILE + '*'))
    other.backstay('catalog', 'rebuild', '--at', AT, code=10)
    equal(sorted(glob.glob(FILE + '*')), before, 'without a repository nothing is touched')
    repo.backstay('catalog', 'mend', code=FAILED)
    full_disk(repo)
    finish()


main()
