#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""backstay.yaml at the command line: checked, shown, generated; repositories and sources by name; the environment alone."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import BACKSTAY, PASSWORD, environment, equal, fact, finish, path, run

INVALID = 20
KEY = 'MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE='


def save(name, text):
    trees.write(path(name), text.encode())
    return path(name)


def plain(**more):
    """No repository, no password, no configuration but what more says."""
    env = environment(**more)
    for name in list(env):
        if name.startswith(('BACKSTAY_', 'RESTIC_', 'AWS_', 'BACKUP_', 'PG', 'XDG_CONFIG')) and name not in more \
                and name not in ('BACKSTAY_CACHE_DIR', 'BACKSTAY_STATE_DIR'):
            del env[name]
    env['XDG_CONFIG_HOME'] = path('nothing')
    return env


def example():
    text = run(BACKSTAY, 'config', 'generate', env=plain(), code=0).text
    file = save('example.yaml', text)
    run(BACKSTAY, 'config', 'check', '--config', file, env=plain(), code=0, why='what is generated is good')
    before, schedules = text.split('\nschedules:\n')
    schedules = re.sub(r'^    # ', '    ', schedules, flags=re.M)
    schedules = re.sub(r'^#  ', '  ', schedules, flags=re.M)
    fact('\n    retries: 2' in schedules and '\n    host: mail' in schedules, 'rows are comments')
    file = save('whole.yaml', before + '\nschedules:\n' + schedules)
    run(BACKSTAY, 'config', 'check', '--config', file, env=plain(), code=0, why='and so is what stands in comments')


def problems():
    file = save('bad.yaml', 'repositories:\n  main:\n    location: srv\n    password: hunter2\nshedules: {}\n')
    done = run(BACKSTAY, '--config', file, 'config', 'check', env=plain(), code=INVALID)
    equal([line.split(': ')[0] for line in done.text.splitlines()],
          [file + ':3:15', file + ':4:15', file + ':5:1'], 'every problem has its line and column')
    fact('hunter2' not in done.all, 'a secret in the file is not repeated', done.all)
    told = run(BACKSTAY, '--json', '--config', file, 'config', 'check', env=plain(), code=INVALID)
    equal((told.messages('config_check')[0]['valid'], len(told.messages('config_check')[0]['problems'])), (False, 3),
          'and as JSON')
    run(BACKSTAY, '-r', 'main', '--config', file, 'snapshots', env=plain(), code=INVALID,
        why='nothing is done by a configuration that is wrong')
    run(BACKSTAY, '--config', path('absent.yaml'), 'config', 'check', env=plain(), code=1)


def names():
    os.mkdir(path('data'))
    trees.write(path('data/a'), b'1')
    trees.write(path('data/b.tmp'), b'2')
    save('password', PASSWORD)
    os.chmod(path('password'), 0o600)
    file = save('good.yaml', 'repositories:\n  main:\n    location: %s\n    password: file://%s\n    compression: max\n'
                'sources:\n  files:\n    paths: [%s]\n    options: {exclude: [\'*.tmp\'], tag: own}\n'
                % (path('repo'), path('password'), path('data')))
    by_name = (BACKSTAY, '--config', file, '-r', 'main')
    run(*by_name, 'init', env=plain(), code=0)
    run(*by_name, 'backup', '@files', '--tag', 'typed', env=plain(), code=0)
    found = run(*by_name, 'snapshots', '--json', env=plain(), code=0).json()
    equal([(s['paths'], sorted(s['tags'])) for s in found], [([path('data')], ['own', 'typed'])],
          'options of the source and those that are typed both count')
    listed = run(*by_name, 'ls', 'latest', env=plain(), code=0).text
    fact('/data/a' in listed and 'b.tmp' not in listed, 'and its exclusions')
    run(BACKSTAY, 'snapshots', env=plain(BACKSTAY_CONFIG=file, BACKSTAY_REPOSITORY='main'), code=0,
        why='both come from the environment, too')
    run(*by_name, 'snapshots', env=plain(BACKSTAY_PASSWORD='another'), code=12,
        why='the environment comes before the file')
    run(*by_name, 'backup', '@files', '/etc', env=plain(), code=1, why='a source stands alone')
    run(*by_name, 'backup', '@nothing', env=plain(), code=1, why='a source that is not there')
    os.mkdir(path('main'))
    run(*by_name, 'snapshots', env=plain(), cwd=path(), code=1, why='a name that is a directory, too, is refused')


def two_names():
    """A repository beside that of -r, with a password of its own."""
    save('password-2', 'another one')
    os.chmod(path('password-2'), 0o600)
    file = save('two.yaml', ''.join('  %s: {location: %s, password: "file://%s"}\n' % (name, path(where), path(password)) for name, where, password in (
        ('first', 'repo', 'password'), ('second', 'repo-2', 'password-2'), ('same', 'repo-3', 'password'))).join(('repositories:\n', '')))
    both = (BACKSTAY, '--config', file)
    run(*both, '-r', 'second', 'init', env=plain(), code=0)
    run(*both, '-r', 'second', 'copy', '--from-repo', 'first', env=plain(), code=0, why='copy takes names for both')
    equal(len(run(*both, '-r', 'second', 'snapshots', '--json', env=plain(), code=0).json()), 1, 'and opens each by its own password')
    run(*both, '-r', 'second', 'copy', '--from-repo', 'first', '--from-password-file', path('password-2'), env=plain(), code=12,
        why='a password that is typed comes before')
    run(*both, '-r', 'first', 'copy', '--to', 'second', env=plain(), code=0, why='in the other direction, too')
    run(*both, '-r', 'first', 'mirror', 'add', 'same', env=plain(), code=0, why='a name becomes a mirror')
    listed = run(*both, '-r', 'first', 'mirror', 'list', '--json', env=plain(), code=0).json()
    equal([(m['name'], m['location']) for m in listed], [('same', path('repo-3'))], 'of that name, where the configuration says')
    run(*both, '-r', 'first', 'mirror', 'sync', env=plain(), code=0)
    run(*both, '-r', 'first', 'mirror', 'remove', 'same', env=plain(), code=0)
    pack = next(os.path.join(d, f) for d, _, fs in os.walk(path('repo/data')) for f in fs)
    with open(pack, 'r+b') as f:
        f.write(b'\xa5' * 20)
    run(*both, '-r', 'first', 'check', '--read-data', '--repair-from', 'same', env=plain(), code=0, why='a name is what a check repairs from')
    run(*both, '-r', 'first', 'check', '--read-data', env=plain(), code=0, why='which it did')
    run(*both, '-r', 'first', 'check', '--repair-from', 'nothing', env=plain(), code=(1, 10), why='a name of nothing is a place that is not there')


def shown():
    file = save('shown.yaml', 'repositories:\n  main:\n    location: env://WHERE\n'
                'sources: {files: {paths: /etc}}\ndefaults:\n  timezone: Europe/Berlin\n'
                'schedules: {n: {sources: files, repository: main, cron: weekly}}\n'
                'notifications:\n  hook: {type: webhook, url: https://h/secret-path, headers: {X: hunter2}}\n')
    done = run(BACKSTAY, '--config', file, 'config', 'show', '--json', env=plain(WHERE='/srv/there'), code=0)
    rows = {row['path']: row for row in done.json()}
    equal(rows['/repositories/main/location']['value'], '/srv/there', 'values are those that count')
    equal((rows['/schedules/n/timezone']['line'], rows['/schedules/n/cron']['value']), (6, '0 3 * * 0'),
          'a value of the defaults is shown with its line')
    equal(rows['/schedules/n/catch_up']['origin'], 'default', 'and what nobody said as a default')
    fact('hunter2' not in done.all and 'secret-path' not in done.all, 'what may be a secret is masked', done.text)


def container():
    env = plain(ENABLE_BACKUPS='true', BACKUP_S3_ENDPOINT='https://s3.example.org', BACKUP_S3_BUCKET='b',
                BACKUP_S3_ACCESS_KEY='AK', BACKUP_S3_SECRET_KEY='hunter2', BACKUP_SCHEDULE='0 */6 * * *',
                BACKUP_ENCRYPTION_KEY=KEY, DATABASE_URL='postgres://app:hunter2@db/notes',
                REDIS_URL='redis://:hunter2@cache:6379', BACKUP_ARCHIVES='/srv/archives', BACKSTAY_LISTEN='127.0.0.1:9900',
                BACKSTAY_METRICS_PREFIX='leaflock')
    done = run(BACKSTAY, 'config', 'show', env=env, code=0)
    for line in ('repositories.main.location: s3:https://s3.example.org/b  # $BACKUP_S3_BUCKET',
                 'sources.postgresql.url: postgres://app@db/notes  # $DATABASE_URL',
                 'sources.postgresql.password: env://DATABASE_URL#password  # $DATABASE_URL',
                 'sources.redis.url: redis://cache:6379  # $REDIS_URL',
                 'schedules.backup.cron: 0 */6 * * *  # $BACKUP_SCHEDULE',
                 'repositories.main.s3.secret_key: env://BACKUP_S3_SECRET_KEY  # $BACKUP_S3_SECRET_KEY',
                 'schedules.backup.archives[0].to: /srv/archives  # $BACKUP_ARCHIVES',
                 'server.listen: 127.0.0.1:9900  # $BACKSTAY_LISTEN', 'server.metrics.prefix: leaflock  # $BACKSTAY_METRICS_PREFIX'):
        fact(line in done.text.splitlines(), line, done.text)
    fact('hunter2' not in done.all and KEY not in done.all, 'no secret is shown', done.text)
    here = plain(ENABLE_BACKUPS='true', BACKSTAY_REPOSITORY=path('container'), BACKUP_ENCRYPTION_KEY=KEY, REDIS_URL='redis://cache:6379')
    run(BACKSTAY, 'init', env=here, code=0, why='in a container the repository and its password need not be named')
    equal(run(BACKSTAY, 'snapshots', '--json', env=here, code=0).json(), [], 'by any command')
    env['BACKUP_SCHEDULE'] = 'often'
    wrong = run(BACKSTAY, 'config', 'check', env=env, code=INVALID)
    fact(wrong.text.startswith('BACKUP_SCHEDULE: '), 'a variable that is wrong is named', wrong.text)
    del env['BACKSTAY_LISTEN']
    env.update(BACKUP_SCHEDULE='daily', BACKUP_ENCRYPTION_KEY_FILE='/etc/key')
    twice = run(BACKSTAY, 'config', 'check', env=env, code=INVALID)
    equal(len(twice.text.splitlines()), 1, 'a key that is given in two ways is told once')
    del env['BACKUP_ENCRYPTION_KEY_FILE']
    fact('server.listen' not in run(BACKSTAY, 'config', 'show', env=env, code=0).text, 'where nobody listens no address is shown')


def manual():
    """The options that a source may have are options of `backup`."""
    page = run(BACKSTAY, 'config-manual', env=plain(), code=0).text
    part = page.split('.Ss options of sources\n')[1].split('.Ss ')[0]
    options = set(re.findall(r'^\.It Ic (.*)$', part, re.M))
    real = set(re.findall(r'--([a-z-]+)', run(BACKSTAY, 'help', 'backup', env=plain(), code=0).text))
    fact(len(options) > 20, 'sources have options')
    equal(sorted(options - real), [], 'each is one of backup')


example()
problems()
names()
two_names()
shown()
container()
manual()
finish()
