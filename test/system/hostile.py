#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan
"""Repositories made to do harm: a restore never writes, links or makes anything outside of its target."""
import os
import shutil
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
import writer
from scenario import PARTIAL, PASSWORD, Repo, equal, fact, finish, path
from writer import Writer, node, symlink

NAMES = ['..', '.', '', '/', '/etc/evil', '../evil', 'a/../../evil', 'a/b', '../../../../../../../../tmp/evil', 'x\\x00y', '\\x00',
         'a\\x2f..\\x2fevil', '..\\x2fevil', '\\u002e\\u002e', '\\056\\056', '\\x2e\\x2e', 'bad\\q', '\\']


class Ground:
    """A target inside of a directory that must not change."""

    def __init__(self, name):
        self.top = path('ground-' + name)
        shutil.rmtree(self.top, ignore_errors=True)
        self.target = self.top + '/inner/target'
        self.outside = self.top + '/outside'
        os.makedirs(self.target)
        os.makedirs(self.outside)
        trees.write(self.outside + '/precious', b'precious\n', 0o640)
        self.before = self.look()

    def look(self):
        found = trees.describe(self.top)
        return {k: v for k, v in found.items() if not k.startswith(b'inner/target')}

    def untouched(self, name):
        found = trees.differences(self.look(), self.before)
        fact(not found, name + ': nothing outside of the target changed', '\n'.join(found))


def open_repo(made):
    return Repo(made.path, PASSWORD)


def names():
    for i, name in enumerate(NAMES):
        for kind in ('file', 'dir', 'symlink'):
            made = Writer(path('names-%d-%s' % (i, kind)), PASSWORD)
            evil = {'file': lambda: made.file(name, b'evil\n'), 'dir': lambda: made.directory(name, [made.file('f', b'evil\n')]),
                    'symlink': lambda: symlink(name, '/etc')}[kind]()
            made.snapshot([made.directory('a', [evil]), made.file('good', b'good\n'), evil])
            ground = Ground('names')
            done = open_repo(made).backstay('restore', 'latest', '--target', ground.target)
            label = 'a %s named %r' % (kind, name)
            ground.untouched(label)
            fact(done.code in (1, PARTIAL), label + ': the restore tells that something is wrong', done.all)
            checked = open_repo(made).backstay('check', '--json')
            fact(checked.code == 1, label + ': check finds it', checked.all)
            shutil.rmtree(made.path)


def link_then_write():
    """A link to the outside first, then entries below its name."""
    for i, shape in enumerate(('dir', 'file', 'twice')):
        made = Writer(path('link-%d' % i), PASSWORD)
        ground = Ground('link')
        second = made.file('a', b'evil\n') if shape == 'file' else made.directory('a', [made.file('precious', b'evil\n')])
        nodes = [symlink('a', ground.outside), second]
        made.snapshot(nodes if shape != 'twice' else nodes + nodes)
        open_repo(made).backstay('restore', 'latest', '--target', ground.target)
        ground.untouched('a link and a %s of the same name' % shape)


def links_in_the_target():
    """What already lies in the target is not followed."""
    made = Writer(path('honest'), PASSWORD)
    made.snapshot([made.directory('docs', [made.file('precious', b'new\n')]), made.file('precious', b'new\n')])
    ground = Ground('target')
    os.symlink(ground.outside, ground.target + '/docs')
    os.symlink(ground.outside + '/precious', ground.target + '/precious')
    open_repo(made).backstay('restore', 'latest', '--target', ground.target)
    ground.untouched('links that lie in the target')
    fact(not os.path.islink(ground.target + '/precious'), 'a link where a file belongs is replaced, not followed')
    ground = Ground('hard')
    os.link(ground.outside + '/precious', ground.target + '/precious')
    ground.before = ground.look()
    open_repo(made).backstay('restore', 'latest', '--target', ground.target, code=0)
    with open(ground.outside + '/precious', 'rb') as f:
        equal(f.read(), b'precious\n', 'a file with a second name elsewhere is replaced, not written through')


def hardlinks():
    """Hard links are told by inode and device: a link must join what this restore wrote, nothing else."""
    made = Writer(path('hard'), PASSWORD)
    same = {'inode': 7, 'device_id': 9, 'links': 2}
    made.snapshot([made.directory('a', [made.file('one', b'text\n', **same)]), symlink('b', 'a'), made.file('two', b'text\n', **same)])
    ground = Ground('hardlinks')
    open_repo(made).backstay('restore', 'latest', '--target', ground.target, code=0)
    ground.untouched('hard links')
    equal(os.stat(ground.target + '/two').st_nlink, 2, 'an honest hard link is one')
    other = Writer(path('hard-other'), PASSWORD)
    other.snapshot([other.file('one', b'first\n', **same), other.file('two', b'other\n', **same)])
    ground = Ground('hardlinks')
    open_repo(other).backstay('restore', 'latest', '--target', ground.target)
    with open(ground.target + '/two', 'rb') as f:
        fact(f.read() in (b'other\n', b'first\n'), 'one inode with two contents: the restore ends')
    ground.untouched('one inode with two contents')


def numbers():
    """Impossible sizes, modes, times, devices, loops: an error or a sane result, no crash."""
    cases = {
        'size that is larger than the content': lambda w: [dict(w.file('f', b'abc'), size=1 << 50)],
        'size that is smaller than the content': lambda w: [dict(w.file('f', b'abcdef'), size=1)],
        'negative size': lambda w: [dict(w.file('f', b'abc'), size=-1)],
        'mode beyond 32 bits': lambda w: [dict(w.file('f', b'abc'), mode=1 << 40)],
        'owner beyond 32 bits': lambda w: [dict(w.file('f', b'abc'), uid=1 << 40)],
        'year 9999': lambda w: [dict(w.file('f', b'abc'), mtime='9999-12-31T23:59:59.999999999Z')],
        'no time at all': lambda w: [dict(w.file('f', b'abc'), mtime='')],
        'content null': lambda w: [dict(w.file('f', b'abc'), content=None)],
        'content that is no id': lambda w: [dict(w.file('f', b'abc'), content=['../../x'])],
        'content that is missing': lambda w: [dict(w.file('f', b'abc'), content=['00' * 32])],
        'directory without subtree': lambda w: [node('d', 'dir', mode=(1 << 31) | 0o755)],
        'unknown type': lambda w: [node('d', 'blackhole')],
        'symlink without target': lambda w: [node('l', 'symlink', mode=(1 << 27) | 0o777)],
        'symlink to nothing': lambda w: [symlink('l', '')],
        'very long link': lambda w: [symlink('l', 'x' * 100_000)],
        'very long name': lambda w: [w.file('n' * 70_000, b'abc')],
        'duplicate names': lambda w: [w.file('f', b'abc'), w.file('f', b'def')],
        'unsorted names': lambda w: [w.file('b', b'abc'), w.file('a', b'def')],
        'nodes null': lambda w: w.pack('tree', [b'{"nodes":null}\n'])[0],
        'tree that is not JSON': lambda w: w.pack('tree', [b'[[[[[[[[[['])[0],
        'tree of deep nesting': lambda w: w.pack('tree', [b'[' * 100_000])[0],
        'tree that is missing': lambda w: '11' * 32,
        'attribute with a bad name': lambda w: [w.file('f', b'abc', extended_attributes=[{'name': '../x\\u0000', 'value': 'aGVsbG8='}])],
        'attribute of the system': lambda w: [w.file('f', b'abc', extended_attributes=[{'name': 'security.capability', 'value': 'aGVsbG8='}])],
    }
    good = {'year 9999', 'symlink to nothing', 'nodes null', 'unsorted names'}
    for i, (label, build) in enumerate(cases.items()):
        made = Writer(path('number-%d' % i), PASSWORD)
        nodes = build(made)
        made.snapshot(nodes if isinstance(nodes, str) else [made.file('Good', b'good\n'), *nodes])
        ground = Ground('numbers')
        done = open_repo(made).backstay('restore', 'latest', '--target', ground.target, timeout=60)
        fact(0 <= done.code < 124, label + ': the restore ends by itself', '%d %s' % (done.code, done.all))
        ground.untouched(label)
        if isinstance(nodes, list) and label not in good:
            fact(os.path.exists(ground.target + '/Good') or done.code, label + ': what is sound is restored, or the restore fails')
        checked = open_repo(made).backstay('check', timeout=60)
        fact(0 <= checked.code < 124, label + ': check ends by itself', '%d %s' % (checked.code, checked.all))
        used = sum(os.lstat(os.path.join(d, f)).st_blocks * 512 for d, _, fs in os.walk(ground.target) for f in fs)
        fact(used < 10_000_000, label + ': and takes no space')
        shutil.rmtree(made.path)


def bomb(name, leaf):
    """A directory tree that names the same subtree over and over is finite but enormous."""
    made = Writer(path(name), PASSWORD)
    tree = made.tree([leaf(made)])
    for _ in range(60):
        tree = made.tree([node(n, 'dir', mode=(1 << 31) | 0o755, subtree=tree) for n in 'ab'])
    made.snapshot(tree)
    return open_repo(made)


def loop():
    done = bomb('bomb', lambda made: made.file('f', b'abc')).backstay('check', timeout=60)
    equal(done.code, 0, 'check visits each tree once')
    done = bomb('damaged', lambda made: node('f', 'file', mode=0o644, size=3, content=['00' * 32])).backstay('check', timeout=60)
    equal(done.code, 1, 'what damage costs is named by a check that ends')
    equal(done.errors.count('cannot be restored whole'), 1000, 'the first thousand files by name')
    fact('... and %d more' % (2**60 - 1000) in done.errors, 'the others by number', done.errors[-600:])


def abyss():
    """Directories so deep that a walk by recursion would need more stack than there is."""
    made = Writer(path('abyss'), PASSWORD)
    trees_up = [writer.dumps({'nodes': [node('f', 'file', mode=0o644, size=3, content=['00' * 32])]}) + b'\n']
    for _ in range(20_000):
        trees_up.append(writer.dumps({'nodes': [node('d', 'dir', mode=(1 << 31) | 0o755, subtree=writer.sha(trees_up[-1]))]}) + b'\n')
    made.snapshot(made.pack('tree', trees_up)[-1])
    done = open_repo(made).backstay('check', '--json', prefix=['prlimit', '--stack=1000000'], timeout=60)
    equal(done.code, 1, 'check goes 20,000 directories deep')
    equal([x['path'] for x in done.messages('lost')], ['/d' * 20_000 + '/f'], 'and names the file that is lost there')


def special():
    """Devices and setuid files come back only when they are asked for as root; never as somebody else's."""
    made = Writer(path('special'), PASSWORD)
    made.snapshot([dict(made.file('suid', b'#!/bin/sh\n'), mode=(1 << 23) | 0o755, uid=0)])
    ground = Ground('special')
    os.chmod(ground.target, 0o777)
    open_repo(made).backstay('restore', 'latest', '--target', ground.target)
    mode = os.stat(ground.target + '/suid').st_mode
    fact(stat.S_IMODE(mode) & 0o777 == 0o755, 'a setuid file comes back with its permissions', oct(mode))


def objects():
    """Objects whose lengths lie."""
    for i, (kind, data) in enumerate((('index', b''), ('index', b'x' * 31), ('snapshots', b'y' * 40), ('locks', b''), ('keys', b'{"N":'),
                                      ('keys', b'{"kdf":"scrypt","N":1073741824,"r":1024,"p":1024,"salt":"","data":""}'), ('data', b''),
                                      ('data', b'z' * 3), ('data', b'\xff' * 40))):
        made = Writer(path('object-%d' % i), PASSWORD)
        made.snapshot([made.file('f', b'abc')])
        writer.put(made.path, kind, data)
        for verb in (['snapshots'], ['check', '--read-data'], ['restore', 'latest', '--target', path('o%d' % i)], ['repair', 'index']):
            done = open_repo(made).backstay(*verb, timeout=60)
            fact(0 <= done.code < 124, '%d bytes in %s/: %s ends by itself' % (len(data), kind, verb[0]), '%d %s' % (done.code, done.all))


def main():
    names()
    link_then_write()
    links_in_the_target()
    hardlinks()
    numbers()
    loop()
    abyss()
    special()
    objects()
    finish()


main()
