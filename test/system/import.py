#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan, timeout=900
"""import: files of pg_dump and Redis become snapshots that are restored like any other; what was cut off or changed is refused
by name, and leaves none."""
import gzip
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from postgres import Postgres, same_database, sha256
from redisserver import RedisServer
from scenario import FAILED, NOT_EMPTY, QUICK, Repo, equal, fact, finish, path, read, run, write

CUTS = 5 if QUICK else 10


def take(repo, name, *options):
    """Imports; the snapshot's manifest."""
    summary = repo.backstay('import', name, '--json', *options, code=0).summary()
    found = [s for s in repo.snapshots() if s['id'] == summary['snapshot_id']]
    equal(len(found), 1, os.path.basename(name) + ': the summary names its snapshot')
    manifest = repo.backstay('dump', summary['snapshot_id'], '/%s/manifest.json' % summary['source'], code=0).json()
    imported = manifest['imported']
    equal((imported['file'], imported['origin'], imported['size'], imported['sha256']),
          (os.path.basename(name), name, os.stat(name).st_size, sha256(read(name))), 'the manifest tells where it comes from')
    equal(manifest['source']['name'], summary['source'], 'and what it is')
    return summary['snapshot_id'], manifest


def refuse(repo, content, name, words, *options, label=''):
    done = repo.backstay('import', write(name, content), '-n', *options)
    good = done.code == FAILED and name in done.errors and any(w in done.errors for w in words)
    return good or fact(False, '%s %s: it is refused by name' % (name, label), '%d %s' % (done.code, done.all))


def cut_everywhere(repo, content, name, *words):
    """Of every length, most of them near the ends, where headers and trailers are."""
    n = len(content)
    lengths = {0, 1, 10, 100, n // 2, n - 100, n - 10, n - 4, n - 2, n - 1} | {n * i // CUTS for i in range(1, CUTS)}
    lengths = sorted(k for k in lengths if 0 <= k < n)
    fact(all([refuse(repo, content[:k], name, words, label='cut at %d' % k) for k in lengths]),
         '%s: cut off at %d places it is refused at each' % (name, len(lengths)))


def database_files(repo, server):
    server.sample('shop', 0.02)
    for name, options in (('packed.dump', ['-Fc']), ('plain.dump', ['-Fc', '-Z0'])):
        run('pg_dump', *options, '-f', path(name), 'shop', env=server.env(), code=0)
    write('plain.dump.gz', gzip.compress(read(path('plain.dump')), 1))
    subprocess.run(['zstd', '-q', path('plain.dump')], check=True)
    for name in ('packed.dump', 'plain.dump', 'plain.dump.gz', 'plain.dump.zst'):
        snapshot, manifest = take(repo, path(name))
        server.create('back')
        repo.backstay('restore', snapshot, '--to', server.url('back'), code=0)
        same_database(server, 'shop', server, 'back', name)
        server.sql('postgres', 'drop database back;')
        if name == 'packed.dump':
            fact(repo.backstay('dump', snapshot, '/import-packed/shop.dump', code=0).out == read(path(name)), 'it is stored as it is')
    plain = read(path('plain.dump'))
    cut_everywhere(repo, read(path('packed.dump')), 'cut.dump', 'dump:', 'empty', 'like nothing')
    cut_everywhere(repo, plain, 'cut0.dump', 'dump:', 'empty', 'like nothing')
    cut_everywhere(repo, read(path('plain.dump.gz')), 'cut.dump.gz', 'gzip: ', 'empty', 'like nothing')
    cut_everywhere(repo, read(path('plain.dump.zst')), 'cut.dump.zst', 'zstd: ', 'empty', 'like nothing')
    refuse(repo, plain + b'\0', 'long.dump', ['dump:'])


def scripts(repo, server):
    """psql takes a script that was cut for a good one; we do not, and commit only what is whole."""
    env = server.env()
    for name, options in (('script.sql', []), ('inserts.sql', ['--inserts', '--rows-per-insert=100'])):
        run('pg_dump', *options, '-f', path(name), 'shop', env=env, code=0)
        snapshot, manifest = take(repo, path(name), '--database', 'shop')
        server.create('back')
        seen = repo.backstay('restore', snapshot, '--to', server.url('back'), '--preview', code=0)
        fact('is empty' in seen.text and not server.tables('back'), 'a preview tells, and does nothing', seen.all)
        repo.backstay('restore', snapshot, '--to', server.url('back'), code=0)
        same_database(server, 'shop', server, 'back', name)
        repo.backstay('restore', snapshot, '--to', server.url('back'), code=NOT_EMPTY, why='into a database that holds something: exit status')
        server.sql('postgres', 'drop database back;')
    repo.backstay('restore', snapshot, '--to', server.url(), '--create', '--table', 'x', code=FAILED, why='a part of a script: exit status')
    script = read(path('script.sql'))
    packed, _ = take(repo, write('packed.sql.gz', gzip.compress(script, 1)))
    out = path('out.sql')
    repo.backstay('export', packed, '--target', out, code=0)
    equal(read(out), script, 'export gives the script back')
    rows = {t['name']: t['rows'] for t in repo.backstay('dump', packed, '/import-packed/manifest.json', code=0).json()['databases'][0]['tables']}
    equal(rows['customer'], int(server.sql('shop', 'select count(*) from shop.customer;')), 'rows are counted in the script itself')
    cut_everywhere(repo, script, 'cut.sql', 'ends early', 'empty', 'like nothing')
    refuse(repo, script.replace(b'SET row_security', b'\\! touch %s\nSET row_security' % path('run').encode()), 'evil.sql', ['command of psql'])
    # what fails in the end has done nothing
    broken = script.replace(b'--\n-- PostgreSQL database dump complete', b'SELECT 1/0;\n\n--\n-- PostgreSQL database dump complete')
    snapshot, _ = take(repo, write('broken.sql', broken))
    server.create('back')
    done = repo.backstay('restore', snapshot, '--to', server.url('back'), code=FAILED, why='a script that fails: exit status')
    fact('division by zero' in done.errors, 'the message is that of the server', done.errors)
    equal(server.tables('back'), [], 'and the database is as it was')
    done = repo.backstay('restore', snapshot, '--to', server.url('made'), '--create', code=FAILED)
    equal(server.sql('postgres', "select count(*) from pg_database where datname = 'made';"), '0', 'one that was made for it is gone')
    # those that make their databases themselves
    with open(path('all.sql'), 'wb') as f:
        subprocess.run(['pg_dumpall'], env=env, stdout=f, check=True)
    snapshot, _ = take(repo, path('all.sql'))
    done = repo.backstay('restore', snapshot, '--to', server.url('back'), code=NOT_EMPTY, why='a script of pg_dumpall: exit status')
    fact('empty server' in done.errors, 'the message says what to do', done.errors)
    server.sql('postgres', 'drop database back;')


def beside(repo):
    """The manifest that export has written."""
    snapshot = repo.backup(path('packed.dump'))['snapshot_id']
    snapshot, _ = take(repo, path('plain.dump'), '--source', 'shop')
    equal(repo.snapshots()[-1]['paths'], ['/shop'], '--source: it is a backup of that source')
    name = path('out.dump')
    repo.backstay('export', snapshot, '--target', name, code=0)
    _, manifest = take(repo, name)
    fact(manifest['imported']['checked_against_manifest'], 'the manifest beside it was looked at')
    beside_it = json.loads(read(name + '.manifest.json'))
    changed = bytearray(read(name))
    changed[len(changed) * 2 // 3] ^= 1
    write('out.dump', changed)
    done = repo.backstay('import', name, code=FAILED, why='one bit changed: exit status')
    fact('SHA-256' in done.errors and 'out.dump' in done.errors, 'the message says what differs', done.errors)
    write('out.dump', read(path('plain.dump')))
    write('out.dump.manifest.json', json.dumps({**beside_it, 'size': 12}).encode())
    repo.backstay('import', name, code=FAILED, why='another size: exit status')
    write('out.dump.manifest.json', b'{')
    repo.backstay('import', name, code=FAILED, why='a manifest that is none: exit status')


def redis_files(repo):
    server = RedisServer('redis')
    server.fill()
    want = server.content()
    name = path('saved.rdb')
    run('redis-cli', '-s', server.socket, '--rdb', name, code=0)
    snapshot, manifest = take(repo, name)
    equal(sum(d['keys'] for d in manifest['databases']), len(want), 'every key was counted')
    target = RedisServer('target')
    repo.backstay('restore', snapshot, '--to', target.url, code=0)
    equal(target.content(), want, 'restored: every key has the value and the expiry that it had')
    cut_everywhere(repo, read(name), 'cut.rdb', 'Redis database file', 'empty', 'like nothing')
    refuse(repo, read(name) + b'x', 'long.rdb', ['after its end'])
    for at in range(20, os.stat(name).st_size, os.stat(name).st_size // CUTS):
        changed = bytearray(read(name))
        changed[at] ^= 4
        refuse(repo, changed, 'flip.rdb', ['Redis', 'which only that can read'], label='a bit at %d' % at)
    # where that makes another valid type of it: of a set a module's value
    changed = bytearray(read(name))
    changed[changed.index(b'\x02\x03set')] ^= 4
    fact(refuse(repo, changed, 'flip.rdb', ['which only that can read']), 'a set that became the value of a module is refused')


def odd_ones(repo):
    bomb = gzip.compress(b'PGDMP' + bytes(100 << 20), 9)
    refuse(repo, bomb, 'bomb.gz', ['dump:', 'as a bomb would'])
    refuse(repo, gzip.compress(read(path('plain.dump')), 1), 'large.gz', ['--max-size'], '--max-size', '100K')
    refuse(repo, b'hello, world\n' * 100, 'text.dump', ['like nothing'])
    refuse(repo, read(path('plain.dump')), 'as.rdb', ['does not begin as'], '--as', 'rdb')
    repo.backstay('import', path('nothing.dump'), code=FAILED, why='no such file: exit status')
    repo.backstay('import', path('.'), code=FAILED, why='a directory: exit status')
    repo.backstay('import', path('plain.dump'), '--as', 'csv', code=FAILED, why='an unknown format: exit status')


repo = Repo.named('repo')
repo.init()
with Postgres() as postgres:
    database_files(repo, postgres)
    scripts(repo, postgres)
    beside(repo)
redis_files(repo)
odd_ones(repo)
before = len(repo.snapshots())
repo.backstay('import', path('plain.dump'), '-n', code=0)
equal(len(repo.snapshots()), before, 'a dry run leaves no snapshot, nor does what was refused')
finish()
