#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=600
"""What the daemon measures by itself: room in repositories, WAL of a real cluster whose archiver fails, a repository that goes away
and comes back; told once and resolved, in /metrics and in the text file, under a prefix of one's own, also after a restart."""
import contextlib
import json
import os
import re
import shutil
import sqlite3
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster
from daemonhttp import PageDaemon
from daemonlife import PATIENCE
from hook import Hook
from scenario import BACKSTAY, Repo, equal, fact, finish, path, run, wait_until
from walarchive import Archive, hand_over_all

CONFIG = '''
repositories:
  main: {location: %(repo)s, password: "env://RESTIC_PASSWORD"%(quota)s}
  away: {location: %(dir)s/away, password: "env://RESTIC_PASSWORD"}
sources:
  db: {url: "%(url)s"}
  files: {paths: [%(files)s]}
schedules:
  pitr: {sources: [db], repository: main, cron: "0 3 1 1 *", keep: {pitr: 7d}}
  nightly: {sources: [files], repository: main, cron: "0 3 1 1 *"}
  many: {sources: [files], repository: main, cron: "0 3 1 1 *", keep: {last: 2}}
notifications:
  hook: {type: webhook, url: "http://127.0.0.1:%(hook)d/"}
server:
  listen: "127.0.0.1:%(port)d"
  node: one
  sweep: "%(hour)02d:30"
  webhook_origins: ["http://127.0.0.1:%(hook)d"]
  metrics: {prefix: %(prefix)s, textfile: %(dir)s/text.prom, stores: 1s, wal: 1s}
'''


def told(kind, condition):
    return [e for e in Hook.heard if e['kind'] == kind and e.get('condition') == condition]


def metrics(daemon):
    """Nothing while there is no page: a reload makes it anew."""
    try:
        status, _, body = daemon.ask('GET', '/metrics')
    except OSError:
        return {}
    found = {}
    for name, labels, value in re.findall(r'^(\w+)(?:\{(.*)\})? (\S+)$', body.decode() if status == 200 else '', re.M):
        found[name, ','.join(sorted(re.findall(r'(?:source|repository|channel)="(\w+)"', labels)))] = float(value)
    return found


def soon(daemon, name, labels, fits, what):
    fact(wait_until(lambda: fits(metrics(daemon).get((name, labels))), PATIENCE, .5), what,
         (name, labels, {k: v for k, v in metrics(daemon).items() if k[0] == name}))


def is_(value):
    return lambda got: got == value


def room(daemon, values):
    soon(daemon, 'backstay_repository_up', 'main', is_(1), 'the repository is measured')
    soon(daemon, 'backstay_repository_up', 'away', is_(0), 'one that is not there is told as that')
    seen = metrics(daemon)
    listed = json.loads(run(BACKSTAY, 'stats', '--store', '--json', '-r', 'main', '--config', daemon.config, env=daemon.env(), code=0).out)
    equal(seen['backstay_repository_snapshots', 'main'], listed['places']['snapshots']['objects'], 'its snapshots')
    fact(abs(seen['backstay_store_free_bytes', 'main'] - listed['free_bytes']) < listed['room_bytes'] / 20, 'and the room on its disk', (seen, listed))
    fact(('backstay_store_days_left', 'main') not in seen, 'growth is not known yet, and nothing is made up')
    equal(told('opened', 'repository-full'), [], 'there is room')
    daemon.configure(**{**values, 'quota': ', quota: %d' % (listed['bytes'] + 1)})
    equal(daemon.control(op='reload')['ok'], True, 'a quota is set')
    fact(wait_until(lambda: told('opened', 'repository-full'), PATIENCE), 'and nearly used up, which is told')
    event = told('opened', 'repository-full')[0]
    fact('repository main has little room left' in event['title'] and 'are left' in event['text'], 'with the numbers', event)
    daemon.configure(**values)
    equal(daemon.control(op='reload')['ok'], True, 'without it')
    fact(wait_until(lambda: told('resolved', 'repository-full'), PATIENCE), 'it is resolved')
    equal(len(told('opened', 'repository-full')), 1, 'it was told once, however often it was measured')


def archived(server):
    name = server.sql('select pg_walfile_name(pg_switch_wal())')
    fact(wait_until(lambda: server.sql("select coalesce(last_archived_wal, '') >= '%s' from pg_stat_archiver" % name) == 't', PATIENCE),
         'WAL is archived')


def wal(daemon, server, push):
    both = 'db,main'
    soon(daemon, 'backstay_wal_up', both, is_(1), 'the cluster is asked')
    soon(daemon, 'backstay_wal_lag_bytes', both, lambda got: got is not None, 'how far its WAL is behind')
    soon(daemon, 'backstay_wal_gap_count', both, is_(0), 'there is no gap')
    soon(daemon, 'backstay_pitr_window_end_timestamp_seconds', both, lambda got: got, 'and a window of moments')
    seen = metrics(daemon)
    fact(seen['backstay_pitr_window_start_timestamp_seconds', both] <= seen['backstay_pitr_window_end_timestamp_seconds', both],
         'that begins before it ends', seen)
    equal(told('opened', 'wal-lag'), [], 'nothing is wrong')
    server.configure("archive_command = 'false'")
    server.sql('select pg_reload_conf()')
    server.sql('insert into ledger select generate_series(1, 1000)')
    server.sql('select pg_switch_wal()')
    fact(wait_until(lambda: told('opened', 'wal-lag'), PATIENCE), 'an archiver that fails is told')
    event = told('opened', 'wal-lag')[0]
    fact('db: its archiver fails' in event['text'] and event['schedule'] == 'pitr', 'of the schedule, with the reason', event)
    soon(daemon, 'backstay_wal_archive_failures_total', both, lambda got: got, 'and counted')
    server.configure("archive_command = '%s %%p'" % push)
    server.sql('select pg_reload_conf()')
    archived(server)
    fact(wait_until(lambda: told('resolved', 'wal-lag'), PATIENCE), 'it is resolved')


def away(daemon, repo):
    os.rename(repo.path, repo.path + '.away')
    soon(daemon, 'backstay_repository_up', 'main', is_(0), 'a repository goes away')
    fact(metrics(daemon).get(('backstay_repository_size_bytes', 'main')), 'what was known of it stays')
    os.rename(repo.path + '.away', repo.path)
    soon(daemon, 'backstay_repository_up', 'main', is_(1), 'and comes back')
    equal(daemon.said().count('"cannot be measured","what":"store","repository":"main"'), 1, 'which is one line in the log')


def checks(daemon, repo):
    """By hand, of a repository of the configuration: by name or by its place, and with what they found."""
    name = 'backstay_repository_last_check_timestamp_seconds', 'main'
    fact(name not in metrics(daemon), 'nobody has checked it yet')
    begun = int(time.time())
    run(BACKSTAY, 'check', '-r', 'main', '--config', daemon.config, env=daemon.env(), code=0)
    soon(daemon, *name, lambda got: got and got >= begun, 'a check is in the metrics')
    first = metrics(daemon)[name]
    victim = sorted(repo.objects('snapshots'))[0]
    os.rename(repo.path + '/snapshots/' + victim, repo.path + '/snapshots/' + victim[:-1] + ('0' if victim[-1] != '0' else '1'))
    run(BACKSTAY, 'check', '-r', repo.path + '/', '--config', daemon.config, env=daemon.env(), code=1, why='one that finds damage')
    os.rename(repo.path + '/snapshots/' + victim[:-1] + ('0' if victim[-1] != '0' else '1'), repo.path + '/snapshots/' + victim)
    with contextlib.closing(sqlite3.connect(daemon.state + '/catalogue.db', timeout=60)) as db:
        rows = db.execute("SELECT state, exit_code, repository, error IS NULL, started_at <= ended_at FROM backup_history WHERE kind = 'check' ORDER BY id")
        equal(rows.fetchall(), [('succeeded', 0, 'main', 1, 1), ('failed', 1, 'main', 0, 1)], 'both are history, each with its end')
    equal(metrics(daemon)[name], first, 'and only the one that succeeded counts')


def refused(daemon, repo):
    """A policy that would suddenly remove most of what there is."""
    for _ in range(14):
        repo.backup(path('files'), '--tag', 'schedule=many,source=files,kind=files')
    held = len(repo.snapshots())
    fact(daemon.control(op='run', schedule='many')['ok'], 'a backup is asked for')
    fact(wait_until(lambda: told('opened', 'retention'), PATIENCE), 'its retention refuses, which is told')
    event = told('opened', 'retention')[0]
    fact('many keeps what its retention should remove' in event['title'] and 'much more than usual' in event['text'], 'with the reason', event)
    equal(len(repo.snapshots()), held + 1, 'and nothing was removed')
    run(BACKSTAY, 'run', 'many', '--retention-only', '--config', daemon.config, env=daemon.env(), code=0, why='done by hand')
    fact(wait_until(lambda: told('resolved', 'retention'), PATIENCE), 'it is resolved')
    equal(len(repo.snapshots()), held - 12, 'and what was too much is gone')
    equal(len(told('opened', 'retention')), 1, 'it was told once')


def names(repo, values):
    """As those who wrote to us call them."""
    with PageDaemon('daemon', repo, CONFIG, **values, prefix='leaflock') as daemon:
        seen = {name for name, _ in metrics(daemon)}
        fact({'leaflock_backups_total', 'leaflock_backup_duration_seconds_bucket', 'leaflock_backup_size_bytes'} <= seen, 'leaflock: as /metrics has them', seen)
        equal([n for n in seen if not n.startswith('leaflock_')], [], 'and no name has another prefix')
        body = daemon.ask('GET', '/metrics')[2].decode()
        fact(re.search(r'leaflock_backups_total\{status="success",.*\} 1', body) and 'leaflock_backups_total{status="failed"' in body, 'by status', body[-3000:])
    with PageDaemon('daemon', repo, CONFIG, **values, prefix='renderowl') as daemon:
        def text():
            with open(daemon.dir + '/text.prom') as f:
                return f.read()
        fact(wait_until(lambda: 'renderowl_' in text(), PATIENCE), 'renderowl: in the text file')
        found = set(re.findall(r'^(renderowl_backup_(?:status|duration_seconds|size_bytes|health_hours))\{', text(), re.M))
        equal(len(found), 4, 'all four')
        run('promtool', 'check', 'metrics', input=text().encode(), code=(0, 3), why='promtool reads it')  # 3: remarks on style


def main():
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    push = Archive(repo).script('push', 'exec %s wal push "$1"\n' % BACKSTAY)
    server = Cluster(path('server'))
    server.make("archive_command = '%s %%p'" % push)
    os.makedirs(path('files'))
    with open(path('files', 'a'), 'w') as f:
        f.write('something\n')
    with server.start():
        server.sql('create table ledger (id int)')
        url = 'pgcluster:postgresql://postgres@/postgres?host=' + urllib.parse.quote(server.socket, safe='')
        repo.backstay('backup', url, code=0)
        archived(server)
        values = {'url': url, 'files': path('files'), 'hook': Hook.port(), 'quota': ''}
        values['prefix'] = 'backstay'
        daemon = PageDaemon('daemon', repo, CONFIG, **values)
        with daemon:
            room(daemon, values)
            wal(daemon, server, push)
            away(daemon, repo)
            checks(daemon, repo)
            ran = daemon.control(op='run', schedule='nightly')
            soon(daemon, 'backstay_source_up', 'files,main', is_(1), 'after a run a source is known to be up')
            fact(ran['ok'], 'the run was asked for', ran)
            soon(daemon, 'backstay_notification_failures_total', 'hook', is_(0), 'the page tells of the channels, too')
            refused(daemon, repo)
        del values['prefix']
    # the server is gone, and what was measured stands
    shutil.rmtree(path('server'), ignore_errors=True)
    with PageDaemon('daemon', repo, CONFIG, **values, prefix='backstay') as daemon:
        seen = metrics(daemon)
        fact(seen.get(('backstay_repository_size_bytes', 'main')) and ('backstay_wal_lag_bytes', 'db,main') in seen,
             'a restart blanks nothing', sorted(seen))
        soon(daemon, 'backstay_wal_up', 'db,main', is_(0), 'a server that is gone is told of')
    names(repo, values)


main()
finish()
