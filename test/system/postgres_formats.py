#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""Our readers of PostgreSQL's own files against PostgreSQL's own programs, on a server under load: pg_controldata, pg_waldump,
pg_walfile_name(), pg_checksums, pg_verifybackup."""
import calendar
import glob
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster
from scenario import BACKSTAY, equal, fact, finish, path, say

DRIVER = os.path.dirname(BACKSTAY) + '/../test/unit/test-pg-formats-driver'
MANAGERS = {'XLOG': 0, 'Transaction': 1, 'Storage': 2, 'CLOG': 3, 'Database': 4, 'Tablespace': 5, 'MultiXact': 6, 'RelMap': 7,
            'Standby': 8, 'Heap2': 9, 'Heap': 10, 'Btree': 11, 'Hash': 12, 'Gin': 13, 'Gist': 14, 'Sequence': 15, 'SPGist': 16,
            'BRIN': 17, 'CommitTs': 18, 'ReplicationOrigin': 19, 'Generic': 20, 'LogicalMessage': 21}
LINE = re.compile(r'rmgr: (\S+)\s+len \(rec/tot\):\s*\d+/\s*(\d+), tx:\s*(\d+), lsn: (\S+), prev (\S+), desc: (\S+) ?(.*)')


def ours(*argv, code=0):
    done = subprocess.run([DRIVER, *map(str, argv)], capture_output=True, check=False)
    if done.returncode != code:
        fact(False, 'the driver ends with %d: %s' % (code, ' '.join(map(str, argv))[:100]), done.stderr.decode())
    return done.stdout.decode()


def short(lsn):
    """pg_waldump pads what everybody else prints without zeros."""
    return '%X/%X' % tuple(int(x, 16) for x in lsn.split('/'))


def pgbench(server, *options):
    subprocess.run(['pgbench', '-h', server.socket, '-U', 'postgres', *options, 'postgres'], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def load(server):
    pgbench(server, '-i', '-q', '-s', '2')
    pgbench(server, '-n', '-c', '4', '-t', '400')
    server.sql("begin; create table odd (t text); insert into odd select repeat('x', 9000) from generate_series(1, 50);"
               'create index on odd (md5(t)); savepoint a; delete from odd; rollback to a; commit; create sequence s;'
               "select nextval('s'); truncate odd; vacuum pgbench_branches; create table g (i int[]);"
               'insert into g select array[i, i * 2] from generate_series(1, 2000) i; create index on g using gin (i);'
               'create index on pgbench_accounts using brin (aid); create index on pgbench_tellers using hash (tid);'
               "select pg_logical_emit_message(false, 'a', repeat('y', 20000000))")
    server.sql('begin; insert into odd values (1); rollback; checkpoint; update pgbench_branches set bbalance = 0')


def control(server):
    code, text, _ = server.tool('pg_controldata', server.data)
    said = dict(re.split(r':\s+', line, maxsplit=1) for line in text.splitlines() if re.search(r':\s+\S', line))
    want = [said[key] for key in ('pg_control version number', 'Catalog version number', 'Database system identifier',
                                  'Database cluster state', 'Latest checkpoint location', "Latest checkpoint's REDO location",
                                  "Latest checkpoint's TimeLineID", 'Database block size', 'Bytes per WAL segment',
                                  'Data page checksum version')]
    equal((code, ours('control', server.data + '/global/pg_control').split('\n')[:-1]), (0, want), 'pg_control says what pg_controldata says')
    return said


def microseconds(text):
    found = re.match(r'(?:\d+: )?(\d+-\d+-\d+ \d+:\d+:\d+)\.(\d+) UTC', text)
    return calendar.timegm(time.strptime(found[1], '%Y-%m-%d %H:%M:%S')) * 1000000 + int(found[2])


def expected(line):
    manager, length, xid, lsn, prev, kind, rest = LINE.match(line).groups()
    row = '%s %s %s %d %s' % (short(lsn), short(prev), xid, MANAGERS[manager], length)
    if manager == 'Transaction' and kind in ('COMMIT', 'ABORT'):
        row += ' %s %s %d' % (kind.lower(), xid, microseconds(rest))
    return row


def wal(server, said):
    size = int(said['Bytes per WAL segment'])
    names = sorted(name for name in os.listdir(server.data + '/pg_wal') if len(name) == 24)
    # those before may have been recycled
    last = names.index(said["Latest checkpoint's REDO WAL file"])
    files = [server.data + '/pg_wal/' + name for name in names[:last + 1]]
    start = '%X/%X' % (int(names[0][8:16], 16), int(names[0][16:], 16) * size)
    code, text, errors = server.tool('pg_waldump', '-p', server.data + '/pg_wal', '-s', start)
    rows = ours('wal', size, said['Database system identifier'], *files).splitlines()
    want = [expected(line) for line in text.splitlines() if line.startswith('rmgr')]
    fact(len(want) > 5000, 'the load wrote many records', len(want))
    same = rows[:-1] == want
    fact(same, 'every record is the one that pg_waldump shows',
         next(('%s\n%s' % pair for pair in zip(rows, want) if pair[0] != pair[1]), (len(rows), len(want), errors)))
    commits = sum(' commit ' in row for row in rows)
    fact(commits > 1600, 'with the times of all commits', commits)
    # pg_waldump says where it stopped in words of its own
    found = re.search(r'error in WAL record at (\S+?):', errors)
    equal((found and short(found[1]), rows[-1].split()[0]), (want[-1].split()[0], 'end'), 'and both end behind the same one')
    say('%d records, %d commits in %d segments; %s' % (len(want), commits, len(files), rows[-1]))
    return code


def names(server, size):
    places = ['0/1', '0/%X' % (size - 1), '0/%X' % size, '0/FFFFFFFF', '1/0', '16/B374D848', 'FFFF/%X' % (0x100000000 - size)]
    # at the very begin of a segment the server names the one before
    want = [server.sql("select pg_walfile_name('%s'::pg_lsn + 1)" % lsn) for lsn in places]
    equal(ours('name', size, *places).split(), want, 'segments of %d MiB have the names that the server gives' % (size >> 20))


def relation_files(data):
    for file in sorted(glob.glob(data + '/base/*/*') + glob.glob(data + '/global/*')):
        found = re.fullmatch(r'(\d+)(?:_\w+)?(?:\.(\d+))?', os.path.basename(file))
        if found:
            yield file, int(found[2] or 0) * 131072


def bad_pages(data):
    found = set()
    for file, first in relation_files(data):
        for line in ours('pages', first, file).splitlines():
            block, counted, stored = line.split()
            found.add((file, int(block) - first, counted, stored))
    return found


def damage(data):
    """One bit, a whole page of another place, a zeroed half."""
    files = [f for f, _ in relation_files(data) if os.path.getsize(f) > 20 * 8192]
    for number, file in enumerate(files[:6]):
        with open(file, 'r+b') as f:
            f.seek((3 + number) * 8192 + 4097)
            byte = f.read(1)[0]
            f.seek(-1, 1)
            f.write(bytes([byte ^ 1 << number]))
    with open(files[-1], 'r+b') as f:
        f.seek(8192)
        page = f.read(8192)
        f.seek(9 * 8192)
        f.write(page)
        f.seek(11 * 8192 + 4096)
        f.write(bytes(4096))


def pages(server):
    equal(bad_pages(server.data), set(), 'all pages of the server fit their checksums')
    damage(server.data)
    code, _, errors = server.tool('pg_checksums', '--check', '-D', server.data)
    want = {(found[1], int(found[2]), found[3], found[4])
            for found in re.finditer(r'in file "([^"]+)", block (\d+): calculated checksum (\w+) but block contains (\w+)', errors)}
    fact(code == 1 and len(want) >= 7, 'pg_checksums finds the damage', errors)
    equal(bad_pages(server.data), want, 'and so do we: the same pages with the same checksums')


def manifest(server, said):
    backup = server.dir + '/backup'
    server.run(server.bin + '/pg_basebackup', '-h', server.socket, '-U', 'postgres', '-D', backup, '-X', 'fetch', '-c', 'fast',
               '--manifest-checksums', 'none')
    with open(backup + '/backup_manifest', encoding='utf-8') as f:
        place = re.search(r'"Timeline": (\d+), "Start-LSN": "(\S+)", "End-LSN": "(\S+)"', f.read())
    for algorithm in ('crc32c', 'sha256'):
        text = ours('manifest', 15, said['Database system identifier'], algorithm, backup, *place.groups())
        with open(backup + '/backup_manifest', 'w', encoding='utf-8') as f:
            f.write(text)
        code, text, errors = server.tool('pg_verifybackup', backup)
        fact(code == 0, 'pg_verifybackup takes our manifest with ' + algorithm, text + errors)
    with open(backup + '/global/pg_filenode.map', 'r+b') as f:
        f.seek(100)
        f.write(b'damage')
    code, _, errors = server.tool('pg_verifybackup', backup)
    fact(code == 1 and 'pg_filenode.map' in errors, 'and finds a damaged file by it', errors)


def main():
    with Cluster(path('one')) as server:
        server.make('archive_mode = off', 'wal_keep_size = 1GB', 'max_wal_senders = 3', segment_mib=16)
        server.start()
        load(server)
        names(server, 16 << 20)
        server.stop()
        said = control(server)
        wal(server, said)
        server.start()
        manifest(server, said)
        server.stop()
        pages(server)
    with Cluster(path('two')) as server:
        server.make('archive_mode = off', segment_mib=64)
        server.start()
        names(server, 64 << 20)
        server.stop()
        control(server)
    finish()


main()
