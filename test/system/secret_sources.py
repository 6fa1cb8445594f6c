#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=600
"""Sources marked secret: every command that could print what they hold refuses, masks or tells names alone; the bytes come back
by restore, and where somebody asks for them by name. What a source has recorded of itself is no secret."""
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import BACKSTAY, FAILED, PASSWORD, Repo, environment, equal, fact, finish, path, read, run, write

USAGE, DESTINATION = 1, 30
KEY, OTHER, OLD = 'k3y-of-the-vault', 'an0ther-secret', '0ld-key-in-a-comment'
DOTENV = '# was %s\nVAULT_KEY=%s\nexport TOKEN="%s" # of mail\nVAULT_KEY_KID=2026-01\n' % (OLD, KEY, OTHER)

repo = Repo.named('repo')


def backstay(*words, code=0):
    env = environment(None, BACKSTAY_STATE_DIR=path('state'), STATE_DIRECTORY=path('daemon'), RUN_PASSWORD=PASSWORD)
    return run(BACKSTAY, '--config', path('backstay.yaml'), *words, env=env, code=code)


def main_repo(*words, code=0):
    return backstay('-r', 'main', *words, code=code)


def shows(done):
    return [s for s in (KEY, OTHER, OLD) if s in done.all]


def configure(archives=()):
    write('backstay.yaml', json.dumps({
        'repositories': {'main': {'location': repo.path, 'password': 'env://RUN_PASSWORD'}},
        'sources': {'env': {'paths': [path('app/.env')], 'secret': True}, 'plain': {'paths': [path('app')]},
                    'vault': {'url': 'sqlite:' + path('vault.db'), 'secret': True, 'facts': [{'name': 'n', 'sql': 'select count(*) from k'}]}},
        'schedules': {'nightly': {'sources': ['env'], 'repository': 'main', 'cron': 'daily', 'archives': list(archives)}}}).encode())


def dumping(env, file):
    for words in ([env, file], [env, '/'], [env + ':' + path('app'), '/.env'], [env, file, '--target', path('out')], [env, '/', '--archive', 'zip']):
        done = main_repo('dump', *words, code=FAILED)
        fact(not shows(done) and not done.out and 'marked secret' in done.all and '--reveal' in done.all, 'dump refuses: ' + ' '.join(words[1:]), done.all)
    fact(not os.path.exists(path('out')), 'and writes nothing')
    equal(main_repo('dump', env, file, '--masked').text, '***\nVAULT_KEY=***\nTOKEN=***\nVAULT_KEY_KID=***\n', 'masked it shows the names alone')
    equal(main_repo('dump', env, file, '--reveal').text, DOTENV, 'and all of it to who says so')
    done = main_repo('dump', env, file, '--masked', '--reveal', code=USAGE)
    fact(not shows(done), 'both are neither')


def exporting(env):
    for words in (['--format', 'tar'], ['--format', 'app'], ['--target', path('out.tar')]):
        done = main_repo('export', env, *words, code=FAILED)
        fact(not shows(done) and not done.out and 'encrypt' in done.all, 'export refuses: ' + ' '.join(words), done.all)
    fact(not os.path.exists(path('out.tar')), 'and leaves no file')
    os.chmod(write('passphrase', b'of this test\n'), 0o600)
    main_repo('export', env, '--target', path('out.tar.gpg'), '--passphrase-file', path('passphrase'))
    fact(KEY.encode() not in read(path('out.tar.gpg')), 'encrypted it may')
    fact(KEY.encode() in main_repo('export', env, '--format', 'tar', '--reveal').out, 'and so it may with --reveal')


def looking(env):
    """None of these prints content of files; it stays so."""
    tree = json.loads(main_repo('cat', 'snapshot', env).out)['tree']
    write('app/.env', (DOTENV + 'MORE=1\n').encode())
    main_repo('backup', '@env')
    last = repo.snapshots()[-1]['id']
    for words in (['ls', '-l', env], ['ls', '--json', env], ['find', '.env'], ['find', '--json', '*'], ['diff', env, last], ['diff', '--json', '--metadata', env, last],
                  ['snapshots'], ['snapshots', '--json'], ['stats', env], ['cat', 'snapshot', env], ['cat', 'tree', env], ['cat', 'blob', tree],
                  ['restore', env, '--target', path('nowhere'), '--dry-run', '-vv'], ['restore', env, '--target', path('nowhere'), '--preview', '--json'],
                  ['check', '--read-data'], ['forget', '--keep-last', '9', '--dry-run', '--json']):
        done = main_repo(*words, code=(0, FAILED))
        fact(not shows(done), ' '.join(words[:2]) + ' shows nothing of it', done.all)


def archives():
    configure([{'to': path('archives'), 'format': 'tar'}])
    done = backstay('run', 'nightly', '--json', code=DESTINATION)
    fact('marked secret' in done.messages('run_end')[-1]['error'], 'no archive of it is written as it is', done.all)
    equal([n for d, _, names in os.walk(path('archives')) for n in names], [], 'nor a part of one')
    configure([{'to': path('archives'), 'format': 'tar', 'encrypt': {'passphrase': 'file://' + path('passphrase')}}])
    backstay('run', 'nightly', '--json')
    equal(len([n for n in os.listdir(path('archives')) if n.endswith('.tar.gpg')]), 1, 'but an encrypted one')


def databases():
    main_repo('backup', '@vault')
    last = repo.snapshots()[-1]
    equal(json.loads(main_repo('dump', last['id'], last['paths'][0] + '/manifest.json').out)['facts'], {'n': '1'}, 'what was recorded of a database is shown')
    done = main_repo('dump', last['id'], last['paths'][0] + '/vault.db', code=FAILED)
    fact(not shows(done), 'the database is not')


def main():
    repo.init()
    os.mkdir(path('app'))
    file = write('app/.env', DOTENV.encode())
    with sqlite3.connect(path('vault.db')) as db:
        db.executescript("create table k (v text); insert into k values ('%s')" % KEY)
    configure()
    done = main_repo('backup', '@env', '-v')
    fact(not shows(done), 'a backup shows nothing of it')
    env = repo.snapshots()[-1]
    fact('secret=yes' in env['tags'], 'its snapshots are marked', env)
    dumping(env['id'], file)
    exporting(env['id'])
    looking(env['id'])
    archives()
    databases()
    main_repo('backup', '@plain')
    equal(main_repo('dump', 'latest', '--path', path('app'), file).text, DOTENV + 'MORE=1\n', 'what is not marked is as it always was')
    main_repo('restore', env['id'], '--target', path('back'))
    equal(read(path('back') + file).decode(), DOTENV, 'and a restore brings all of it back')
    finish()


main()
