#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""What a choice of files leaves out: we and stock restic save the same names for the same options."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import FAILED, Repo, equal, fact, finish, path

TAG = b'Signature: 8a477f597d28d172789f06886806bc55\n'


def plant(source):
    for name in ('keep.txt', 'a.TMP', 'b.tmp', 'deep/c.tmp', 'deep/er/Cache/x', 'deep/er/y', 'cache/CACHEDIR.TAG', 'cache/inner', 'notcache/CACHEDIR.TAG',
                 'notcache/inner', 'marked/.nobackup', 'marked/inner', 'said/.nobackup', 'said/inner', 'star[1].txt', 'star1.txt', 'with space', '#hash',
                 'odd\nname', 'build/out/o', 'deep/build/out/o'):
        trees.write(source + '/' + name, b'content of ' + name.encode(), mtime=trees.TIME)
    trees.write(source + '/cache/CACHEDIR.TAG', TAG)
    trees.write(source + '/notcache/CACHEDIR.TAG', b'Signature: something else\n')
    trees.write(source + '/said/.nobackup', b'say: no\n')
    trees.write(source + '/small', b'x' * 1000)
    trees.write(source + '/exact', b'x' * 1024)
    trees.write(source + '/large', b'x' * 1025)


def saved(program):
    """Names in the newest snapshot."""
    lines = program('ls', '--json', 'latest', code=0).lines()
    return sorted(line['path'] for line in lines if line.get('struct_type') == 'node' or line.get('message_type') == 'node')


def same(ours, theirs, name, *options, left_out=(), kept=(), cwd=None):
    """left_out and kept: ends of names, so that both cannot be wrong together."""
    ours.backstay('backup', *options, code=0, cwd=cwd)
    theirs.restic('backup', *options, code=0, cwd=cwd)
    got, want = saved(ours.backstay), saved(theirs.restic)
    equal(got, want, name + ': the same names')
    wrong = [n for n in left_out if any(g.endswith(n) for g in got)] + [n for n in kept if not any(g.endswith(n) for g in got)]
    fact(not wrong, name + ': those that are meant', wrong)


def patterns(ours, theirs, source):
    trees.write(path('patterns'), b'# a comment\n\n*.tmp\n!deep/c.tmp\n  /nowhere  \n')
    trees.write(path('ipatterns'), b'*.tmp\n')
    os.environ['PLACE'] = source
    trees.write(path('variables'), b'$PLACE/deep\n')
    for name, options, left_out, kept in (
            ('--exclude', ['--exclude', '*.tmp'], ['b.tmp', 'c.tmp'], ['a.TMP']),
            ('--iexclude', ['--iexclude', '*.tmp'], ['b.tmp', 'a.TMP'], ['keep.txt']),
            ('--exclude of a directory', ['-e', 'build/out'], ['/build/out', '/o'], ['/deep/build']),
            ('--exclude of a path', ['--exclude', source + '/build'], ['source/build'], ['deep/build/out/o']),
            ('--exclude with two stars', ['--exclude', source + '/**/er'], ['deep/er', 'er/y'], ['c.tmp']),
            ('--exclude with a class', ['--exclude', 'star[[]1].txt'], ['star[1].txt'], ['star1.txt']),
            ('two of --exclude', ['--exclude', '*.tmp', '--exclude', 'cache'], ['c.tmp', '/cache/inner'], ['notcache/inner', 'Cache/x']),
            ('an exception', ['--exclude', '*.tmp', '--exclude', '!c.tmp'], ['b.tmp'], ['c.tmp']),
            ('--exclude-file', ['--exclude-file', path('patterns')], ['b.tmp'], ['deep/c.tmp', '#hash', 'keep.txt']),
            ('--iexclude-file', ['--iexclude-file', path('ipatterns')], ['b.tmp', 'a.TMP'], ['keep.txt']),
            ('--exclude-caches', ['--exclude-caches'], ['/cache/inner'], ['notcache/inner', 'cache/CACHEDIR.TAG']),
            ('--exclude-if-present', ['--exclude-if-present', '.nobackup'], ['marked/inner', 'said/inner'], ['keep.txt']),
            ('--exclude-if-present with a header', ['--exclude-if-present', '.nobackup:say: no'], ['said/inner'], ['marked/inner']),
            ('--exclude-larger-than', ['--exclude-larger-than', '1k'], ['/large'], ['/exact', '/small'])):
        same(ours, theirs, name, *options, source, left_out=left_out, kept=kept)


def lists(ours, theirs, source):
    trees.write(path('files'), ('# a comment\n\n%s/keep.txt\n%s/*.tmp\n%s/marked\n' % (source, source, source)).encode())
    trees.write(path('verbatim'), ('%s/#hash\n%s/star[1].txt\n%s/with space\n' % (source, source, source)).encode())
    trees.write(path('raw'), ('%s/odd\nname\0%s/keep.txt\0' % (source, source)).encode())
    same(ours, theirs, '--files-from', '--files-from', path('files'), left_out=['c.tmp', 'a.TMP'], kept=['b.tmp', 'marked/inner', 'keep.txt'])
    same(ours, theirs, '--files-from-verbatim', '--files-from-verbatim', path('verbatim'), left_out=['star1.txt'], kept=['#hash', 'star[1].txt', 'with space'])
    same(ours, theirs, '--files-from-raw', '--files-from-raw', path('raw'), left_out=['b.tmp'], kept=['odd\nname', 'keep.txt'])
    trees.write(path('nothing'), b'# nothing\n')
    ours.backstay('backup', '--files-from', path('nothing'), code=FAILED, why='a list without a name is refused')
    ours.backstay('backup', '--files-from', path('not-there'), source, code=FAILED, why='so is a list that is not there')
    ours.backstay('backup', '--exclude-file', path('not-there'), source, code=FAILED, why='and a file of patterns that is not there')
    equal(ours.summary_of('--exclude', '*', source), 0, 'all may be left out')


def one_file_system(ours, theirs, source):
    os.mkdir(source + '/mounted')
    subprocess.run(['mount', '-t', 'tmpfs', 'none', source + '/mounted'], check=True)
    try:
        trees.write(source + '/mounted/inner', b'elsewhere')
        same(ours, theirs, 'without --one-file-system', source, kept=['mounted/inner'])
        same(ours, theirs, '--one-file-system', '--one-file-system', source, left_out=['mounted/inner'], kept=['/mounted', 'keep.txt'])
        same(ours, theirs, '--one-file-system of a path that is mounted', '-x', source + '/mounted', kept=['mounted/inner'])
    finally:
        subprocess.run(['umount', source + '/mounted'], check=True)


class Ours(Repo):
    def summary_of(self, *options):
        return self.backup(*options).get('total_files_processed')


def main():
    source = path('source')
    os.mkdir(source)
    for folder in ('deep/er/Cache', 'cache', 'notcache', 'marked', 'said', 'build/out', 'deep/build/out'):
        os.makedirs('%s/%s' % (source, folder))
    plant(source)
    ours, theirs = Ours.named('ours'), Repo.named('theirs')
    ours.init()
    theirs.restic('init', code=0)
    theirs.cheapen()
    patterns(ours, theirs, source)
    lists(ours, theirs, source)
    one_file_system(ours, theirs, source)
    finish()


main()
