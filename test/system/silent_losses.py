#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""What the usual tools call fine although data are gone, done with those tools first, and then with ours, which refuses: the rows of
a dump that was cut off, a changed bit, a segment of the log that is missing or damaged, a producer that was never there. (A full
disk and appendonly of Redis are in redis_round_trip and redis_restore, SQLite without its -wal is in sqlite_round_trip, a segment
that was cut in pitr.)"""
import os
import random
import re
import shutil
import subprocess
import sys
from hashlib import md5

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, as_postgres, hand_over
from postgres import Postgres
from redisserver import free_port
from scenario import BACKSTAY, FAILED, NOT_EMPTY, UNREACHABLE, Repo, equal, fact, finish, path, read, run, write
from walarchive import Archive, hand_over_all

WAL_GAP = 26
ROWS = 20000


def put(name, content):
    """A file of the server's user."""
    with open(name, 'wb') as f:
        f.write(content)
    hand_over(name)


def shell(text, env):
    """Status of the last command of a pipe, as scripts see it."""
    return subprocess.run(['sh', '-c', text], env=env, check=False, capture_output=True)


def refused(repo, code, words, *argv, why):
    before = len(repo.snapshots())
    done = repo.backstay(*argv, code=code, why=why + ': exit status')
    fact(all(word in done.errors for word in words), why + ': the message says what and why', done.errors)
    equal(len(repo.snapshots()), before, why + ': there is no snapshot of it')


def plain_dump_cut(repo, server):
    """psql takes the end of its input for the end of the data."""
    script = read(path('shop.sql'))
    begin = script.index(b'COPY public.item')
    cut = script.index(b'\n', (begin + script.index(b'\n\\.\n', begin)) // 2) + 1
    half = write('half.sql', script[:cut])
    server.create('cut')
    done = run('psql', '-X', '-q', '-d', 'cut', '-v', 'ON_ERROR_STOP=1', '-1', '-f', half, env=server.env())
    rows = int(server.sql('cut', 'select count(*) from item'))
    fact(done.code == 0 and not done.errors and 0 < rows < ROWS,
         'psql, in one transaction, stopping at errors: status 0, no word, %d of %d rows' % (rows, ROWS), done.all)
    refused(repo, FAILED, ['half.sql', 'ends early'], 'import', half, why='a script that was cut')


def over_what_is_there(repo, server):
    done = run('psql', '-X', '-q', '-d', 'cut', '-f', path('shop.sql'), env=server.env())
    fact(done.code == 0 and 'already exists' in done.errors, 'psql, over a database that holds something: status 0', done.all)
    repo.backstay('import', path('shop.sql'), '--source', 'script', '--database', 'shop', code=0)
    repo.backstay('restore', 'latest', '--path', '/script', '--to', server.url('cut'), code=NOT_EMPTY,
                  why='a script over a database that holds something: exit status')
    server.sql('postgres', 'drop database cut')


def custom_dump_cut(repo):
    dump = read(path('shop.dump'))
    half = write('half.dump', dump[:len(dump) // 2])
    done = run('pg_restore', '-l', half)
    fact(done.code == 0 and not done.errors, 'pg_restore -l, of half a dump: status 0', done.all)
    refused(repo, FAILED, ['half.dump'], 'import', half, why='half a dump')


def bits_of_a_dump(repo, server):
    """No checksum is in a dump; in a repository each chunk has one."""
    rng = random.Random(3)
    dump = read(path('shop.dump'))
    clean = run('pg_restore', '-f', '-', path('shop.dump')).out
    unseen = 0
    for _ in range(10):
        at = rng.randrange(len(dump) // 2, len(dump) - 1000)
        flipped = dump[:at] + bytes([dump[at] ^ 1 << rng.randrange(3)]) + dump[at + 1:]
        done = run('pg_restore', '-f', '-', write('flipped.dump', flipped))
        unseen += done.code == 0 and done.out != clean
    fact(unseen > 5, 'pg_restore, of dumps with one bit changed: status 0 for %d of 10, with other rows' % unseen)
    before = repo.objects('data')
    snapshot = repo.backup(server.url('shop'))['snapshot_id']
    packs = ['%s/data/%s/%s' % (repo.path, p[:2], p) for p in repo.objects('data') if p not in before]
    pack = max(packs, key=os.path.getsize)
    good = read(pack)
    os.chmod(pack, 0o600)
    for n in range(5):
        at = rng.randrange(100, len(good) // 2)
        with open(pack, 'wb') as f:
            f.write(good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1:])
        server.create('back')
        done = repo.backstay('restore', snapshot, '--to', server.url('back'))
        fact(done.code != 0 and not server.tables('back'), 'bit %d: nothing is restored' % (n + 1), done.all)
        server.sql('postgres', 'drop database back')
        equal(repo.backstay('check', '--read-data').code, FAILED, 'bit %d: check --read-data finds it' % (n + 1))
    with open(pack, 'wb') as f:
        f.write(good)


def nobody_there(repo):
    """The shell tells how gzip ended, not how pg_dump did."""
    port = free_port()
    done = shell('pg_dump -h 127.0.0.1 -p %d shop | gzip >%s' % (port, path('empty.sql.gz')), dict(os.environ))
    fact(done.returncode == 0 and os.path.getsize(path('empty.sql.gz')) < 100,
         'pg_dump of a server that is not there, into gzip: status 0, a file of %d bytes' % os.path.getsize(path('empty.sql.gz')))
    refused(repo, FAILED, ['empty.sql.gz'], 'import', path('empty.sql.gz'), why='what that leaves')
    refused(repo, UNREACHABLE, ['127.0.0.1'], 'backup', 'postgresql://postgres@127.0.0.1:%d/shop' % port, why='a server that is not there')


# ---- the log of a cluster ----

def recovers(name, base, archive):
    """The stock way without a target: rows there afterwards, or None when it does not start."""
    copy = Cluster(path(name))
    os.makedirs(copy.dir)
    os.chmod(copy.dir, 0o711)
    hand_over(copy.dir)
    subprocess.run(['cp', '-a', base, copy.data], check=True)
    copy.configure("unix_socket_directories = '%s'" % copy.socket, 'archive_mode = off', "restore_command = 'cp %s/%%f %%p'" % archive)
    copy.run('touch', copy.data + '/recovery.signal')
    with copy:
        copy.start()
        while copy.sql('select pg_is_in_recovery()') == 't':
            pass
        return int(copy.sql('select count(*) from ledger'))


def logs_with_holes():
    repo = Repo.named('wal')
    repo.init()
    hand_over_all(repo.path)
    archive = Archive(repo)
    live = Cluster(path('live'))
    with live:
        live.make()
        live.start()
        live.sql('create table ledger (id int, note text)')
        base = live.dir + '/base'
        live.run(live.bin + '/pg_basebackup', '-h', live.socket, '-U', 'postgres', '-D', base, '-c', 'fast', '-X', 'stream')
        url = 'pgcluster:postgresql://postgres@/?host=' + live.socket
        run(*as_postgres(), BACKSTAY, 'backup', url, '--checkpoint', 'fast', env=archive.environ, code=0, cwd=path('user'))
        segments = []
        for _ in range(4):
            live.sql("insert into ledger select n, repeat(md5(n::text), 4) from generate_series(1, 1000) n")
            segments.append(live.sql('select pg_walfile_name(pg_switch_wal())'))
        live.stop()
        for name in sorted(os.listdir(live.archive)):
            if re.fullmatch('[0-9A-F]{24}', name):
                archive.wal('push', live.archive + '/' + name, '--pgdata', live.data, code=0)
        whole = recovers('whole', base, live.archive)
        equal(whole, 4000, 'the stock way, with the whole log: all rows')
        segment = segments[1]
        good = read(live.archive + '/' + segment)
        row = good.index(md5(b'500').hexdigest().encode())  # what lies between records has no checksum
        system = os.listdir(repo.path + '/wal')[0]
        object = '%s/wal/%s/%s/%s' % (repo.path, system, segment[:8], segment)
        for label, content in (('missing', None), ('damaged', good[:row] + bytes([good[row] ^ 1]) + good[row + 1:])):
            os.unlink(live.archive + '/' + segment)
            if content:
                put(live.archive + '/' + segment, content)
            rows = recovers('stock-' + label, base, live.archive)
            put(live.archive + '/' + segment, good)
            fact(rows < 4000, 'the stock way, a segment %s: the server is open, with %d of 4000 rows' % (label, rows))
            sealed = read(object)
            os.unlink(object)
            if content:
                put(object, sealed[:9000] + bytes([sealed[9000] ^ 1]) + sealed[9001:])
            done = run(BACKSTAY, 'restore', '--target-latest', '--target', path('ours'), env=archive.environ, code=WAL_GAP, cwd=path('user'),
                       why='a segment %s: exit status' % label)
            fact(segment in done.errors and not os.path.exists(path('ours')), 'a segment %s: named, and nothing was touched' % label, done.errors)
            put(object, sealed)
        shutil.rmtree(base)


repo = Repo.named('repo')
repo.init()
with Postgres() as postgres:
    postgres.create('shop', "create table item (id int primary key, note text);"
                    "insert into item select n, md5(n::text) from generate_series(1, %d) n;" % ROWS)
    run('pg_dump', '-f', path('shop.sql'), 'shop', env=postgres.env(), code=0)
    run('pg_dump', '-Fc', '-Z0', '-f', path('shop.dump'), 'shop', env=postgres.env(), code=0)
    plain_dump_cut(repo, postgres)
    over_what_is_there(repo, postgres)
    custom_dump_cut(repo)
    bits_of_a_dump(repo, postgres)
nobody_there(repo)
logs_with_holes()
finish()
