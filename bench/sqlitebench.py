# SPDX-License-Identifier: Apache-2.0
"""bench/run sqlite: a database of rows of noise, after 1 % of them changed in a few places, and in as many as can be."""
import os
import random
import sqlite3

from measuring import RUNS, measure

MIB = 1 << 20
ROW = 400  # about; a page of 4 KiB has nine


def make(file, size_mib):
    """As many rows as there is room for."""
    for name in (file, file + '-wal', file + '-shm'):
        if os.path.exists(name):
            os.unlink(name)
    db = sqlite3.connect(file)
    db.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)')
    rows = size_mib * MIB // (ROW + 30)
    db.executemany('INSERT INTO t VALUES (?, ?)', ((n, os.urandom(ROW)) for n in range(rows)))
    db.commit()
    db.close()
    return rows


def change(file, rows, run_length):
    """1 % of the rows, in runs of so many."""
    rng = random.Random(run_length)
    db = sqlite3.connect(file)
    for start in rng.sample(range(rows // run_length), rows // 100 // run_length):
        db.executemany('UPDATE t SET v = ? WHERE id = ?', ((os.urandom(ROW), start * run_length + n) for n in range(run_length)))
    db.commit()
    db.close()


def sqlite(directory, table, programs, size_mib):
    """stored: what the repository grew by."""
    file = directory + '/app.db'
    for _ in range(RUNS):
        for p in programs:
            rows = make(file, size_mib)
            p.start_over()

            def work(name, p=p):
                before = p.stored()
                measured = measure(p.backup('sqlite:' + file if p.name == 'backstay' else file), p.env)
                measured.stored = p.stored() - before
                table.add(name, p.name, measured)
            work('first backup')
            change(file, rows, 1)
            work('1 % of the rows changed, one by one')
            change(file, rows, 1000)
            work('1 % of the rows changed, in runs of 1000')
            if p.name == 'backstay':
                work('nothing changed')
    return 'A database of %d MiB of noise. Others read the file as it is, which nobody writes to.' % size_mib
