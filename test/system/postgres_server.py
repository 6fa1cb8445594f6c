#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""A whole PostgreSQL server with databases left out, by users with odd settings of their own, and from a standby."""
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import debian_bin
from postgres import Postgres, quoted, same_database
from scenario import BACKSTAY, FAILED, Repo, equal, fact, finish, path
from standby import LONG, Standby

EXTRA = ['test_one', 'test_two', 'Test_Upper', 'a.b', 'dollar$', 'keep']
ODD_SETTINGS = {'statement_timeout': "'1ms'", 'lock_timeout': "'1ms'", 'idle_in_transaction_session_timeout': "'1ms'",
                'idle_session_timeout': "'5s'", 'row_security': 'on', 'search_path': 'hidden', 'DateStyle': "'German'",
                'IntervalStyle': "'sql_standard'", 'extra_float_digits': '-3', 'bytea_output': "'escape'", 'client_encoding': "'LATIN1'",
                'standard_conforming_strings': 'off', 'default_transaction_read_only': 'on', 'TimeZone': "'Asia/Tokyo'",
                'quote_all_identifiers': 'on', 'default_transaction_isolation': "'serializable'"}


def manifest(repo, snapshot):
    listing = repo.backstay('ls', '--json', snapshot, code=0).lines()
    name = next(n['path'] for n in listing if n.get('path', '').endswith('/manifest.json'))
    return json.loads(repo.backstay('dump', snapshot, name, code=0).out)


def saved(repo, url, *more, code=0):
    summary = repo.backup(*more, url, code=code)
    found = manifest(repo, summary['snapshot_id'])
    return found, {d['name'] for d in found['databases']}, {s['name']: s['reason'] for s in found['skipped']}


def dumped_by_pg_dumpall(server, *patterns):
    """The databases that PostgreSQL's own program takes."""
    done = subprocess.run([debian_bin() + '/pg_dumpall', '-s', *('--exclude-database=' + p for p in patterns)], env=server.env(),
                          check=True, capture_output=True, text=True)
    connects = re.findall(r'(?m)^\\connect (?:-reuse-previous=on )?(.*)$', done.stdout)
    return {re.sub(r'^"dbname=\'(.*)\'"$', r'\1', name).strip('"') for name in connects} - {'template1'}


def left_out(server, repo):
    for name in EXTRA:
        server.create(name, 'create table t (i int); insert into t values (1)')
    _, everything, _ = saved(repo, server.url())
    equal(everything, {*EXTRA, 'odd', 'postgres'}, 'all databases of a server')
    for patterns in (['test_*'], ['TEST_*', '"a.b"'], ['test_???'], ['"Test_Upper"', 'keep|dollar$'], ['nothing_like_it']):
        _, got, skipped = saved(repo, server.url(), *('--exclude-database=' + p for p in patterns))
        equal(got, dumped_by_pg_dumpall(server, *patterns), 'what --exclude-database %s leaves is what it leaves pg_dumpall'
              % ' '.join(patterns))
        equal(set(skipped), everything - got, 'and the manifest names what was left out')
        fact(all(any(p in reason for p in patterns) for reason in skipped.values()), 'with the pattern', skipped)
    done = repo.backstay('backup', server.url(), '--exclude-database', 'typo_*', code=0)
    fact('typo_*' in done.all, 'a pattern that no database has is told', done.all)
    for more in (['--database', 'keep'], ['--exclude-database', 'a.b'], ['--exclude-database', '"a']):
        done = repo.backstay('backup', server.url(), '--exclude-database', 'x', *more, code=FAILED)
        fact('--exclude-database' in done.errors, 'refused: ' + ' '.join(more), done.errors)
    done = repo.backstay('backup', server.url('keep'), '--exclude-database', 'x', code=FAILED)
    fact('whole server' in done.errors, 'refused: beside a URL with a database', done.errors)


def by_configuration(server, repo):
    config = path('backstay.yaml')
    os.makedirs(path('scratch'))
    with open(path('password'), 'w', encoding='utf-8') as f:
        f.write(repo.password)
    os.chmod(path('password'), 0o600)
    with open(config, 'w', encoding='utf-8') as f:
        json.dump({'repositories': {'main': {'location': repo.path, 'password': 'file://' + path('password')}},
                   'sources': {'server': {'url': server.url(), 'options': {'exclude-database': ['test_*', 'odd'], 'jobs': 2,
                                                                               'scratch': path('scratch')}}}}, f)
    repo.backstay('--config', config, 'backup', '@server', code=0)
    found = manifest(repo, 'latest')
    equal({s['name'] for s in found['skipped']}, {'test_one', 'test_two', 'odd'}, 'exclude-database of a source in the configuration')
    equal({d.get('format') for d in found['databases']}, {'directory'}, 'jobs and scratch, too')
    equal(os.listdir(path('scratch')), [], 'and nothing is left there')
    for name in EXTRA:
        server.sql('postgres', 'drop database %s' % quoted(name))


def odd_settings(server, repo):
    """Settings of the role neither end nor falsify what is saved."""
    server.create('odd', '''
        create schema hidden; create table hidden.pg_class (x int); create view hidden.pg_database as select 'evil'::name datname;
        create table t (i int, at timestamptz, d date, f float8, v interval, b bytea, s text, o oid);
        insert into t select i, now() - i * interval '1 hour', current_date - i, pi() * i, i * interval '1 day 2:3:4', decode(md5(i::text), 'hex'),
            E'back\\\\slash '' ü ' || i, i from generate_series(1, 5000) i;''')
    server.sql('postgres', 'create role odd login superuser')
    repo.backup('--tag', 'plain', server.url('odd'))
    plain = manifest(repo, 'latest')
    for name, value in ODD_SETTINGS.items():
        server.sql('postgres', 'alter role odd set %s = %s; alter database odd set %s = %s' % ((name, value) * 2))
    repo.backup('--tag', 'settings', server.url('odd', user='odd'))
    found = manifest(repo, 'latest')

    def tables(m):
        return {t['name']: (t['rows'], t['bytes']) for t in m['databases'][0]['tables']}
    equal(set(tables(found)), set(tables(plain)), 'settings of the user hide no table')
    equal({k: v[0] for k, v in tables(found).items()}, {k: v[0] for k, v in tables(plain).items()}, 'and no row')
    for name in ODD_SETTINGS:
        server.sql('postgres', 'set default_transaction_read_only = off; alter database odd reset %s' % name)
    server.create('back')
    repo.backstay('restore', 'latest', '--to', server.url('back'), code=0)
    same_database(server, 'odd', server, 'back', 'dumped by a user with odd settings')
    server.sql('postgres', 'drop database back')
    server.sql('odd', '''create role few login; grant usage on schema hidden, public to few; grant select on all tables in schema hidden,
        public to few; alter table t enable row level security; create policy p on t using (i < 10); alter role few set row_security = on''')
    before = len(repo.snapshots())
    done = repo.backstay('backup', server.url('odd', user='few'), code=FAILED)
    fact('row-level security' in done.errors, 'rows that a policy hides fail the dump', done.errors)
    equal(len(repo.snapshots()), before, 'and there is no snapshot without them')
    server.sql('odd', 'drop policy p on t; alter table t disable row level security; create unlogged table fast as select 1 i')


def wait_for(name, tell):
    end = time.monotonic() + LONG
    while not os.path.exists(name):
        if time.monotonic() > end:
            raise RuntimeError(tell)
        time.sleep(0.05)


def slow_dump(times):
    """A pg_dump whose reader stops in the middle, so many times, until "go" is there."""
    where = path('slow')
    os.makedirs(where)
    script = '''#!/bin/bash
case "$*" in *--version*) exec {bin}/pg_dump --version ;; esac
n=$(ls {where} | grep -c '^began')
[ "$n" -lt {times} ] || exec {bin}/pg_dump "$@"
set -o pipefail
{bin}/pg_dump "$@" | {{ head -c 100000; touch {where}/began$n; while [ ! -e {where}/go$n ]; do sleep .1; done; cat; }}
'''
    with open(where + '/pg_dump', 'w', encoding='utf-8') as f:
        f.write(script.format(bin=debian_bin(), where=where, times=times))
    os.chmod(where + '/pg_dump', 0o755)
    return where


def conflict(server, standby, repo, times):
    """Rows go on the primary while the standby is dumped; the standby waits for nobody."""
    standby.catch_up()
    where = slow_dump(times)
    with open(path('conflict'), 'wb') as out:
        process = subprocess.Popen([BACKSTAY, '-r', repo.path, 'backup', standby.url('odd')], env=repo.env(BACKSTAY_PG_BIN=where),
                                   stdout=out, stderr=out)
        for n in range(times):
            wait_for(where + '/began%d' % n, 'the dump did not begin')
            server.sql('odd', 'update big set s = s || %d where i %% 2 = 0' % n)
            server.sql('odd', 'vacuum big')
            standby.wait_for_conflict('postgres')
            open(where + '/go%d' % n, 'w', encoding='utf-8').close()
        code = process.wait(LONG)
    subprocess.run(['rm', '-rf', where], check=True)
    with open(path('conflict'), encoding='utf-8') as f:
        return code, f.read()


def from_standby(server, repo):
    server.sql('odd', "create table big as select i, repeat(md5(i::text), 4) s from generate_series(1, 60000) i")
    with Standby(server, 'standby', 'max_standby_streaming_delay = 0', 'hot_standby_feedback = off',
                 'log_recovery_conflict_waits = on', 'deadlock_timeout = 10ms') as standby:
        standby.catch_up()
        summary = repo.backup(standby.url())
        found = manifest(repo, summary['snapshot_id'])
        fact(found['server'].get('standby') is True, 'a standby is a source, and the manifest says that it is one', found['server'])
        fact(found['globals']['role_passwords'], 'with roles and passwords', found['globals'])
        odd = next(d for d in found['databases'] if d['name'] == 'odd')
        equal(odd['without_rows'], ['public.fast'], 'unlogged tables, of which it has no rows, are named')
        server.create('back')
        repo.backstay('restore', 'latest', '--database', 'odd', '--to', server.url('back'), code=0)
        server.sql('back', 'insert into fast values (1)')
        same_database(server, 'odd', server, 'back', 'dumped from a standby')
        server.sql('postgres', 'drop database back')
        before = len(repo.snapshots())
        code, text = conflict(server, standby, repo, 1)
        equal((code, len(repo.snapshots())), (0, before + 1), 'a dump that the standby ended is tried once more')
        fact('second time' in text and 'hot_standby_feedback' in text, 'which is told', text)
        code, text = conflict(server, standby, repo, 2)
        equal((code, len(repo.snapshots())), (FAILED, before + 1), 'once; then it fails')
        fact('hot_standby_feedback' in text and 'max_standby_streaming_delay' in text, 'and what to do is said', text)


def main():
    # what else looks at rows keeps a vacuum from removing them, or removes them for it
    with Postgres('pg', 'autovacuum = off') as server:
        repo = Repo.named('repo')
        repo.init()
        odd_settings(server, repo)
        left_out(server, repo)
        by_configuration(server, repo)
        from_standby(server, repo)
        repo.sound('after all of this')
    finish()


main()
