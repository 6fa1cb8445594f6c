#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=900
"""backstay run: the sources of a schedule in order, one that fails, hooks, a skip, an end by time, by a signal and by SIGKILL, a
second run beside the first, retention, a backup that shrank; told as events, in a file that is locked while the run lives."""
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from redisserver import RedisServer
from scenario import BACKSTAY, FAILED, INTERRUPTED, LOCKED, PARTIAL, PASSWORD, Repo, ended, environment, equal, fact, finish, path, run, wait_until

SKIPPED = 75
LONG = 120  # seconds that nothing here takes

repo = Repo.named('repo')
numbers = iter(range(1, 1000))


def write(name, content):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), 'w', encoding='utf-8') as f:
        f.write(content)
    return path(name)


def environ(**more):
    return environment(None, BACKSTAY_STATE_DIR=path('state'), RUN_PASSWORD=PASSWORD, **more)


def spec_of(sources, name='nightly', history=None, **schedule):
    """What the daemon hands over."""
    number = next(numbers)
    definition = {'name': name, 'sources': list(sources), 'repository': 'main', 'cron': '0 3 * * *', 'keep': {'last': 2}, **schedule}
    spec = {'run': '%032x' % number, 'trigger': 'manual', 'schedule': definition, 'history': history or {},
            'sources': sources, 'repository': {'location': repo.path, 'password': 'env://RUN_PASSWORD'}}
    os.makedirs(path('runs/%d' % number))
    return write('runs/%d/spec.json' % number, json.dumps(spec)), path('runs/%d/events' % number)


def read_events(file):
    with open(file, encoding='utf-8') as f:
        return [json.loads(line) for line in f]


class Told:
    def __init__(self, result, events):
        self.result, self.events, self.code = result, events, result.code
        self.end = events[-1] if events and events[-1]['message_type'] == 'run_end' else {}

    def of(self, kind):
        return [e for e in self.events if e['message_type'] == kind]

    def stages(self):
        return [e['stage'] for e in self.of('stage')]


def run_spec(sources, *more, code=0, why, env=None, **schedule):
    spec, events = spec_of(sources, **schedule)
    result = run(BACKSTAY, 'run', '--spec', spec, '--events', events, *more, env=env or environ(), code=code, why=why)
    return Told(result, read_events(events))


def start(sources, **schedule):
    spec, events = spec_of(sources, **schedule)
    process = subprocess.Popen([BACKSTAY, 'run', '--spec', spec, '--events', events], env=environ(), start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return process, events


def is_locked(file):
    with open(file, 'rb') as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except OSError:
            return True


def snapshots(name='nightly'):
    return [s for s in repo.snapshots() if 'schedule=' + name in s['tags']]


def files(*names):
    return {n: {'paths': [path('data/' + n)]} for n in names}


def sources_in_order():
    told = run_spec(files('b', 'a'), why='a run of two sources')
    equal((told.events[0]['message_type'], told.events[-1]['message_type']), ('run_begin', 'run_end'), 'its first and its last event')
    begin = told.events[0]
    equal((begin['trigger'], begin['schedule']), ('manual', 'nightly'), 'the first names it')
    equal([e['source'] for e in told.of('snapshot')], ['b', 'a'], 'the sources are saved in their order')
    equal([e['state'] for e in told.of('snapshot')], ['succeeded', 'succeeded'], 'each succeeded')
    equal((told.end['state'], told.end['code'], told.end['error'], len(told.end['snapshots'])), ('succeeded', 0, None, 2), 'and so did the run')
    fact(told.stages()[0] == 'lock' and told.stages()[-1] == 'retention' and 'read' in told.stages() and 'upload' in told.stages(),
         'its stages', told.stages())
    saved = snapshots()
    equal(sorted(s['id'] for s in saved), sorted(told.end['snapshots']), 'the snapshots are those that it names')
    fact(all({'run=' + begin['run'], 'schedule=nightly'} < set(s['tags']) for s in saved), 'which bear its tags', saved)
    equal(told.end['bytes'], sum(e['bytes'] for e in told.of('snapshot')), 'the bytes are added up')
    fact(not is_locked(path('runs/%d/events' % int(begin['run'], 16))), 'nobody holds the lock of its events')


def a_failing_source():
    told = run_spec({**files('a'), 'gone': {'paths': [path('data/nowhere')]}, **files('b')}, code=PARTIAL, why='one of three sources is missing')
    equal([(e['source'], e['state']) for e in told.of('snapshot')], [('a', 'succeeded'), ('gone', 'failed'), ('b', 'succeeded')],
          'the others are saved')
    equal((told.end['state'], told.end['code'], told.end['removed']), ('partial', 3, 0), 'the run is partial')
    fact('gone' in told.end['error'], 'and says which', told.end)
    fact('retention' not in told.stages(), 'nothing is removed after it', told.stages())
    told = run_spec({'gone': {'paths': [path('data/nowhere')]}}, code=FAILED, why='when all fail, the run does')
    equal((told.end['state'], told.end['code'], told.end['snapshots']), ('failed', 1, []), 'the run failed')


def what_is_left_out():
    told = run_spec({'some': {'paths': [path('data/a'), path('data/absent')]}}, name='some', code=PARTIAL, why='a path of two is missing')
    equal([os.path.basename(e['item']) for e in told.of('error')], ['absent'], 'it is named')
    fact('left-out=1' in snapshots('some')[0]['tags'], 'and the snapshot says so', snapshots('some'))


def hooks():
    log = path('hooks')
    line = 'echo %%s $BACKSTAY_STATE $BACKSTAY_SCHEDULE "$BACKSTAY_SOURCES" "${RUN_PASSWORD:-none}" "${BACKSTAY_PASSWORD:-none}" >> %s' % log
    told = run_spec(files('a', 'b'), hooks={'before': [line % 'before', 'echo hello; echo there >&2'], 'after': [line % 'after']},
                    env=environ(BACKSTAY_PASSWORD='secret'), why='a run with hooks')
    with open(log, encoding='utf-8') as f:
        equal(f.read(), 'before running nightly a b none none\nafter succeeded nightly a b none none\n', 'they know the run and no secret')
    said = [e['message'] for e in told.of('log')]
    equal([m for m in said if 'hello' in m or 'there' in m], ['hook: hello', 'hook: there'], 'what they print is in the log')
    told = run_spec(files('a'), hooks={'before': ['exit 75', 'touch ' + path('second')], 'after': ['touch ' + path('after')]}, code=SKIPPED,
                    why='a hook skips the run')
    equal((told.end['state'], told.end['code'], told.end['snapshots']), ('skipped', 75, []), 'it is skipped')
    fact(os.path.exists(path('after')) and not os.path.exists(path('second')), 'hooks after it are run, further ones before it are not')
    told = run_spec(files('a'), hooks={'before': ['exit 3']}, code=FAILED, why='a hook before it fails')
    equal((told.end['state'], told.of('snapshot')), ('failed', []), 'the run failed, and nothing was saved')
    told = run_spec(files('a'), hooks={'after': ['exit 75']}, code=FAILED, why='a hook after it fails')
    equal((told.end['state'], len(told.end['snapshots']), told.end['removed']), ('failed', 1, 0), 'the run failed, with what it saved')


def an_end_by_time():
    told = run_spec(files('a'), hooks={'before': ['sleep 1000'], 'after': ['touch ' + path('after-timeout')]}, timeout='1s', code=FAILED,
                    why='a run that takes too long')
    equal((told.end['state'], told.end['error'], told.end['snapshots']), ('failed', 'timeout', []), 'ends with the reason')
    fact(os.path.exists(path('after-timeout')), 'hooks after it are run')


def signals():
    before = len(snapshots())
    process, events = start(files('a'), hooks={'before': ['sleep 1000'], 'after': ['touch ' + path('after-term')]})
    wait_until(lambda: os.path.exists(events) and 'hook' in open(events, encoding='utf-8').read(), LONG)
    fact(is_locked(events), 'the events of a living run are locked')
    second = run_spec(files('a'), code=LOCKED, why='a second run beside it')
    equal((second.end['state'], second.end['code'], second.end['error']), ('failed', LOCKED, 'concurrent'), 'fails as concurrent')
    fact('hook' not in second.stages(), 'before its hooks', second.stages())
    process.send_signal(signal.SIGTERM)
    ended(process, LONG, 'SIGTERM')
    equal(process.returncode, INTERRUPTED, 'SIGTERM ends a run')
    end = read_events(events)[-1]
    equal((end['message_type'], end['state'], end['snapshots']), ('run_end', 'cancelled', []), 'which is cancelled')
    fact(os.path.exists(path('after-term')), 'hooks after it are run')
    process, events = start(files('a'), hooks={'before': ['sleep 1000']})
    wait_until(lambda: os.path.exists(events) and 'hook' in open(events, encoding='utf-8').read(), LONG)
    process.kill()
    ended(process, LONG, 'SIGKILL')
    fact(not is_locked(events) and not [e for e in read_events(events) if e['message_type'] == 'run_end'],
         'after SIGKILL the lock is free and there is no end')
    equal(len(snapshots()), before, 'neither left a snapshot')
    run_spec(files('a'), why='the next run is not held up')
    equal(repo.objects('locks'), [], 'no lock is left in the repository')


def interrupted_backup():
    with open(path('data/large'), 'wb') as f:
        f.write(trees.noise(1, 60_000_000))
    process, events = start(files('large'), name='large', hooks={'after': ['touch ' + path('after-large')]})
    size = repo.size()
    fact(wait_until(lambda: repo.size() > size + 2_000_000 or process.poll() is not None, LONG), 'a backup is under way')
    process.send_signal(signal.SIGTERM)
    ended(process, LONG, 'SIGTERM in the middle')
    end = read_events(events)[-1]
    fact((end['state'], len(end['snapshots']), len(snapshots('large'))) in (('cancelled', 0, 0), ('succeeded', 1, 1)),
         'a backup is whole, or not there', end)
    os.unlink(path('data/large'))


def retention():
    for n in range(4):
        told = run_spec(files('a', 'b'), name='kept', keep={'last': 2}, why='run %d that keeps two' % (n + 1))
        equal(told.end['removed'], 0 if n < 2 else 2, 'it removes what is one too many, of each source')
    equal(len(snapshots('kept')), 4, 'two of each source are left')
    spec, _ = spec_of(files('a', 'b'), name='kept', keep={'last': 1})
    preview = run(BACKSTAY, 'run', '--spec', spec, '--preview-retention', '--json', env=environ(), code=0, why='a preview').messages('retention')
    equal(sorted((p['source'], p['keep'], bool(p['reasons'])) for p in preview),
          [('a', False, True), ('a', True, True), ('b', False, True), ('b', True, True)], 'says of each backup whether it stays, and why')
    equal(len(snapshots('kept')), 4, 'and removes nothing')
    told = run_spec(files('a', 'b'), '--retention-only', name='kept', keep={'last': 1}, why='retention alone')
    equal((told.end['removed'], told.end['snapshots'], len(snapshots('kept'))), (2, [], 2), 'removes them, and saves nothing')


def a_backup_that_shrank():
    told = run_spec(files('a'), name='shrunk', history={'a': [10_000_000, 12_000_000, 9_000_000]}, why='a backup far smaller than its history')
    warnings = told.of('warning')
    equal([(w['source'], w['median']) for w in warnings if 'median' in w], [('a', 10_000_000)], 'is told with the numbers')
    equal((told.end['state'], len(told.end['warnings'])), ('succeeded', 2), 'and is a success with a warning, and one about retention')
    write('data/shrinking/file', 'x' * 100_000)
    run_spec(files('shrinking'), name='shrinking', why='without a history there is nothing to compare')
    write('data/shrinking/file', 'x' * 10_000)
    told = run_spec(files('shrinking'), name='shrinking', why='the snapshots are a history, too')
    equal([(w['bytes'], w['median']) for w in told.of('warning') if 'median' in w], [(10_000, 100_000)], 'and tell that it shrank')
    shrunk = dict(name='shrinking', keep={'last': 1})
    told = run_spec(files('shrinking'), **shrunk, history={'shrinking': [10_000, 100_000, 100_000]}, why='and once more')
    equal((told.end['removed'], len(snapshots('shrinking'))), (0, 3), 'what is worth having is not pushed out')
    told = run_spec(files('shrinking'), '--retention-only', **shrunk, history={'shrinking': [10_000, 10_000, 100_000, 100_000, 100_000]},
                    why='nor by the sweep')
    equal((told.end['state'], told.end['removed'], len(snapshots('shrinking'))), ('succeeded', 0, 3), 'which tells that it did nothing')
    fact(any('far smaller' in w['message'] for w in told.of('warning')), 'and why', told.of('warning'))
    told = run_spec(files('shrinking'), '--retention-only', **shrunk, history={'shrinking': [10_000] * 9}, why='when it has been so for long')
    equal((told.end['removed'], len(snapshots('shrinking'))), (2, 1), 'retention goes on')
    write('data/empty/file', '')
    told = run_spec(files('empty'), name='empty', why='an empty backup')
    equal([w['bytes'] for w in told.of('warning')], [0], 'is always told')


def retries():
    told = run_spec({'database': {'url': 'postgresql://nobody@127.0.0.1:1/none'}}, name='retried', retries=2, retry_wait='1s', code=21,
                    why='a server that does not answer')
    equal(len([e for e in told.of('log') if 'try ' in e['message']]), 2, 'is asked again')
    equal((told.end['state'], told.end['code']), ('failed', 21), 'and its error is that of the run')
    told = run_spec({'gone': {'paths': [path('data/nowhere')]}}, name='retried', retries=2, retry_wait='1s', code=FAILED, why='what cannot pass')
    equal([e for e in told.of('log') if 'try ' in e['message']], [], 'is not tried again')


def stands_still(process):
    """It is stopped, or was too fast for that."""
    if process.poll() is not None:
        return True
    with open('/proc/%d/stat' % process.pid, encoding='utf-8') as f:
        return f.read().rpartition(')')[2].split()[0] in 'TZ'


def a_locked_repository():
    """Somebody else has it for himself for a moment: no reason to have no backup."""
    for _ in range(50):  # one that was done before it could be stopped is not somebody else
        process = subprocess.Popen(['restic', '-r', repo.path, 'check'], env=repo.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: repo.objects('locks') or process.poll() is not None, LONG, pause=.001)
        process.send_signal(signal.SIGSTOP)
        if wait_until(lambda: stands_still(process), LONG) and repo.objects('locks'):
            break
        process.send_signal(signal.SIGCONT)
        process.wait(LONG)
    fact(process.poll() is None and repo.objects('locks'), 'somebody else holds the repository')
    waiting, events = start(files('a'), name='waiting')
    wait_until(lambda: os.path.exists(events) and 'stage' in open(events, encoding='utf-8').read(), LONG)
    time.sleep(2)
    process.send_signal(signal.SIGCONT)
    ended(waiting, LONG, 'a run that waits')
    process.wait(LONG)
    equal((waiting.returncode, read_events(events)[-1]['state']), (0, 'succeeded'), 'a run waits for him')


def by_name():
    config = write('backstay.yaml', json.dumps({
        'repositories': {'main': {'location': repo.path, 'password': 'env://RUN_PASSWORD'}}, 'sources': files('a', 'b'),
        'schedules': {'byname': {'sources': ['a', 'b'], 'repository': 'main', 'cron': '0 3 * * *', 'nice': 5, 'ionice': 'idle'}}}))
    env = environ(BACKSTAY_CONFIG=config)
    done = run(BACKSTAY, 'run', 'byname', '--json', env=env, code=0, why='a schedule of the file, by its name')
    equal([m['source'] for m in done.messages('snapshot')], ['a', 'b'], 'its events are on standard output')
    done = run(BACKSTAY, 'run', 'byname', env=env, code=0, why='the same for people')
    fact('run succeeded' in done.text and 'a: succeeded' in done.text, 'which says what was saved', done.all)
    run(BACKSTAY, 'run', 'other', env=env, code=FAILED, why='one that is not there')


def a_server_with_a_password():
    """That stands where the source says, and nowhere else."""
    canary = 'pass word/@:%&'
    server = RedisServer('redis', 'requirepass "%s"' % canary, canary)
    server.fill(50)
    file = write('redis-password', canary + '\n')
    os.chmod(file, 0o600)
    for url in (server.url, 'redis://' + server.socket):
        told = run_spec({'cache': {'url': url, 'password': 'file://' + file}}, code=0, why='a source whose server wants a password')
        equal(told.end['state'], 'succeeded', 'is saved by a schedule')
        fact(canary not in json.dumps(told.events) + told.result.all, 'which tells nobody', told.events)
    told = run_spec({'cache': {'url': server.url, 'password': 'env://RUN_PASSWORD'}}, code=22, why='another password: exit status')
    equal(told.end['state'], 'failed', 'and failed')
    server.kill()


def main():
    repo.init()
    for name, size in (('a', 30_000), ('b', 50_000)):
        write('data/%s/file' % name, name * size)
    sources_in_order()
    a_failing_source()
    what_is_left_out()
    hooks()
    an_end_by_time()
    signals()
    interrupted_backup()
    retention()
    a_backup_that_shrank()
    retries()
    a_locked_repository()
    by_name()
    a_server_with_a_password()
    finish()


main()
