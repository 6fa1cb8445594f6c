#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""Scripts of pg_dumpall back into a server, and a server's own backup beside them."""
import gzip
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import hand_over
from postgres import Postgres
from scenario import FAILED, MISMATCH, NOT_EMPTY, Repo, equal, fact, finish, path

LIFE = '''
create role keeper nologin; alter role keeper set work_mem = '7MB';
create role "odd ""role" login password 'a;b'; grant keeper to "odd ""role";
create role plain login password 'one';
create tablespace "fast disk" owner keeper location '%s';
create database "Odd ""db"; create database shop owner keeper; create database "Upper" tablespace "fast disk";
alter role plain in database shop set work_mem = '8MB'; alter database shop set statement_timeout = '1h';
'''
TABLES = """
create schema s authorization keeper; create table s.t (i int primary key, x text);
insert into s.t select i, repeat('; \\. $$ ''', i %% 5) || E'\\nCREATE ROLE x;' from generate_series(1, %d) i;
create table empty (); create function f() returns int language sql as $$select 1; /* ALTER ROLE plain WITH SUPERUSER; */$$;
select lo_from_bytea(0, 'abc');
"""


def script_of(server, *options):
    done = subprocess.run(['pg_dumpall', *options], env=server.env(), check=True, capture_output=True)
    return done.stdout


def comparable(text):
    """Two lines of newer releases hold a random word."""
    return re.sub(rb'(?m)^\\(un)?restrict .*$', b'', text)


def fill(server, location):
    os.makedirs(location)
    hand_over(location)
    server.sql('postgres', LIFE % location)
    for n, name in enumerate(('Odd "db', 'shop', 'Upper')):
        server.sql(name, TABLES % (300 * (n + 1)))


def tablespace_for(server, location):
    """pg_dumpall names the directory; in another server on the same host it is taken, so the tablespace is there already."""
    os.makedirs(location)
    hand_over(location)
    server.sql('postgres', 'create tablespace "fast disk" location \'%s\'' % location)


def taken(repo, script, name):
    with gzip.open(path(name + '.sql.gz'), 'wb') as f:
        f.write(script)
    return repo.backstay('import', '--json', path(name + '.sql.gz'), code=0).summary()['snapshot_id']


def back(repo, script):
    snapshot = taken(repo, script, 'all')
    with Postgres('two') as server:
        tablespace_for(server, path('disk2'))
        server.sql('postgres', "create role plain login password 'another'")
        password = server.sql('postgres', "select rolpassword from pg_authid where rolname = 'plain'")
        before = script_of(server)
        done = repo.backstay('restore', snapshot, '--to', server.url(), '--preview', code=0)
        fact('5 tables' in done.all or '6 tables' in done.all, 'a preview counts what is in it', done.all)
        equal(comparable(script_of(server)), comparable(before), 'and changes nothing')
        done = repo.backstay('restore', snapshot, '--to', server.url(), code=0)
        fact('row counts compared' in done.all, 'restored', done.all)
        for name in ('postgres', 'plain', 'fast disk'):
            fact('%s is there, and stays as it is' % name in done.all, 'what was there is told: ' + name, done.all)
        equal(server.sql('postgres', "select rolpassword from pg_authid where rolname = 'plain'"), password, 'and keeps its password')
        # but for what was there before
        keep = re.compile(rb"(?m)^(CREATE TABLESPACE|ALTER ROLE plain WITH) .*$")
        equal(keep.sub(b'', comparable(script_of(server))), keep.sub(b'', comparable(script)), 'all else is what was dumped')
        done = repo.backstay('restore', snapshot, '--to', server.url(), code=NOT_EMPTY)
        fact('is there already' in done.errors and '--force' in done.errors, 'a second time it is refused', done.errors)
        done = repo.backstay('restore', snapshot, '--to', server.url(), '--force', code=FAILED)
        fact('already exists' in done.errors and 'database' in done.errors, 'with --force it stops at what is in the way', done.errors)
        data_alone(repo, server)
        for more in (['--clean'], ['--table', 's.t'], ['--jobs', '2']):
            done = repo.backstay('restore', snapshot, '--to', server.url(), *more, code=FAILED)
            fact('script' in done.errors, 'refused: ' + more[0], done.errors)


def data_alone(repo, server):
    """With --force into tables that are there: the rows of those that were empty are compared, the others are named."""
    server.create('rows', 'create table empty(v int); create table held(v int); insert into empty values (1), (2); insert into held values (1)')
    script = subprocess.run(['pg_dump', '--create', '--data-only', 'rows'], env=server.env(), check=True, capture_output=True).stdout
    data = taken(repo, script, 'rows')
    server.sql('rows', 'truncate empty')
    repo.backstay('restore', data, '--to', server.url(), code=NOT_EMPTY)
    done = repo.backstay('restore', data, '--to', server.url(), '--force', code=0)
    fact('held" are not compared' in done.all and 'empty" are' not in done.all and 'row counts compared' not in done.all,
         'with --force only tables that held rows are not compared, and named', done.all)
    equal(server.sql('rows', 'select (select count(*) from empty), (select count(*) from held)'), '2|2', 'the rows were added')
    server.sql('rows', 'truncate empty, held')
    server.sql('rows', "create function less() returns trigger language plpgsql as 'begin return null; end'")
    server.sql('rows', 'create trigger less before insert on empty for each row execute function less()')
    done = repo.backstay('restore', data, '--to', server.url(), '--force', code=MISMATCH)
    fact('empty' in done.errors and '0 rows instead of 2' in done.errors, 'what did not arrive is told, with --force, too', done.errors)
    server.sql('postgres', 'drop database rows')


def goes_wrong(repo, script):
    """The first error ends it, and what was to come after does not."""
    no_disk = re.sub(rb'(?m)^CREATE TABLESPACE .*$', b'', script).replace(b' TABLESPACE = "fast disk"', b'').replace(
        b'ALTER TABLESPACE "fast disk" OWNER TO keeper;', b'')
    last = no_disk.rindex(b'\n\\connect shop')
    end = no_disk.index(b'-- PostgreSQL database dump complete', last)
    begin = no_disk.rindex(b'--\n', 0, end)
    broken = taken(repo, no_disk[:last] + b'\nSELECT 1/0;' + no_disk[last:], 'broken')
    fewer = taken(repo, no_disk[:begin] + b'DELETE FROM s.t WHERE i = 7;\n\n' + no_disk[begin:], 'fewer')
    with Postgres('three') as server:
        server.sql('postgres', 'create table mine (i int)')
        done = repo.backstay('restore', broken, '--to', server.url(), code=NOT_EMPTY)
        fact('postgres holds something' in done.errors, 'a database that it enters and that holds something is refused', done.errors)
        server.sql('postgres', 'drop table mine')
        done = repo.backstay('restore', broken, '--to', server.url(), code=FAILED)
        fact('division by zero' in done.errors, 'the first error ends it, and is told', done.errors)
        equal(server.sql('shop', "select count(*) from pg_class where relname = 't'"), '0', 'nothing comes after it')
        for name in ('"Odd ""db"', '"Upper"', 'shop'):
            server.sql('postgres', 'drop database if exists ' + name)
        done = repo.backstay('restore', fewer, '--to', server.url(), code=MISMATCH)
        fact('"s"."t" has 599 rows instead of 600' in done.errors and 'shop' in done.errors, 'rows that are not what was dumped are told', done.errors)


def own_backup(server, repo, script):
    repo.backup(server.url(), '--tag', 'whole')
    # where a database lies by default is not restored
    with Postgres('four') as other:
        tablespace_for(other, path('disk4'))
        repo.backstay('restore', 'latest', '--tag', 'whole', '--to', other.url(), '--globals', '--create', '--force', code=0)
        keep = re.compile(rb"(?m)^CREATE TABLESPACE .*$| TABLESPACE = \"fast disk\"")
        left, right = (sorted(keep.sub(b'', comparable(text)).splitlines()) for text in (script, script_of(other)))
        equal([line for line in left if line not in set(right)], [], 'a whole server, restored from its backup, is what pg_dumpall saw')


def main():
    with Postgres() as server:
        fill(server, path('disk'))
        repo = Repo.named('repo')
        repo.init()
        script = script_of(server)
        own_backup(server, repo, script)
    back(repo, script)
    goes_wrong(repo, script)
    finish()


main()
