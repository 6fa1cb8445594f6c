#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""SQLite, the way back to its place: at once, never while a process has it open, without the WAL of the old one, which is kept."""
import os
import sqlite3
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import FAILED, LOCKED, NOT_EMPTY, Repo, equal, fact, finish, path

repo = Repo.named('repo')
repo.init()


def rows(file):
    db = sqlite3.connect(file)
    try:
        return [x[0] for x in db.execute('SELECT x FROM t ORDER BY x')]
    finally:
        db.close()


def restore(snapshot, target, *options, code=0):
    done = repo.backstay('restore', '--json', snapshot, '--to', 'sqlite:' + target, *options, code=code)
    return done.messages('sqlite')[-1] if code == 0 else done


os.makedirs(path('app'))
file = path('app/app.db')
db = sqlite3.connect(file, isolation_level=None)
db.execute('PRAGMA journal_mode=WAL')
db.execute('CREATE TABLE t (x)')
db.execute('INSERT INTO t VALUES (1), (2), (3)')
snapshot = repo.backup('sqlite:' + file)['snapshot_id']
db.execute('INSERT INTO t VALUES (4)')

# in use, though nobody is in a transaction
for options in ((), ('--force',), ('--preview',)):
    refused = restore(snapshot, file, *options, code=LOCKED)
    fact('in use' in refused.errors, 'an idle connection is seen, with %s' % (options or 'nothing',), refused.errors)

# what is left by an application that crashed: its WAL holds what was committed last
wal = open(file + '-wal', 'rb').read()
main = open(file, 'rb').read()
db.close()
with open(file, 'wb') as f:
    f.write(main)
with open(file + '-wal', 'wb') as f:
    f.write(wal)
os.chmod(file, 0o640)
os.chown(file, 12345, 12346)
refused = restore(snapshot, file, code=NOT_EMPTY)
fact('--force' in refused.errors, 'a database that is there is not replaced unasked', refused.errors)
equal(restore(snapshot, file, '--preview')['action'], 'would_restore', 'a preview')
told = restore(snapshot, file, '--force')
equal(rows(file), [1, 2, 3], 'restored, and the WAL of the old one is not applied')
equal(told['rows'], 3, 'it says how many rows')
st = os.stat(file)
equal((stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid), (0o640, 12345, 12346), 'owner and mode are those of the old one')
equal(rows(told['kept']), [1, 2, 3, 4], 'the old one is kept with its WAL')
again = restore(snapshot, file, '--force')
fact(again['kept'] != told['kept'] and rows(told['kept']) == [1, 2, 3, 4], 'and so is the next', again)
fact(not [x for x in os.listdir(path('app')) if 'restoring' in x or 'tmp' in x], 'nothing else is left', os.listdir(path('app')))

# where there is none
new = path('app/new.db')
told = restore(snapshot, new)
equal((rows(new), told['kept'], stat.S_IMODE(os.stat(new).st_mode)), ([1, 2, 3], None, 0o600), 'into a new place')
os.rename(new, path('app/moved.db'))
with open(new + '-wal', 'wb') as f:
    f.write(wal)
refused = restore(snapshot, new, code=NOT_EMPTY)
fact('new.db-wal' in refused.errors and not os.path.exists(new), 'a WAL without its database is refused', refused.errors)
os.symlink(file, path('link.db'))
told = restore(snapshot, path('link.db'), '--force')
equal((told['target'], os.path.islink(path('link.db'))), (file, True), 'a link stays one, and what it leads to is replaced')

# what cannot be
restore(snapshot, path('app'), code=FAILED)
restore(snapshot, path('nowhere/x.db'), code=FAILED)
files = repo.backup(path('app'))['snapshot_id']
refused = restore(files, path('app/y.db'), code=FAILED)
fact('not of an SQLite database' in refused.errors and not os.path.exists(path('app/y.db')), 'files are not', refused.errors)
finish()
