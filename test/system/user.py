#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""Users from the command line: the first administrator, one who is locked out, passwords that are never shown, and that what was
taken away is gone at once from a daemon that runs."""
import json
import os
import pty
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonhttp import PageDaemon
from scenario import BACKSTAY, FAILED, WORK, equal, fact, finish, path, run

CONFIG = '''
repositories:
  main: {location: %(dir)s/repo, password: "file://%(dir)s/password"}
sources:
  files: {paths: [%(dir)s]}
schedules:
  nightly: {sources: [files], repository: main, cron: "0 %(hour)d * * *"}
server: {listen: "127.0.0.1:%(port)d", node: one, sweep: "%(hour)02d:30"}
'''
FIRST, SECOND, TYPED = 'the first long password', 'another long password', 'a password that is typed'


def user(daemon, *argv, password=None, code=0, why=''):
    more = ('--new-password-file', '-') if password is not None else ()
    return run(BACKSTAY, 'user', '--config', daemon.config, *more, *argv, env=daemon.env(), code=code, why=why,
               input=password.encode() if password is not None else None)


def typed(daemon, name, *words):
    """What a terminal shows while the words are typed, and the exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BACKSTAY, [BACKSTAY, 'user', '--config', daemon.config, 'password', name], daemon.env())
    shown = b''
    for i, word in enumerate(words):
        while shown.count(b': ') <= i:  # what is typed before a question is thrown away
            shown += os.read(terminal, 1024)
        os.write(terminal, word.encode() + b'\n')
    try:
        while True:
            more = os.read(terminal, 1024)
            if not more:
                break
            shown += more
    except OSError:  # closed
        pass
    return shown.decode(errors='replace'), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def words(result):
    return json.loads(result.out) if result.out else None


def main():
    daemon = PageDaemon('daemon', None, CONFIG)
    with open(daemon.dir + '/password', 'w') as f:
        f.write('of the repository\n')

    user(daemon, 'add', 'anna', '--role', 'admin', password=FIRST + '\n', why='the first administrator, before the daemon was ever started')
    user(daemon, 'add', 'anna', password=FIRST, code=FAILED, why='a name that is taken')
    user(daemon, 'add', 'Bad Name', password=FIRST, code=FAILED, why='no name')
    user(daemon, 'add', 'bert', password='short', code=FAILED, why='a password that is too short')
    user(daemon, 'add', 'bert', '--role', 'king', password=FIRST, code=FAILED, why='no role')
    user(daemon, 'add', 'bert', password=SECOND)
    listed = words(user(daemon, 'list', '--json'))
    equal([(u['name'], u['role'], u['enabled']) for u in listed], [('anna', 'admin', True), ('bert', 'viewer', True)], 'both are listed')
    fact('$scrypt$' not in json.dumps(listed), 'without what their passwords became')
    for argv in (), ('add',), ('list', 'anna'), ('promote', 'anna'):
        user(daemon, *argv, code=FAILED, why='wrong words: ' + ' '.join(argv))

    with daemon:
        fact('works once' not in daemon.said(), 'no setup token is offered, for there is an administrator')
        status, cookie = daemon.login('anna', FIRST)
        equal(status, 200, 'she is let in')
        equal(daemon.ask('GET', '/api/admin/users', Cookie=cookie)[0], 200, 'as an administrator')
        equal(daemon.login('anna', 'not her password at all')[0], 401, 'a wrong password')
        user(daemon, 'password', 'anna', password=SECOND, why='she forgot it')
        equal(daemon.ask('GET', '/api/session', Cookie=cookie)[0], 401, 'her session has ended')
        equal(daemon.login('bert', SECOND)[0], 200, 'somebody else is let in meanwhile')

        shown, code = typed(daemon, 'anna', TYPED, TYPED)
        fact(code == 0 and shown.count(':') >= 2, 'a password is asked for twice', shown)
        fact(TYPED not in shown, 'and not shown', shown)
        shown, code = typed(daemon, 'anna', TYPED, TYPED + 'x')
        fact(code == FAILED and 'differ' in shown, 'two that differ change nothing', shown)

        bert = daemon.login('bert', SECOND)[1]
        user(daemon, 'disable', 'bert')
        equal(daemon.ask('GET', '/api/session', Cookie=bert)[0], 401, 'who is disabled is out at once')
        equal(daemon.login('bert', SECOND)[0], 401, 'and stays out')
        user(daemon, 'enable', 'bert')
        equal(daemon.login('bert', SECOND)[0], 200, 'until he is enabled')
        for action in 'disable', 'remove':
            said = user(daemon, action, 'anna', code=FAILED, why='the last administrator: ' + action)
            fact('another admin' in said.errors, 'is told why', said.errors)
        user(daemon, 'remove', 'bert')
        equal(daemon.login('bert', SECOND)[0], 401, 'who is removed is not known')
        user(daemon, 'remove', 'bert', code=FAILED, why='twice')

    daemon.stop()
    with PageDaemon('daemon', None, CONFIG) as again:
        status, cookie = again.login('anna', TYPED)
        equal(status, 200, 'the typed password is hers')
        lines = json.loads(again.ask('GET', '/api/admin/audit?limit=200', Cookie=cookie)[2])['items']
    mine = [(line['action'], line['user']) for line in lines if line['action'].startswith('user.')]
    fact({'user.add', 'user.add.failed', 'user.password', 'user.disable', 'user.disable.failed', 'user.enable', 'user.remove'} <= {a for a, _ in mine},
         'every change left a line, and every refusal', mine)
    fact(all('(command line)' in who for _, who in mine), 'which says where from', mine)
    run(BACKSTAY, 'catalog', 'check', '--config', daemon.config, env=daemon.env(), code=0, why='the chain of lines is unbroken')
    with sqlite3.connect(daemon.state + '/catalogue.db') as db:
        dump = '\n'.join(db.iterdump())
    leaked = [p for p in (FIRST, SECOND, TYPED) if p in dump or p in daemon.said()]
    equal(leaked, [], 'no password is in the catalogue or in the log')
    other = path('other.db')
    run(BACKSTAY, 'user', 'add', 'eve', '--at', 'sqlite:' + other, '--new-password-command', 'echo ' + SECOND, code=0,
        env=daemon.env(), why='another catalogue')
    equal(subprocess.run(['find', WORK, '-name', '*.db', '-perm', '/077'], capture_output=True, text=True, check=False).stdout, '',
          'no catalogue can be read by others')


main()
finish()
