#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan
"""What can go wrong with a PostgreSQL: each time a clear sentence, a status of its own, and never a snapshot of half a dump."""
import glob
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from postgres import Postgres
from scenario import (BACKSTAY, INTERRUPTED, MISMATCH, NOT_EMPTY, REFUSED, UNREACHABLE, Repo, ended, equal, fact, finish, path,
                      wait_until)

SECRET = 'never-show-this'


class Case:
    def __init__(self, repo):
        self.repo = repo

    def fails(self, label, url, code, *words, env=None, **options):
        """A backup that must fail: the status, the words, no snapshot, no lock, no secret."""
        before = {s['id'] for s in self.repo.snapshots()}
        done = self.repo.backstay('backup', url, code=code, env=env, why='%s: exit status' % label, timeout=120, **options)
        for word in words:
            fact(word.lower() in done.errors.lower(), '%s: the message speaks of %s' % (label, word), done.errors)
        self.nothing_left(label, before)
        fact(SECRET not in done.all, label + ': the password is not shown', done.all)
        return done

    def nothing_left(self, label, before):
        equal({s['id'] for s in self.repo.snapshots()}, before, label + ': no snapshot was made')
        equal(self.repo.objects('locks'), [], label + ': no lock is left')


def children(pid):
    found = []
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                with open('/proc/%s/stat' % entry) as f:
                    stat = f.read()
                with open('/proc/%s/cmdline' % entry, 'rb') as f:
                    words = f.read().split(b'\0')
            except OSError:
                continue
            if int(stat.rsplit(')', 1)[1].split()[1]) == pid:
                found.append((int(entry), words))
    return found


def dumper(pid):
    """The child that dumps; the one that only tells its version is another."""
    return next((p for p, words in children(pid) if os.path.basename(words[0]) == b'pg_dump' and b'--version' not in words), None)


def slow_backup(repo, url):
    """A backup whose dump waits at a locked table: there is time to do it harm."""
    return subprocess.Popen([BACKSTAY, '-r', repo.path, 'backup', url], env=repo.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Held:
    """An exclusive lock on a table, so that pg_dump stops there."""

    def __init__(self, server, database, table):
        self.process = subprocess.Popen(['psql', '-XqAt', '-d', database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=server.env())
        self.process.stdin.write(b'begin; lock table %s in access exclusive mode; select 1;\n' % table.encode())
        self.process.stdin.flush()
        self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def logins(server, case):
    case.fails('wrong password', server.url('shop', user='app', tcp=True, password='wrong'), REFUSED, 'password')
    case.fails('no password', server.url('shop', user='app', tcp=True), REFUSED, 'password')
    case.fails('unknown role', server.url('shop', user='nobody', tcp=True, password=SECRET), REFUSED)
    case.fails('unknown database', server.url('missing'), (1, UNREACHABLE, REFUSED), 'missing')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        dead = 'postgresql://app@127.0.0.1:%d/shop' % s.getsockname()[1]
    case.fails('dead port', dead, UNREACHABLE, '127.0.0.1')
    case.fails('dead socket', 'postgresql://app@/shop?host=%s' % path('no-socket'), UNREACHABLE)
    case.fails('not a host', 'postgresql://app@host.invalid/shop', UNREACHABLE, 'host.invalid')
    case.fails('not a PostgreSQL', 'postgresql://app@127.0.0.1:%d/shop' % something_else(), (1, UNREACHABLE))
    case.fails('nonsense in the URL', 'postgresql://app@127.0.0.1:port/shop', (1, UNREACHABLE))


def something_else():
    """A server that speaks another protocol; its port."""
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(8)

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
                connection.sendall(b'HTTP/1.0 400 Bad Request\r\n\r\n')
                connection.close()
            except OSError:
                return
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def passwords_are_not_seen(server, repo):
    """Neither in the arguments nor in the environment of a child."""
    with Held(server, 'shop', 'public.own'):
        process = slow_backup(repo, server.url('shop', user='reader', tcp=True, password=SECRET))
        seen = wait_until(lambda: dumper(process.pid), 20)
        fact(seen, 'pg_dump runs as a child')
        pid = dumper(process.pid)
        shown = b''
        if pid:
            for name in ('cmdline', 'environ'):
                with open('/proc/%d/%s' % (pid, name), 'rb') as f:
                    shown += f.read()
        fact(pid and SECRET.encode() not in shown, 'the password is neither among its arguments nor in its environment')
        process.send_signal(signal.SIGTERM)
        ended(process, 30, 'SIGTERM during a dump')
    equal(process.returncode, INTERRUPTED, 'SIGTERM during a dump: exit status')
    fact(not dumper(process.pid), 'SIGTERM during a dump: pg_dump is gone, too')


def rights(server, case):
    case.fails('a role without rights', server.url('shop', user='weak', tcp=True, password=SECRET), (1, REFUSED), 'permission')
    # large objects are not among what this role may read
    done = case.repo.backstay('backup', server.url('private', user='reader', tcp=True, password=SECRET))
    fact(done.code == 0, 'a member of pg_read_all_data can back up', done.all)


def killed_half_way(server, case):
    for sig in (signal.SIGKILL, signal.SIGTERM):
        label = 'pg_dump ended by %s' % sig.name
        before = {s['id'] for s in case.repo.snapshots()}
        with Held(server, 'shop', 'zz_last'):
            process = slow_backup(case.repo, server.url('shop'))
            wait_until(lambda: dumper(process.pid), 20)
            time.sleep(0.3)
            os.kill(dumper(process.pid), sig)
            err = ended(process, 60, label)
        fact(process.returncode not in (0, 3), label + ': the backup fails', process.returncode)
        fact(b'pg_dump' in err, label + ': the message names it', err)
        case.nothing_left(label, before)


def server_stops(case):
    with Postgres('stopping') as server:
        server.sample('shop', 0.1)
        server.sql('shop', 'create table zz_last as select 1 i')
        before = {s['id'] for s in case.repo.snapshots()}
        with Held(server, 'shop', 'zz_last'):
            process = slow_backup(case.repo, server.url('shop'))
            wait_until(lambda: dumper(process.pid), 20)
            time.sleep(0.3)
            server.halt()
            ended(process, 60, 'the server stops half-way')
        fact(process.returncode not in (0, 3), 'the server stops half-way: the backup fails', process.returncode)
        case.nothing_left('the server stops half-way', before)


def dump_that_lies(server, case):
    """A pg_dump that writes half a dump and says it was well, or says nothing and fails at the end."""
    real = sorted(glob.glob('/usr/lib/postgresql/*/bin/pg_dump'))[-1]
    tools = path('tools')
    os.makedirs(tools, exist_ok=True)
    for label, script in (('a pg_dump that is cut off but ends well', 'PG_DUMP "$@" | head -c 60000\nexit 0\n'),
                          ('a pg_dump that fails at its end', 'PG_DUMP "$@"\nexit 1\n'),
                          ('a pg_dump that writes nothing', 'exit 0\n')):
        with open(tools + '/pg_dump', 'w') as f:
            f.write('#!/bin/sh\ncase "$*" in *--version*) exec %s --version ;; esac\n' % real + script.replace('PG_DUMP', real))
        os.chmod(tools + '/pg_dump', 0o755)
        before = {s['id'] for s in case.repo.snapshots()}
        done = case.repo.backstay('backup', server.url('shop'), env={'BACKSTAY_PG_BIN': tools})
        fact(done.code not in (0, 3), label + ': the backup fails', done.all)
        case.nothing_left(label, before)


def restores(server, case, good):
    repo = case.repo
    server.sql('postgres', 'create database target;')
    done = repo.backstay('restore', good, '--to', server.url('target', user='app', tcp=True, password='wrong'), code=REFUSED)
    fact('password' in done.errors.lower(), 'restore with a wrong password says so', done.errors)
    done = repo.backstay('restore', good, '--to', 'postgresql://app@127.0.0.1:1/target', code=UNREACHABLE)
    done = repo.backstay('restore', good, '--to', server.url('target', user='weak', tcp=True, password=SECRET))
    fact(done.code not in (0, 3), 'a restore by a role that may not create fails', done.all)
    fact(SECRET not in done.all, 'and does not show its password')
    # rows that a trigger drops on the way in: the comparison afterwards must notice
    server.create('sly', '''
        create function lose() returns event_trigger language plpgsql as $f$
        declare r record; begin
            for r in select * from pg_event_trigger_ddl_commands() where object_type = 'table' and object_identity = 'public.own' loop
                execute 'create function public.drop_it() returns trigger language plpgsql as $g$ begin return null; end $g$';
                execute 'create trigger t before insert on public.own for each row when (new.id = 5) execute function public.drop_it()';
            end loop;
        end $f$;
        create event trigger sly on ddl_command_end when tag in ('CREATE TABLE') execute function lose();''')
    done = repo.backstay('restore', good, '--to', server.url('sly'), '--force')
    fact(done.code in (MISMATCH, NOT_EMPTY) and server.sql('postgres', 'select 1') == '1',
         'a restore that lost rows ends with a mismatch', done.all)
    if done.code == MISMATCH:
        fact('own' in done.all, 'and names the table', done.all)
    files = path('no-database')
    os.mkdir(files)
    trees.write(files + '/f', b'x')
    other = repo.backup(files)['snapshot_id']
    done = repo.backstay('restore', other, '--to', server.url('target'), code=1)
    fact('dump' in done.errors.lower() or 'postgres' in done.errors.lower(), 'a snapshot of files cannot go to a database, it says', done.errors)


def main():
    with Postgres() as server:
        server.sample('shop', 0.1)
        server.sql('postgres', "create role app login password '%s'; create role weak login password '%s'; "
                               "create role reader login password '%s'; grant pg_read_all_data to reader;" % (SECRET, SECRET, SECRET))
        server.create('private', 'create table own (id int); insert into own select generate_series(1, 1000); alter table own owner to app;')
        server.sql('shop', 'create table own (id int); insert into own select generate_series(1, 1000); alter table own owner to app;'
                           'create table zz_last as select 1 i;')
        repo = Repo.named('repo')
        repo.backstay('init', code=0)
        case = Case(repo)
        logins(server, case)
        rights(server, case)
        passwords_are_not_seen(server, repo)
        killed_half_way(server, case)
        dump_that_lies(server, case)
        server_stops(case)
        good = repo.backup(server.url('private'))['snapshot_id']
        restores(server, case, good)
        repo.sound('after all of this')
    finish()


main()
