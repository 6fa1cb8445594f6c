#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan
"""PostgreSQL there and back: every schema object and every row, odd names, large objects, partitions, an extension, an
empty database, all databases of a server; and stock pg_restore takes our dump."""
import hashlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from postgres import Postgres, quoted, same_database
from scenario import FAILED, NOT_EMPTY, QUICK, Repo, equal, fact, finish, path

ODD = ['with space', 'quo"te', "apos'trophe", 'ünïcödé ☃', 'UPPER', 'a/b', 'per%cent', 'q?x=1&y', 'back\\slash', '-dash', 'semi;colon',
       'host=evil', 'postgresql:x']


def newest(repo):
    return max(repo.snapshots(), key=lambda s: s['time'])


def back_up(repo, url, *more):
    summary = repo.backup(*more, url)
    snapshot = next((s for s in repo.snapshots() if s['id'] == summary.get('snapshot_id')), {})
    fact(snapshot, 'the summary names the snapshot of %s' % url.split('?')[0], summary)
    return summary, snapshot


def round_trip(server, repo, database, label):
    _, snapshot = back_up(repo, server.url(database))
    server.sql('postgres', 'create database back;')
    repo.backstay('restore', snapshot['id'], '--to', server.url('back'), code=0)
    same_database(server, database, server, 'back', label)
    server.sql('postgres', 'drop database back;')
    return snapshot


def what_lies_in_it(server, repo, snapshot):
    """The snapshot speaks for itself: plain files that PostgreSQL's own tools take."""
    listing = [n['path'] for n in repo.restic('ls', '--json', snapshot['id'], code=0).lines() if n.get('type') == 'file']
    tops = {p.split('/')[1] for p in listing}
    equal(len(tops), 1, 'one top folder named after the source')
    top = '/' + tops.pop()
    fact(top.startswith('/postgresql-') and top.endswith('-shop'), 'which is postgresql-<host>-<db>', top)
    equal(sorted(p[len(top):] for p in listing), ['/manifest.json', '/shop.dump'], 'with a manifest and the dump')
    tags = dict(t.split('=', 1) for t in snapshot['tags'])
    equal((tags.get('source'), tags.get('kind')), (top[1:], 'postgres'), 'the tags tell source and kind')
    manifest = json.loads(repo.restic('dump', snapshot['id'], top + '/manifest.json', code=0).out)
    dump = repo.restic('dump', snapshot['id'], top + '/shop.dump', code=0).out
    text = json.dumps(manifest)
    fact('manifest_version' in manifest and hashlib.sha256(dump).hexdigest() in text and str(len(dump)) in text,
         'the manifest has the size and the SHA-256 of the dump', text)
    counts = server.sql('shop', 'select count(*) from shop.customer')
    fact(counts in text, 'the manifest counts rows per table', text[:3000])
    with open(path('shop.dump'), 'wb') as f:
        f.write(dump)
    server.create('by_hand')
    done = subprocess.run(['pg_restore', '--exit-on-error', '-d', 'by_hand', path('shop.dump')], env=server.env(), capture_output=True,
                          check=False)
    fact(done.returncode == 0, 'pg_restore takes the dump', done.stderr.decode())
    same_database(server, 'shop', server, 'by_hand', 'restored by restic dump and pg_restore')
    server.sql('postgres', 'drop database by_hand;')
    fact(b'password' not in dump[:4000].lower(), 'the head of the dump holds no password')
    same = repo.backstay('dump', snapshot['id'], top + '/shop.dump', code=0).out
    fact(same == dump, 'our dump command gives the same bytes')


def second_dump(server, repo):
    first, _ = back_up(repo, server.url('shop'))
    # the head of a dump holds its date
    fact(first['data_blobs'] <= 4 and first['data_added'] < 4_000_000, 'the same data dumped again adds its head and no more', first)
    if QUICK:
        return  # the small sample is six chunks, of which that changes half, give or take one
    server.sql('shop', "update shop.note set body = body || '.' where purchase_id % 100 = 0")
    second, _ = back_up(repo, server.url('shop'))
    fact(second['data_added'] < 0.7 * second['total_bytes_processed'], 'after a change of one row in a hundred most is known', second)


def refuses_what_is_there(server, repo, snapshot):
    server.create('busy', 'create table mine (id int); insert into mine values (1);')
    done = repo.backstay('restore', snapshot['id'], '--to', server.url('busy'), code=NOT_EMPTY)
    fact('busy' in done.errors and '--clean' in done.errors, 'a database that holds tables is refused, and how to go on is said', done.errors)
    equal(server.tables('busy'), ['public.mine'], 'and left as it was')
    server.sql('postgres', 'create database again;')
    previews(server, repo, snapshot)
    for more in ([], ['--clean']):
        repo.backstay('restore', snapshot['id'], '--to', server.url('again'), *more, code=0)
    same_database(server, 'shop', server, 'again', 'restored twice, the second time with --clean')
    done = repo.backstay('restore', snapshot['id'], '--to', server.url('not_there'), code=(1, 21))
    fact('not_there' in done.errors, 'a target database that does not exist is named', done.errors)


def previews(server, repo, snapshot):
    """A preview asks the target all that a restore asks it, and changes nothing."""
    def preview(database, *more, code=0):
        done = repo.backstay('restore', snapshot['id'], '--to', server.url(database), '--preview', '--json', *more, code=code)
        return [(m['action'], m['target'], m['target_objects']) for m in done.messages('database')], done.errors
    equal(preview('again')[0], [('would_restore', 'empty', 0)], '--preview finds an empty database')
    equal(preview('absent', '--create')[0], [('would_restore', 'absent', 0)], '--preview tells that it would be made')
    fact('--create' in preview('absent', code=(1, 21))[1], 'or that it is missing')
    fact('busy already holds' in preview('busy', code=NOT_EMPTY)[1], '--preview is refused as the restore would be')
    equal(preview('busy', '--clean')[0], [('would_restore', 'holds', 1)], '--preview tells that it is not empty')
    fact('no table' in preview('again', '--table', 'nothing', code=1)[1].lower(), '--preview looks for the table')
    equal((server.tables('busy'), server.tables('again')), (['public.mine'], []), '--preview changes nothing')
    equal(server.sql('postgres', "select count(*) from pg_database where datname = 'absent'"), '0', 'and makes no database')
    done = repo.backstay('restore', snapshot['id'], '--to', server.url('again'), '--preview', code=0)
    fact('the target database is empty' in done.text, 'in words, too', done.all)
    done = repo.backstay('restore', snapshot['id'], '--to', server.url('again'), '--if-exists', code=1)
    fact('--if-exists needs --clean' in done.errors, '--if-exists without --clean is refused, as by pg_restore', done.errors)


def one_partitioned_table(server, repo, snapshot):
    server.create('one')
    repo.backstay('restore', snapshot['id'], '--to', server.url('one'), '--table', 'shop.purchase', code=0)
    count = 'select count(*) from shop.purchase'
    equal(server.sql('one', count), server.sql('shop', count), 'a partitioned table brings its partitions')
    equal(server.tables('one'), ['shop.purchase_2024', 'shop.purchase_2025', 'shop.purchase_rest'], 'and no other table')


def chosen_tables(server, repo):
    """pg_dump before 16 would take a partitioned table without its partitions, and so without a row."""
    url, count = server.url('shop'), 'select count(*), sum(amount) from shop.purchase'
    before = len(repo.snapshots())
    done = repo.backstay('backup', url, '--table', 'shop.purchase', code=(0, 1))
    if done.code:
        fact('shop.purchase_2024' in done.errors and 'pg_dump 16' in done.errors, 'partitions that would be left out are named', done.errors)
        equal(len(repo.snapshots()), before, 'and there is no snapshot without them')
    repo.backstay('backup', url, '--table', 'shop.purchase*', '--table', 'shop.customer', '--table', 'shop.product', '--tag', 'chosen', code=0)
    server.create('chosen', 'create schema shop; create type shop.order_state as enum (%s)' % server.sql(
        'shop', "select string_agg(quote_literal(e), ',') from unnest(enum_range(null::shop.order_state)) e"))
    repo.backstay('restore', 'latest', '--tag', 'chosen', '--to', server.url('chosen'), '--table', 'shop.purchase', code=0)
    equal(server.sql('chosen', count), server.sql('shop', count), 'chosen tables come back with the rows of all partitions')
    newer = path('pg_dump16')
    os.makedirs(newer)
    with open(newer + '/pg_dump', 'w', encoding='utf-8') as f:
        f.write('#!/bin/sh\ncase "$*" in *--version*) echo "pg_dump (PostgreSQL) 16.1"; exit ;; esac\nprintf "%s\\n" "$@" >' + newer + '/words\n'
                'for w; do shift; case $w in --table-and-children=*) w="--table=${w#*=}*" ;; esac; set -- "$@" "$w"; done; exec pg_dump "$@"\n')
    os.chmod(newer + '/pg_dump', 0o755)
    repo.backstay('backup', url, '--table', 'shop.purchase', env={'BACKSTAY_PG_BIN': newer}, code=0)
    with open(newer + '/words', encoding='utf-8') as f:
        fact('--table-and-children=shop.purchase\n' in f.read(), 'pg_dump 16 is preferred, and asked for the partitions')


def partitions_of_the_target(server, repo, snapshot):
    server.sql('again', "create table shop.purchase_old partition of shop.purchase for values from ('2000-01-01') to ('2001-01-01')")
    done = repo.backstay('restore', snapshot['id'], '--to', server.url('again'), '--clean', code=NOT_EMPTY)
    fact('shop.purchase_old' in done.errors, 'a partition that --clean would drop and the dump lacks is named', done.errors)
    repo.backstay('restore', snapshot['id'], '--to', server.url('again'), '--clean', '--force', code=0)
    same_database(server, 'shop', server, 'again', 'restored over partitions with --clean --force')


def odd_names(server, repo):
    for name in ODD[:4] if QUICK else ODD:
        server.create(name, 'create table %s (%s int, "a b" text); insert into %s values (1, %s);' %
                      (quoted(name), quoted(name + ' id'), quoted(name), "'x'''"))
        round_trip(server, repo, name, 'a database named %r' % name)


def whole_server(server, repo):
    server.sql('postgres', "create role keeper login; create role \"odd \"\"role\" nologin; grant keeper to \"odd \"\"role\";")
    repo.backup(server.url(''))
    snapshot = newest(repo)
    files = [n['path'].rsplit('/', 1)[1] for n in repo.backstay('ls', '--json', snapshot['id'], code=0).lines() if n.get('type') == 'file']
    fact('globals.sql' in files and 'manifest.json' in files and 'shop.dump' in files, 'a server: globals and a dump of each database', files)
    databases = server.sql('postgres', 'select count(*) from pg_database where datallowconn and not datistemplate')
    equal(len([f for f in files if f.endswith('.dump')]), int(databases), 'a server: all databases')
    top = '/' + repo.backstay('ls', '--json', snapshot['id']).lines()[1]['path'].split('/')[1]
    text = repo.backstay('dump', snapshot['id'], top + '/globals.sql', code=0).text
    fact('keeper' in text and 'odd ""role' in text, 'the globals hold the roles', text[:2000])


def special_tables(server, repo):
    server.create('special', """
        create table a (id int primary key, parent int);
        insert into a values (1, 2), (2, 1);
        create table wide as select %s from generate_series(1, 50) i;
        create table generated (a int, b int generated always as (a * 2) stored);
        insert into generated (a) select generate_series(1, 100);
        create unlogged table fast as select generate_series(1, 1000) i;
        create table inherits_a (extra text) inherits (a);
        insert into inherits_a values (7, 1, 'x');
        create table toasted as select repeat(md5(i::text), 20000) t, decode(md5(i::text), 'hex') b from generate_series(1, 20) i;
        create table nul_less (c "char", j json, x xml, m money, t timetz, p point, r int4range, bb bit(3));
        insert into nul_less values ('a', '{"a": 1.0, "a": 2}', '<a/>', 12.34, '12:00+02', '(1,2)', '[1,5)', b'101');
        create table no_columns ();
        insert into no_columns default values;
        """ % ', '.join("'%d-' || i as c%d" % (c, c) for c in range(1, 400)))
    round_trip(server, repo, 'special', 'unusual tables')


def default_tablespace(server, repo):
    """It comes back with --create where the target has it; else the database is made without, which is told."""
    server.sql('postgres', 'alter role current_user set allow_in_place_tablespaces = on')
    server.sql('postgres', "create tablespace \"fa st\" location ''")
    server.sql('postgres', 'create database in_space tablespace "fa st"')
    _, snapshot = back_up(repo, server.url('in_space'))

    def previewed(*more):
        return repo.backstay('restore', snapshot['id'], '--to', server.url('in_space'), '--create', '--preview', *more, code=0).all

    def restored():
        done = repo.backstay('restore', snapshot['id'], '--to', server.url('in_space'), '--create', code=0)
        return done.all, server.sql('postgres', "select spcname from pg_database join pg_tablespace t on t.oid = dattablespace where datname = 'in_space'")
    server.sql('postgres', 'drop database in_space')
    fact('tablespace' not in previewed(), 'a preview says nothing of a tablespace that is there')
    equal(restored()[1], 'fa st', 'a database comes back into its tablespace')
    server.sql('postgres', 'drop database in_space')
    server.sql('postgres', 'drop tablespace "fa st"')
    fact('no tablespace fa st' in previewed() and 'would be made' in previewed('--json'), 'a preview tells that it is missing')
    told, space = restored()
    equal(space, 'pg_default', 'without that tablespace it comes back all the same')
    fact('no tablespace fa st' in told, 'and that is told', told)


def tablespace_of_a_table(server, repo):
    server.sql('postgres', "create tablespace \"of tables\" location ''")
    server.create('in_part', 'create table t (i int) tablespace "of tables"; create table u (i int) tablespace "of tables"')
    _, snapshot = back_up(repo, server.url('in_part'))
    server.sql('postgres', 'drop database in_part')
    server.sql('postgres', 'drop tablespace "of tables"')
    words = ['restore', snapshot['id'], '--to', server.url('in_part'), '--create']
    told = repo.backstay(*words, '--preview', code=0).all
    equal(told.count('lie in tablespace of tables'), 1, 'a preview tells of tables in a tablespace that is missing')
    done = repo.backstay(*words, code=FAILED)
    fact('of tables' in done.errors, 'the restore fails with it', done.errors)
    equal(server.sql('postgres', "select count(*) from pg_database where datname = 'in_part'"), '0', 'and leaves no half of a database')


def main():
    with Postgres() as server:
        server.sample('shop', 0.1 if QUICK else 0.5)
        repo = Repo.named('repo')
        repo.init()
        snapshot = round_trip(server, repo, 'shop', 'the sample database')
        what_lies_in_it(server, repo, snapshot)
        second_dump(server, repo)
        refuses_what_is_there(server, repo, newest(repo))
        one_partitioned_table(server, repo, newest(repo))
        latest = newest(repo)
        chosen_tables(server, repo)
        partitions_of_the_target(server, repo, latest)
        server.create('nothing')
        round_trip(server, repo, 'nothing', 'an empty database')
        odd_names(server, repo)
        special_tables(server, repo)
        whole_server(server, repo)
        default_tablespace(server, repo)
        tablespace_of_a_table(server, repo)
        repo.sound('after all of this')
    finish()


main()
