#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Volumes: images and loop devices, with holes, of odd sizes, growing; what is in use is named; stock restic gives the same bytes."""
import hashlib
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from loop import Loops
from scenario import BACKSTAY, FAILED, NOT_EMPTY, Repo, equal, fact, finish, path, run

MIB = 1 << 20


def sha256(file, size=None):
    digest = hashlib.sha256()
    with open(file, 'rb') as f:
        left = size if size is not None else os.stat(file).st_size
        while left > 0:
            data = f.read(min(left, MIB))
            if not data:
                break
            digest.update(data)
            left -= len(data)
    return digest.hexdigest()


def image(name, size, pieces=()):
    """Of holes, but for the pieces: (offset, bytes)."""
    file = path(name)
    with open(file, 'wb') as f:
        f.truncate(size)
        for offset, data in pieces:
            f.seek(offset)
            f.write(data)
    return file


def patch(file, offset, data):
    with open(file, 'r+b') as f:
        f.seek(offset)
        f.write(data)


def head(file):
    with open(file, 'rb') as f:
        return f.read(200)


def latest(repo, snapshot):
    return [s for s in repo.snapshots() if s['id'] == snapshot][0]


def with_restic(repo, snapshot, label):
    """What stock restic restores: the manifest, and the segments joined."""
    target = path('restic-' + label)
    repo.restic('restore', snapshot, '--target', target, code=0)
    top = os.path.join(target, os.listdir(target)[0])
    with open(top + '/manifest.json', encoding='utf-8') as f:
        manifest = json.load(f)
    joined = path('joined-' + label)
    with open(joined, 'wb') as f:
        subprocess.run('cat %s/*.img/*' % top, shell=True, check=True, stdout=f)
    return manifest, joined


def restore(repo, snapshot, target, *options, code=0):
    done = repo.backstay('restore', '--json', snapshot, '--to', 'volume:' + target, *options, code=code)
    return done.messages('volume')[-1] if code == 0 else done


repo = Repo.named('repo')
repo.init()
loops = Loops()

# an image of holes and an odd size
size = 64 * MIB + 12345
disk = image('disk.img', size, ((0, os.urandom(MIB)), (37 * MIB + 5, os.urandom(3 * MIB)), (size - 100, b'x' * 100)))
first = repo.backup('volume:' + disk)
fact(first['data_added'] < 6 * MIB, 'holes are not stored', first['data_added'])
tags = latest(repo, first['snapshot_id'])['tags']
fact('kind=volume' in tags and 'cut=16k' in tags, 'tags', tags)
manifest, joined = with_restic(repo, first['snapshot_id'], 'holes')
equal(sha256(joined), sha256(disk), 'stock restic restores it, and cat joins it')
volume = manifest['volume']
equal((volume['size'], volume['sha256'], volume['type'], volume['folder']), (size, sha256(disk), 'image', 'disk.img'), 'the manifest')
equal((manifest['consistency']['way'], manifest['consistency']['state']), ('unused', 'consistent'), 'nobody wrote to it')
again = repo.backup('volume:' + disk)
fact(again['data_added'] < 8192, 'a second backup stores nothing of it, not even which pieces it has', again['data_added'])
# the list of its one segment: 67 bytes for each of its pieces
tree = size // 16384 * 67 + 8192
patch(disk, 37 * MIB, b'new')
third = repo.backup('volume:' + disk)
fact(third['data_added'] <= tree + 16384, 'three bytes cost one piece', (third['data_added'], tree))

# who may read it, and no more, cannot see who writes to it
stranger = {'prefix': ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'], 'env': {'BACKSTAY_CACHE_DIR': path('stranger-cache')}}
theirs = Repo.named('stranger')
for place in (theirs.path, path('stranger-cache')):
    os.mkdir(place)
    os.chown(place, 65534, 65534)
theirs.backstay('init', code=0, **stranger)
seen = theirs.backstay('backup', '--json', 'volume:' + disk, code=0, **stranger)
consistency = with_restic(theirs, seen.messages('summary')[-1]['snapshot_id'], 'stranger')[0]['consistency']
equal((consistency['way'], consistency['state']), ('none', 'crash-consistent'), 'a reader who cannot see writers calls nothing consistent')
fact('as its owner or as root' in seen.all, 'and says what would help', seen.all)

# growth keeps the cuts
os.truncate(disk, size + 32 * MIB)
patch(disk, size + 20 * MIB, os.urandom(1000))
grown = repo.backup('volume:' + disk)
fact(grown['data_added'] < 2 * MIB, 'growth costs what grew', grown['data_added'])
fact('cut=16k' in latest(repo, grown['snapshot_id'])['tags'], 'the cut stays')

# into a new image, an old one, another one
new = path('new.img')
preview = restore(repo, grown['snapshot_id'], new, '--preview')
fact(not os.path.exists(new), 'a preview makes nothing')
told = restore(repo, grown['snapshot_id'], new, '--verify')
equal((preview['bytes_written'], preview['bytes_same']), (told['bytes_written'], told['bytes_same']), 'and says what will be written where there is nothing: no zeros')
equal((sha256(new), told['created'], told['verified']), (sha256(disk), True, True), 'restored into a new image')
fact(os.stat(new).st_blocks * 512 < 12 * MIB, 'with its holes', os.stat(new).st_blocks)
patch(new, 50 * MIB, b'y' * 20000)
patch(new, 20, b'z')
preview = restore(repo, grown['snapshot_id'], new, '--preview', '--force')
fact(0 < preview['bytes_written'] <= 4 * 16384, 'a preview says what differs', preview)
fact(sha256(new) != sha256(disk), 'and changes nothing')
refused = restore(repo, grown['snapshot_id'], new, code=NOT_EMPTY)
fact('--force' in refused.errors, 'data of unknown origin is not overwritten', refused.errors)
told = restore(repo, grown['snapshot_id'], new, '--force')
equal(told['bytes_written'], preview['bytes_written'], 'only what differs is written')
equal(sha256(new), sha256(disk), 'and then it is the same')
fact(os.stat(new).st_blocks * 512 < 12 * MIB, 'what had become data is a hole again', os.stat(new).st_blocks)
told = restore(repo, grown['snapshot_id'], new, '--force')
equal(told['bytes_written'], 0, 'once more: nothing to write')
told = restore(repo, third['snapshot_id'], new, '--force')
equal((told['bytes_beyond'], sha256(new, size)), (32 * MIB, sha256(disk, size)), 'into a larger one: the rest is left alone')
for where, offset in (('at its end', size - 100), ('in its middle', size // 2)):
    hidden = image('hidden.img', size, ((offset, os.urandom(100) if offset > size // 2 else os.urandom(MIB)),))
    before = sha256(hidden)
    restore(repo, third['snapshot_id'], hidden, code=NOT_EMPTY)
    equal(sha256(hidden), before, 'data that is only %s is not overwritten either' % where)
small = image('small.img', size - 1)
refused = restore(repo, third['snapshot_id'], small, code=24)
fact('does not fit' in refused.errors, 'into a smaller one: refused', refused.errors)
repo.backstay('restore', first['snapshot_id'], '--to', 'volume:/dev/null', code=FAILED, why='a character device is refused')
repo.backstay('restore', first['snapshot_id'], '--to', 'volume:' + path('.'), code=FAILED, why='a directory is refused')
repo.backstay('restore', first['snapshot_id'], '--to', 'volume:/dev/backstay-none', code=FAILED, why='an absent device is not made a file')
with open(new, 'rb'):
    refused = restore(repo, first['snapshot_id'], new, '--force', code=11)
    fact('in use' in refused.errors, 'an image that a process has open is refused, forced or not', refused.errors)

# interrupted: what is half a volume says so, and is gone on with
half = path('half.img')
process = subprocess.Popen([BACKSTAY, '-r', repo.path, '--limit-download', '32', 'restore', third['snapshot_id'], '--to', 'volume:' + half],
                           env=repo.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
for _ in range(6000):
    if process.poll() is not None or (os.path.exists(half) and head(half).startswith(b'backstay: unfinished restore of snapshot ' + third['snapshot_id'].encode())):
        break
    time.sleep(.01)
process.kill()
fact(process.wait(60) < 0, 'a restore that is killed')
fact(head(half).startswith(b'backstay: unfinished'), 'leaves its mark', head(half))
done = repo.backstay('backup', 'volume:' + half, code=FAILED, why='half a volume is not backed up')
fact('not finished' in done.errors, 'and told of', done.errors)
told = restore(repo, third['snapshot_id'], half, '--verify')
equal((told['continued'], sha256(half)), (True, sha256(disk, size)), 'the next restore goes on, without force')

# most of it are holes: they cost nothing, in either direction
vast, islands = 100 << 30, {n * (7 << 30) + 12345: os.urandom(5000) for n in range(3)}
abyss = image('abyss.img', vast, islands.items())
blocks = {}
for at, data in islands.items():
    block = bytearray(MIB)
    block[at % MIB:at % MIB + len(data)] = data
    blocks[at // MIB] = hashlib.sha256(block).digest()
nothing = hashlib.sha256(bytes(MIB)).digest()
summed = hashlib.sha256(b''.join(blocks.get(n, nothing) for n in range(vast // MIB))).hexdigest()
deep = repo.backup('volume:' + abyss)
again = repo.backup('volume:' + abyss)
fact(again['data_added'] < 8192, 'nothing of a hundred GiB is stored a second time', again['data_added'])
manifest = repo.backstay('dump', deep['snapshot_id'], '/volume-%s/manifest.json' % abyss[1:].replace('/', '%2F'), code=0).json()
equal((manifest['volume'].get('sha256'), manifest['volume']['blocks_sha256']), (None, summed), 'its sum is that of its blocks')
copy = path('abyss-copy.img')
told = restore(repo, deep['snapshot_id'], copy, '--verify')
equal((told['verified'], os.path.getsize(copy)), (True, vast), 'it is restored and verified')
fact(os.stat(copy).st_blocks * 512 < 4 * MIB, 'with its holes', os.stat(copy).st_blocks)
patch(copy, 50 << 30, b'litter')
told = restore(repo, deep['snapshot_id'], copy, '--force', '--verify')
fact(0 < told['bytes_written'] <= MIB, 'what lies in a hole is found', told)
os.unlink(copy)
os.unlink(abyss)

# a loop device with a file system: an idle one, a mounted one
card = image('card.img', 48 * MIB)
subprocess.run(['mkfs.ext4', '-q', '-F', '-L', 'card', '-U', '01234567-89ab-cdef-0123-456789abcdef', card], check=True)
device = loops.attach(card)
idle = repo.backup('volume:' + device)
manifest, joined = with_restic(repo, idle['snapshot_id'], 'device')
equal(sha256(joined), sha256(card), 'a device: the same bytes')
equal(manifest['content'], {'type': 'ext4', 'uuid': '01234567-89ab-cdef-0123-456789abcdef', 'label': 'card'}, 'what it holds')
equal((manifest['volume']['type'], manifest['consistency']['way'], manifest['device']['backing_file']), ('block', 'unused', card), 'what it is')
mounted = loops.mount(device, 'mnt')
with open(mounted + '/file', 'wb') as f:
    f.write(b'one' * 100000)
live = repo.backstay('backup', '--json', 'volume:' + device, code=0)
fact('crash-consistent' in live.errors and mounted in live.errors, 'a mounted one is named', live.errors)
manifest, _ = with_restic(repo, live.summary()['snapshot_id'], 'live')
equal((manifest['consistency']['way'], manifest['consistency']['state'], manifest['consistency']['mounts'][0]['path']),
      ('none', 'crash-consistent', mounted), 'and the manifest says so')
for target in (device, card):
    refused = restore(repo, idle['snapshot_id'], target, '--force', code=11)
    fact(mounted in refused.errors, 'a mounted target is refused, forced or not', refused.errors)
subprocess.run(['mount', '-o', 'remount,ro', mounted], check=True)
still = repo.backup('volume:' + device)
manifest, _ = with_restic(repo, still['snapshot_id'], 'ro')
equal(manifest['consistency']['way'], 'read-only', 'mounted read-only is consistent')
loops.unmount(mounted)
before = sha256(card)
told = restore(repo, idle['snapshot_id'], device, '--verify')
fact(0 < told['bytes_written'] < 8 * MIB, 'back to the first: the same file system needs no force', told)
equal(subprocess.run(['fsck.ext4', '-fn', device], check=False, stdout=subprocess.DEVNULL).returncode, 0, 'fsck finds it sound')
fact(sha256(card) != before, 'it changed')
mounted = loops.mount(device, 'mnt')
fact(not os.path.exists(mounted + '/file'), 'the file of later is gone')
loops.unmount(mounted)
other = image('other.img', 48 * MIB)
subprocess.run(['mkfs.ext4', '-q', '-F', other], check=True)
refused = restore(repo, idle['snapshot_id'], other, code=NOT_EMPTY)
fact('ext4' in refused.errors, 'another file system is named', refused.errors)
loops.detach(device)

# a group: one schedule for all that bear its label, and one snapshot of each is kept
for name in 'abc':
    image(name + '.img', 2 * MIB, ((0, name.encode() * 100),))
with open(path('backstay.yaml'), 'w', encoding='utf-8') as f:
    f.write('repositories: {main: {location: %s, password: env://RESTIC_PASSWORD}}\nsources:\n' % repo.path
            + ''.join('  %s: {url: "volume:%s", labels: {tier: %s}}\n' % (x, path(x + '.img'), tier) for x, tier in (('a', 'gold'), ('b', 'tin'), ('c', 'gold')))
            + 'schedules: {gold: {select: {tier: gold}, repository: main, cron: daily, keep: {last: 1}}}\n')
for _ in range(2):
    run(BACKSTAY, '--config', path('backstay.yaml'), 'run', 'gold', env=repo.env(), code=0)
group = [s for s in repo.snapshots() if 'schedule=gold' in (s['tags'] or [])]
equal(sorted(s['paths'][0].rsplit('%2F', 1)[1] for s in group), ['a.img', 'c.img'], 'the newest of each with the label is kept, and nothing else saved')

# what is not a volume
repo.backstay('backup', 'volume:' + path('none.img'), code=FAILED, why='an absent image')
repo.backstay('backup', 'volume:/dev/null', code=FAILED, why='a character device')
files = repo.backup(path('small.img'))
refused = restore(repo, files['snapshot_id'], path('x.img'), code=FAILED)
fact('not of a volume' in refused.errors and not os.path.exists(path('x.img')), 'files are not restored into a volume', refused.errors)
empty = image('empty.img', 0)
nothing = repo.backup('volume:' + empty)
restore(repo, nothing['snapshot_id'], path('empty2.img'))
equal(os.path.getsize(path('empty2.img')), 0, 'an empty image')
repo.sound('in the end')
finish()
