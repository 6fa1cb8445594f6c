#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""import of archives and of SQLite databases: files come back as they were, an application's database too; what leads out of
the archive, is a bomb, or was cut off is refused by name and leaves nothing."""
import gzip
import io
import os
import sqlite3
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from postgres import Postgres, same_database
from scenario import FAILED, QUICK, Repo, equal, fact, finish, path, read, run, write

CUTS = 5 if QUICK else 15


def take(repo, name, *options):
    summary = repo.backstay('import', name, '--json', *options, code=0).summary()
    return summary['snapshot_id'], summary['source']


def refuse(repo, content, name, *words):
    done = repo.backstay('import', write(name, content), '-n')
    good = done.code == FAILED and name in done.errors and any(w in done.errors for w in words)
    return fact(good, '%s is refused by name: %s' % (name, words[0]), '%d %s' % (done.code, done.all))


def cut_everywhere(repo, content, name, whole, *words):
    """whole: what is behind it is padding."""
    lengths = {n * whole // CUTS for n in range(CUTS)} | {512, whole - 1, whole - 511, whole - 512}
    for n in sorted(lengths):
        refuse(repo, content[:n], name, *words, 'empty', 'like nothing')


def files(repo):
    tree = path('tree')
    os.makedirs(tree + '/sub/ü x')
    os.makedirs(tree + '/empty')
    for name, content in (('sub/a', b'hi\n'), ('sub/ü x/large', trees.noise(1, 700000)), ('none', b''), ('n' * 150, b'long')):
        write('tree/' + name, content)
    os.symlink('sub/a', tree + '/link')
    os.symlink('../sub', tree + '/sub/up')
    os.chmod(tree + '/sub/a', 0o640)
    for name in ('sub/a', 'sub/ü x/large', 'none', 'n' * 150, 'link', 'sub/up', 'sub/ü x', 'sub', 'empty'):
        os.utime(tree + '/' + name, (1700000000, 1700000000), follow_symlinks=False)  # what every form of tar can say
    for name, form in (('files.tar', 'w'), ('files.tar.gz', 'w:gz'), ('gnu.tar', 'gnu')):
        if form == 'gnu':
            run('tar', '--format=gnu', '-cf', path(name), '-C', tree, '.', code=0)
        else:
            with tarfile.open(path(name), form, format=tarfile.PAX_FORMAT) as t:
                for entry in sorted(os.listdir(tree), reverse=True):
                    t.add(tree + '/' + entry, entry)
        snapshot, source = take(repo, path(name))
        out = path('out-' + name)
        repo.backstay('restore', snapshot, '--target', out, code=0)
        wrong = trees.compare(out + '/%s/files' % source, tree, ignore=('xattrs',))
        wrong = [w for w in wrong if not str(w).startswith(('.', "b'.'", "b''"))]
        fact(not wrong, name + ': every file is as it was', '\n'.join(map(str, wrong)))
    whole = read(path('files.tar'))
    end = len(whole.rstrip(b'\0')) // 512 * 512 + 512 + 1024
    cut_everywhere(repo, whole, 'cut.tar', end, 'tar: ')
    cut_everywhere(repo, read(path('files.tar.gz')), 'cut.tar.gz', os.stat(path('files.tar.gz')).st_size, 'gzip: ', 'tar: ')
    refuse(repo, whole + b'x' * 512, 'more.tar', 'comes after its end')


def archive(*members):
    """Of (name, type, further fields); content is their size in zeros."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as t:
        for name, kind, more in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            for key, value in more.items():
                setattr(info, key, value)
            t.addfile(info, io.BytesIO(b'x' * info.size))
    return out.getvalue()


def hidden(repo):
    """What stands in headers that tar puts before the entry's own, and sizes that no file has."""
    file = tarfile.REGTYPE
    plain = bytearray(archive(('a', file, {'size': 3})))

    def changed(*changes):
        header = bytearray(plain[:512])
        for at, new in changes:
            header[at:at + len(new)] = new
        header[148:156] = b' ' * 8
        header[148:155] = b'%06o\0' % sum(header)
        return bytes(header) + bytes(plain[512:])

    def pax(key, value):
        return archive(('a', file, {'size': 3, 'pax_headers': {key: value}}))

    for name, words, content in (
            ('paxpath.tar', 'leads out', pax('path', '../../x')),
            ('paxabsolute.tar', 'absolute name', pax('path', '/etc/x')),
            ('paxholes.tar', 'leads out', pax('GNU.sparse.name', '../x')),
            ('paxsize.tar', 'overflow', pax('size', '9' * 20)),
            ('prefix.tar', 'leads out', changed((345, b'b/../..'))),
            ('negative.tar', 'negative size', changed((124, b'\xff' * 12))),
            ('huge.tar', 'Truncated', changed((124, b'\x80' + bytes(3) + (1 << 62).to_bytes(8, 'big')))),
            ('header.tar', 'too large', changed((156, b'x'), (124, b'%o' % (1 << 32)))),
            ('volume.tar', 'neither a file', changed((156, b'M'))),
            # the old form of GNU tar for holes, and none is told of: all of it is one, larger than anything
            ('holes.tar', 'a: a file with holes', changed((156, b'S'), (257, b'ustar  \0'), (483, b'%011o\0' % (1 << 32))))):
        refuse(repo, content, name, words)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.GNU_FORMAT) as t:
        t.addfile(tarfile.TarInfo('../' + 'n' * 150))
    refuse(repo, out.getvalue(), 'long.tar', 'leads out')
    # in the folder that bears the archive's name there is one step more, which is not there afterwards
    name = 'app_backup_20260101_030000'
    climbing = archive((name + '/documents/l', tarfile.SYMTYPE, {'linkname': '../../x'}), (name + '/database/x.sql', file, {'size': 0}))
    refuse(repo, climbing, name + '.tar', 'documents/l: a symbolic link that leads out')
    # a bomb within: small as an archive, and large as what it holds
    large = b'-- PostgreSQL database dump\n' + b'-- and so on\n' * (8 << 20)
    inner = gzip.compress(large, 9)
    with tarfile.open(path('within.tar'), 'w') as t:
        info = tarfile.TarInfo('database/x.sql.gz')
        info.size = len(inner)
        t.addfile(info, io.BytesIO(inner))
    refuse(repo, read(path('within.tar')), 'within.tar', 'as a bomb would')
    refuse(repo, subprocess.run(['zstd', '-q', '-c'], input=large, check=True, capture_output=True).stdout, 'bomb.zst', 'as a bomb would')


def hostile(repo):
    file, link = tarfile.REGTYPE, tarfile.SYMTYPE
    for name, words, *members in (
            ('absolute.tar', 'absolute name', ('/etc/cron.d/x', file, {'size': 3})),
            ('above.tar', 'leads out', ('a/../../x', file, {'size': 3})),
            ('dots.tar', 'leads out', ('..', file, {'size': 3})),
            ('link.tar', 'leads out', ('a', link, {'linkname': '/etc/passwd'})),
            ('linkup.tar', 'leads out', ('a/b', link, {'linkname': '../../x'})),
            ('through.tar', 'no directory', ('a', link, {'linkname': 'b'}), ('a/x', file, {'size': 3})),
            ('under.tar', 'no directory', ('a', file, {'size': 3}), ('a/x', file, {'size': 3})),
            ('twice.tar', 'came twice', ('a', file, {'size': 3}), ('a', file, {'size': 4})),
            ('swap.tar', 'came twice', ('a', tarfile.DIRTYPE, {}), ('a', link, {'linkname': 'b'})),
            ('hard.tar', 'hard link', ('a', file, {'size': 3}), ('b', tarfile.LNKTYPE, {'linkname': 'a'})),
            ('device.tar', 'neither a file', ('null', tarfile.CHRTYPE, {'devmajor': 1, 'devminor': 3})),
            ('fifo.tar', 'neither a file', ('pipe', tarfile.FIFOTYPE, {})),
            ('disk.tar', 'neither a file', ('sda', tarfile.BLKTYPE, {'devmajor': 8})),
            ('nameless.tar', 'without a name', ('ok', file, {'size': 1}), ('./.', file, {'size': 3})),
            ('deep.tar', 'too deep', ('d/' * 200 + 'x', file, {'size': 3}))):
        refuse(repo, archive(*members), name, words)
    hidden(repo)
    many = archive(*((str(i), file, {}) for i in range(200)))
    done = repo.backstay('import', write('many.tar', many), '-n', '--max-files', '100', code=FAILED, why='too many entries: exit status')
    fact('--max-files' in done.errors, 'the message says what to do', done.errors)
    deep = write('deep.tar', archive(*(('%d/' % i * 20 + 'x', file, {}) for i in range(6))))
    done = repo.backstay('import', deep, '-n', '--max-files', '100', code=FAILED, why='directories that are only in names count, too')
    fact('--max-files' in done.errors, 'and the message is the same', done.errors)
    with tarfile.open(path('bomb.tar.gz'), 'w:gz') as t:
        info = tarfile.TarInfo('zeros')
        info.size = 100 << 20
        t.addfile(info, io.BytesIO(bytes(100 << 20)))
    refuse(repo, read(path('bomb.tar.gz')), 'bomb.tar.gz', 'as a bomb would')
    repo.backstay('import', path('bomb.tar.gz'), '-n', '--max-ratio', '0', code=0, why='which may be allowed')
    setuid = write('setuid.tar', archive(('program', file, {'size': 3, 'mode': 0o4755})))
    snapshot, source = take(repo, setuid)
    told = repo.backstay('ls', snapshot, '--json', code=0).lines()
    equal([x['permissions'] for x in told if x.get('name') == 'program'], ['-rwxr-xr-x'], 'set-uid stays outside')


def application(repo, server):
    """As an application packs it: in any order, with a folder of its name or without."""
    server.sample('shop', 0.02)
    script = subprocess.run(['pg_dump', 'shop'], env=server.env(), capture_output=True, check=True).stdout
    members = [('documents/u1/invoice.pdf', b'pdf'), ('database/shop.sql.gz', gzip.compress(script, 1)), ('manifest.json', b'{"version": "1"}'),
               ('extra.txt', b'x')]
    for folder in ('', './', 'shop_backup_20260101_030000/'):
        name = path('shop_backup_20260101_030000.tar.gz')
        with tarfile.open(name, 'w:gz', compresslevel=1) as t:
            for member, content in members:
                info = tarfile.TarInfo(folder + member)
                info.size = len(content)
                t.addfile(info, io.BytesIO(content))
        snapshot, source = take(repo, name)
        listed = [x['path'] for x in repo.backstay('ls', snapshot, '--json', code=0).lines() if x.get('type') == 'file']
        equal(sorted(p.removeprefix('/' + source) for p in listed),
              ['/application.json', '/documents/u1/invoice.pdf', '/files/extra.txt', '/manifest.json', '/shop.sql'], 'everything has its place')
    server.create('back')
    repo.backstay('restore', snapshot, '--to', server.url('back'), code=0)
    same_database(server, 'shop', server, 'back', 'the database of an application')
    equal(repo.backstay('dump', snapshot, '/%s/documents/u1/invoice.pdf' % source, code=0).out, b'pdf', 'its documents are there')
    # what export makes of a backup comes back
    server.sql('postgres', 'drop database back;')
    server.sql('postgres', "create role teller password 'x';")
    documents = path('papers')
    os.makedirs(documents + '/u1')
    write('papers/u1/a', b'paper')
    ids = [repo.backup(server.url())['snapshot_id'], repo.backup(documents)['snapshot_id']]
    packed = path('all.tar.gz')
    repo.backstay('export', *ids, '--format', 'app', '--target', packed, code=0)
    before = server.dump('shop')
    snapshot, source = take(repo, packed)
    equal(repo.backstay('dump', snapshot, '/%s/documents/u1/a' % source, code=0).out, b'paper', 'exported: the documents')
    told = repo.backstay('dump', snapshot, '/%s/manifest.json' % source, code=0).json()
    equal((sorted(d['name'] for d in told['databases']), told['globals']['role_passwords']), (['postgres', 'shop'], True), 'its databases, and the roles')
    server.sql('postgres', 'drop role teller; alter database shop rename to kept;')
    repo.backstay('restore', snapshot, '--to', server.url(), '--create', '--globals', '--database', 'shop', code=0)
    equal(server.sql('postgres', "select count(*) from pg_roles where rolname = 'teller';"), '1', 'the role is back')
    same_database(server, 'kept', server, 'shop', 'the database, exported and imported')
    equal(server.dump('shop'), before, 'as pg_dump writes it, too')
    # a script that was cut before it was packed
    for name, content, words in (('cut', script[:len(script) // 2], 'ends early'), ('none', b'hello', 'no dump')):
        with tarfile.open(path(name + '.tar.gz'), 'w:gz', compresslevel=1) as t:
            for member, data in (('manifest.json', b'{}'), ('database/shop.sql.gz', gzip.compress(content, 1))):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
        refuse(repo, read(path(name + '.tar.gz')), name + '.tar.gz', words)


def databases(repo):
    name = path('app.db')
    db = sqlite3.connect(name)
    db.execute('pragma journal_mode = wal')
    db.executescript('create table t(id integer primary key, v text); create index i on t(v); create view w as select * from t;')
    db.executemany('insert into t(v) values (?)', ((trees.noise(n, 30).hex(),) for n in range(5000)))
    db.commit()
    done = repo.backstay('import', name, code=FAILED, why='a database whose log lies beside it: exit status')
    fact('app.db-wal' in done.errors and 'backstay backup' in done.errors, 'the message names it', done.errors)
    backup = path('saved.db')
    with sqlite3.connect(backup) as copy:
        db.backup(copy)
    copy.close()
    db.close()
    write('saved.db.gz', gzip.compress(read(backup), 1))
    for name in ('saved.db', 'saved.db.gz'):
        snapshot, source = take(repo, path(name))
        equal(repo.backstay('dump', snapshot, '/%s/saved.db' % source, code=0).out, read(backup), name + ': it is the same, byte for byte')
    manifest = repo.backstay('dump', snapshot, '/%s/manifest.json' % source, code=0).json()
    equal([t['rows'] for t in manifest['database']['tables'] if t['name'] == 't'], [5000], 'its rows are counted')
    whole = read(backup)
    cut_everywhere(repo, whole, 'cut.db', len(whole), 'SQLite: ')
    for page in (1, 7, 20):
        damaged = bytearray(whole)
        damaged[page * 4096:page * 4096 + 64] = trees.noise(page, 64)
        refuse(repo, damaged, 'damaged.db', 'damaged', 'malformed', 'SQLite')


repo = Repo.named('repo')
repo.init()
files(repo)
hostile(repo)
databases(repo)
with Postgres() as postgres:
    application(repo, postgres)
finish()
