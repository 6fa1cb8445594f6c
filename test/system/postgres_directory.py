#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""Dumps in directory format, by several jobs: there and back, what is left on the disk, and what is refused."""
import glob
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import debian_bin
from postgres import Postgres, same_database
from scenario import BACKSTAY, FAILED, INTERRUPTED, NOT_EMPTY, TOP as SOURCE, VERSIONS, Repo, equal, fact, finish, path
from standby import LONG

TOP = '/postgresql-local-shop'


def scratch():
    return path('scratch')


def left():
    return glob.glob(scratch() + '/*') + glob.glob(path('tmp') + '/backstay-*')


def saved(repo, server, *more, **options):
    return repo.backup('--jobs', '3', '--scratch', scratch(), *more, server.url('shop'), **options)


def manifest(repo, snapshot='latest', top=TOP):
    return json.loads(repo.backstay('dump', snapshot, top + '/manifest.json', code=0).out)


def there(server, repo):
    first = saved(repo, server)
    listing = [n['path'] for n in repo.restic('ls', '--json', first['snapshot_id'], code=0).lines() if n.get('type') == 'file']
    fact(TOP + '/shop.dir/toc.dat' in listing and TOP + '/shop.dir/blobs.toc' in listing, 'the dump lies in the snapshot as a directory', listing)
    equal(left(), [], 'and nothing is left of it where it was made')
    item = manifest(repo)['databases'][0]
    equal((item['format'], item['file']), ('directory', 'shop.dir'), 'the manifest says so')
    repo.backup(server.url('shop'))
    whole = manifest(repo)['databases'][0]
    equal((item['tables'], item['large_objects']), (whole['tables'], whole['large_objects']), 'tables, rows and sums are those of a dump in one file')
    repo.restic('restore', first['snapshot_id'], '--target', path('plain'), code=0)
    folder = path('plain') + TOP + '/shop.dir'
    text = ''.join('%s  %s\n' % (hashlib.sha256(open(folder + '/' + n, 'rb').read()).hexdigest(), n) for n in sorted(os.listdir(folder)))
    equal(hashlib.sha256(text.encode()).hexdigest(), item['sha256'], 'its sum is that of what sha256sum prints')
    server.create('by_hand')
    done = subprocess.run(['pg_restore', '--exit-on-error', '-j', '2', '-d', 'by_hand', folder], env=server.env(), capture_output=True, check=False)
    fact(done.returncode == 0, 'pg_restore takes the directory that restic restores', done.stderr.decode())
    same_database(server, 'shop', server, 'by_hand', 'restored by restic and pg_restore -j')
    server.sql('postgres', 'drop database by_hand')
    again = saved(repo, server)
    fact(again['data_added'] < 200_000, 'the same data dumped again add next to nothing', again)
    return first['snapshot_id']


def back(server, repo, snapshot):
    tmp = {'env': {'TMPDIR': path('tmp')}}
    for more in (['--create'], ['--clean', '--jobs', '3'], ['--clean']):
        done = repo.backstay('restore', snapshot, '--to', server.url('back'), *more, code=0, **tmp)
        fact('row counts compared' in done.all, 'restored: ' + ' '.join(more), done.all)
        same_database(server, 'shop', server, 'back', 'restored ' + ' '.join(more))
    done = repo.backstay('restore', snapshot, '--to', server.url('back'), code=NOT_EMPTY, **tmp)
    done = repo.backstay('restore', snapshot, '--to', server.url('absent'), '--create', '--preview', '--json', code=0, **tmp)
    equal([m['target'] for m in done.messages('database')], ['absent'], 'a preview of it')
    server.create('one')
    repo.backstay('restore', snapshot, '--to', server.url('one'), '--table', 'shop.customer', code=0, **tmp)
    count = 'select count(*) from shop.customer'
    equal((server.tables('one'), server.sql('one', count)), (['shop.customer'], server.sql('shop', count)), 'one table of it')
    done = repo.backstay('export', snapshot, '--target', path('x.dump'), code=FAILED, **tmp)
    fact('sql.gz' in done.errors, 'an export as one dump is refused, and says what there is', done.errors)
    repo.backstay('export', snapshot, '--target', path('x.sql.gz'), code=0, **tmp)
    server.create('script')
    with gzip.open(path('x.sql.gz')) as f:
        server.sql('script', f.read().decode())
    same_database(server, 'shop', server, 'script', 'exported as a script')
    repo.backstay('export', snapshot, '--format', 'app', '--target', path('x.tar.gz'), code=0, **tmp)
    names = subprocess.run(['tar', '-tzf', path('x.tar.gz')], capture_output=True, check=True, text=True).stdout.split()
    fact('database/shop.sql.gz' in names, 'and in the archive of an application', names)
    equal(left(), [], 'nothing of all this is left in $TMPDIR')
    for name in ('back', 'one', 'script'):
        server.sql('postgres', 'drop database ' + name)


def from_elsewhere(server, repo):
    """What pg_dump --format=directory has left, as it is or in a tar; compressed inside, as it is by default, or not."""
    want = {t['name']: (t['rows'], t['sha256']) for t in manifest(repo)['databases'][0]['tables']}
    where = path('elsewhere')
    os.makedirs(where)

    def run(*argv):
        subprocess.run(argv, cwd=where, check=True, env=server.env())
    for name, options in (('plain', ['-Z0']), ('packed', []), ('inserts', ['--inserts'])):
        run('pg_dump', '-Fd', '-f', name, *options, '-d', 'shop')
    run('cp', '-r', 'plain', 'mixed')
    run('sh', '-c', 'cd mixed; set -- [0-9]*.dat; gzip "$1"; gzip -9 "$2"')
    run('tar', '-czf', 'plain.tar.gz', 'plain')
    run('tar', '-C', 'packed', '-cf', 'bare.tar', '.')
    run('sh', '-c', 'cd packed; tar -cf ../last.tar $(ls | grep -v toc) blobs.toc toc.dat')
    for name in ('plain', 'packed', 'mixed', 'plain.tar.gz', 'bare.tar', 'last.tar', 'inserts'):
        summary = repo.backstay('import', where + '/' + name, '--json', '--source', 'elsewhere', code=0).summary()
        found = manifest(repo, summary['snapshot_id'], '/elsewhere')
        item = found['databases'][0]
        equal((item['name'], item['format'], summary['format']), ('shop', 'directory', 'dir'), 'imported: ' + name)
        if name != 'inserts':
            equal({t['name']: (t['rows'], t['sha256']) for t in item['tables']}, want, 'with the rows that were dumped: ' + name)
        if name not in ('packed', 'mixed', 'inserts'):
            continue
        server.create('back')
        repo.backstay('restore', summary['snapshot_id'], '--to', server.url('back'), '--jobs', '2', env={'TMPDIR': path('tmp')}, code=0)
        same_database(server, 'shop', server, 'back', 'imported and restored: ' + name)
        server.sql('postgres', 'drop database back')
    refused(run, repo, where)


def exported(server, repo, snapshot):
    """The tar that export makes of such a snapshot is one that import takes, whichever comes first, its manifest or its files."""
    where = path('exported')
    os.makedirs(where)
    recorded = manifest(repo, snapshot)
    for name, target in (('shop', 'shop.tar.gz'), ('bare', 'bare.tar')):
        tar = where + '/' + target
        repo.backstay('export', snapshot, '--target', tar, '--no-manifest', code=0)
        summary = repo.backstay('import', tar, '--json', '--source', name, code=0).summary()
        equal(summary['format'], 'dir', target + ' is known as a dump')
        again = manifest(repo, summary['snapshot_id'], '/' + name)
        equal([{k: v for k, v in d.items() if k != 'file'} for d in again['databases']],
              [{k: v for k, v in d.items() if k != 'file'} for d in recorded['databases']], 'with all that was recorded of it: ' + target)
        server.create('back')
        repo.backstay('restore', summary['snapshot_id'], '--to', server.url('back'), code=0)
        same_database(server, 'shop', server, 'back', 'exported, imported and restored: ' + target)
        server.sql('postgres', 'drop database back')
        snapshot = repo.backstay('import', path('elsewhere') + '/bare.tar', '--json', '--source', 'first', code=0).summary()['snapshot_id']
        recorded = manifest(repo, snapshot, '/first')
    subprocess.run(['tar', '-xzf', 'shop.tar.gz'], cwd=where, check=True)
    folder = where + TOP
    for label, change, said in (
            ('a byte of a row', 'printf X | dd of=$(ls -S shop.dir/*.dat | head -n 1) bs=1 seek=3 conv=notrunc status=none', 'changed'),
            ('two manifests', 'cp manifest.json shop.dir/', 'nothing beside it'),
            ('a manifest that is none', 'rm shop.dir/manifest.json; echo 1 > manifest.json', 'manifest of a snapshot')):
        subprocess.run(['sh', '-c', change], cwd=folder, check=True)
        subprocess.run(['tar', '-cf', where + '/changed.tar', '-C', where, *(TOP[1:] + '/' + n for n in ('shop.dir', 'manifest.json'))], check=True)
        done = repo.backstay('import', where + '/changed.tar', code=FAILED)
        fact(said in done.errors, 'refused: ' + label, done.errors)


def of_newer_releases(server, repo):
    """Real dumps of pg_dump 16 to 19: imported here, and restored where their pg_restore is."""
    with open(SOURCE + '/test/fixtures/pgdump/tables.txt', encoding='utf-8') as f:
        want = {line.split()[0]: (int(line.split()[1]), line.split()[2]) for line in f}
    for name in ('16/lz4.dir', '17/zstd.dir', '18/lz4.dir', '16/lz4.dump', '18/zstd.dump', '19/zstd.dump'):
        summary = repo.backstay('import', SOURCE + '/test/fixtures/pgdump/' + name, '--json', '--source', 'newer', code=0).summary()
        item = manifest(repo, summary['snapshot_id'], '/newer')['databases'][0]
        equal({t['name']: (t['rows'], t['sha256']) for t in item['tables']}, want, 'rows and sums are those of the server: ' + name)
        equal(item['large_objects'], {'count': 3, 'bytes': 403}, 'and its large objects: ' + name)
        server.create('back')
        needed = 'postgresql-client-' + name[:2]
        if int(name[:2]) > int(debian_bin().split('/')[-2]):
            done = repo.backstay('restore', summary['snapshot_id'], '--to', server.url('back'), '--force', code=VERSIONS)
            fact(needed in done.errors, 'a restore says what it needs: ' + name, done.errors)
            done = repo.backstay('export', summary['snapshot_id'], '--target', path('newer.sql'), code=VERSIONS)
            fact(needed in done.errors, 'and so does an export as a script: ' + name, done.errors)
        server.sql('postgres', 'drop database back')


def refused(run, repo, where):
    before = len(repo.snapshots())
    for name, text, said in (
            ('a file is missing', 'rm bad/$(ls -S bad | head -n 1)', 'missing'),
            ('packed data are cut', 'f=bad/$(ls -S bad | head -n 1); truncate -s -20 $f', 'end early'),
            ('packed data are changed', 'f=bad/$(ls -S bad | head -n 1); printf XXXX | dd of=$f bs=1 seek=2000 conv=notrunc status=none', 'damaged'),
            ('a file that is called as one of LZ4', 'cd bad; f=$(ls -S | head -n 1); mv $f ${f%.gz}.lz4', 'damaged'),
            ('zstd, which this release does not know', 'cd bad; f=$(ls -S | head -n 1); zcat $f | zstd -q > ${f%.gz}.zst; rm $f', 'zstd'),
            ('a file twice', 'cd bad; f=$(ls -S | head -n 1); zcat $f > ${f%.gz}', 'twice'),
            ('a file of somebody else', 'echo x > bad/notes.txt', 'no file of this name'),
            ('a directory in it', 'mkdir bad/sub; echo x > bad/sub/1.dat', ''),
            ('a pipe in it', 'mkfifo bad/1.dat', 'file'),
            ('no dump at all', 'rm bad/*', 'toc.dat: missing'),
            ('a name in toc.dat that leads out', "sed -i 's#blobs.toc#../../etc#' bad/toc.dat", '')):
        run('sh', '-c', 'rm -rf bad; cp -r packed bad; ' + text)
        done = repo.backstay('import', where + '/bad', code=FAILED)
        fact(said in done.errors, 'refused: ' + name, done.errors)
        run('sh', '-c', 'tar -cf bad.tar bad')
        done = repo.backstay('import', where + '/bad.tar', '--as', 'dir', code=FAILED)
        fact(said in done.errors or 'does not begin' in done.errors, 'refused in a tar: ' + name, done.errors)
    run('sh', '-c', 'cp packed/toc.dat .; mkdir two; cp -r packed plain two/; tar -cf two.tar -C two packed plain')
    done = repo.backstay('import', where + '/two.tar', '--as', 'dir', code=FAILED)
    fact('one directory' in done.errors or 'twice' in done.errors, 'refused: two dumps in one tar', done.errors)
    done = repo.backstay('import', where + '/plain', '--as', 'sql', code=FAILED)
    fact('directory' in done.errors, 'refused: a directory as a script', done.errors)
    equal(len(repo.snapshots()), before, 'nothing of these became a snapshot')


def wrapped(name, text):
    """A pg_dump that does more, or less."""
    where = path(name)
    os.makedirs(where, exist_ok=True)
    with open(where + '/pg_dump', 'w', encoding='utf-8') as f:
        f.write('#!/bin/bash\ncase "$*" in *--version*) exec %s/pg_dump --version ;; esac\n'
                'for w; do case $w in --file=*) to=${w#*=} ;; esac; done\n%s\n' % (debian_bin(), text.replace('pg_dump "$@"', debian_bin() + '/pg_dump "$@"')))
    os.chmod(where + '/pg_dump', 0o755)
    return {'BACKSTAY_PG_BIN': where}


def losses(server, repo):
    """pg_dump said that all is well, and then the disk did not hold what it wrote."""
    before = len(repo.snapshots())
    biggest = 'f=$to/$(ls -S $to | head -n 1)'
    for name, text, said in (
            ('a file is gone', 'pg_dump "$@"; %s; rm $f' % biggest, 'missing'),
            ('a file is cut', 'pg_dump "$@"; %s; truncate -s -9 $f' % biggest, 'ends early'),
            ('a file too many', 'pg_dump "$@"; touch $to/99999.dat', 'belongs to nothing'),
            ('a name of no dump', 'pg_dump "$@"; touch $to/core', 'no file of this name'),
            ('a link', 'pg_dump "$@"; %s; mv $f /tmp/x.$$; ln -s /tmp/x.$$ $f; mv /tmp/x.$$ $to/../x' % biggest, ''),
            ('toc.dat is gone', 'pg_dump "$@"; rm $to/toc.dat', 'toc.dat: missing'),
            ('toc.dat is cut', 'pg_dump "$@"; truncate -s -40 $to/toc.dat', 'table of contents'),
            ('large objects are gone', 'pg_dump "$@"; rm $to/blob_*.dat', 'missing'),
            ('pg_dump fails in the end', 'pg_dump "$@"; echo "disk is full" >&2; exit 1', 'disk is full')):
        done = saved_by(repo, server, wrapped('wrapped', text))
        fact(done.code == FAILED and said in done.errors, 'refused: ' + name, done.all)
        equal(left(), [], 'nothing is left: ' + name)
    equal(len(repo.snapshots()), before, 'and nothing of these became a snapshot')


def saved_by(repo, server, env):
    return repo.backstay('backup', '--jobs', '2', '--scratch', scratch(), server.url('shop'), env=env, code=(FAILED,))


def wait_for(condition, tell):
    end = time.monotonic() + LONG
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(tell)
        time.sleep(0.05)


def ends(server, repo):
    """However it ends, nothing stays; what a killed one leaves the next one removes."""
    env = repo.env(**wrapped('hanging', 'pg_dump "$@"; touch %s; sleep 1000' % path('hangs')))
    for sig, code in ((signal.SIGTERM, (INTERRUPTED, 128 + signal.SIGTERM)), (signal.SIGINT, (INTERRUPTED,)), (signal.SIGKILL, (-9,))):
        process = subprocess.Popen([BACKSTAY, '-r', repo.path, 'backup', '--scratch', scratch(), server.url('shop')], env=env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(path('hangs')), 'the dump does not come')
        os.remove(path('hangs'))
        found = left()
        fact(len(found) == 1 and os.stat(found[0]).st_mode & 0o777 == 0o700, 'it lies in a directory of mode 0700', found)
        process.send_signal(sig)
        fact(process.wait(LONG) in code, 'ended by %s' % sig.name, process.returncode)
        equal(len(left()), int(sig == signal.SIGKILL), 'what is left after %s' % sig.name)
    os.makedirs(scratch() + '/backstay-scratch-mine00', 0o755)
    other = scratch() + '/backstay-scratch-useful.txt'
    open(other, 'w', encoding='utf-8').close()
    saved(repo, server)
    equal(sorted(left()), [scratch() + '/backstay-scratch-mine00', other], 'the next one removes that, and nothing else')
    os.rmdir(scratch() + '/backstay-scratch-mine00')
    os.remove(other)


def no_room(server, repo):
    os.makedirs(path('small'))
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'small', path('small')], check=True)
    try:
        done = repo.backstay('backup', '--scratch', path('small'), server.url('shop'), code=24)
        fact('free' in done.errors and 'small' in done.errors, 'a disk with too little room is refused beforehand', done.errors)
        equal(os.listdir(path('small')), [], 'with nothing left there')
    finally:
        subprocess.run(['umount', path('small')], check=True)
    done = repo.backstay('backup', '--jobs', '2', server.url('shop'), code=FAILED)
    fact('--scratch' in done.errors, '--jobs alone is refused', done.errors)
    done = repo.backstay('backup', '--scratch', scratch() + '/none', server.url('shop'), code=(FAILED,))
    fact('none' in done.errors, 'a scratch directory that is not there is named', done.errors)


def main():
    for name in (scratch(), path('tmp')):
        os.makedirs(name)
    with Postgres() as server:
        server.sample('shop', 0.1)
        server.sql('shop', "select lo_from_bytea(0, 'abc'), lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex')), lo_from_bytea(0, '')")
        repo = Repo.named('repo')
        repo.init()
        snapshot = there(server, repo)
        back(server, repo, snapshot)
        from_elsewhere(server, repo)
        exported(server, repo, snapshot)
        of_newer_releases(server, repo)
        losses(server, repo)
        ends(server, repo)
        no_room(server, repo)
        repo.sound('after all of this')
    finish()


main()
