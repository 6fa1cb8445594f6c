#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan
"""check --repair-from: each kind of object, damaged or gone, comes back from a mirror, byte for byte; what is damaged there as
well, another repository, or a disk that is not mounted changes nothing."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import FAILED, NO_REPOSITORY, WRONG_PASSWORD, Repo, equal, fact, finish, path


class Mirrored(Repo):
    def env(self, **more):
        return super().env(**{'BACKSTAY_STATE_DIR': path('state'), **more})


def contents(repo):
    """Everything but locks and the mark, key -> bytes."""
    found = {}
    for d, _, names in os.walk(repo.path):
        for name in names:
            key = os.path.relpath(os.path.join(d, name), repo.path)
            if not key.startswith('locks/') and key != 'backstay/mirrors/this':
                with open(os.path.join(d, name), 'rb') as f:
                    found[key] = f.read()
    return found


def some(repo, kind, smallest=False):
    """A key of that kind: the largest, or the smallest, which of packs is one of directories."""
    sizes = sorted((len(data), key) for key, data in contents(repo).items() if key.split('/')[0] == kind)
    return sizes[0][1] if smallest else sizes[-1][1]


def overwrite(repo, key, data):
    full = os.path.join(repo.path, key)
    os.unlink(full)
    if data is not None:
        with open(full, 'wb') as f:
            f.write(data)


def flip(repo, key):
    data = bytearray(contents(repo)[key])
    data[len(data) // 2] ^= 1
    overwrite(repo, key, bytes(data))


def cut(repo, key):
    overwrite(repo, key, contents(repo)[key][:-7])


def lose(repo, key):
    overwrite(repo, key, None)


def heals(repo, mirror, name, damage, *more):
    """damage: of (what is done, key)."""
    before = contents(repo)
    for what, key in damage:
        what(repo, key)
    damaged = contents(repo)
    done = repo.backstay('check', '--repair-from', 'near', *more, '--json')
    lines = done.messages('brought_back')
    fact(done.code == 0 and {x['object'] for x in lines} == {key for _, key in damage}, '%s: comes back, by name' % name, done.all)
    fact(contents(repo) == before, '%s: byte for byte' % name, [k for k in before if contents(repo).get(k) != before[k]])
    equal(done.summary().get('num_brought_back'), len(damage), '%s: and is counted' % name)
    return damaged


def every_kind(repo, near):
    pack, trees_pack = some(repo, 'data'), some(repo, 'data', True)
    index, snapshot, key = some(repo, 'index'), some(repo, 'snapshots'), some(repo, 'keys')
    for name, damage in {
        'a changed byte in a pack': [(flip, pack)],
        'a pack that is cut': [(cut, pack)],
        'a pack that is gone': [(lose, pack)],
        'a pack of directories that is gone': [(lose, trees_pack)],
        'a changed byte in an index': [(flip, index)],
        'an index that is gone': [(lose, index)],
        'a changed byte in a snapshot': [(flip, snapshot)],
        'the key file damaged': [(flip, key)],
        'the key file gone': [(lose, key)],
        'config damaged': [(flip, 'config')],
        'config gone': [(lose, 'config')],
        'all of it': [(cut, pack), (lose, trees_pack), (lose, index), (flip, snapshot), (lose, key), (flip, 'config')],
    }.items():
        heals(repo, near, name, damage, *(['--read-data'] if damage[0][0] is flip else []))
    repo.sound('after all that')


def dry_run(repo):
    pack = some(repo, 'data')
    before = contents(repo)
    cut(repo, pack)
    cut_one = contents(repo)
    done = repo.backstay('check', '--repair-from', 'near', '--dry-run', code=FAILED)
    fact('could be brought back: ' + pack in done.text, 'a dry run says what could come back', done.all)
    equal(sorted(contents(repo).items()) == sorted(cut_one.items()), True, 'and changes nothing')
    repo.backstay('check', code=FAILED)
    done = repo.backstay('check', '--repair-from', path('near'), code=0)
    fact(contents(repo) == before and 'brought back: ' + pack in done.text, 'a location does as well as a name', done.all)
    repo.backstay('check', '--dry-run', code=FAILED)


def damaged_in_both(repo, near):
    pack, other = some(repo, 'data'), some(repo, 'data', True)
    before = contents(repo)
    flip(near, pack)
    there = contents(near)
    cut(repo, pack)
    lose(repo, other)
    here = contents(repo)
    done = repo.backstay('check', '--repair-from', 'near', code=FAILED)
    fact('%s: not brought back' % pack in done.errors, 'what is damaged in both is named', done.all)
    equal(contents(repo)[other] == before[other], True, 'the other object comes back')
    equal(contents(repo)[pack] == here[pack], True, 'and damage replaces nothing')
    equal(contents(near) == there, True, 'the mirror is as it was')
    overwrite(repo, pack, before[pack])
    # the other way round: a mirror is healed from the repository
    near.backstay('check', '--repair-from', repo.path, code=0)
    done = near.backstay('check', '--read-data', '--repair-from', repo.path, code=0)
    equal(contents(near) == contents(repo), True, 'a mirror is healed from its repository')
    near.sound('the mirror that was healed')


def keys_stay_removed(repo, near):
    with open(path('second'), 'w', encoding='utf-8') as f:
        f.write('second')
    added = repo.backstay('key', 'add', '--new-password-file', path('second'), '--json', code=0).messages('key_saved')[0]['id']
    os.rename(near.path, near.path + '.away')
    repo.backstay('key', 'remove', added, code=30)
    os.rename(near.path + '.away', near.path)
    before = contents(repo)
    second = Mirrored(repo.path, 'second')
    second.backstay('check', '--repair-from', near.path, code=WRONG_PASSWORD)
    equal(contents(repo) == before, True, 'a password that was removed does not come back from a mirror')
    repo.backstay('mirror', 'sync', '--delete', code=0)


def refusals(repo, near):
    other = Mirrored.named('other')
    other.init()
    other.backup(path('source', 'docs'))
    before, theirs = contents(repo), contents(other)
    for victim in (None, 'config', some(repo, 'data')):
        if victim:
            lose(repo, victim)
        damaged = contents(repo)
        done = repo.backstay('check', '--repair-from', other.path)
        fact(done.code not in (0, 30) and 'another' in done.errors or done.code == NO_REPOSITORY, 'from another repository nothing comes', done.all)
        equal(contents(repo) == damaged, True, 'and nothing changes')
        if victim:
            overwrite_new(repo, victim, before[victim])
    os.rename(repo.path, repo.path + '.away')
    os.mkdir(repo.path)
    done = repo.backstay('check', '--repair-from', near.path, code=NO_REPOSITORY)
    fact('mounted' in done.errors and not os.listdir(repo.path), 'an empty place is not taken for a damaged repository', done.errors)
    os.rmdir(repo.path)
    shutil.copytree(other.path, repo.path)
    done = repo.backstay('check', '--repair-from', near.path)
    fact(done.code not in (0, 30) and contents(repo) == theirs, 'nor is another repository', done.all)
    shutil.rmtree(repo.path)
    os.rename(repo.path + '.away', repo.path)
    repo.backstay('check', '--repair-from', path('nowhere'), code=NO_REPOSITORY)
    repo.backstay('check', '--repair-from', 'near', code=0)


def overwrite_new(repo, key, data):
    with open(os.path.join(repo.path, key), 'wb') as f:
        f.write(data)


def main():
    source = path('source')
    trees.everything(source, big=2_000_000)
    repo, near = Mirrored.named('repo'), Mirrored.named('near')
    repo.init()
    repo.backup(source)
    trees.write('%s/more' % source, trees.noise(1, 100_000))
    repo.backup(source)
    repo.backstay('mirror', 'add', near.path, code=0)
    repo.backstay('mirror', 'sync', code=0)
    every_kind(repo, near)
    dry_run(repo)
    damaged_in_both(repo, near)
    keys_stay_removed(repo, near)
    refusals(repo, near)
    finish()


main()
