#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=600
"""pg setup against a real server: what is missing is shown and set up, a restart later all is there, and a second time nothing is
done; another archive is left alone; what is set up suffices for a backup by the role; doctor finds the same."""
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, hand_over
from scenario import BACKSTAY, FAILED, UNREACHABLE, equal, environment, fact, finish, path, run, Repo

SETUP = 33


def url(server, user='postgres'):
    return 'postgresql://%s@/postgres?host=%s' % (user, urllib.parse.quote(server.socket, safe=''))


def setup(server, *more, user='postgres', code=SETUP, why):
    done = run(BACKSTAY, 'pg', 'setup', url(server, user), '--json', *more, env=environment(None), code=code, why=why)
    told = (done.messages('pg_setup') or [{'checks': [], 'applied': []}])[0]
    return told, {c['check']: c for c in told['checks']}


def make(name):
    """As initdb leaves a server: nothing is set up, and only what a test needs."""
    server = Cluster(path(name))
    server.make('wal_level = minimal', 'archive_mode = off', "archive_command = ''", 'max_wal_senders = 0', 'max_replication_slots = 0')
    return server


def what_is_missing(server):
    told, checks = setup(server, why='a server on which nothing is set up')
    equal([c for c, x in checks.items() if x['status'] == 'missing'],
          ['wal_level', 'archive_mode', 'archive_command', 'archive_timeout', 'max_wal_senders', 'max_replication_slots', 'role',
           'role_settings', 'role_backup', 'role_watch'], 'lacks these')
    equal((checks['max_slot_wal_keep_size']['status'], checks['data_checksums']['status']), ('warn', 'ok'), 'and is warned of an open end')
    equal([checks[c]['needs'] for c in ('wal_level', 'archive_mode', 'archive_command', 'archive_timeout')],
          ['restart', 'restart', 'reload', 'reload'], 'each says what it needs')
    equal(checks['wal_level']['statement'], "ALTER SYSTEM SET wal_level = 'replica'", 'and the exact statement')
    fact(not told['applied'] and server.sql("select count(*) from pg_roles where rolname = 'backstay'") == '0', 'nothing was done')
    shown = run(BACKSTAY, 'pg', 'setup', url(server), env=environment(None), code=SETUP)
    fact('CREATE ROLE "backstay" LOGIN REPLICATION;' in shown.text and '-- restart' in shown.text, 'for people, too', shown.text)


def examined(*operands, code, why):
    """What doctor says of a server: check -> finding, and the whole report."""
    [told] = run(BACKSTAY, 'doctor', '--json', *operands, env=environment(None), code=code, why=why).messages('doctor')
    return {c['check']: c for c in told['checks']}, told


def doctor_of_a_bare_server(server):
    found, told = examined(url(server), code=FAILED, why='doctor fails a server on which nothing is set up')
    equal((told['repository'], told['status']), (None, 'fail'), 'no repository is needed for it')
    equal({found[c]['status'] for c in ('wal_level', 'archive_command', 'role', 'role_backup')}, {'fail'}, 'what is missing fails')
    equal((found['max_slot_wal_keep_size']['status'], found['data_checksums']['status']), ('warn', 'pass'), 'and the rest as pg setup has it')
    equal(found['wal_level']['remedy'], "ALTER SYSTEM SET wal_level = 'replica';  -- restart", 'with the statement that helps')
    shown = run(BACKSTAY, 'doctor', url(server), env=environment(None), code=FAILED)
    fact("ALTER SYSTEM SET wal_level = 'replica';  -- restart" in shown.text, 'for people, too', shown.text)
    found, _ = examined('postgresql://me:word@/?host=' + path('nowhere'), code=FAILED, why='a server that does not answer is a finding')
    fact(list(found) == ['server'] and 'word' not in found['server']['server'], 'of its own, without the password', found)
    run(BACKSTAY, 'doctor', 'a', 'b', url(server), env=environment(None), code=1, why='two repositories are refused')


def doctor_of_both(server):
    """The server beside the repository."""
    repo = Repo.named('repo')
    found, told = examined('-r', repo.path, url(server), code=0, why='doctor finds nothing that fails once all is set up')
    fact({'versioning', 'uploads', 'wal_level', 'pg_hba'} <= set(found), 'and has looked at both', list(found))
    equal((told['repository'], 'server' in found['versioning'], 'server' in found['wal_level']), (repo.path, False, True), 'each says of which')
    found, _ = examined(repo.path, url(server), '--role', 'nobody', code=FAILED, why='another role is asked for')
    equal((found['role']['status'], found['role_watch']['status']), ('fail', 'fail'), 'and missed')


def applied(server):
    told, checks = setup(server, '--apply', why='--apply sets it up, as far as it can without a restart')
    fact(len(told['applied']) == 10, 'by ten statements', told['applied'])
    equal({c for c, x in checks.items() if x['status'] == 'missing'}, set(), 'nothing is missing any more')
    equal({c for c, x in checks.items() if x['status'] == 'waits'},
          {'wal_level', 'archive_mode', 'archive_command', 'max_wal_senders', 'max_replication_slots'}, 'and what needs a restart waits for it')
    equal(server.sql('show archive_timeout'), '1min', 'what needs a reload is in force')
    equal(server.sql("select rolsuper, rolreplication, rolcanlogin, rolpassword is null from pg_authid where rolname = 'backstay'"),
          'f\tt\tt\tt', 'the role has few rights and no password')
    told, _ = setup(server, '--apply', why='a second time')
    equal(told['applied'], [], 'nothing is done')
    server.stop()
    server.start()
    told, checks = setup(server, code=0, why='after a restart all is there')
    equal((told['complete'], {x['status'] for x in checks.values()} - {'ok', 'warn'}), (True, set()), 'without exception')
    told, _ = setup(server, '--apply', code=0, why='and nothing is left to do')
    equal(told['applied'], [], 'so nothing is done')


def suffices(server):
    """The role that was made takes a backup, and sees the lag."""
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    done = repo.backstay('backup', 'pgcluster:' + url(server, 'backstay'), '--checkpoint', 'fast', '--json', code=0,
                         why='the role takes a base backup')
    fact(done.summary().get('snapshot_id'), 'which is saved', done.all)
    told = repo.backstay('wal', 'check', '--lag', url(server, 'backstay'), '--json', code=0, why='and sees the lag').messages('wal_lag')[0]
    fact(told['wal_bytes'] and told['archiver']['waiting'] is not None, 'with files that wait and the size of pg_wal', told)
    equal(server.sql("set role backstay; select count(*) from (select pg_backup_start('x', true)) s"), '1', 'it may begin a backup of its own')


def another_archive(server):
    server.configure("archive_command = 'cp %%p %s/%%f'" % server.archive)
    server.sql("alter system reset archive_command")
    server.sql('select pg_reload_conf()')
    told, checks = setup(server, '--apply', why='an archive_command of somebody else')
    equal((checks['archive_command']['status'], told['applied']), ('missing', []), 'is not replaced')
    wanted = '/usr/local/bin/archive %p'
    told, checks = setup(server, '--apply', '--archive-command', wanted, code=0, why='unless it is asked for')
    equal(server.sql('show archive_command'), wanted, 'then it is')
    setup(server, '--apply', '--archive-command', 'backstay wal push %p', code=0, why='and ours again')


def pg_hba(server):
    with open(server.data + '/pg_hba.conf', encoding='utf-8') as f:
        good = f.read()
    for label, text, status in (('no line for replication', 'local all all trust\n', 'missing'),
                                ('a line for another role', 'local replication other trust\nlocal all all trust\n', 'missing'),
                                ('one that rejects before', 'local replication all reject\n' + good, 'missing'),
                                ('a line for this role', 'local replication backstay trust\nlocal all all trust\n', 'ok'),
                                ('a line for another address', 'host replication all 192.0.2.1/32 trust\nlocal all all trust\n', 'missing')):
        with open(server.data + '/pg_hba.conf', 'w', encoding='utf-8') as f:
            f.write(text)
        hand_over(server.data + '/pg_hba.conf')
        server.sql('select pg_reload_conf()')
        _, checks = setup(server, '--apply', code=0 if status == 'ok' else SETUP, why=label)
        equal((checks['pg_hba']['status'], checks['pg_hba'].get('pg_hba_line')),
              (status, None if status == 'ok' else 'local  replication  "backstay"  scram-sha-256'), 'is ' + status)
        with open(server.data + '/pg_hba.conf', encoding='utf-8') as f:
            equal(f.read(), text, 'the file is never touched')


def who_may_see_little(server):
    server.sql('create role watcher login')
    _, checks = setup(server, user='watcher', code=0, why='a role that may not see pg_hba.conf')
    equal((checks['pg_hba']['status'], 'cannot be seen' in checks['pg_hba']['message']), ('warn', True), 'says so')
    server.sql('alter role backstay noreplication')
    run(BACKSTAY, 'pg', 'setup', url(server, 'watcher'), '--apply', env=environment(None), code=1, why='and may not set anything up')
    _, checks = setup(server, '--role', 'o"dd', '--apply', code=0, why='a role with an odd name')
    equal(checks['role']['status'], 'ok', 'is made all the same')


def main():
    server = make('server')
    with server.start():
        what_is_missing(server)
        doctor_of_a_bare_server(server)
        applied(server)
        suffices(server)
        doctor_of_both(server)
        another_archive(server)
        pg_hba(server)
        with open(server.data + '/pg_hba.conf', 'w', encoding='utf-8') as f:
            f.write('local all all trust\nlocal replication all trust\n')
        server.sql('select pg_reload_conf()')
        who_may_see_little(server)
    run(BACKSTAY, 'pg', 'setup', 'postgresql://postgres@/?host=' + path('nowhere'), env=environment(None), code=UNREACHABLE)
    for words in (['pg'], ['pg', 'other', 'x'], ['pg', 'setup']):
        run(BACKSTAY, *words, env=environment(None), code=1)


main()
finish()
