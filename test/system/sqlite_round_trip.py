#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""SQLite: a copy of one moment while others write, with what lies in the WAL; damage, locks and lack of room make no snapshot."""
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import FAILED, Repo, equal, fact, finish, path

ROWS = 20000


def make(name, mode, page=4096):
    file = path(name)
    db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    db.execute('PRAGMA page_size=%d' % page)
    db.execute('PRAGMA application_id=4711')
    db.execute('PRAGMA user_version=7')
    db.execute('PRAGMA journal_mode=' + mode)
    db.execute('CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER, filler BLOB)')
    db.execute('CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER, filler BLOB)')
    db.execute('CREATE TABLE "odd "" name" (x)')
    db.execute('BEGIN')
    for table in 'ab':
        db.executemany('INSERT INTO %s VALUES (?, 0, ?)' % table, ((i, os.urandom(300)) for i in range(ROWS)))
    db.execute('COMMIT')
    return file, db


class Writer(threading.Thread):
    """Each transaction adds the same number to a row of both tables: in every moment their sums are equal."""

    def __init__(self, file):
        super().__init__(daemon=True)
        self.file, self.stopped, self.n = file, threading.Event(), 0

    def run(self):
        db = sqlite3.connect(self.file, isolation_level=None, timeout=60)
        db.execute('PRAGMA synchronous=OFF')
        while not self.stopped.wait(.001):
            self.n += 1
            db.execute('BEGIN IMMEDIATE')
            for table in 'ab':
                db.execute('UPDATE %s SET n = n + ? WHERE id = ?' % table, (self.n, self.n * 7919 % ROWS))
            db.execute('INSERT INTO a (n) VALUES (0)')
            db.execute('INSERT INTO b (n) VALUES (0)')
            db.execute('COMMIT')


def restored(repo, snapshot, label):
    target = path('restored-' + label)
    repo.restic('restore', snapshot, '--target', target, code=0)
    top = os.path.join(target, os.listdir(target)[0])
    with open(os.path.join(top, 'manifest.json'), encoding='utf-8') as f:
        return top, json.load(f)


def round_trip(repo, mode, page):
    file, keep = make('%s.db' % mode, mode, page)
    writer = Writer(file)
    writer.start()
    while writer.n < 20:
        pass
    before = writer.n
    summary = repo.backup('sqlite:' + file)
    during = writer.n - before
    writer.stopped.set()
    writer.join()
    fact(during > 0, mode + ': others write meanwhile', during)
    top, manifest = restored(repo, summary['snapshot_id'], mode)
    db = sqlite3.connect(os.path.join(top, mode + '.db'))
    a, b = (db.execute('SELECT count(*), sum(n) FROM ' + t).fetchone() for t in 'ab')
    equal(a, b, mode + ': the copy is of one moment')
    fact(a[0] >= ROWS + before, mode + ': and has what was committed before it began', (a, before))
    facts = manifest['database']
    equal({t['name']: t['rows'] for t in facts['tables']}, {'a': a[0], 'b': b[0], 'odd " name': 0}, mode + ': rows of each table')
    equal([facts[x] for x in ('page_size', 'application_id', 'user_version')], [page, 4711, 7], mode + ': page size and ids are kept')
    equal([db.execute('PRAGMA ' + x).fetchone()[0] for x in ('page_size', 'application_id', 'user_version')], [page, 4711, 7],
          mode + ': and the copy has them')
    equal(db.execute('PRAGMA integrity_check').fetchone()[0], 'ok', mode + ': integrity_check')
    equal(db.execute('PRAGMA journal_mode').fetchone()[0], mode, mode + ': the journal mode is kept')
    db.close()
    # a second backup after a small change costs little
    repo.backup('sqlite:' + file)
    keep.execute('UPDATE a SET n = n + 1 WHERE id = 5')
    second = repo.backup('sqlite:' + file)
    fact(second['data_added'] < 700000, mode + ': a small change costs a few pieces', second['data_added'])
    tags = [s for s in repo.snapshots() if s['id'] == second['snapshot_id']][0]['tags']
    fact(any(t.startswith('cut=') for t in tags) and 'kind=sqlite' in tags, mode + ': tags', tags)
    keep.close()


def fails(repo, operand, words, label, env=None):
    before = {s['id'] for s in repo.snapshots()}
    done = repo.backstay('backup', operand, code=FAILED if label != 'no room' else 24, why=label + ': exit status', env=env)
    fact(words in done.errors, '%s: the message speaks of %s' % (label, words), done.errors)
    equal({s['id'] for s in repo.snapshots()}, before, label + ': no snapshot was made')


repo = Repo.named('repo')
repo.init()
scratch = path('scratch')
os.makedirs(scratch)
os.environ['TMPDIR'] = scratch
round_trip(repo, 'wal', 8192)
round_trip(repo, 'delete', 4096)

# M12: the file without its WAL has none of these rows, and integrity_check says ok
file, db = make('m12.db', 'wal')
db.execute('PRAGMA wal_autocheckpoint=0')
db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
db.execute('BEGIN')
db.executemany('INSERT INTO "odd "" name" VALUES (?)', ((i,) for i in range(5000)))
db.execute('COMMIT')
size = os.path.getsize(file + '-wal')
top, _ = restored(repo, repo.backup('sqlite://' + file)['snapshot_id'], 'm12')
equal(sqlite3.connect(top + '/m12.db').execute('SELECT count(*) FROM "odd "" name"').fetchone()[0], 5000, 'what lies in the WAL only is saved')
equal(os.path.getsize(file + '-wal'), size, 'and the WAL is left as it was')

# what SQLite lets one choose, at its ends
SETTINGS = ('page_size', 'encoding', 'auto_vacuum', 'application_id', 'user_version', 'schema_version')
files = []
for page, encoding, vacuum in ((512, 'UTF-16le', 1), (65536, 'UTF-16be', 2)):
    files.append(path('odd/page%d.db' % page))
    os.makedirs(path('odd'), exist_ok=True)
    with contextlib.closing(sqlite3.connect(files[-1])) as odd:
        odd.executescript("PRAGMA page_size=%d; PRAGMA encoding='%s'; PRAGMA auto_vacuum=%d; PRAGMA application_id=-7; PRAGMA user_version=2147483647;"
                          "CREATE TABLE t (x); INSERT INTO t VALUES ('\u00fc' || hex(randomblob(3000)));" % (page, encoding, vacuum))
done = repo.backstay('backup', '--json', *('sqlite:' + name for name in files), code=0).messages('summary')
for n, (original, one) in enumerate(zip(files, done)):
    top, _ = restored(repo, one['snapshot_id'], 'odd%d' % n)
    settings = []
    for place in (original, os.path.join(top, os.path.basename(original))):
        with contextlib.closing(sqlite3.connect(place)) as odd:
            settings.append([odd.execute('PRAGMA ' + x).fetchone()[0] for x in SETTINGS] + odd.execute('SELECT * FROM t').fetchall())
    equal(settings[1], settings[0], '%s: all that was chosen is kept, and what it holds' % os.path.basename(original))
fails(repo, 'sqlite:' + path('odd/*.sqlite'), 'sqlite', 'a pattern that fits nothing')

# several, and what is refused
many = repo.backstay('backup', '--json', 'sqlite:' + path('*.db'), code=0).messages('summary')
equal(len(many), 3, 'a pattern: each database is a snapshot of its own')
with open(path('text.db'), 'w', encoding='utf-8') as f:
    f.write('no database at all ' * 1000)
fails(repo, 'sqlite:' + path('text.db'), 'not a database', 'another file')
fails(repo, 'sqlite:' + path('none.db'), 'none.db', 'an absent file')
fact(not os.path.exists(path('none.db')), 'an absent file is not made')
with open(path('delete.db'), 'r+b') as f:
    f.seek(300 * 4096)
    f.write(trees.noise(1, 20 * 4096))
fails(repo, 'sqlite:' + path('delete.db'), 'damaged', 'damaged pages')
small = path('tiny')
os.makedirs(small)
subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', small], check=True)
try:
    fails(repo, 'sqlite:' + file, 'full', 'no room', env={'TMPDIR': small})
finally:
    subprocess.run(['umount', '-l', small], check=False)
db.execute('PRAGMA foreign_keys=OFF')
db.execute('CREATE TABLE child (parent REFERENCES a (id))')
db.execute('INSERT INTO child VALUES (-1)')
done = repo.backstay('backup', 'sqlite:' + file, code=0, why='rows that refer to none are saved')
fact('foreign_key_check' in done.errors, 'and told of', done.errors)
equal(os.listdir(scratch), [], 'no copy is left behind')
repo.sound('in the end')
finish()
