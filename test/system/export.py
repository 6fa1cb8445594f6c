#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=600
"""export: portable files that standard tools read without us: a dump for pg_restore, a script for psql, archives for tar."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from postgres import Postgres, same_database, sha256
from scenario import BACKSTAY, FAILED, Repo, equal, fact, finish, path, run

NO_SPACE = 24
GZIP, ZSTD = ['gzip', '-dc'], ['zstd', '-dcq']


def plain(command, name):
    done = subprocess.run([*command, name], capture_output=True, check=False)
    fact(done.returncode == 0 and not done.stderr, '%s reads %s' % (command[0], os.path.basename(name)), done.stderr.decode())
    return done.stdout


def read(name):
    with open(name, 'rb') as f:
        return f.read()


def manifest_of(name, snapshot, kind):
    with open(name + '.manifest.json', encoding='utf-8') as f:
        told = json.load(f)
    content = read(name)
    equal((told['file'], told['format'], told['size'], told['sha256'], told['snapshot']['id']),
          (os.path.basename(name), kind, len(content), sha256(content), snapshot), kind + ': the manifest beside it tells of that very file')
    equal([oct(os.stat(n).st_mode & 0o777) for n in (name, name + '.manifest.json')], ['0o600'] * 2, kind + ': nobody else may read them')
    return told


def export(repo, snapshot, name, *options, code=0):
    target = path(name)
    done = repo.backstay('export', snapshot, '--target', target, '--json', *options, code=code)
    if code == 0:
        told = done.summary()
        equal((told['target'], told['size'], told['sha256']), (target, os.stat(target).st_size, sha256(read(target))), name + ': the summary says the same')
    return target


def archives(repo):
    tree = path('tree')
    trees.everything(tree, devices=False)
    snapshot = repo.backup(tree)['snapshot_id']
    for kind, level in (('tar', []), ('tar.gz', ['--level', '1']), ('tar.zst', ['--level', '1'])):
        name = export(repo, snapshot, 'files.' + kind, *level)
        manifest_of(name, snapshot, kind)
        out = path('out-' + kind)
        os.mkdir(out)
        done = subprocess.run(['tar', '--xattrs', '-xpf', name, '-C', out], capture_output=True, check=False)
        fact(done.returncode == 0, kind + ': tar takes it out', done.stderr.decode())
        wrong = trees.compare(out + tree, tree, ignore=('hardlinks', b'modes/before-1970'))
        fact(not wrong, kind + ': all is as it was', '\n'.join(map(str, wrong)))
    same = repo.backstay('export', snapshot, '--format', 'tar', code=0).out
    fact(same == read(path('files.tar')), 'standard output gets the same bytes')
    return snapshot


def databases(repo, server):
    server.sample('shop', 0.05)
    server.create('empty')
    snapshot = repo.backup(server.url('shop'))['snapshot_id']
    dump = export(repo, snapshot, 'shop.dump')
    recorded = manifest_of(dump, snapshot, 'dump')['recorded']['databases'][0]
    equal(sha256(read(dump)), recorded['sha256'], 'the dump is the one that was recorded when it was taken')
    listed = run('pg_restore', '--list', dump, code=0)
    fact('TABLE DATA' in listed.text, 'pg_restore lists what is in it')
    server.create('from_dump')
    run('pg_restore', '-d', 'from_dump', '--exit-on-error', dump, env=server.env(), code=0)
    same_database(server, 'shop', server, 'from_dump', 'restored from the dump')
    scripts(repo, server, snapshot, dump)


def without_random(script):
    return re.sub(rb'(?m)^\\(un)?restrict .*$', b'', script)


def scripts(repo, server, snapshot, dump):
    want = without_random(run('pg_restore', '-f', '-', dump, code=0).out)
    for kind, reader in (('sql', ['cat']), ('sql.gz', GZIP), ('sql.zst', ZSTD)):
        name = export(repo, snapshot, 'shop.' + kind)
        manifest_of(name, snapshot, kind)
        script = plain(reader, name)
        fact(without_random(script) == want, kind + ': it is what pg_restore makes of the dump')
    server.create('from_script')
    done = subprocess.run(['psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'from_script'], input=script, env=server.env(), check=False,
                          capture_output=True)
    fact(done.returncode == 0, 'psql takes the script', done.stderr.decode())
    same_database(server, 'shop', server, 'from_script', 'restored from the script')


def several(repo, server):
    snapshot = repo.backup(server.url())['snapshot_id']
    done = repo.backstay('export', snapshot, '--format', 'sql', code=FAILED)
    fact('--database' in done.errors, 'of several databases one has to be chosen', done.errors)
    name = export(repo, snapshot, 'chosen.sql', '--database', 'empty')
    equal(manifest_of(name, snapshot, 'sql')['database'], 'empty', 'the manifest says which one it is')
    done = repo.backstay('export', snapshot, '--format', 'sql', '--database', 'nowhere', code=FAILED)
    fact('nowhere' in done.errors, 'a database that is not there is named', done.errors)


def refused(repo, files):
    for words, want in ((['--format', 'rar'], 'must be dump'), ([], '--format'), (['--format', 'tar.gz', '--level', '12'], '1 to 9'),
                        (['--format', 'tar', '--level', '3'], 'no levels'), (['--format', 'dump'], 'no database'),
                        (['--format', 'tar', '--target', path('tree')], 'directory')):
        done = repo.backstay('export', files, *words, code=FAILED)
        fact(want in done.errors, 'refused with the reason: ' + ' '.join(words).replace(path(''), ''), done.errors)
    done = repo.backstay('export', files + ':/x', '--format', 'tar', code=FAILED)
    fact('backstay dump' in done.errors, 'a part of a snapshot is for another command', done.errors)


def failing(repo, snapshot):
    """What fails leaves the file that was there, and no manifest that would speak for it."""
    target = path('kept.sql.gz')
    with open(target, 'w', encoding='ascii') as f:
        f.write('the old one')
    # a pg_restore that cannot be run to its end
    tools = path('tools')
    os.mkdir(tools)
    with open(tools + '/pg_restore', 'w', encoding='ascii') as f:
        f.write('#!/bin/sh\ncase $1 in --version) echo "pg_restore (PostgreSQL) 15.20";; *) head -c 100000 >/dev/null; echo half; echo no luck >&2; exit 1;; esac\n')
    os.chmod(tools + '/pg_restore', 0o755)
    done = repo.backstay('export', snapshot, '--target', target, env={'BACKSTAY_PG_BIN': tools}, code=FAILED)
    fact('no luck' in done.errors, 'what pg_restore complains of is told', done.errors)
    equal(read(target), b'the old one', 'the file that was there stays')
    fact(not [n for n in os.listdir(path('')) if n.startswith('kept.sql.gz.')], 'and nothing half-done lies beside it', os.listdir(path('')))
    done = run('sh', '-c', '"$0" -r "$1" export "$2" --format sql.gz >/dev/full', BACKSTAY, repo.path, snapshot, env=repo.env(), code=NO_SPACE)
    fact('No space' in done.errors, 'a full disk is told', done.errors)
    done = run('sh', '-c', '"$0" -r "$1" export "$2" --format sql | head -c 1000 >/dev/null', BACKSTAY, repo.path, snapshot, env=repo.env(), code=0)


def main():
    repo = Repo.named('repo')
    repo.init()
    files = archives(repo)
    refused(repo, files)
    with Postgres() as server:
        databases(repo, server)
        several(repo, server)
        snapshot = repo.backup(server.url('shop'))['snapshot_id']
        failing(repo, snapshot)
    finish()


main()
