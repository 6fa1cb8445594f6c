#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""The daemon as it is used: backstay.yaml, the first administrator, a schedule made by HTTP, a run that is asked for, followed by
events, read in the log, downloaded and measured; and a page process that is killed without a schedule noticing."""
import gzip
import hashlib
import http.client
import io
import json
import os
import re
import signal
import sys
import tarfile
import threading
from datetime import datetime

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonhttp import SECRET, PageDaemon, Person, first_administrator, word
from daemonlife import PATIENCE, REPOSITORY
from postgres import Postgres
from scenario import Repo, equal, fact, finish, path, say, wait_until

CONFIG = REPOSITORY + '''
sources:
  files: {paths: [%(files)s]}
  shop: {url: "%(url)s"}
  keys: {paths: [%(files)s.env], secret: true}
schedules:
  keys: {sources: [keys], repository: main, cron: "0 %(hour)d * * *"}
  nightly: {sources: [files, shop], repository: main, cron: "0 %(hour)d * * *", timezone: Europe/Berlin, keep: {last: 2}, consistency: group}
server: {listen: "127.0.0.1:%(port)d", node: one, sweep: "%(hour)02d:30"}
'''


def events_of(daemon, person, heard):
    connection = http.client.HTTPConnection('127.0.0.1', daemon.port, timeout=600)
    connection.request('GET', '/api/admin/events', headers={'Cookie': person.cookie})
    answer = connection.getresponse()

    def listen():
        try:
            for line in answer:
                if line.startswith(b'data:'):
                    heard.append(json.loads(line[5:]))
        except (OSError, ValueError, http.client.HTTPException):
            pass
    threading.Thread(target=listen, daemon=True).start()
    return answer.status


def a_run(daemon, person, schedule):
    asked = person.json('POST', '/api/admin/backups/schedules/%s/run' % schedule, want=202, Idempotency_Key='once-' + schedule)
    again = person.json('POST', '/api/admin/backups/schedules/%s/run' % schedule, want=202, Idempotency_Key='once-' + schedule)
    equal(again, asked, 'the same request again is given the same answer')
    run_id = asked['id'] if 'id' in asked else asked['run']

    def state():
        return json.loads(person.ask('GET', '/api/admin/runs/' + run_id)[2]).get('state')
    fact(wait_until(lambda: state() not in ('queued', 'running'), PATIENCE, .2), 'the run ends')
    equal(state(), 'succeeded', 'and succeeds')
    return run_id


def moments(run):
    """Of those of a group: of files there is none."""
    held = {s['source']: s['group'] for s in run['detail']['snapshots'] if 'group' in s}
    if run['schedule_name'] != 'nightly':
        equal((run['spread_ms'], run['pause_ms'], held, 'group' in run['detail']), (None, None, {}, False), 'a run of no group has no moment')
        return
    equal((run['pause_ms'], sorted(s['source'] for s in run['detail']['group']['sources'])), (None, ['files', 'shop']), 'a group tells what was opened')
    equal((held['files']['held'], 'instant' in held['files']), ('interval', False), 'files have no moment')
    fact(isinstance(run['spread_ms'], int) and held['shop']['spread_ms'] == run['spread_ms'] and
         datetime.fromisoformat(held['shop']['instant']) <= datetime.fromisoformat(run['ended_at']),
         'the database has one', (run, held))


def look(person, run_id):
    run = person.json('GET', '/api/admin/runs/' + run_id)
    say(json.dumps(run)[:2000])
    equal(sorted(s['source'] for s in run['detail']['snapshots']), ['files', 'shop'] if len(run['detail']['snapshots']) == 2 else ['files'],
          'the run tells of its snapshots')
    moments(run)
    log = person.ask('GET', '/api/admin/runs/%s/log' % run_id)[2].decode()
    fact('"run_begin"' in log and '"run_end"' in log, 'its log is all there', log)
    listed = {b['id']: b for b in person.json('GET', '/api/admin/backups')['items']}
    fact(run_id in listed, 'it is listed as a backup', listed)
    equal([listed[run_id][k] for k in ('spread_ms', 'pause_ms')], [run['spread_ms'], run['pause_ms']], 'with the same moments')


def not_had(person, where, status, want, name):
    got, _, content = person.ask('GET', where)
    fact(got == status and word(content) == want, '%s is refused: %d %s' % (name, status, want), (got, content))


def download(person, run_id):
    status, headers, content = person.ask('GET', '/api/admin/backups/%s/download?source=files' % run_id)
    equal(status, 200, 'a snapshot can be downloaded')
    names = tarfile.open(fileobj=io.BytesIO(content)).getnames()
    fact(any(n.endswith('files/hello') for n in names), 'as a tar of what it holds', names)
    fact('filename=' in headers['Content-Disposition'], 'under a name', headers['Content-Disposition'])
    where = '/api/admin/backups/%s/download?source=files&path=%s' % (run_id, path('files/hello'))
    status, _, content = person.ask('GET', where, Range='bytes=1-4')
    equal((status, content), (206, b'ello'), 'a part of a file of it, too')
    top = '/api/admin/backups/%s/' % run_id
    manifest = json.loads(person.ask('GET', top + 'manifest?source=shop')[2])
    equal(manifest.get('databases', [{}])[0].get('name'), 'shop', 'the manifest of a database is there, whatever its source is called here')
    not_had(person, top + 'manifest?source=files', 404, 'not-found', 'a manifest of files')
    status, headers, content = person.ask('GET', top + 'download?source=shop&format=dump')
    equal((status, content[:5]), (200, b'PGDMP'), 'a database comes as its dump')
    equal(hashlib.sha256(content).hexdigest(), manifest['databases'][0]['sha256'], 'the very one that was saved')
    fact(re.search(r'filename="shop_[0-9_]+\.dump"', headers['Content-Disposition']), 'under a name that says what it is', headers['Content-Disposition'])
    script = gzip.decompress(person.ask('GET', top + 'download?source=shop&format=sql.gz')[2])
    fact(b'COPY public.t ' in script and b'dump complete' in script, 'or as a script, whole', script[-200:])
    status, headers, content = person.ask('GET', top + 'download?format=app')
    names = tarfile.open(fileobj=io.BytesIO(content)).getnames()
    fact(names[0] == 'manifest.json' and 'database/shop.sql.gz' in names and 'documents/hello' in names, 'all of it as one archive', names)
    fact(re.search(r'filename="nightly_backup_\d{8}_\d{6}\.tar\.gz"', headers['Content-Disposition']), 'with the time in its name', headers['Content-Disposition'])
    for query, status, want, why in (('source=files&format=dump', 409, 'refused', 'a dump of files'),
                                     ('source=shop&format=dump&database=other', 409, 'refused', 'a database that is not in it'),
                                     ('source=shop&format=exe', 400, 'invalid', 'a format that nobody knows'),
                                     ('format=app&path=/x', 400, 'query', 'one file of an archive of all')):
        not_had(person, top + 'download?' + query, status, want, why)


def secrets(daemon, person):
    """A source that is marked secret is run by operators and downloaded by administrators."""
    person.json('POST', '/api/admin/users', {'name': 'otto', 'role': 'operator', 'password': SECRET}, want=201)
    otto = Person(daemon)
    status, headers, content = otto.ask('POST', '/api/login', {'name': 'otto', 'password': SECRET})
    equal(status, 200, 'an operator logs in')
    otto.cookie, otto.csrf = headers['Set-Cookie'].split(';')[0], json.loads(content)['csrf_token']
    run_id = a_run(daemon, otto, 'keys')
    for more in ('', '?path=' + path('files.env')):
        where = '/api/admin/backups/%s/download%s' % (run_id, more)
        status, _, content = otto.ask('GET', where)
        fact(status == 403 and b'TOKEN' not in content, 'what is marked secret is not shown to an operator', (status, content[:200]))
        status, _, content = person.ask('GET', where)
        fact(status == 200 and b'TOKEN=abc' in content, 'but to an administrator', (status, content[:200]))
    return otto, run_id


def no_longer_configured(daemon):
    """The snapshot itself says that it is of a secret source; the page is started anew by the caller."""
    with open(daemon.config, encoding='utf-8') as f:
        lines = f.read().splitlines(True)
    with open(daemon.config, 'w', encoding='utf-8') as f:
        f.writelines(line for line in lines if not line.startswith('  keys:'))
    daemon.process.send_signal(signal.SIGHUP)


def still_secret(person, otto, run_id):
    equal(person.ask('POST', '/api/admin/backups/schedules/keys/run')[0], 404, 'the secret source has left the configuration')
    equal(otto.ask('GET', '/api/admin/backups/%s/download?format=tar' % run_id)[0], 403, 'no portable file of it is made for an operator')
    for more in ('', '?path=' + path('files.env')):
        where = '/api/admin/backups/%s/download%s' % (run_id, more)
        status, _, content = otto.ask('GET', where)
        fact(status == 403 and b'TOKEN' not in content, 'what it has saved is still not shown to an operator', (status, content[:200]))
        status, _, content = person.ask('GET', where)
        fact(status == 200 and b'TOKEN=abc' in content, 'and still to an administrator', (status, content[:200]))


def schedules(person):
    made = person.json('POST', '/api/admin/backups/schedules',
                       {'name': 'yearly', 'sources': ['files'], 'repository': 'main', 'cron': '0 3 1 1 *', 'keep': {'last': 1}}, want=201)
    fact(made['applied'], 'the scheduler has heard of a new schedule', made)
    equal(len(made['next']), 5, 'which tells its next five times')
    return made['id']


def page_killed(daemon, person):
    before = daemon.page()
    os.kill(before, signal.SIGKILL)
    fact(wait_until(lambda: daemon.page() not in (None, before) and daemon.is_ready(), PATIENCE), 'a page process that died is started again')
    fact(daemon.lives(), 'the daemon went on')
    person.json('GET', '/api/admin/runs')


def main():
    os.makedirs(path('files'))
    with open(path('files/hello'), 'w', encoding='utf-8') as f:
        f.write('hello\n')
    with open(path('files.env'), 'w', encoding='utf-8') as f:
        f.write('TOKEN=abc\n')
    repo = Repo.named('repo')
    repo.init()
    with Postgres() as server:
        server.create('shop', 'create table t as select generate_series(1, 1000) i')
        with PageDaemon('daemon', repo, CONFIG, files=path('files'), url=server.url('shop')) as daemon:
            person = first_administrator(daemon)
            heard = []
            equal(events_of(daemon, person, heard), 200, 'events can be listened to')
            nightly = a_run(daemon, person, 'nightly')
            look(person, nightly)
            download(person, nightly)
            otto, keys = secrets(daemon, person)
            fact(wait_until(lambda: any(nightly in json.dumps(e) for e in heard), 60), 'the run was told as events', heard)
            yearly = schedules(person)
            look(person, a_run(daemon, person, yearly))
            metrics = person.ask('GET', '/metrics')[2].decode()
            fact(re.search(r'backstay_backup_last_status\{[^}]*schedule="nightly"[^}]*\} 1', metrics), 'metrics tell of it', metrics)
            no_longer_configured(daemon)
            page_killed(daemon, person)
            still_secret(person, otto, keys)
            equal(daemon.stop(), 0, 'the daemon stops')
            fact(SECRET not in daemon.said() and repo.password not in daemon.said(), 'no password is in its log')
    equal(len(repo.snapshots()), 4, 'four snapshots are kept')
    repo.sound('in the end')
    finish()


main()
