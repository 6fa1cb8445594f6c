#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=600
"""wal check --lag against a real server: nothing behind, behind while the archiver fails, a role that may see little, a standby,
and a promotion of which nothing is archived yet."""
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster
from scenario import BACKSTAY, UNREACHABLE, Repo, equal, fact, finish, path, wait_until
from walarchive import Archive, hand_over_all

LAG = 32


def url(server, user='postgres'):
    return 'postgresql://%s@/postgres?host=%s' % (user, urllib.parse.quote(server.socket, safe=''))


def lag(repo, server, *limits, user='postgres', code=0, why=None):
    words = [w for limit in limits for w in ('--max-lag', limit)]
    done = repo.backstay('wal', 'check', '--lag', url(server, user), *words, '--json', code=code, why=why or '')
    return (done.messages('wal_lag') or [{}])[0]


def work(server, rows=300):
    server.sql('insert into ledger (note) select repeat(md5(random()::text), 20) from generate_series(1, %d)' % rows)


def switch(server):
    name = server.sql('select pg_walfile_name(pg_switch_wal())')
    fact(wait_until(lambda: server.sql("select coalesce(last_archived_wal, '') >= '%s' from pg_stat_archiver" % name) == 't', 120),
         name + ' is archived')


def nothing_behind(repo, server):
    work(server)
    switch(server)
    told = lag(repo, server, '16MiB', '3600s', why='a server whose log is archived')
    equal((told['system_identifier'], told['timeline'], told['standby']),
          (server.sql('select system_identifier from pg_control_system()'), 1, False), 'it is that cluster')
    # a checkpoint may have written some bytes since
    fact(told['lag_bytes'] < 1 << 20 and told['within_limits'], 'nearly nothing is behind', told)
    archiver = told['archiver']
    equal((archiver['mode'], archiver['failing'], archiver['failed_count'], archiver['waiting']), ('on', False, 0, 0), 'its archiver is well')
    equal(told['wal_bytes'], int(server.sql('select sum(size) from pg_ls_waldir()')), 'the size of pg_wal')
    fact(told['free_bytes'] > 0, 'and the room on its disk, which is on this machine', told)


def behind(repo, server):
    """The repository is away for the archiver, which fails; its log grows."""
    server.configure("archive_command = 'false'")
    server.sql('select pg_reload_conf()')
    for _ in range(3):
        work(server, 3000)
        server.sql('select pg_switch_wal()')
    fact(wait_until(lambda: server.sql('select failed_count > 0 from pg_stat_archiver') == 't', 120), 'the archiver fails')
    told = lag(repo, server, why='without a limit lag is no failure')
    held = int(server.sql("select pg_current_wal_lsn() - '%s'::pg_lsn" % told['held_lsn']))
    fact(3 << 20 <= told['lag_bytes'] <= held, 'the bytes behind are those that the server counts', (told, held))
    fact(told['archiver']['failing'] and told['archiver']['last_failed'] and told['archiver']['waiting'] >= 3, 'it is failing, and files wait', told)
    fact(told['lag_seconds'] >= 0 and told['average_bytes_per_second'] > 0 and told['seconds_until_full'] > 0,
         'how long the disk lasts is told', told)
    equal(lag(repo, server, '1MiB', code=LAG, why='behind by more than --max-lag')['within_limits'], False, 'and says so')
    lag(repo, server, '1G', code=0, why='behind by less')
    fact(wait_until(lambda: lag(repo, server)['lag_seconds'] >= 1, 60), 'the seconds grow')
    lag(repo, server, '1G', '0s', code=LAG, why='behind for longer than --max-lag')
    shown = repo.backstay('wal', 'check', '--lag', url(server), code=0)
    fact('FAILING' in shown.text and 'behind' in shown.text, 'for people, too', shown.text)


def sees_little(repo, server):
    server.sql('create role watcher login')
    told = lag(repo, server, user='watcher', why='a role without any right')
    equal([told[k] for k in ('wal_files', 'wal_bytes', 'free_bytes', 'seconds_until_full')] + [told['archiver']['waiting']], [None] * 5,
          'sees the lag, and the rest is not known')
    fact(told['lag_bytes'] > 0, 'the lag it does', told)
    server.sql('grant pg_monitor to watcher')
    told = lag(repo, server, user='watcher')
    fact(told['archiver']['waiting'] >= 3 and told['wal_bytes'] > 0, 'with pg_monitor it sees all', told)


def refusals(repo, server):
    for words, says in ((['--max-lag', '16MiB'], '--lag'), (['--lag', url(server), '--max-lag', 'much'], 'must be'),
                        (['--lag', url(server), '--max-lag', '-1s'], 'must be'), (['--lag', 'http://x'], '')):
        done = repo.backstay('wal', 'check', *words, code=(1, UNREACHABLE), why='%s is refused' % words[-1])
        fact(says in done.errors, 'with the reason', done.errors)
    repo.backstay('wal', 'check', '--lag', 'postgresql://postgres@/?host=' + path('nowhere'), code=UNREACHABLE, why='nobody answers')


def standby_and_promotion(repo, server, push):
    server.configure("archive_command = '%s %%p'" % push)
    server.sql('select pg_reload_conf()')
    switch(server)
    server.stop()
    other = server.copy(path('other'))
    other.configure("archive_command = 'false'")
    other.run('touch', other.data + '/standby.signal')
    with other.start():
        told = lag(repo, other, '16MiB', why='a standby')
        equal((told['standby'], told['timeline'], told['within_limits']), (True, 1, True), 'which has replayed what is held')
        other.sql('select pg_promote()')
        work(other)
        told = lag(repo, other, why='a timeline of which nothing is held')
        equal((told['timeline'], told['held_lsn'], told['lag_bytes']), (2, None, None), 'has no lag that anybody could count')
        lag(repo, other, '1T', code=LAG, why='and is behind every limit')


def main():
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    push = Archive(repo).script('push', 'exec %s wal push "$1"\n' % BACKSTAY)
    server = Cluster(path('server'))
    server.make("archive_command = '%s %%p'" % push)
    with server.start():
        server.sql('create table ledger (id serial primary key, note text)')
        nothing_behind(repo, server)
        behind(repo, server)
        sees_little(repo, server)
        refusals(repo, server)
        standby_and_promotion(repo, server, push)


main()
finish()
