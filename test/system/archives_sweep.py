#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=300
"""The daily sweep removes archives that are no longer kept, too, though no backup is made: by number and by age, only what the
schedule wrote, each destination by itself, and never many at once when nobody looks."""
import hashlib
import json
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import BACKSTAY, PASSWORD, Repo, environment, equal, fact, finish, path, read, run
from scenario import write as write_bytes

DESTINATION = 30
OLD = 'nightly-2019-07-01T03-00-%02dZ.tar'

repo = Repo.named('repo')


def write(name, text):
    write_bytes(name, text.encode())


def archives_of(folder, **keep):
    return {'to': path(folder), 'format': 'tar', 'name': 'nightly-{timestamp}', 'latest': 'latest', **({'keep': keep} if keep else {})}


def sweep(number, archives, code=0):
    """As the daemon has it done."""
    spec = {'run': '%032x' % number, 'kind': 'sweep', 'trigger': 'schedule', 'history': {}, 'sources': {'docs': {'paths': [path('docs')]}},
            'repository': {'location': repo.path, 'password': 'env://RUN_PASSWORD'},
            'schedule': {'name': 'nightly', 'sources': ['docs'], 'repository': 'main', 'cron': '0 3 * * *', 'archives': archives}}
    os.makedirs(path('runs/%d' % number))
    write('runs/%d/spec.json' % number, json.dumps(spec))
    events = path('runs/%d/events' % number)
    run(BACKSTAY, 'run', '--spec', path('runs/%d/spec.json' % number), '--events', events, env=environ(), code=code)
    with open(events, encoding='utf-8') as f:
        return [json.loads(line) for line in f]


def environ():
    return environment(None, BACKSTAY_STATE_DIR=path('state'), RUN_PASSWORD=PASSWORD)


def backup(archives, code=0, before=()):
    write('backstay.yaml', json.dumps({
        'repositories': {'main': {'location': repo.path, 'password': 'env://RUN_PASSWORD'}}, 'sources': {'docs': {'paths': [path('docs')]}},
        'schedules': {'nightly': {'sources': ['docs'], 'repository': 'main', 'cron': 'daily', 'archives': archives}}}))
    run(*before, BACKSTAY, '--config', path('backstay.yaml'), 'run', 'nightly', env=environ(), code=code)


def age(folder, n):
    """As if so many had been written years ago: copies of the one that is there, with their own manifests."""
    name = next(x for x in os.listdir(path(folder)) if x.startswith('nightly-') and x.endswith('.tar'))
    told = json.loads(read(path(folder + '/' + name + '.manifest.json')))
    for i in range(n):
        told['file'], told['snapshot']['time'] = OLD % i, '2019-07-01T03:00:%02dZ' % i
        shutil.copy(path(folder + '/' + name), path(folder + '/' + OLD % i))
        write(folder + '/' + OLD % i + '.manifest.json', json.dumps(told))


def tars(folder):
    return sorted(n for n in os.listdir(path(folder)) if n.endswith('.tar'))


def a_backup_that_shrank():
    write('docs/one', 'x' * 100_000)
    for _ in range(3):
        backup([archives_of('shrunk')])
        time.sleep(1.1)  # names tell seconds
    write('docs/one', 'x')
    backup([archives_of('shrunk', last=1)])
    equal(len(tars('shrunk')), 5, 'a backup that shrank pushes out no archive')
    sweep(5, [archives_of('shrunk', last=1)])
    equal(len(tars('shrunk')), 2, 'until retention is asked for')


def a_run_that_was_cut_off():
    with open(path('docs/one'), 'wb') as f:
        f.write(os.urandom(2_000_000))
    archives = [{'to': path('cut'), 'format': 'tar', 'name': 'nightly-{year}-{day}', 'latest': 'latest'}]
    backup(archives)
    first = read(path('cut/latest.tar'))
    backup(archives, code=None, before=('prlimit', '--fsize=1000000'))
    equal(read(path('cut/latest.tar')), first, 'an archive that could not be written leaves the one before')
    backup(archives)
    for name in tars('cut'):
        told = json.loads(read(path('cut/' + name + '.manifest.json')))
        equal((told['size'], told['sha256']), (len(read(path('cut/' + name))), hashlib.sha256(read(path('cut/' + name))).hexdigest()), 'and is made by the next run')


def main():
    repo.init()
    os.makedirs(path('docs'))
    write('docs/one', 'of the documents')
    backup([archives_of('out'), archives_of('aged'), archives_of('many')])
    new = [n for n in tars('out') if n != 'latest.tar']
    for folder, n in (('out', 3), ('aged', 2), ('many', 12)):
        age(folder, n)
    write('out/nightly-2018-01-01T00-00-00Z.tar', 'of somebody else')
    write('out/notes.tar', 'no name of ours')

    told = sweep(1, [archives_of('out', last=2), archives_of('aged', within='30d'), archives_of('many')])
    equal(told[-1]['state'], 'succeeded', 'the sweep has looked at archives')
    equal(tars('out'), sorted(['latest.tar', 'nightly-2018-01-01T00-00-00Z.tar', 'notes.tar', OLD % 2, *new]), 'by number: the newest two stay, and all that is not ours')
    equal(len([n for n in os.listdir(path('out')) if n.endswith('.manifest.json')]), 3, 'manifests go with their files')
    equal([n for n in tars('aged') if n != 'latest.tar'], [n for n in tars('aged') if not n.startswith('nightly-2019') and n != 'latest.tar'], 'by age: old ones are gone')
    equal(len(tars('aged')), 2, 'and the new one is not')
    equal(len(tars('many')), 14, 'a destination that keeps all loses nothing')

    told = sweep(2, [archives_of('many', last=1)])
    equal(len(tars('many')), 14, 'many at once are not removed when nobody looks')
    fact(told[-1]['state'] == 'succeeded' and any('12 of 13 archives' in w for w in told[-1]['warnings']), 'which is a warning', told[-1])

    write('plain', 'a file where a directory should be')
    told = sweep(3, [archives_of('plain/below', last=1), archives_of('out', last=1)], code=DESTINATION)
    equal(told[-1]['state'], 'partial', 'one that cannot be reached is told of')
    equal([n for n in tars('out') if n.startswith('nightly-2019')], [], 'and the others are looked after all the same')

    told = sweep(4, [archives_of('many', last=1), archives_of('plain/below', last=1)], code=DESTINATION)
    equal(told[-1]['state'], 'partial', 'nor does one that refuses to remove many hide it')
    a_backup_that_shrank()
    a_run_that_was_cut_off()
    finish()


main()
