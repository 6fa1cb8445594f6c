#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan, timeout=900
"""Several sources as of one moment. One application writes the same rising counter to PostgreSQL, Redis, SQLite, the state of a k3s server,
an image and files, as fast as it can; the copies of a group differ by no more than it wrote in the spread that the manifests tell, and not at
all while hooks pause the application. Images in one btrfs subvolume are of one instant, whatever is opened between them. One source that
cannot be opened leaves nothing behind, one that cannot be read is missing alone. Whatever becomes of the run, what was paused is resumed."""
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import datetime

import psycopg2

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from loop import Loops
from postgres import Postgres
from redisserver import RedisServer
from scenario import BACKSTAY, FAILED, PARTIAL, Repo, equal, fact, finish, path, read, say, wait_until

PATIENCE = 300
CONFIG = '''
repositories:
  main: {location: %(repo)s, password: "env://RESTIC_PASSWORD"}
sources:
  db: {url: "%(db)s"}
  server: {url: "%(server)s"}
  cache: {url: "%(cache)s"}
  small: {url: "sqlite:%(small)s"}
  old: {url: "sqlite:%(old)s"}
  locked: {url: "sqlite:%(locked)s"}
  saver: {url: "%(saver)s", password: "env://SAVER"}
  gone: {url: "sqlite:%(gone)s"}
  rotten: {url: "sqlite:%(dir)s/rotten.db"}
  control: {url: "k3s:%(control)s"}
  image: {url: "volume:%(image)s.copy", options: {consistency: hook}}
  first: {url: "volume:%(pool)s/first.img"}
  second: {url: "volume:%(pool)s/second.img"}
  uploads: {paths: [%(uploads)s]}
defaults: {keep: {last: -1}, consistency: group}
schedules:
  free: {sources: [uploads, db, cache, small, old, control], repository: main, cron: daily}
  server: {sources: [server, cache], repository: main, cron: daily}
  near: {sources: [db, cache, small], repository: main, cron: daily, max_spread: 10m}
  far: {sources: [db, cache, locked], repository: main, cron: daily, max_spread: 100ms}
  toofar: {sources: [db, cache, locked], repository: main, cron: daily, max_spread: 100ms, max_spread_fails: true}
  saver: {sources: [saver, small], repository: main, cron: daily}
  formless: {sources: [uploads], repository: main, cron: daily, max_spread: 10m}
  formlessfails: {sources: [uploads], repository: main, cron: daily, max_spread: 10m, max_spread_fails: true}
  images: {sources: [first, db, cache, small, second], repository: main, cron: daily}
  rotten: {sources: [db, rotten, small], repository: main, cron: daily}
  lacking: {sources: [db, gone, cache], repository: main, cron: daily}
  lackingpaused:
    sources: [db, gone, cache]
    repository: main
    cron: daily
    hooks: {pause: ["touch %(dir)s/lacks"], resume: ["rm %(dir)s/lacks; echo resumed >>%(dir)s/journal"]}
  paused:
    sources: [uploads, db, cache, small, old, control, image]
    repository: main
    cron: daily
    pause_limit: 5m
    hooks:
      pause: ["touch %(dir)s/pause", "while test ! -e %(dir)s/paused; do sleep .02; done; echo it waits", "cp %(image)s %(image)s.copy"]
      resume: ["rm %(dir)s/pause && echo resumed >>%(dir)s/journal"]
      after: ["rm %(image)s.copy"]
  hanging:
    sources: [db, small]
    repository: main
    cron: daily
    pause_limit: 2s
    hooks: {pause: ["touch %(dir)s/hangs; sleep 1000"], resume: ["rm %(dir)s/hangs; echo resumed >>%(dir)s/journal"]}
  unresumed:
    sources: [db, small]
    repository: main
    cron: daily
    hooks: {pause: ["true"], resume: ["echo tried >>%(dir)s/journal; exit 9", "echo resumed >>%(dir)s/journal"]}
  waiting:  # for a database that somebody else has
    sources: [small, locked]
    repository: main
    cron: daily
    pause_limit: 10m
    hooks: {pause: ["touch %(dir)s/waits"], resume: ["rm %(dir)s/waits; echo resumed >>%(dir)s/journal"]}
'''

repo = Repo.named('repo')


class Application(threading.Thread):
    """Writes n = 1, 2, ... to all of its stores, one after the other, and remembers when."""

    def __init__(self, db, cache):
        super().__init__(daemon=True)
        self.url, self.cache, self.ends = db, cache.client(), False
        self.began, self.ended = [0.0], [0.0]  # of each n, in seconds of one clock
        self.small, self.old, self.uploads = path('small.db'), path('old.db'), path('uploads')
        self.control, self.state, self.image = path('k3s/server'), path('k3s/server/db/state.db'), path('image')
        os.mkdir(self.uploads)
        os.makedirs(os.path.dirname(self.state))
        with open(self.control + '/token', 'w', encoding='ascii') as f:
            f.write('K10abc::server:secret\n')
        self.write_image(0)
        for name, mode in ((self.small, 'wal'), (self.old, 'delete'), (self.state, 'wal')):
            with sqlite3.connect(name) as made:
                made.executescript('pragma journal_mode=%s; create table counter (n integer); insert into counter values (0)' % mode)

    def write_image(self, n):
        with open(self.image, 'r+b' if n else 'wb') as f:
            f.write(b'%08d' % n)
            f.truncate(1 << 20)

    def write(self, n, db, files):
        db.cursor().execute('update counter set n = %s', (n,))
        self.cache.set('counter', n)
        for file in files:
            file.execute('update counter set n = ?', (n,))
        self.write_image(n)
        with open('%s/%08d' % (self.uploads, n), 'w', encoding='utf-8') as f:
            f.write(str(n))

    def run(self):
        db = psycopg2.connect(self.url)
        db.autocommit = True
        files = [sqlite3.connect(name, isolation_level=None, timeout=PATIENCE) for name in (self.small, self.old, self.state)]
        for each in files:
            each.execute('pragma synchronous=off')
        db.cursor().execute('set synchronous_commit = off')
        while not self.ends:
            self.pause()
            self.began.append(time.monotonic())
            self.write(len(self.ended), db, files)
            self.ended.append(time.monotonic())
            time.sleep(.002)

    def pause(self):
        """As the hooks of the schedule ask: between two numbers."""
        if not os.path.exists(path('pause')):
            return
        with open(path('paused'), 'wb'):
            pass
        while os.path.exists(path('pause')) and not self.ends:
            time.sleep(.005)
        os.unlink(path('paused'))

    def reached(self, n):
        return wait_until(lambda: len(self.ended) > n, PATIENCE)

    def stop(self):
        self.ends = True
        self.join()


class Pair(threading.Thread):
    """Writes n = 1, 2, ... into two images on a btrfs, each synced: at every instant the first is as far as the second, or one ahead."""

    def __init__(self, pool):
        super().__init__(daemon=True)
        self.files, self.ends, self.n = [pool + '/first.img', pool + '/second.img'], False, 0
        for file in self.files:
            with open(file, 'wb') as f:
                f.truncate(1 << 20)

    def run(self):
        opened = [open(file, 'r+b', buffering=0) for file in self.files]
        while not self.ends:
            for f in opened:
                os.pwrite(f.fileno(), b'%08d' % (self.n + 1), 0)
                os.fsync(f.fileno())
            self.n += 1
        for f in opened:
            f.close()

    def stop(self):
        self.ends = True
        self.join()


def places():
    return {'BACKSTAY_STATE_DIR': path('state'), 'STATE_DIRECTORY': path('daemon'), 'SAVER': 'secret'}


def run(name, code=0, why='', how='--json'):
    return repo.backstay('--config', path('backstay.yaml'), 'run', name, how, code=code, why=why, env=places())


def event(done, kind):
    found = [e for e in done.lines() if e.get('message_type') == kind]
    return found[-1] if found else {}


def saved(done):
    """Source -> its snapshot."""
    ids = {e['source']: e['snapshot_id'] for e in done.lines() if e.get('message_type') == 'snapshot'}
    all_ = {s['id']: s for s in repo.snapshots()}
    return {source: all_[i] for source, i in ids.items() if i}


def tag(snapshot, key):
    return next((t.split('=', 1)[1] for t in snapshot['tags'] if t.startswith(key + '=')), None)


def manifest(snapshot):
    return json.loads(repo.backstay('dump', snapshot['id'], snapshot['paths'][0] + '/manifest.json', code=0).out)


def of_postgres(snapshot, name='app'):
    dump = repo.backstay('dump', snapshot['id'], '%s/%s.dump' % (snapshot['paths'][0], name), code=0).out
    done = subprocess.run(['pg_restore', '-a', '-t', 'counter', '-f', '-'], input=dump, capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    return int(lines[next(i for i, line in enumerate(lines) if line.startswith('COPY')) + 1])


def of_redis(snapshot, spare):
    spare.client().flushall()
    repo.backstay('restore', snapshot['id'], '--to', spare.url, code=0)
    return int(spare.client().get('counter'))


def of_sqlite(snapshot, name):
    copy = path('copy.db')
    with open(copy, 'wb') as f:
        f.write(repo.backstay('dump', snapshot['id'], '%s/%s' % (snapshot['paths'][0], name), code=0).out)
    with sqlite3.connect('file:%s?immutable=1' % copy, uri=True) as db:
        return db.execute('select n from counter').fetchone()[0]


def of_image(snapshot, name):
    folder = repo.backstay('dump', snapshot['id'], '%s/%s.img/000000' % (snapshot['paths'][0], name), code=0)
    return int(folder.out[:8])


def of_files(snapshot):
    """Those that are there."""
    listed = repo.backstay('ls', snapshot['id'], '--json', code=0).lines()
    return {int(e['name']) for e in listed if e.get('type') == 'file'}


def counters(snapshots, spare):
    return {'db': of_postgres(snapshots['db']), 'cache': of_redis(snapshots['cache'], spare),
            **{name: of_sqlite(snapshots[name], name + '.db') for name in ('small', 'old') if name in snapshots},
            **({'control': of_sqlite(snapshots['control'], 'server/db/state.db')} if 'control' in snapshots else {}),
            **({'image': of_image(snapshots['image'], 'image.copy')} if 'image' in snapshots else {})}


def told_everywhere(done, snapshots):
    """The spread of the group, in the events, tags and manifests, and as fields of the list."""
    group = event(done, 'group')
    spread = group['spread_ms']
    held = {s['source']: s for s in group['sources']}
    equal(event(done, 'run_end')['spread_ms'], spread, 'the end of the run tells the spread')
    equal({tag(s, 'spread') for s in snapshots.values()}, {'%dms' % spread}, 'so does each snapshot')
    events = {e['source']: e['group'] for e in done.lines() if e.get('message_type') == 'snapshot' and not e['error']}
    for source, snapshot in snapshots.items():
        moment = {k: held[source][k] for k in ('held', 'instant', 'within_ms', 'since') if k in held[source]}
        equal(events[source], {**moment, 'spread_ms': spread}, source + ': its event tells its moment')
        equal(snapshot['group'], {**{k: moment[k] for k in ('held', 'instant') if k in moment}, 'spread_ms': spread}, 'and so does the list')
        if held[source]['held'] == 'interval':
            equal((tag(snapshot, 'instant'), 'since' in held[source], 'instant' in held[source]), ('interval', True, False),
                  source + ' has no moment, and says so')
            continue
        own = manifest(snapshot)['group']
        equal(({k: own[k] for k in ('held', 'instant', 'within_ms')}, own['spread_ms'], own['run'], own['sources']),
              ({k: held[source][k] for k in ('held', 'instant', 'within_ms')}, spread, tag(snapshot, 'run'), group['sources']),
              source + ': its manifest tells its moment and those of the others')
        equal(tag(snapshot, 'instant'), own['instant'], 'and its snapshot that moment')
    return spread


def without_pause(application, spare):
    application.reached(50)
    done = run('free', why='a group while the application writes')
    snapshots = saved(done)
    equal(set(snapshots), {'uploads', 'db', 'cache', 'small', 'old', 'control'}, 'all of it is saved')
    spread = told_everywhere(done, snapshots)
    found = counters(snapshots, spare)
    low, high = min(found.values()), max(found.values())
    say('spread', spread, 'ms;', found)
    application.reached(low + 1)
    took = (application.began[high] - application.ended[low + 1]) * 1000
    fact(low > 0 and took <= spread, 'the copies differ by what was written in the spread at most', (found, took, spread))
    # what an upload is recorded in is written before it: nothing that a database knows of is missing
    fact(set(range(1, low)) <= of_files(snapshots['uploads']), 'all files that were there before the moment are saved')
    done = run('server', why='a whole server, with its roles')
    fact(of_postgres(saved(done)['server']) > 0, 'is saved with the application\'s database')
    told_everywhere(done, saved(done))


def while_locked(cache, *argv, **options):
    """Its last source can be opened only a while after the one before."""
    copies = cache.client().info()['sync_full']
    db = sqlite3.connect(path('locked.db'), isolation_level=None, check_same_thread=False)
    db.executescript('create table if not exists t (n); begin exclusive')

    def release():
        wait_until(lambda: cache.client().info()['sync_full'] > copies, PATIENCE)
        time.sleep(.2)
        db.close()
    thread = threading.Thread(target=release)
    thread.start()
    done = run(*argv, **options)
    thread.join()
    return done


def how_far(cache):
    done = run('near', why='moments that lie near enough')
    equal(event(done, 'run_end')['warnings'], [], 'are no warning')
    done = while_locked(cache, 'far', why='those that lie too far apart')
    fact('max_spread' in str(event(done, 'run_end')['warnings']), 'are one', event(done, 'run_end'))
    before = len(repo.snapshots())
    done = while_locked(cache, 'toofar', code=FAILED, why='or fail')
    fact('max_spread' in event(done, 'run_end')['error'], 'saying why', event(done, 'run_end'))
    equal(len(repo.snapshots()), before, 'and nothing is saved')
    done = run('formless', why='a group that holds no moment at all')
    fact('no source holds a moment' in str(event(done, 'run_end')['warnings']), 'is within no max_spread', event(done, 'run_end'))
    equal(saved(done)['uploads']['group'], {'held': 'interval', 'spread_ms': None}, 'and has no spread')
    before = len(repo.snapshots())
    fact('no source holds a moment' in event(run('formlessfails', code=FAILED), 'run_end')['error'], 'and fails where that is asked for')
    equal(len(repo.snapshots()), before, 'with nothing saved')


def of_one_instant(pool, spare):
    """Images of one subvolume are of one snapshot of it, though others are opened between them."""
    pair = Pair(pool)
    pair.start()
    fact(wait_until(lambda: pair.n > 3, PATIENCE), 'somebody writes to two images')
    before = pair.n
    done = run('images', why='a group with both, and others between them')
    pair.stop()
    snapshots = saved(done)
    told_everywhere(done, snapshots)
    first, second = of_image(snapshots['first'], 'first'), of_image(snapshots['second'], 'second')
    fact(second >= before and first - second in (0, 1), 'has them of one instant', (before, first, second))
    equal([manifest(snapshots[name])['consistency']['way'] for name in ('first', 'second')], ['snapshot'] * 2, 'in one snapshot')
    held = {s['source']: (s['instant'], s['within_ms']) for s in event(done, 'group')['sources']}
    equal(held['second'], held['first'], 'and tells so')
    times = [datetime.fromisoformat(held[name][0]) for name in ('first', 'db', 'small')]
    equal(times, sorted(times), 'the others came after it')
    equal(sorted(os.listdir(pool)), ['first.img', 'second.img'], 'the snapshot is gone')
    counters(snapshots, spare)


def by_bgsave(spare):
    done = run('saver', why='a login that may not replicate')
    snapshots = saved(done)
    equal(manifest(snapshots['saver'])['copy']['method'], 'bgsave', 'has its moment by BGSAVE')
    fact(of_redis(snapshots['saver'], spare) > 0, 'with the data')
    told_everywhere(done, snapshots)


def copy_of_another(cache):
    """The server gives what it has begun for a replica that came before."""
    client = cache.client()
    for i in range(300):  # for half a minute, and no longer than somebody waits
        client.set('key:%d' % i, i)
    client.config_set('rdb-key-save-delay', 100000)  # microseconds
    with socket.create_connection(('127.0.0.1', cache.port), PATIENCE) as replica:
        for line in (b'REPLCONF rdb-only 1\r\n', b'PSYNC ? -1\r\n'):
            replica.sendall(line)
            answer = replica.recv(100)
        fact(answer.startswith(b'+FULLRESYNC'), 'a replica waits for its copy', answer)
        client.set('younger', 1)
        before = len(repo.snapshots())
        done = run('near', code=FAILED, why='a server whose copy is of before')
    client.config_set('rdb-key-save-delay', 0)
    fact('another replica' in event(done, 'run_end')['error'], 'is found out', event(done, 'run_end'))
    equal(len(repo.snapshots()), before, 'and nothing is saved')


def all_or_none():
    before = len(repo.snapshots())
    done = run('lacking', code=FAILED, why='a group of which one source cannot be opened')
    told = {e['source']: e['error'] for e in done.lines() if e.get('message_type') == 'snapshot'}
    equal((len(told), len(repo.snapshots())), (3, before), 'saves none of them')
    fact('gone.db' in told.get('gone', '') and 'gone' in told.get('cache', '') and 'not saved' in told.get('cache', ''), 'each says why', told)
    done = run('lackingpaused', code=FAILED, why='such a group while the application is paused')
    equal((event(done, 'run_end')['state'], len(repo.snapshots())), ('failed', before), 'saves none, either')
    equal((journal(), os.path.exists(path('lacks'))), (['resumed'], False), 'and the application is resumed')
    fact(event(done, 'run_end')['pause_ms'] >= 0 and not event(done, 'group'), 'it was paused for nothing, which is told', event(done, 'run_end'))


def but_one():
    """What was opened and cannot be read has had its moment: it is missing, and the others are what they say."""
    with sqlite3.connect(path('rotten.db')) as db:
        db.executescript('create table t (a, b); create index i on t (a); insert into t values (1, 2); pragma writable_schema=on;'
                         "update sqlite_schema set sql = 'create index i on t (b)' where name = 'i'")
    done = run('rotten', code=PARTIAL, why='a group of which one source is opened and cannot be read')
    snapshots = saved(done)
    equal((event(done, 'run_end')['state'], set(snapshots)), ('partial', {'db', 'small'}), 'is partial')
    failed = next(e for e in done.lines() if e.get('message_type') == 'snapshot' and e['source'] == 'rotten')
    equal((failed['state'], failed['snapshot_id'], 'group' in failed), ('failed', None, False), 'what is not saved claims no moment')
    told_everywhere(done, snapshots)


def written(name):
    return read(name) if os.path.exists(name) else b''


def journal():
    """What the hooks told since the last time."""
    told = written(path('journal')).decode().split()
    if told:
        os.unlink(path('journal'))
    return told


def while_paused(application, spare):
    application.reached(len(application.ended))
    done = run('paused', why='a group while hooks pause the application')
    snapshots = saved(done)
    told_everywhere(done, snapshots)
    found = counters(snapshots, spare)
    equal((len(found), len(set(found.values()))), (6, 1), 'has the same number in all copies: %s' % found)
    fact(set(range(1, found['db'])) <= of_files(snapshots['uploads']), 'and the files that it knows of')
    stages = [e['stage'] for e in done.lines() if e.get('message_type') == 'stage']
    equal([s for s in stages if s in ('pause', 'open', 'resume', 'read')],
          ['pause'] + ['open'] * 7 + ['resume'] + ['read'] * 7, 'all are opened in the pause, and read after it')
    pause = event(done, 'group')['pause_ms']
    equal((event(done, 'run_end')['pause_ms'], manifest(snapshots['db'])['group']['pause_ms']), (pause, pause), 'its duration is told')
    fact(pause >= event(done, 'group')['spread_ms'], 'which is longer than the spread', event(done, 'group'))
    fact('it waits' in str([e['message'] for e in done.lines() if e.get('message_type') == 'log']), 'and what its hooks print')
    equal(journal(), ['resumed'], 'it is resumed once')
    fact(application.reached(len(application.ended) + 3), 'and goes on')


def fails_paused(name, why):
    before = len(repo.snapshots())
    done = run(name, code=FAILED, why='a group of which ' + why)
    equal(len(repo.snapshots()), before, 'saves nothing')
    return event(done, 'run_end')['error']


def what_breaks_a_pause():
    error = fails_paused('hanging', 'a pause hook hangs')
    fact('pause-hook 1' in error and 'pause_limit (2 s)' in error, 'saying why', error)
    equal((journal(), os.path.exists(path('hangs'))), (['resumed'], False), 'and is resumed')
    error = fails_paused('unresumed', 'a resume hook fails')
    fact('resume-hook 1: exit status 9' in error and 'may still be paused' in error, 'says what to do', error)
    equal(journal(), ['tried', 'resumed'], 'with all resume hooks tried')


def ended_while_paused(number, name):
    """In the pause, while a source waits to be opened."""
    db = sqlite3.connect(path('locked.db'), isolation_level=None)
    db.executescript('create table if not exists t (n); begin exclusive')
    before = len(repo.snapshots())
    with subprocess.Popen([BACKSTAY, '-r', repo.path, '--config', path('backstay.yaml'), 'run', 'waiting'], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=repo.env(**places())) as process:
        fact(wait_until(lambda: os.path.exists(path('waits')), PATIENCE), 'a run has paused the application')
        process.send_signal(number)
        fact(wait_until(lambda: not os.path.exists(path('waits')) and b'\n' in written(path('journal')), PATIENCE), 'it is resumed after ' + name)
        db.close()
        fact(process.wait(PATIENCE) != 0, 'which the run did not survive', process.returncode)
    equal(journal(), ['resumed'], 'once')
    equal(len(repo.snapshots()), before, 'and nothing was saved')


def comes_back():
    """From the tags alone, when the catalogue is lost."""
    repo.backstay('catalog', 'rebuild', '--at', 'sqlite:' + path('again.db'), code=0)
    with sqlite3.connect(path('again.db')) as db:
        runs = dict(db.execute('select id, detail from backup_history'))
    spreads = {(tag(s, 'run'), tag(s, 'spread')) for s in repo.snapshots()}
    details = {run: json.loads(detail) for run, detail in runs.items()}
    equal({(run, '%dms' % d['group']['spread_ms'] if d['group']['spread_ms'] is not None else None) for run, d in details.items()}, spreads,
          'a catalogue that is made again has the spread of each run')
    held = {s['snapshot_id']: s['group'] for d in details.values() for s in d['snapshots']}
    equal(held, {s['id']: s['group'] for s in repo.snapshots()}, 'and the moment of each snapshot')


def told_in_words():
    done = run('waiting', why='a pause that nothing breaks', how='--verbose').out.decode()
    fact(' ms; paused for ' in done, 'is told with the spread', done)
    equal(done.count(', as of 2'), 2, 'and the moment of each source')
    equal(journal(), ['resumed'], 'and over')


def main():
    repo.init()
    cache, spare = RedisServer('cache'), RedisServer('spare')
    loops, disk = Loops(), path('disk.img')
    with open(disk, 'wb') as f:
        f.truncate(128 << 20)
    subprocess.run(['mkfs.btrfs', '-q', disk], check=True)
    pool = loops.mount(loops.attach(disk), 'pool')
    with Postgres() as server:
        server.create('app', 'create table counter (n bigint); insert into counter values (0);')
        application = Application(server.url('app'), cache)
        cache.client().execute_command('ACL', 'SETUSER', 'saver', 'on', '>secret', '~*', '+@all', '-psync', '-sync')
        with open(path('backstay.yaml'), 'w', encoding='utf-8') as f:
            f.write(CONFIG % {'repo': repo.path, 'db': server.url('app'), 'server': server.url(), 'cache': cache.url, 'small': application.small,
                              'old': application.old, 'locked': path('locked.db'), 'saver': cache.url.replace('//', '//saver@'), 'gone': path('gone.db'), 'uploads': application.uploads, 'dir': path(), 'pool': pool,
                              'control': application.control, 'image': application.image})
        application.start()
        try:
            without_pause(application, spare)
            how_far(cache)
            of_one_instant(pool, spare)
            by_bgsave(spare)
            all_or_none()
            but_one()
            copy_of_another(cache)
            while_paused(application, spare)
            what_breaks_a_pause()
            ended_while_paused(signal.SIGKILL, 'SIGKILL')
            ended_while_paused(signal.SIGTERM, 'SIGTERM')
            told_in_words()
            comes_back()
        finally:
            application.stop()
        fact(read(path('backstay.yaml')) != b'' and not application.is_alive(), 'the application was never stopped by it', application)
        repo.sound('after all of it')
    loops.close()
    finish()


main()
