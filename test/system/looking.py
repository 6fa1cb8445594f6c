#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: asan
"""Looking into a repository: what is listed and in which order, what is said when something cannot be had."""
import json
import os
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
import writer
from scenario import FIXTURE_PASSWORD, PARTIAL, Repo, environment, equal, fact, finish, path, run, BACKSTAY

FIRST, LAST = '4987bdfc', 'e8591b9d'  # of fixture v2-auto


def damage(file):
    with open(file, 'rb') as f:
        data = bytearray(f.read())
    data[40] ^= 1
    os.chmod(file, 0o600)
    with open(file, 'wb') as f:
        f.write(data)


def says(done, *words, name):
    fact(all(w in done.errors for w in words), name, done.errors)


def paths(done):
    return [n['path'] for n in done.lines() if n.get('struct_type') == 'node']


def names():
    repo = Repo.fixture('v2-auto')
    says(repo.backstay('ls', 'abcdef', code=1), 'abcdef', name='an id that does not exist is named')
    says(repo.backstay('ls', '', code=1), 'ambiguous', name='an ambiguous beginning of an id is told')
    says(repo.backstay('snapshots', FIRST + ':/fixture', code=1), FIRST, name='a path where a snapshot is wanted')
    says(repo.backstay('snapshots', '--host', 'x', FIRST, code=1), '--host', name='a filter beside an id is refused')
    says(repo.backstay('ls', 'latest', '/no/such', code=1), '/no/such', name='a directory that is not there is named')
    says(repo.backstay('ls', 'latest', 'fixture', code=1), 'fixture', name='a relative directory is refused')
    says(repo.backstay('ls', 'latest:/no/such', code=1), '/no/such', name='a subpath that is not there is named')
    says(repo.backstay('ls', 'latest', '--host', 'nobody', code=1), 'no snapshot', name='no snapshot of that host')
    equal([s['short_id'] for s in repo.backstay('snapshots', '--json', LAST, FIRST, LAST, code=0).json()], [FIRST, LAST],
          'named snapshots are listed once each')
    equal(repo.backstay('snapshots', '--json', env={'BACKSTAY_HOST': 'nobody'}).json(), [], '$BACKSTAY_HOST is the default of --host')
    equal(len(repo.backstay('snapshots', '--json', '--host', '', env={'BACKSTAY_HOST': 'nobody'}).json()), 4, '--host "" is any host')
    equal(len(repo.backstay('snapshots', '--json', FIRST, env={'BACKSTAY_HOST': 'nobody'}).json()), 1, 'an id does not ask for the host')
    text = repo.backstay('snapshots', env={'TZ': 'Asia/Tokyo'}).text
    fact('2026-01-01 19:00:00' in text and text.endswith('4 snapshots\n'), 'the table has local times and a count', text)


def listings():
    repo = Repo.fixture('v2-auto')
    everything = paths(repo.backstay('ls', '--json', LAST))
    equal(everything, sorted(everything, key=lambda p: [c.encode() for c in p.split('/')]), 'entries come in the order of their names')
    below = paths(repo.backstay('ls', '--json', LAST + ':/fixture/links'))
    equal(below, [p[len('/fixture/links'):] for p in everything if p.startswith('/fixture/links/')], 'a subpath is the root')
    equal(paths(repo.backstay('ls', '--json', '--reverse', LAST)), everything[::-1], 'ls --reverse')
    sized = [(n.get('size', 0), n['path'].encode()) for n in repo.backstay('ls', '--json', '--sort', 'size', FIRST).lines()[1:]]
    fact(sized == sorted(sized) and len(sized) > 50, 'ls --sort size', sized[:5])
    line = repo.backstay('-q', 'ls', '-l', LAST, '/fixture/links/rel', code=0).text
    equal(line, 'Lrwxrwxrwx     0     0      0 2023-11-14 22:13:20 /fixture/links/rel -> ../plain.txt\n', 'ls -l')
    latin1 = b'/fixture/names/latin1-\xe9\xff\n'
    fact(latin1 in repo.backstay('ls', LAST).out, 'off a terminal names are what they are, byte for byte')


def searches():
    repo = Repo.fixture('v2-auto')
    every = repo.backstay('find', '--json', '-s', FIRST, '/fixture/**', code=0).json()[0]['matches']
    for option, wanted in (('--newest', [m for m in every if m['mtime'] < '2001-09-09T01:46:41']),
                           ('--oldest', [m for m in every if m['mtime'] >= '2001-09-09T01:46:41'])):
        found = repo.backstay('find', '--json', '-s', FIRST, option, '2001-09-09 01:46:41', '/fixture/**', code=0).json()[0]
        fact(found['matches'] == wanted and found['hits'] == len(wanted) < len(every), 'find ' + option, found)
    repo.backstay('find', '--oldest', 'yesterday', 'x', code=1)
    repo.backstay('find', '--blob', '--tree', 'abcd', code=1)
    equal(repo.backstay('find', '--json', 'there is no such name', code=0).json(), [], 'nothing found is an empty array')
    order = [s['snapshot'][:8] for s in repo.backstay('find', '--json', 'links').json()]
    equal((order[0], order[-1]), (LAST, FIRST), 'the newest snapshot comes first')
    equal([s['snapshot'][:8] for s in repo.backstay('find', '--json', '-R', 'links').json()], order[::-1], 'find --reverse')
    file = next(n for n in json.loads(repo.backstay('cat', 'tree', FIRST + ':/fixture').out)['nodes'] if n.get('content'))
    text = repo.backstay('find', '--show-pack-id', '--blob', file['content'][0][:12], code=0).text
    fact('in file /fixture/' + file['name'] in text and 'belongs to pack' in text, 'the beginning of a blob id is enough', text)


def dumps():
    repo = Repo.named('dumps')
    source = path('source')
    trees.everything(source)
    repo.init()
    repo.backup(source)
    says(repo.backstay('dump', 'latest', source + '/nothing', code=1), 'nothing', name='a file that is not there is named')
    trees.write(path('kept'), b'before\n')
    repo.backstay('dump', '--target', path('kept'), 'latest', source + '/nothing', code=1)
    with open(path('kept'), 'rb') as f:
        equal(f.read(), b'before\n', 'a failed dump leaves the target as it was')
    equal([n for n in os.listdir(path()) if n.startswith('kept')], ['kept'], 'and nothing beside it')
    repo.backstay('dump', '--target', path('kept'), 'latest:' + source, 'plain.txt', code=0)
    with open(path('kept'), 'rb') as f, open(source + '/plain.txt', 'rb') as g:
        equal(f.read(), g.read(), 'dump --target replaces a file')
    archive = repo.backstay('dump', 'latest', source, code=0).out
    os.mkdir(path('untarred'))
    done = subprocess.run(['tar', '-x', '-p', '--xattrs', '--xattrs-include=*', '-C', path('untarred')], input=archive, check=False)
    equal(done.returncode, 0, 'tar takes the archive of a directory')
    found = trees.differences(trees.describe(path('untarred') + source), trees.describe(source), (b'', b'socket'))
    # hard links are written each time, and fractions before 1970 left out
    wrong = [d for d in found if 'hardlinks' not in str(d) and 'before-1970' not in str(d)]
    fact(not wrong, 'and unpacks what was saved', '\n'.join(map(str, wrong)))


def unreadable():
    repo = Repo.fixture('v2-auto', 'unreadable')
    victim = repo.objects('snapshots')[0]
    damage('%s/snapshots/%s' % (repo.path, victim))
    done = repo.backstay('snapshots', '--json', code=PARTIAL)
    says(done, victim, name='a snapshot that cannot be read is named')
    equal(len(json.loads(done.out.splitlines()[0])), 3, 'and the others are listed')
    says(repo.backstay('snapshots', victim, code=1), victim[:8], name='asked for by its id it is an error')
    repo.backstay('stats', code=PARTIAL)
    other = Repo.fixture('v2-auto', 'unreadable-tree')
    inner = next(n['subtree'] for n in json.loads(other.backstay('cat', 'tree', FIRST + ':/fixture').out)['nodes'] if n['name'] == 'deep')
    place = next((p, b) for i in other.objects('index') for p in other.backstay('cat', 'index', i).json()['packs']
                 for b in p['blobs'] if b['id'] == inner)
    file = '%s/data/%s/%s' % (other.path, place[0]['id'][:2], place[0]['id'])
    with open(file, 'rb') as f:
        data = bytearray(f.read())
    data[place[1]['offset'] + 20] ^= 1
    os.chmod(file, 0o600)
    with open(file, 'wb') as f:
        f.write(data)
    done = other.backstay('ls', FIRST, code=PARTIAL)
    says(done, '/fixture/deep', name='a directory that cannot be read is named')
    fact('/fixture/plain.txt' in done.text and '/fixture/deep/d0/d1' not in done.text, 'and the rest listed', done.text)
    fact('/fixture/plain.txt' in other.backstay('ls', '--sort', 'size', FIRST, code=PARTIAL).text, 'sorted, too')
    done = other.backstay('find', '--json', '-s', FIRST, 'plain.txt', code=PARTIAL)
    equal([m['path'] for m in json.loads(done.out)[0]['matches']],
          ['/fixture/plain.txt'], 'find finds what it can')


def exports():
    repo = Repo.fixture('v2-vectors')
    file = path('master.json')
    done = repo.backstay('key', 'export', file, code=0)
    says(done, 'master key', 'password', name='it says what the file is good for')
    equal(stat.S_IMODE(os.stat(file).st_mode), 0o600, 'only the owner reads an exported key')
    with open(file) as f:
        text = f.read()
    equal(json.loads(text), repo.backstay('cat', 'masterkey', code=0).json(), 'it is the master key')
    equal(repo.restic('cat', 'masterkey', code=0).json()['encrypt'], json.loads(text)['encrypt'], "and restic's")
    repo.backstay('key', 'export', file, code=1)
    with open(file) as f:
        equal(f.read(), text, 'an existing file is not overwritten')
    says(repo.backstay('key', 'frobnicate', code=1), 'frobnicate', name='an unknown word after key is named')
    trees.write(path('empty'), b'\n', 0o600)
    before = repo.objects('keys')
    repo.backstay('key', 'add', '--new-password-file', path('empty'), code=1)
    repo.backstay('key', 'add', '--new-insecure-no-password', '--new-password-file', path('empty'), code=1)
    equal(repo.objects('keys'), before, 'an empty password must be meant')
    repo.backstay('key', 'add', '--new-insecure-no-password', '--user', 'somebody', '--host', 'somewhere', code=0)
    run(BACKSTAY, '-r', repo.path, '--insecure-no-password', 'snapshots', env=environment(None), code=0)
    keys = repo.backstay('key', 'list', '--json', code=0).json()
    fact({('somebody', 'somewhere', False)} <= {(k['userName'], k['hostName'], k['current']) for k in keys}, 'key list', keys)
    current = next(k['id'] for k in keys if k['current'])
    text = repo.backstay('key', 'list', code=0).text
    fact('*' + current[:8] in text and 'somewhere' in text, 'the table marks the key in use', text)
    damage('%s/keys/%s' % (repo.path, next(k['id'] for k in keys if not k['current'])))
    equal(len(json.loads(repo.backstay('key', 'list', '--json', code=PARTIAL).out.splitlines()[0])), 1, 'a damaged key is told')


def tags():
    repo = Repo.fixture('v2-auto', 'tags')
    before = repo.objects('snapshots')
    repo.backstay('tag', code=1)
    repo.backstay('tag', '--set', 'a', '--add', 'b', code=1)
    done = repo.backstay('tag', '--json', '--add', 'first', '--path', '/fixture', '--tag', 'first', code=0)
    equal((done.summary().get('changed_snapshots'), repo.objects('snapshots')), (0, before), 'what has the tag stays as it is')
    done = repo.backstay('tag', '--json', '--set', '', LAST, code=0)
    changed = done.messages('changed')
    equal([c['old_snapshot_id'][:8] for c in changed], [LAST], 'tag --json tells which snapshot changed')
    now = next(s for s in repo.snapshots() if s['id'] == changed[0]['new_snapshot_id'])
    equal((now.get('tags'), now['original'][:8], now['time']), (None, LAST, '2026-01-04T10:00:00Z'), '--set "" takes all tags away')
    repo.backstay('tag', '--remove', 'first,fixture', '--add', 'x', '--tag', 'first', code=0)
    equal([s['tags'] for s in repo.snapshots() if s['time'].startswith('2026-01-01')], [['x']], '--add and --remove together')
    repo.sound('after tag', read_data=False)


def locks():
    repo = Repo.fixture('v2-vectors', 'locked')
    for name in repo.objects('locks'):
        os.unlink('%s/locks/%s' % (repo.path, name))
    key = writer.Keys.open(repo.path, FIXTURE_PASSWORD)
    key.put_plain(repo.path, 'locks', {'time': writer.now(), 'exclusive': True, 'hostname': 'elsewhere', 'username': 'u', 'pid': 77})
    key.put_plain(repo.path, 'locks', {'time': '2020-01-01T00:00:00Z', 'exclusive': False, 'hostname': 'gone', 'username': 'u', 'pid': 7})
    done = repo.backstay('unlock', code=0)
    says(done, 'elsewhere', '--remove-all', name='unlock tells who still holds a lock')
    fact('removed 1 lock' in done.text, 'and how many it removed', done.text)
    done = repo.backstay('unlock', '--json', '--remove-all', code=0)
    equal((done.summary()['removed_locks'], done.summary()['remaining_locks']), (1, 0), 'unlock --remove-all --json')


def usage():
    repo = Repo.fixture('v2-foreign', 'usage')
    run(BACKSTAY, '-r', repo.path, 'stats', '--store', env=environment(None), code=0, why='stats --store needs no password')
    told = repo.backstay('stats', '--store', '--json', code=0).json()
    for kind in ('config', 'keys', 'data', 'index', 'snapshots', 'locks', 'wal'):
        top = os.path.join(repo.path, kind)
        files = [os.path.join(d, f) for d, _, fs in os.walk(top) for f in fs] or [top]
        files = [f for f in files if '-tmp-' not in f]
        equal((told['places'][kind]['objects'], told['places'][kind]['bytes']), (len(files), sum(map(os.path.getsize, files))),
              'stats --store counts ' + kind)
    equal(told['objects'], sum(p['objects'] for p in told['places'].values()), 'stats --store: the total is the sum')
    equal(told['unfinished']['objects'], 3, 'stats --store counts what interrupted uploads have left')
    fact('unfinished' in repo.backstay('stats', '--store', code=0).text, 'and says so')
    repo.backstay('stats', '--store', 'latest', code=1)
    run(BACKSTAY, '-r', path('nothing-here'), 'stats', '--store', code=10)


def main():
    names()
    listings()
    searches()
    dumps()
    unreadable()
    exports()
    tags()
    locks()
    usage()
    finish()


main()
