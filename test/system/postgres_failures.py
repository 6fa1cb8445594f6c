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
from scenario import (BACKSTAY, INTERRUPTED, MISMATCH, NOT_EMPTY, PARTIAL, REFUSED, UNREACHABLE, VERSIONS, Repo, ended, equal, fact,
                      finish, path, wait_until)

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
        self.process = server.session(database, 'begin; lock table %s in access exclusive mode; select 1;' % table)

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
        s.bind(('127.0.0.1', 0))  # and never listens
        case.fails('dead port', 'postgresql://app@127.0.0.1:%d/shop' % s.getsockname()[1], UNREACHABLE, '127.0.0.1')
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
        seen = wait_until(lambda: dumper(process.pid), 120)
        fact(seen, 'pg_dump runs as a child')
        pid = dumper(process.pid)
        shown = b''
        if pid:
            for name in ('cmdline', 'environ'):
                with open('/proc/%d/%s' % (pid, name), 'rb') as f:
                    shown += f.read()
        fact(pid and SECRET.encode() not in shown, 'the password is neither among its arguments nor in its environment')
        process.send_signal(signal.SIGTERM)
        ended(process, 120, 'SIGTERM during a dump')
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
            wait_until(lambda: dumper(process.pid), 120)
            time.sleep(0.3)
            os.kill(dumper(process.pid), sig)
            err = ended(process, 120, label)
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
            wait_until(lambda: dumper(process.pid), 120)
            time.sleep(0.3)
            server.halt()
            ended(process, 120, 'the server stops half-way')
        fact(process.returncode not in (0, 3), 'the server stops half-way: the backup fails', process.returncode)
        case.nothing_left('the server stops half-way', before)


def instead_of_pg_dump(script):
    """A directory with a pg_dump that runs the script, in which PG_DUMP is the real one."""
    real = os.environ.get('THROWAWAY_PG_BIN', '') + '/pg_dump'
    if real == '/pg_dump':
        real = sorted(glob.glob('/usr/lib/postgresql/*/bin/pg_dump'))[-1]
    tools = path('tools')
    os.makedirs(tools, exist_ok=True)
    with open(tools + '/pg_dump', 'w') as f:
        f.write('#!/bin/sh\ncase "$*" in *--version*) exec %s --version ;; esac\n' % real + script.replace('PG_DUMP', real))
    os.chmod(tools + '/pg_dump', 0o755)
    return tools


def dump_from_the_future(server, case):
    """Archive version 1.255: saved on pg_dump's word, and never given back by guessing."""
    tools = instead_of_pg_dump('PG_DUMP "$@" | { dd bs=1 count=6 status=none; dd bs=1 count=1 of=/dev/null status=none; '
                               "printf '\\377'; cat; }\n")
    done = case.repo.backstay('backup', server.url('shop'), env={'BACKSTAY_PG_BIN': tools}, code=PARTIAL)
    fact('1.255' in done.errors and 'not counted' in done.errors, 'an archive version not known yet: saved, not counted, said', done.errors)
    snapshot = max(case.repo.snapshots(), key=lambda s: s['time'])
    for what in ('--preview', '--quiet'):
        done = case.repo.backstay('restore', snapshot['id'], '--to', server.url('later'), '--create', what, code=VERSIONS)
        fact('pg_restore' in done.errors, 'a restore is refused (%s), and how to go on is said' % what, done.errors)
    equal(server.sql('postgres', "select count(*) from pg_database where datname = 'later'"), '0', 'no database was made')
    name = [n['path'] for n in case.repo.backstay('ls', '--json', snapshot['id'], code=0).lines() if n.get('path', '').endswith('.dump')]
    dump = bytearray(case.repo.backstay('dump', snapshot['id'], name[0], code=0).out)
    dump[6:7] = subprocess.run(['pg_dump', '-Fc', '-s', '-d', 'shop'], env=server.env(), capture_output=True, check=True).stdout[6:7]
    tables = subprocess.run(['pg_restore', '-l'], input=bytes(dump), capture_output=True, check=False).stdout
    fact(b'zz_last' in tables, 'what was saved is what pg_dump gave', tables[:500])


def dump_that_lies(server, case):
    """A pg_dump that writes half a dump and says it was well, or says nothing and fails at the end."""
    for label, script in (('a pg_dump that is cut off but ends well', 'PG_DUMP "$@" | head -c 60000\nexit 0\n'),
                          ('a pg_dump that fails at its end', 'PG_DUMP "$@"\nexit 1\n'),
                          ('a pg_dump that writes nothing', 'exit 0\n')):
        tools = instead_of_pg_dump(script)
        before = {s['id'] for s in case.repo.snapshots()}
        done = case.repo.backstay('backup', server.url('shop'), env={'BACKSTAY_PG_BIN': tools})
        fact(done.code not in (0, 3), label + ': the backup fails', done.all)
        case.nothing_left(label, before)


def restores(server, case, good):
    repo = case.repo
    server.sql('postgres', 'create database target;')
    done = repo.backstay('restore', good, '--to', server.url('target', user='app', tcp=True, password='wrong'), code=REFUSED)
    fact('password' in done.errors.lower(), 'restore with a wrong password says so', done.errors)
    for more in ([], ['--preview']):
        repo.backstay('restore', good, '--to', 'postgresql://app@127.0.0.1:1/target', *more, code=UNREACHABLE)
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


def at_rest(pid):
    """Neither it nor a child of it can do anything now, however busy the machine is."""
    time.sleep(.05)
    states = []
    for one in (pid, *(child for child, _ in children(pid))):
        for stat in glob.glob('/proc/%d/task/*/stat' % one):
            try:
                with open(stat, encoding='utf-8') as f:
                    states.append(f.read().rpartition(')')[2].split()[0])
            except OSError:
                states.append('gone')
    return set(states) == {'S'}


class Interrupted:
    """Restores and backups that wait for something, met by SIGINT."""

    def __init__(self, server, case, good):
        self.server, self.case, self.good = server, case, good

    def ours(self, what='true'):
        return self.server.sql('postgres', "select count(*) from pg_stat_activity where application_name in ('backstay', 'pg_restore')"
                               ' and ' + what)

    def waits(self, what="wait_event_type = 'Lock'"):
        return lambda *_: self.ours(what) == '1'

    def ends(self, label, argv, ready, *words):
        process = subprocess.Popen([BACKSTAY, '-r', self.case.repo.path, *argv], env=self.case.repo.env(), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        fact(wait_until(lambda: ready(process), 60), label + ': it waits')
        process.send_signal(signal.SIGINT)
        # what it waits for would take a minute, or for ever
        err = ended(process, 30, label + ', SIGINT').decode()
        equal(process.returncode, INTERRUPTED, label + ': exit status')
        for word in words:
            fact(word in err, '%s: it says "%s"' % (label, word), err)
        fact(wait_until(lambda: self.ours() == '0', 20), label + ': nothing of it goes on in the server')

    def restore(self, label, database, ready, words, *more):
        self.ends(label, ['restore', self.good, '--to', self.server.url(database), *more], ready, *words)

    def counting(self):
        """pg_restore waits in the middle; while we are stopped it ends, and somebody locks what it made."""
        self.server.create('counted', """create schema aside; create function aside.wait() returns event_trigger language plpgsql as $f$ begin
            perform pg_advisory_xact_lock(7); end $f$;
            create event trigger wait on ddl_command_end when tag in ('CREATE TABLE') execute function aside.wait();""")
        gate = self.server.session('counted', 'select pg_advisory_lock(7);')
        table = []

        def ready(process):
            if not wait_until(self.waits(), 60):
                return False
            if not wait_until(lambda: all(at_rest(process.pid) for _ in range(20)), 60):  # pg_restore has got everything
                return False
            process.send_signal(signal.SIGSTOP)
            gate.kill()
            there = wait_until(lambda: self.server.sql('counted', "select to_regclass('own')"), 60)
            table.append(Held(self.server, 'counted', 'own'))
            process.send_signal(signal.SIGCONT)
            return there and wait_until(self.waits(), 60)
        self.restore('rows are counted', 'counted', ready, ('restored', 'not compared'), '--force')
        table[0].__exit__()
        gate.communicate()

    def run(self):
        server = self.server
        self.counting()
        server.create('analyzed', """create schema aside; create function aside.slow(int) returns int immutable language plpgsql as $f$ begin
            if current_setting('application_name') = 'backstay' then perform pg_sleep(60); end if; return $1; end $f$;
            create table aside.t as select 1 i; create index on aside.t (aside.slow(i));""")
        self.restore('statistics are gathered', 'analyzed', self.waits("query like 'ANALYZE%'"), ('restored', 'ANALYZE'), '--force')
        for label, jobs in (('pg_restore waits', '1'), ('pg_restore waits with two jobs', '2')):
            with Held(server, 'private', 'public.own'):
                self.restore(label, 'private', self.waits(), ('interrupted',), '--clean', '--jobs', jobs)
            equal(server.sql('private', 'select count(*) from own'), '1000', label + ': the database is as it was')
        large = self.case.repo.backup(server.url('shop'))['snapshot_id']
        with Held(server, 'shop', 'zz_last'):
            self.ends('pg_restore takes no more', ['restore', large, '--to', server.url('shop'), '--clean'], self.waits())
        for command in ('backup', 'restore'):
            with socket.socket() as deaf:
                deaf.bind(('127.0.0.1', 0))
                deaf.listen(8)
                url, taken = 'postgresql://app@127.0.0.1:%d/shop' % deaf.getsockname()[1], []
                self.ends(command + ', and the server is silent', ['backup', url] if command == 'backup' else ['restore', self.good, '--to', url],
                          lambda _: taken.append(deaf.accept()) or True)
        self.case.nothing_left('interrupted', {s['id'] for s in self.case.repo.snapshots()})


def main():
    with Postgres() as server:
        server.sample('shop', 0.1)
        server.sql('postgres', "create role app login password '%s'; create role weak login password '%s'; "
                               "create role reader login password '%s'; grant pg_read_all_data to reader;" % (SECRET, SECRET, SECRET))
        server.create('private', 'create table own (id int); insert into own select generate_series(1, 1000); alter table own owner to app;')
        server.sql('shop', 'create table own (id int); insert into own select generate_series(1, 1000); alter table own owner to app;'
                           'create table zz_last as select 1 i;')
        repo = Repo.named('repo')
        repo.init()
        case = Case(repo)
        logins(server, case)
        rights(server, case)
        passwords_are_not_seen(server, repo)
        killed_half_way(server, case)
        dump_from_the_future(server, case)
        dump_that_lies(server, case)
        server_stops(case)
        good = repo.backup(server.url('private'))['snapshot_id']
        restores(server, case, good)
        Interrupted(server, case, good).run()
        repo.sound('after all of this')
    finish()


main()
