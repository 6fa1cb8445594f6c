#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan
"""What people get wrong: the exit status, a sentence that helps, and nothing changed."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
import writer
from scenario import (BACKSTAY, LOCKED, NO_REPOSITORY, PARTIAL, PASSWORD, RESTIC, WORK, WRONG_PASSWORD, Repo, ended, environment, equal,
                      fact, finish, path, run, wait_until)


def says(done, *words, name):
    text = done.errors.lower()
    fact(all(w in text for w in words), '%s: the message says %s' % (name, ', '.join(words)), done.all)
    fact('glib' not in text and 'assert' not in text and 'critical' not in text, name + ': and nothing from inside', done.all)


def opening(source):
    repo = Repo.named('repo')
    says(repo.backstay('snapshots', code=NO_REPOSITORY), 'repository', name='no such directory')
    fact(not os.path.exists(repo.path), 'looking at a repository that is not there makes nothing')
    says(repo.backstay('backup', source, code=NO_REPOSITORY), 'repository', name='backup without a repository')
    repo.init()
    says(repo.backstay('init', code=1), 'exist', name='init twice')
    for verb in (['snapshots'], ['backup', source], ['check'], ['restore', 'latest', '--target', path('x')], ['prune']):
        says(run(BACKSTAY, '-r', repo.path, *verb, env=environment('wrong'), code=WRONG_PASSWORD), 'password',
             name='wrong password, ' + verb[0])
    done = run(BACKSTAY, '-r', repo.path, '--json', 'snapshots', env=environment('wrong'), code=WRONG_PASSWORD)
    found = [m for m in [*done.lines(), *Lines(done.err)] if m.get('message_type') == 'exit_error']
    fact(found and found[0]['code'] == WRONG_PASSWORD and found[0]['message'], '--json: the end is an exit_error', done.all)
    says(run(BACKSTAY, '-r', repo.path, 'snapshots', env=environment(None), code=1), 'password', name='no password at all')
    run(BACKSTAY, 'snapshots', env=environment(), code=1)
    os.mkdir(path('notes'))
    trees.write(path('notes/todo.txt'), b'milk\n')
    says(Repo.named('notes').backstay('snapshots', code=NO_REPOSITORY), 'repository', name='a directory of something else')
    says(Repo.named('notes/todo.txt').backstay('snapshots', code=(1, NO_REPOSITORY)), 'todo.txt', name='a file')
    equal(os.listdir(path('notes')), ['todo.txt'], 'and it is left alone')
    return repo


class Lines(list):
    def __init__(self, data):
        import json
        for line in data.splitlines():
            try:
                self.append(json.loads(line))
            except ValueError:
                pass


def password_sources(repo):
    trees.write(path('password'), PASSWORD.encode() + b'\n', 0o600)
    plain = environment(None)
    run(BACKSTAY, '-r', repo.path, '--password-file', path('password'), 'snapshots', env=plain, code=0)
    run(BACKSTAY, '-r', repo.path, '-p', path('password'), 'snapshots', env=plain, code=0)
    run(BACKSTAY, '-r', repo.path, '--password-command', 'cat ' + path('password'), 'snapshots', env=plain, code=0)
    for name in ('RESTIC', 'BACKSTAY'):
        run(BACKSTAY, '-r', repo.path, 'snapshots', env={**plain, name + '_PASSWORD': PASSWORD}, code=0, why=name + '_PASSWORD')
        run(BACKSTAY, '-r', repo.path, 'snapshots', env={**plain, name + '_PASSWORD_FILE': path('password')}, code=0,
            why=name + '_PASSWORD_FILE')
        run(BACKSTAY, '-r', repo.path, 'snapshots', env={**plain, name + '_PASSWORD_COMMAND': 'cat ' + path('password')}, code=0,
            why=name + '_PASSWORD_COMMAND')
        run(BACKSTAY, 'snapshots', env={**plain, name + '_PASSWORD': PASSWORD, name + '_REPOSITORY': repo.path}, code=0,
            why=name + '_REPOSITORY')
    run(BACKSTAY, '-r', repo.path, 'snapshots', env={**plain, 'BACKSTAY_PASSWORD': PASSWORD, 'RESTIC_PASSWORD': 'wrong'}, code=0,
        why='our variables come before those of restic')
    run(BACKSTAY, '-r', repo.path, '--password-file', path('nothing'), 'snapshots', env=plain, code=1)
    run(BACKSTAY, '-r', repo.path, '--password-command', 'false', 'snapshots', env=plain, code=1)


def usage(repo, source):
    for argv in (['--nonsense', 'snapshots'], ['snapshots', '--nonsense'], ['nonsense'], [], ['backup'], ['restore'], ['restore', 'latest'],
                 ['backup', '--compression', 'much', source], ['backup', '--compression', '20', source],
                 ['backup', '--pack-size', '1', source], ['backup', '--group-by', 'user', source],
                 ['snapshots', '--verbose=much'],
                 ['forget', '--keep-last', 'x'], ['forget', '--keep-within', 'soon'], ['dump', 'latest'],
                 ['check', '--read-data-subset', '0/3'], ['check', '--read-data-subset', '200%']):
        done = repo.backstay(*argv, code=1)
        fact(done.errors.strip() and len(done.errors) < 4000, 'usage: %s is answered by a sentence' % (argv or 'nothing'), done.errors)
    run(BACKSTAY, '-v', '-r', repo.path, 'snapshots', env=repo.env(), code=0, why='usage: -v takes no argument')
    for name in ('one', 'two'):
        trees.write(path(name), b'x')
    for level in ('-v', '-vv', '--verbose', '--verbose=2'):
        equal(repo.backup('--dry-run', level, path('one'), path('two')).get('total_files_processed'), 2,
              'usage: %s leaves the operand behind it alone' % level)
    fact('nonsense' in repo.backstay('snapshots', '--nonsense').errors,
         'usage: an unknown option is named')
    for argv in (['--help'], ['backup', '--help'], ['version'], ['help']):
        done = run(BACKSTAY, *argv, env=environment(None), code=0)
        fact(done.text.strip(), ' '.join(argv) + ' prints to standard output')


def sources(repo, source):
    says(repo.backstay('backup', path('missing'), code=(1, PARTIAL)), 'missing', name='a missing path')
    equal(repo.snapshots(), [], 'a missing path makes no snapshot')
    summary = repo.backup(source, path('missing'), code=PARTIAL)
    fact(summary.get('snapshot_id'), 'one missing path among others: the others are kept, status 3')
    far = [path('missing', 'deep', name) for name in 'ab']
    done = repo.backstay('backup', '--json', source, *far, code=PARTIAL)
    equal(sorted(e['item'] for e in [*done.messages('error'), *Lines(done.err)] if 'item' in e), far, 'what is missing with its directory is named as it was given')
    fact(path('missing') + ':' in done.all, 'and so is the directory', done.all)
    repo.backstay('restore', 'fefefefe', '--target', path('x'), code=1)
    repo.backstay('dump', 'latest', '/no/such/file', code=1)
    repo.backstay('ls', 'nonsense', code=1)
    # as somebody who may not read everything
    private = path('private')
    os.mkdir(private)
    trees.write(private + '/mine', b'mine\n')
    trees.write(private + '/theirs', b'theirs\n', 0o600)
    os.mkdir(private + '/closed', 0o700)
    trees.write(private + '/closed/inside', b'inside\n')
    other = Repo(path('other'))
    os.mkdir(other.path)
    os.chown(other.path, 65534, 65534)
    os.makedirs(path('cache-nobody'), exist_ok=True)
    os.chown(path('cache-nobody'), 65534, 65534)
    as_nobody = {'prefix': ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'],
                 'env': {'XDG_CACHE_HOME': path('cache-nobody'), 'BACKSTAY_CACHE_DIR': path('cache-nobody'), 'HOME': '/'}}
    other.backstay('init', code=0, **as_nobody)
    done = other.backstay('backup', '--json', private, code=PARTIAL, **as_nobody)
    equal(sorted(os.path.basename(e['item']) for e in [*done.messages('error'), *Lines(done.err)] if 'item' in e), ['closed', 'theirs'],
          'an unreadable file and directory: each is named')
    fact(done.summary().get('snapshot_id'), 'and the rest is kept', done.all)
    other.backstay('restore', 'latest', '--target', path('partly'), code=0)
    fact(os.path.exists(path('partly') + private + '/mine'), 'what could be read is there')
    fact(not os.path.exists(path('partly') + private + '/theirs'), 'what could not be read is not there as an empty file')


def locks(repo, source):
    key = writer.Keys.open(repo.path, PASSWORD)
    name = key.put_plain(repo.path, 'locks', {'time': writer.now(), 'exclusive': True, 'hostname': 'elsewhere', 'username': 'u', 'pid': 77})
    says(repo.backstay('backup', source, code=LOCKED), 'lock', 'elsewhere', name='an exclusive lock elsewhere')
    repo.backstay('prune', code=LOCKED)
    repo.backstay('snapshots', '--no-lock', code=0)
    started = time.monotonic()
    repo.backstay('backup', '--retry-lock', '2s', source, code=LOCKED)
    fact(time.monotonic() - started >= 2, '--retry-lock tries for so long')
    repo.backstay('unlock', code=0)
    equal(repo.objects('locks'), [name], 'unlock leaves a lock that may be alive')
    repo.backstay('unlock', '--remove-all', code=0)
    equal(repo.objects('locks'), [], 'unlock --remove-all does not')
    key.put_plain(repo.path, 'locks', {'time': writer.now(), 'exclusive': False, 'hostname': 'elsewhere', 'username': 'u', 'pid': 77})
    repo.backstay('backup', source, code=0, why='a shared lock does not stop a backup')
    repo.backstay('prune', code=LOCKED, why='but it stops prune')
    repo.backstay('unlock', '--remove-all', code=0)
    key.put_plain(repo.path, 'locks', {'time': '2020-01-01T00:00:00Z', 'exclusive': True, 'hostname': 'elsewhere', 'username': 'u', 'pid': 77})
    repo.backstay('backup', source, code=0, why='a stale exclusive lock is no obstacle')
    equal(repo.objects('locks'), [], 'and is gone')


def a_lock_taken_away(repo):
    """As by a prune elsewhere while the backup's machine was halted: its clock cannot tell it, and its packs are gone."""
    trees.write(path('stream'), trees.noise(77, 24_000_000))
    with open(path('stream'), 'rb') as f:
        content = f.read()
    before = set(repo.objects('data'))
    backup = subprocess.Popen([BACKSTAY, '-r', repo.path, 'backup', '--stdin', '--stdin-filename', 'stream'], env=repo.env(),
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    backup.stdin.write(content)
    backup.stdin.flush()
    # one pack is full, and no second one before the end
    fact(wait_until(lambda: set(repo.objects('data')) - before, 120), 'a pack is there before the stream ends')
    pack = set(repo.objects('data')) - before
    repo.backstay('unlock', '--remove-all', code=0)
    repo.backstay('prune', code=0)
    fact(not pack & set(repo.objects('data')), 'a prune that sees no lock removes it, for no index names it')
    indexes, snapshots = repo.objects('index'), repo.objects('snapshots')
    said = ended(backup, 120, 'a backup whose lock was taken away').decode()
    equal(backup.returncode, LOCKED, 'it is none')
    fact('somebody removed it' in said, 'and says why', said)
    equal((repo.objects('index'), repo.objects('snapshots')), (indexes, snapshots), 'and leaves no index of packs that are gone')
    repo.backstay('backup', '--stdin', '--stdin-filename', 'stream', input=content, code=0)
    equal(repo.backstay('dump', 'latest', '/stream', code=0).out, content, 'so the next backup holds all of it')
    repo.sound('after a lost lock')


def versions():
    for name, config, word in (('version 3', {'version': 3}, 'version'), ('version 0', {'version': 0}, 'version'),
                               ('not JSON', b'nonsense', 'config'), ('reducible polynomial', {'chunker_polynomial': '3da3358b4dc172'}, 'polynomial')):
        made = writer.Writer(path('made-' + name.replace(' ', '-')), PASSWORD, config=config)
        says(Repo(made.path).backstay('snapshots', code=1), word, name='config with ' + name)


def main():
    source = path('source')
    trees.everything(source, big=200_000)
    repo = opening(source)
    password_sources(repo)
    usage(repo, source)
    sources(repo, source)
    locks(repo, source)
    a_lock_taken_away(repo)
    versions()
    repo.sound('after all of this')
    run(RESTIC, '-r', repo.path, 'snapshots', env=environment(), code=0)
    fact(not os.path.exists(WORK + '/x'), 'no failed command made its target')
    finish()


main()
