#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan
"""Stock restic lists, finds, checks and restores what we wrote, byte for byte and with all metadata."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import Repo, equal, fact, finish, path

SOCKET = (b'socket',)  # a restore leaves sockets out


def metadata_round_trip(repo, source):
    summary = repo.backup(source, '--tag', 'one,two', '--host', 'alpha')
    fact(len(summary.get('snapshot_id', '')) == 64, 'the summary names the snapshot', summary)
    repo.restic('restore', 'latest', '--target', path('theirs'), code=0)
    fact(not (found := trees.compare(path('theirs') + source, source, SOCKET)),
         'restic restores our snapshot exactly', '\n'.join(found))
    repo.backstay('restore', 'latest', '--target', path('ours'), code=0)
    fact(not (found := trees.compare(path('ours') + source, source, SOCKET)),
         'we restore our snapshot exactly', '\n'.join(found))
    return summary


def listings(repo, source, summary):
    ours = repo.snapshots()
    theirs = repo.restic('snapshots', '--json', code=0).json()
    equal([s['id'] for s in ours], [s['id'] for s in theirs], 'both list the same snapshots')
    equal(ours[0]['short_id'], theirs[0]['short_id'], 'the short id is the same')
    for field in ('time', 'tree', 'paths', 'hostname', 'username', 'tags'):
        equal(ours[0].get(field), theirs[0].get(field), 'both show the same ' + field)
    equal(sorted(ours[0]['tags']), ['one', 'two'], 'one --tag option holds several tags')

    def nodes(result):
        return sorted((n['path'], n['type'], n.get('size', 0), n.get('mtime'), n.get('mode'), n.get('uid'))
                      for n in result.lines() if n.get('struct_type') == 'node')
    a = nodes(repo.backstay('ls', '--json', 'latest', code=0))
    b = nodes(repo.restic('ls', '--json', 'latest', code=0))
    fact(a == b and len(a) > 100, 'ls --json gives the same entries',
         'ours %d, theirs %d\nonly ours %r\nonly theirs %r' % (len(a), len(b), sorted(set(a) - set(b))[:5], sorted(set(b) - set(a))[:5]))

    def matches(result):
        return sorted(m['path'] for r in result.json() for m in r['matches'])
    a = matches(repo.backstay('find', '--json', 'f00*', code=0))
    b = matches(repo.restic('find', '--json', 'f00*', code=0))
    fact(a == b and len(a) == 10, 'find --json gives the same matches', '%r\n%r' % (a, b))
    mine = repo.backstay('dump', 'latest', source + '/text.txt', code=0).out
    fact(mine == repo.restic('dump', 'latest', source + '/text.txt', code=0).out and len(mine) > 1000,
         'dump gives the same bytes')
    sizes = [r.json()['total_size'] for r in (repo.backstay('stats', '--json'), repo.restic('stats', '--json'))]
    equal(sizes[0], sizes[1], 'stats gives the same size')
    equal(len(repo.backstay('key', 'list', '--json', code=0).json()), 1, 'key list --json shows the key')
    fact(repo.restic('cat', 'snapshot', summary['snapshot_id']).code == 0, 'restic prints our snapshot')


def second_run(repo, source):
    trees.write(source + '/plain.txt', b'changed\n', mtime=trees.TIME + 10**9)
    os.unlink(source + '/docs/f001')
    trees.write(source + '/docs/new', b'new\n')
    second = repo.backup(source, '--host', 'alpha')
    equal((second['files_new'], second['files_changed']), (1, 1), 'the second run saw one new and one changed file')
    fact(second['data_added'] < 200_000, 'the second run added little', second)
    third = repo.backup(source, '--host', 'alpha')
    equal((third['files_new'], third['files_changed'], third['data_blobs']), (0, 0, 0), 'a third run finds nothing new')
    equal(third['files_unmodified'], second['total_files_processed'], 'and counts every file as unmodified')
    repo.restic('restore', 'latest', '--target', path('theirs-3'), code=0)
    fact(not (found := trees.compare(path('theirs-3') + source, source, SOCKET)), 'restic restores the third snapshot', '\n'.join(found))
    snaps = repo.snapshots()
    diff = repo.restic('diff', snaps[0]['id'], snaps[1]['id'], code=0).text
    fact('docs/new' in diff and 'docs/f001' in diff and 'plain.txt' in diff, 'restic shows what changed', diff)
    kinds = {(m['path'][len(source):], m['modifier']) for m in
             repo.backstay('diff', '--json', snaps[0]['id'], snaps[1]['id'], code=0).messages('change')}
    fact({('/docs/new', '+'), ('/docs/f001', '-'), ('/plain.txt', 'M')} <= kinds, 'so do we', kinds)


def variants(source):
    for options in (['--compression', 'off'], ['--compression', 'max'], ['--compression', '3'], ['--pack-size', '4'],
                    ['--no-extra-verify']):
        repo = Repo.named('variant' + ''.join(options).replace('-', '_'))
        repo.init()
        repo.backup(*options, source)
        repo.sound(' '.join(options))
        target = path('out' + ''.join(options))
        repo.restic('restore', 'latest', '--target', target, code=0)
        fact(not (found := trees.compare(target + source, source, SOCKET)),
             'restic restores what was written with ' + ' '.join(options), '\n'.join(found))


def main():
    source = path('source')
    trees.everything(source)
    trees.add_socket(source)
    os.utime(source, ns=(trees.TIME, trees.TIME))
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    summary = metadata_round_trip(repo, source)
    repo.cheapen()
    repo.sound('after the first backup')
    listings(repo, source, summary)
    second_run(repo, source)
    repo.sound('after three backups')
    variants(source)
    finish()


main()
